// Helpers and maps. The maps' kinds and sizes stand in host/kernel/src/maps.rs: the loader makes them and finds the symbols by name.
#pragma once
#include <linux/bpf.h>
#include "shared.h"

#define inline static inline __attribute__((always_inline))
#define SEC(name) __attribute__((section(name), used))
#define helper(name, result, ...) static result (*name)(__VA_ARGS__) = (void *)BPF_FUNC_##name

#define BPF_FUNC_bpf_map_lookup_elem BPF_FUNC_map_lookup_elem
#define BPF_FUNC_bpf_ktime_get_boot_ns BPF_FUNC_ktime_get_boot_ns
#define BPF_FUNC_bpf_redirect BPF_FUNC_redirect
#define BPF_FUNC_bpf_xdp_adjust_head BPF_FUNC_xdp_adjust_head
#define BPF_FUNC_bpf_xdp_adjust_tail BPF_FUNC_xdp_adjust_tail
#define BPF_FUNC_bpf_xdp_adjust_meta BPF_FUNC_xdp_adjust_meta
#define BPF_FUNC_bpf_xdp_get_buff_len BPF_FUNC_xdp_get_buff_len
#define BPF_FUNC_bpf_xdp_load_bytes BPF_FUNC_xdp_load_bytes
#define BPF_FUNC_bpf_skb_load_bytes BPF_FUNC_skb_load_bytes
#define BPF_FUNC_bpf_skb_pull_data BPF_FUNC_skb_pull_data
#define BPF_FUNC_bpf_ringbuf_reserve BPF_FUNC_ringbuf_reserve
#define BPF_FUNC_bpf_ringbuf_submit BPF_FUNC_ringbuf_submit
#define BPF_FUNC_bpf_ringbuf_discard BPF_FUNC_ringbuf_discard
#define BPF_FUNC_bpf_ringbuf_output BPF_FUNC_ringbuf_output

helper(bpf_map_lookup_elem, void *, void *, const void *);
helper(bpf_ktime_get_boot_ns, __u64, void);
helper(bpf_redirect, long, __u32, __u64);
helper(bpf_xdp_adjust_head, long, struct xdp_md *, int);
helper(bpf_xdp_adjust_tail, long, struct xdp_md *, int);
helper(bpf_xdp_adjust_meta, long, struct xdp_md *, int);
helper(bpf_xdp_get_buff_len, __u64, struct xdp_md *);
helper(bpf_xdp_load_bytes, long, struct xdp_md *, __u32, void *, __u32);
helper(bpf_skb_load_bytes, long, const void *, __u32, void *, __u32);
helper(bpf_skb_pull_data, long, struct __sk_buff *, __u32);
helper(bpf_ringbuf_reserve, void *, void *, __u64, __u64);
helper(bpf_ringbuf_submit, void, void *, __u64);
helper(bpf_ringbuf_discard, void, void *, __u64);
helper(bpf_ringbuf_output, long, void *, void *, __u64, __u64);

// Linux 6.6's, which older headers lack
#define TCX_NEXT (-1)
#define TCX_DROP 2

struct map {
    __u32 made_by_loader;
};
#define MAP(name) struct map name SEC(".maps")
MAP(flows);
MAP(pairs);
MAP(peers);
MAP(config);
MAP(live);
MAP(counters);
MAP(carried);
MAP(sequences);
MAP(buckets);
MAP(work);
MAP(control);
MAP(frames);
MAP(events);

inline struct settings *settings(void)
{
    __u32 zero = 0;
    return bpf_map_lookup_elem(&config, &zero);
}

inline __u64 live_value(__u32 index)
{
    __u64 *value = bpf_map_lookup_elem(&live, &index);
    return value ? *value : 0;
}

inline void count(__u32 port, __u32 counter)
{
    __u32 index = port * COUNTERS + counter;
    __u64 *value = bpf_map_lookup_elem(&counters, &index); // per processor
    if (value)
        *value += 1;
}

inline int node_is_dead(void)
{
    return bpf_ktime_get_boot_ns() - live_value(LIVE_HEARTBEAT) > HEARTBEAT_NS;
}

inline int has_ended(const struct value *v)
{
    if (v->deadline && bpf_ktime_get_boot_ns() > v->deadline)
        return 1;
    return v->flags & HEARTBEAT && node_is_dead();
}

// The action in force.
inline __u8 action_of(const struct value *v, __u32 port)
{
    if (!v)
        return ACTION_NONE;
    if (!has_ended(v))
        return v->action;
    count(port, COUNT_EXPIRED);
    return v->fallback;
}

inline void event(struct settings *s, const struct key *key, __u8 kind, __u8 tcp_flags, __u32 port)
{
    struct event e = {s->generation, tcp_flags, kind, 0, *key};
    if (bpf_ringbuf_output(&events, &e, sizeof(e), 0))
        count(port, COUNT_EVENT_LOST);
}
