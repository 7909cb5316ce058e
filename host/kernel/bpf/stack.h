// The programs beside the stack, on TCX hooks: fence, in, later.
#pragma once
#include "record.h"

#define HEADERS (ETHERNET + 60 + TCP_LEN)

// Makes the headers readable in place.
inline void pull(struct __sk_buff *skb)
{
    if ((void *)(long)skb->data + HEADERS > (void *)(long)skb->data_end)
        bpf_skb_pull_data(skb, skb->len < HEADERS ? skb->len : HEADERS);
}

// Egress of the front: what this kernel sends for a flow that is fenced is dropped, ends of local endpoints are reported.
SEC("tc") int fence(struct __sk_buff *skb)
{
    struct settings *s = settings();
    if (!live_value(LIVE_WATCHED) || !s || skb->mark == MARK_DELIVERED || skb->protocol != ETHERTYPE_IPV4)
        return TCX_NEXT;
    pull(skb);
    void *ip_at = (void *)(long)skb->data + ETHERNET, *end = (void *)(long)skb->data_end;
    __u32 which = WORK_FENCE;
    struct work *w = bpf_map_lookup_elem(&work, &which);
    if (!w)
        return TCX_NEXT;
    struct packet *p = &w->p;
    judge(p, ip_at, end, skb->len - ETHERNET);
    struct key key = {p->key.service, p->key.client, p->key.service_port, p->key.client_port, p->key.protocol};
    if (p->reason != REASON_MISS && !quoted(&key, ip_at, end, 0))
        return TCX_NEXT;
    struct value *v = bpf_map_lookup_elem(&flows, &key);
    if (!v)
        return TCX_NEXT;
    if (v->flags & FENCE && !has_ended(v)) {
        count(PORT_FRONT, COUNT_FENCED);
        return TCX_DROP;
    }
    if (v->flags & ENDPOINT && p->tcp_flags & 0x25) // URG, RST, FIN
        event(s, &key, EVENT_SENT, p->tcp_flags, PORT_FRONT);
    return TCX_NEXT;
}

// Ingress of the back: decapsulated frames enter by the front, where the stack's rules expect them.
SEC("tc") int in(struct __sk_buff *skb)
{
    struct settings *s = settings();
    struct ethernet *eth = (void *)(long)skb->data;
    if (!s || (void *)(eth + 1) > (void *)(long)skb->data_end)
        return TCX_NEXT;
    if (eth->type != ETHERTYPE_IPV4 || !same_mac(eth->to, s->front_mac))
        return TCX_NEXT;
    skb->mark = MARK_DECAPSULATED;
    return bpf_redirect(s->front, BPF_F_INGRESS);
}

// Ingress of the front, behind GRO and RPS: holds what had passed XDP before its flow was held.
SEC("tc") int later(struct __sk_buff *skb)
{
    struct settings *s = settings();
    __u32 mark = skb->mark;
    if (mark == MARK_DECAPSULATED)
        skb->mark = 0;
    if (!live_value(LIVE_HOLDS) || !s || skb->protocol != ETHERTYPE_IPV4)
        return TCX_NEXT;
    __u32 *meta = (void *)(long)skb->data_meta;
    if ((void *)(meta + 1) <= (void *)(long)skb->data && *meta == MARK_DELIVERED)
        return TCX_NEXT;
    if (skb->vlan_present ? (skb->vlan_tci & 0xfff) != s->front_vlan : s->front_vlan)
        return TCX_NEXT;
    pull(skb);
    void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
    struct ethernet *eth = data;
    __u32 which = WORK_LATER;
    struct work *w = bpf_map_lookup_elem(&work, &which);
    if (!w)
        return TCX_NEXT;
    struct packet *p = &w->p;
    if ((void *)(eth + 1) > end || eth->to[0] & 1 || (!s->front_any && !same_mac(eth->to, s->front_mac)))
        return TCX_NEXT;
    judge(p, data + ETHERNET, end, skb->len - ETHERNET);
    struct value *v = p->reason == REASON_MISS ? bpf_map_lookup_elem(&flows, &p->key) : 0;
    if (!v || has_ended(v) || (mark == MARK_DECAPSULATED && v->flags & ENDPOINT))
        return TCX_NEXT;
    if (v->action != ACTION_HOST && v->action != ACTION_FORWARD)
        return TCX_NEXT;
    struct shown *f = &w->f;
    *f = (struct shown){.type = ETHERTYPE_IPV4, .net = ETHERNET, .rest = skb->len - ETHERNET};
    __builtin_memcpy(f->to, eth, 12);
    f->head = (struct record){.generation = s->generation, .reason = REASON_ACTION, .l3 = p->l3, .port = PORT_FRONT,
                             .flags = LATE | (mark == MARK_DECAPSULATED ? DECAPSULATED : 0)};
    int done = 0;
    if (f->rest <= SMALL)
        done = RECORD(bpf_skb_load_bytes, skb, &frames, f, SMALL);
    else if (f->rest <= FULL)
        done = RECORD(bpf_skb_load_bytes, skb, &frames, f, FULL);
    else if (f->rest <= MAX_RECORD - ETHERNET)
        done = RECORD(bpf_skb_load_bytes, skb, &frames, f, MAX_RECORD - ETHERNET);
    count(PORT_FRONT, done ? COUNT_LATE : OUTCOME_DROP_HOST_FULL);
    return TCX_DROP;
}
