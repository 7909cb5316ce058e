// Frames into a ring, in records of a few sizes: a ring's reservation has a constant size.
#pragma once
#include "wire.h"

// The frame that a record shows: `to`, the sender's MAC, `type`, then the bytes from `net` on.
struct shown {
    __u8 to[6], from[6];
    __be16 type;
    __u32 net, rest; // place and number of the bytes behind the link header
    struct record head;
};

inline __u32 next_sequence(__u32 port)
{
    __u32 *next = bpf_map_lookup_elem(&sequences, &port);
    return next ? __sync_fetch_and_add(next, 1) : 0;
}

inline void *head_of(struct shown *f, void *record)
{
    struct record *head = record;
    f->head.length = ETHERNET + f->rest;
    f->head.sequence = next_sequence(f->head.port);
    *head = f->head;
    struct ethernet *eth = (void *)(head + 1);
    __builtin_memcpy(eth, f->to, 12);
    eth->type = f->type;
    return eth + 1;
}

// 0: no room. `rest` is told to the verifier as 1 … size.
#define RECORD(load, context, ring, f, size)                                                                           \
    ({                                                                                                                 \
        void *record_ = bpf_ringbuf_reserve(ring, sizeof(struct record) + ETHERNET + (size), 0);                       \
        int done_ = 0;                                                                                                 \
        if (record_) {                                                                                                 \
            void *data_ = head_of(f, record_);                                                                         \
            __u32 rest_ = (f)->rest;                                                                                   \
            done_ = 1;                                                                                                 \
            if (rest_ > 0 && rest_ <= (size))                                                                          \
                done_ = !load(context, (f)->net, data_, rest_);                                                        \
            if (done_)                                                                                                 \
                bpf_ringbuf_submit(record_, 0);                                                                        \
            else                                                                                                       \
                bpf_ringbuf_discard(record_, 0);                                                                       \
        }                                                                                                              \
        done_;                                                                                                         \
    })

#define SMALL 256
#define FULL 2048
#define JUMBO 9728
