// Headers on the wire, and what steps 7 and 8 of docs/datapath.md read from an IPv4 packet.
#pragma once
#include "maps.h"

#define swap16(x) ((__u16)__builtin_bswap16(x))
#define ETHERNET 14
#define ETHERTYPE_IPV4 swap16(0x0800)
#define ETHERTYPE_VLAN swap16(0x8100)
#define IPPROTO_ICMP 1
#define TCP_LEN 20
#define UDP_LEN 8

struct ethernet {
    __u8 to[6], from[6];
    __be16 type;
} __attribute__((packed));
struct ipv4 {
    __u8 version_length, tos;
    __be16 length, id, fragment;
    __u8 ttl, protocol;
    __be16 sum;
    __be32 from, to;
} __attribute__((packed));
struct ports {
    __be16 from, to;
} __attribute__((packed));
struct tcp {
    struct ports ports;
    __be32 sequence, acknowledgement;
    __u8 offset, flags;
    __be16 window, sum, urgent;
} __attribute__((packed));
struct udp {
    struct ports ports;
    __be16 length, sum;
} __attribute__((packed));
struct icmp {
    __u8 type, code;
    __be16 sum;
    __be32 rest;
} __attribute__((packed));
struct ipos {
    __be32 from;
    __be16 from_port;
    __be32 to;
    __be16 to_port;
    __u8 type, protocol;
    __be16 sum;
} __attribute__((packed));

// RFC 1071: the sum of 16-bit words in memory order, not complemented.
inline __u16 fold(__u32 sum)
{
    sum = (sum & 0xffff) + (sum >> 16);
    return (sum & 0xffff) + (sum >> 16);
}

inline __u32 add_words(__u32 sum, const void *bytes, int words)
{
    const __u16 *w = bytes;
#pragma unroll
    for (int i = 0; i < words; i++)
        sum += w[i];
    return sum;
}

inline int same_mac(const __u8 *a, const __u8 *b)
{
    const __u16 *x = (const void *)a, *y = (const void *)b;
    return x[0] == y[0] && x[1] == y[1] && x[2] == y[2];
}

// An IPv4 packet, judged.
struct packet {
    __u32 total; // total length, meaningful with a key
    __u32 room;  // bytes of the frame from the packet on
    struct key key;
    __u8 reason; // REASON_MISS: it has a key
    __u8 l3, tcp_flags, unfinished, icmp;
};

// Steps 7 and 8. `ip` is the packet's place in the linear part, `room` the bytes of the frame from there on.
inline void judge(struct packet *p, void *ip_at, void *end, __u32 room)
{
    struct ipv4 *ip = ip_at;
    *p = (struct packet){.room = room, .reason = REASON_HEADER, .l3 = L3_TRUNCATED};
    if ((void *)(ip + 1) > end)
        return;
    __u32 header = (ip->version_length & 15) * 4;
    p->l3 = L3_MALFORMED;
    if (ip->version_length >> 4 != 4 || header < sizeof(*ip))
        return;
    p->l3 = L3_TRUNCATED;
    void *transport = ip_at + header;
    if (transport > end)
        return;
    __u32 sum = add_words(0, ip, sizeof(*ip) / 2);
    if (header > sizeof(*ip)) {
#pragma unroll
        for (int i = sizeof(*ip); i < 60; i += 4) {
            __u16 *option = ip_at + i;
            if (i >= header || (void *)(option + 2) > end)
                break;
            sum += option[0] + option[1];
        }
    }
    __u32 total = swap16(ip->length);
    int fragment = (ip->fragment & swap16(0x3fff)) != 0;
    __u32 needed = header;
    int keyed = ip->protocol == IPPROTO_TCP || ip->protocol == IPPROTO_UDP;
    if (keyed && !fragment)
        needed += ip->protocol == IPPROTO_TCP ? TCP_LEN : UDP_LEN;
    if (fold(sum) != 0xffff)
        p->l3 = L3_BAD_CHECKSUM;
    else if (total < header)
        p->l3 = L3_MALFORMED;
    else if (room < needed)
        p->l3 = L3_TRUNCATED;
    else if (total < needed)
        p->l3 = L3_MALFORMED;
    else
        p->l3 = total > room ? L3_SHORT : L3_OK;
    p->total = total;
    p->key.client = ip->from;
    p->key.service = ip->to;
    p->key.protocol = ip->protocol;
    p->icmp = ip->protocol == IPPROTO_ICMP && p->l3 == L3_OK && !fragment;
    if (total < header)
        return;
    p->reason = fragment ? REASON_FRAGMENT : REASON_PROTOCOL;
    if (fragment || !keyed)
        return;
    p->reason = REASON_HEADER;
    if (room < needed || total < needed)
        return;
    struct tcp *tcp = transport;
    struct udp *udp = transport;
    if ((void *)(udp + 1) > end)
        return;
    p->key.client_port = udp->ports.from;
    p->key.service_port = udp->ports.to;
    // a sum of the pseudo-header alone: the sender left the rest to hardware that this packet never met
    __u32 pseudo = add_words(0, &ip->from, 4) + swap16(ip->protocol) + swap16((__u16)(total - header));
    if (ip->protocol == IPPROTO_TCP) {
        if ((void *)(tcp + 1) > end)
            return;
        p->tcp_flags = tcp->flags;
        p->unfinished = tcp->sum == fold(pseudo);
    } else {
        p->unfinished = udp->sum && udp->sum == fold(pseudo);
    }
    p->reason = REASON_MISS;
}

// The flow whose packet an ICMP error (RFC 792: 3, 11, 12) quotes. `service_sent`: the quoted packet was the service's.
inline int quoted(struct key *key, void *ip_at, void *end, int service_sent)
{
    struct ipv4 *ip = ip_at;
    if ((void *)(ip + 1) > end || ip->protocol != IPPROTO_ICMP)
        return 0;
    struct icmp *icmp = ip_at + (ip->version_length & 15) * 4;
    if ((void *)(icmp + 1) > end || (icmp->type != 3 && icmp->type != 11 && icmp->type != 12))
        return 0;
    struct ipv4 *inner = (void *)(icmp + 1);
    if ((void *)(inner + 1) > end || inner->version_length >> 4 != 4 || inner->fragment & swap16(0x1fff))
        return 0;
    __u32 header = (inner->version_length & 15) * 4;
    struct ports *ports = (void *)inner + header;
    if (header < sizeof(*inner) || (void *)(ports + 1) > end)
        return 0;
    if (inner->protocol != IPPROTO_TCP && inner->protocol != IPPROTO_UDP)
        return 0;
    *key = service_sent ? (struct key){inner->to, inner->from, ports->to, ports->from, inner->protocol}
                        : (struct key){inner->from, inner->to, ports->from, ports->to, inner->protocol};
    return 1;
}
