// The kernel as a card: docs/kernel-datapath.md. The numbers in the comments are the steps of docs/datapath.md.
#include "record.h"

#define UDP_OUTER (sizeof(struct ipv4) + UDP_LEN)

// Where a frame goes.
enum way { STACK, DISCARD, NODE, FORWARD, DECAPSULATE, ROUTE };

// A frame that came in, as far as it is read, and what was decided.
struct arrival {
    __u32 port, length;
    __u32 net;      // place of the IPv4 or ipOS header
    __u32 outcome;  // of DISCARD
    __u16 vlan;
    __u8 decapsulated;
    __u8 ttl;       // UDP transport: hops that are left
    __u8 icmp;      // the packet is an error about `key`
    __be32 from_ip; // UDP transport: the sender
    struct key key;
};

// What a program keeps of one frame: in a map, whose contents the verifier does not follow, so that it walks a path once.
struct work {
    struct arrival a;
    struct shown f;
    struct packet p;
};
_Static_assert(sizeof(struct work) <= WORK_BYTES, "work");

inline enum way discard(struct arrival *a, __u32 outcome)
{
    a->outcome = outcome;
    return DISCARD;
}

inline enum way node(struct shown *f, __u8 reason, __u8 l3)
{
    f->head.reason = reason;
    f->head.l3 = l3;
    return NODE;
}

inline int ended(const struct arrival *a, __u32 outcome, int verdict)
{
    count(a->port, outcome);
    return verdict;
}

// 13. Into a ring.
inline int to_node(struct xdp_md *x, struct settings *s, struct arrival *a, struct shown *f)
{
    f->net = a->net;
    f->rest = a->length - a->net;
    f->head.port = a->port;
    f->head.generation = s->generation;
    if (a->decapsulated) {
        f->head.flags |= DECAPSULATED;
        __builtin_memcpy(f->to, s->front_mac, 6);
    }
    int done = 0;
    if (f->head.reason == REASON_CONTROL) {
        if (f->rest <= SMALL)
            done = RECORD(bpf_xdp_load_bytes, x, &control, f, SMALL);
        else if (f->rest <= FULL)
            done = RECORD(bpf_xdp_load_bytes, x, &control, f, FULL);
        return ended(a, done ? OUTCOME_TO_CONTROL : OUTCOME_DROP_HOST_FULL, XDP_DROP);
    }
    if (f->rest <= SMALL)
        done = RECORD(bpf_xdp_load_bytes, x, &frames, f, SMALL);
    else if (f->rest <= FULL)
        done = RECORD(bpf_xdp_load_bytes, x, &frames, f, FULL);
    else if (f->rest <= JUMBO)
        done = RECORD(bpf_xdp_load_bytes, x, &frames, f, JUMBO);
    return ended(a, done ? OUTCOME_TO_HOST : OUTCOME_DROP_HOST_FULL, XDP_DROP);
}

// 12.4. Per processor: a burst of 16, then `reforward` packets a second.
inline int over_rate(const struct settings *s)
{
    __u32 zero = 0;
    __u64 *earliest = bpf_map_lookup_elem(&buckets, &zero);
    if (!s->reforward || !earliest)
        return 0;
    __u64 now = bpf_ktime_get_boot_ns(), step = 1000000000 / s->reforward;
    if (*earliest > now + 15 * step)
        return 1;
    *earliest = (*earliest > now ? *earliest : now) + step;
    return 0;
}

// 12.1 to 12.7: encapsulate the packet for the owner in `entry`, and send it.
inline int forward(struct xdp_md *x, struct settings *s, struct arrival *a, struct shown *f, const struct value *entry, const struct packet *p)
{
    if (p->l3 == L3_BAD_CHECKSUM)
        return ended(a, OUTCOME_DROP_HEADER, XDP_DROP);
    __u32 index = entry->peer;
    struct peer *peer = bpf_map_lookup_elem(&peers, &index);
    if (!peer || peer->kind == PEER_NONE)
        return ended(a, OUTCOME_DROP_NEIGHBOUR, XDP_DROP);
    struct peer to = *peer;
    __u32 outer = to.kind == PEER_UDP ? UDP_OUTER : 0;
    if (a->decapsulated) {
        if (outer ? to.ip == a->from_ip || a->ttl == 1 : same_mac(to.mac, f->from))
            return ended(a, OUTCOME_DROP_LOOP, XDP_DROP);
        if (over_rate(s))
            return ended(a, OUTCOME_DROP_RATE, XDP_DROP);
    }
    if (p->total + IPOS_LEN + outer > s->back_mtu)
        return ended(a, OUTCOME_DROP_FORWARD_FULL, XDP_DROP);
    if (p->total > p->room)
        return ended(a, OUTCOME_DROP_SHORT, XDP_DROP);
    struct ipos h = {a->key.client, a->key.client_port, entry->owner, entry->owner_port, IPOS_PACKET,
                     a->key.protocol == IPPROTO_UDP ? 2 : 1, 0};
    h.sum = ~fold(add_words(0, &h, sizeof(h) / 2));
    __u32 counter = entry->counter, padding = p->room - p->total;
    if ((padding && bpf_xdp_adjust_tail(x, -(int)padding)) ||
        bpf_xdp_adjust_head(x, (int)a->net - (int)(ETHERNET + IPOS_LEN + outer)))
        return ended(a, OUTCOME_DROP_FORWARD_FULL, XDP_DROP);
    void *data = (void *)(long)x->data, *end = (void *)(long)x->data_end;
    struct ethernet *eth = data;
    struct ipos *ipos = (void *)(eth + 1);
    if (outer) {
        struct ipv4 *ip = (void *)(eth + 1);
        struct udp *udp = (void *)(ip + 1);
        ipos = (void *)(udp + 1);
        if ((void *)(ipos + 1) > end)
            return ended(a, OUTCOME_DROP_FORWARD_FULL, XDP_DROP);
        __u16 length = UDP_OUTER + IPOS_LEN + p->total;
        struct ipv4 header = {0x45, 0, swap16(length), 0, swap16(0x4000), a->ttl ? a->ttl - 1 : UDP_TTL, IPPROTO_UDP, 0, s->back_ip, to.ip};
        header.sum = ~fold(add_words(0, &header, sizeof(header) / 2));
        *ip = header;
        // one flow, one source port: routers and receive queues keep its order
        __u32 hash = h.from ^ h.from_port ^ (__u32)a->key.service_port << 16;
        hash ^= hash >> 16;
        *udp = (struct udp){{swap16(0xc000 | (hash & 0x3fff)), to.port}, swap16((__u16)(length - sizeof(*ip))), 0};
    }
    if ((void *)(ipos + 1) > end)
        return ended(a, OUTCOME_DROP_FORWARD_FULL, XDP_DROP);
    __builtin_memcpy(eth->to, to.mac, 6);
    __builtin_memcpy(eth->from, s->back_mac, 6);
    eth->type = outer ? ETHERTYPE_IPV4 : s->ethertype;
    *ipos = h;
    struct carried *sum = bpf_map_lookup_elem(&carried, &counter);
    if (sum) {
        __sync_fetch_and_add(&sum->packets, 1);
        __sync_fetch_and_add(&sum->bytes, p->total);
    }
    if (p->tcp_flags & 7)
        event(s, &a->key, EVENT_FORWARDED, p->tcp_flags, a->port);
    if (p->unfinished)
        count(a->port, COUNT_UNFINISHED);
    if (a->icmp)
        count(a->port, COUNT_ICMP);
    count(PORT_BACK, COUNT_TX);
    // not XDP_TX where it came from the back: a veth wakes its far end for a redirect, and for XDP_TX only if that has a program
    return ended(a, OUTCOME_FORWARDED, bpf_redirect(s->back, 0));
}

// 11. The endpoint lives here: take the header out; `in` lets the frame enter by the front.
inline int decapsulate(struct xdp_md *x, struct settings *s, struct arrival *a, struct shown *f)
{
    if (bpf_xdp_adjust_head(x, (int)a->net - ETHERNET))
        return ended(a, OUTCOME_DROP_HOST_FULL, XDP_DROP);
    struct ethernet *eth = (void *)(long)x->data;
    if ((void *)(eth + 1) > (void *)(long)x->data_end)
        return ended(a, OUTCOME_DROP_HOST_FULL, XDP_DROP);
    __builtin_memcpy(eth->to, s->front_mac, 6);
    __builtin_memcpy(eth->from, f->from, 6);
    eth->type = ETHERTYPE_IPV4;
    return ended(a, OUTCOME_TO_HOST, XDP_PASS);
}

// 8 to 12, for a packet from the front and for one that came encapsulated.
inline enum way route(struct settings *s, struct arrival *a, struct shown *f, struct packet *p, void *at, void *end, struct value **found)
{
    f->type = ETHERTYPE_IPV4;
    a->key = p->key;
    a->icmp = p->reason == REASON_PROTOCOL && p->icmp && quoted(&a->key, at, end, 1);
    if (p->reason != REASON_MISS && !a->icmp) {
        if (a->decapsulated)
            return node(f, p->reason, p->l3);
        struct pair pair = {p->key.client, p->key.service};
        int known = p->reason == REASON_FRAGMENT && bpf_map_lookup_elem(&pairs, &pair) && !node_is_dead();
        return known ? node(f, p->reason, p->l3) : STACK;
    }
    if ((a->port == PORT_FRONT ? s->front_vlan : s->back_vlan) != a->vlan)
        return a->decapsulated ? node(f, REASON_VLAN, p->l3) : STACK;
    struct value *v = *found = bpf_map_lookup_elem(&flows, &a->key);
    if (a->decapsulated && v && v->flags & ENDPOINT)
        return DECAPSULATE;
    switch (action_of(v, a->port)) {
    case ACTION_FORWARD:
        return FORWARD;
    case ACTION_HOST:
        return node(f, REASON_ACTION, p->l3);
    case ACTION_DROP:
        return discard(a, OUTCOME_DROP_TABLE);
    }
    if (!a->decapsulated)
        return STACK;
    return node(f, a->icmp ? REASON_PROTOCOL : REASON_ENCAPSULATED_MISS, p->l3);
}

// 6. ipOS on the back.
inline enum way ipos_arrived(struct settings *s, struct arrival *a, struct shown *f, void *at, void *end)
{
    struct ipos *h = at;
    f->type = s->ethertype;
    if (a->length < a->net + IPOS_LEN || (void *)(h + 1) > end)
        return node(f, REASON_SHORT_IPOS, L3_TRUNCATED);
    if (h->type == IPOS_PACKET) {
        if (fold(add_words(0, h, IPOS_LEN / 2)) != 0xffff)
            return discard(a, OUTCOME_DROP_IPOS_CHECKSUM);
        a->decapsulated = 1;
        a->net += IPOS_LEN;
        return ROUTE;
    }
    int is_control = h->type == IPOS_CONNECTION || h->type == IPOS_ACK || h->type >= 0x80;
    return node(f, is_control ? REASON_CONTROL : REASON_UNKNOWN_IPOS, L3_NONE);
}

// The packet is ipOS behind UDP/IPv4 for this node.
inline int is_udp_transport(struct settings *s, struct arrival *a, struct shown *f, void *at, void *end)
{
    struct ipv4 *ip = at;
    struct udp *udp = (void *)(ip + 1);
    if (!s->udp_port || (void *)(udp + 1) > end || ip->version_length != 0x45 || ip->protocol != IPPROTO_UDP)
        return 0;
    if (ip->to != s->back_ip || udp->ports.to != s->udp_port || ip->fragment & swap16(0x3fff))
        return 0;
    a->from_ip = f->head.from = ip->from;
    a->ttl = ip->ttl;
    f->head.from_port = udp->ports.from;
    return 1;
}

// 1 to 7, as far as they decide.
inline enum way arrive(struct settings *s, struct arrival *a, struct shown *f, void *data, void *end)
{
    struct ethernet *eth = data;
    void *at = eth + 1;
    // 1.
    if ((void *)(eth + 1) > end)
        return discard(a, OUTCOME_DROP_RUNT);
    __builtin_memcpy(f->to, eth->to, 12);
    // 2.
    __be16 type = eth->type;
    if (type == ETHERTYPE_VLAN) {
        __be16 *tag = (void *)(eth + 1);
        if ((void *)(tag + 2) > end)
            return discard(a, OUTCOME_DROP_RUNT);
        f->head.tci = swap16(tag[0]);
        f->head.flags = TAGGED;
        a->vlan = f->head.tci & 0xfff;
        at = tag + 2;
        type = tag[1];
    }
    int one = s->front == s->back, ipos = type == s->ethertype;
    if (!ipos && type == ETHERTYPE_IPV4 && (one || a->port == PORT_BACK) && is_udp_transport(s, a, f, at, end)) {
        ipos = 1;
        at += UDP_OUTER;
    }
    a->net = at - data;
    if (one)
        a->port = ipos ? PORT_BACK : PORT_FRONT;
    // 3.: the stack drops what is for others
    int front = a->port == PORT_FRONT, group = f->to[0] & 1;
    if (!front && !one && !ipos && same_mac(f->to, s->front_mac))
        return discard(a, OUTCOME_DROP_MAC); // `in` would take it for one that came encapsulated
    if (!group && !(front ? s->front_any : s->back_any) && !same_mac(f->to, front ? s->front_mac : s->back_mac))
        return STACK;
    // 4. and 5.
    if (front && ipos)
        return discard(a, OUTCOME_DROP_IPOS_ON_FRONT);
    if (group)
        return STACK;
    if (ipos)
        return ipos_arrived(s, a, f, at, end);
    // 7. and 9.
    return type == ETHERTYPE_IPV4 && front ? ROUTE : STACK;
}

inline int receive(struct xdp_md *x, __u32 port)
{
    struct settings *s = settings();
    struct work *w = bpf_map_lookup_elem(&work, &port);
    if (!s || !w)
        return XDP_PASS;
    void *data = (void *)(long)x->data, *end = (void *)(long)x->data_end;
    *w = (struct work){.a = {.port = port, .length = bpf_xdp_get_buff_len(x)}};
    struct arrival *a = &w->a;
    struct value *v = 0;
    enum way way = arrive(s, a, &w->f, data, end);
    count(a->port, COUNT_RX);
    if (way == ROUTE) {
        void *at = data + (a->net & 0xff);
        asm volatile("" : "+r"(at)); // computed once: the verifier takes two sums for two places
        judge(&w->p, at, end, a->length - a->net);
        way = route(s, a, &w->f, &w->p, at, end, &v);
    }
    if (way == FORWARD && v)
        return forward(x, s, a, &w->f, v, &w->p);
    if (way == DECAPSULATE)
        return decapsulate(x, s, a, &w->f);
    if (way == NODE)
        return to_node(x, s, a, &w->f);
    if (way == DISCARD)
        return ended(a, a->outcome, XDP_DROP);
    return ended(a, OUTCOME_TO_HOST, XDP_PASS);
}

SEC("xdp") int front(struct xdp_md *x)
{
    return receive(x, PORT_FRONT);
}

SEC("xdp") int back(struct xdp_md *x)
{
    return receive(x, PORT_BACK);
}

// Run by the node on a frame of its own (BPF_PROG_TEST_RUN, live frames): the stack takes it as from the front.
SEC("xdp") int deliver(struct xdp_md *x)
{
    if (bpf_xdp_adjust_meta(x, -4))
        return XDP_DROP;
    __u32 *mark = (void *)(long)x->data_meta;
    if ((void *)(mark + 1) > (void *)(long)x->data)
        return XDP_DROP;
    *mark = MARK_DELIVERED;
    return XDP_PASS;
}

// The far end of a veth pair needs a program before it takes redirected frames.
SEC("xdp") int pass(struct xdp_md *x)
{
    return XDP_PASS;
}

#include "stack.h"

SEC("license") char _license[] = "Dual MIT/GPL";
