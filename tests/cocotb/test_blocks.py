"""Blocks in four states (Icarus), the tests of each begin with its name: nothing that they show as valid may depend on what was never written.

Verilator knows two states only, so a memory or register that is read before it is written looks like a zero there. The
whole card is too slow for Icarus; these are the blocks that read memories on the packets' way.
"""

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, ReadOnly, RisingEdge

from common import *

def beats(frame, error=False):
    """A frame as beats of 69 bits: data 63:0, valid bytes less one 66:64, last 67, error 68."""
    for i in range(0, len(frame), 8):
        part = frame[i : i + 8]
        last = i + 8 >= len(frame)
        yield int.from_bytes(part, "little") | (len(part) - 1) << 64 | last << 67 | (error and last) << 68


def octets_of(beat):
    return (beat & (1 << 64) - 1).to_bytes(8, "little")[: (beat >> 64 & 7) + 1]


def defined(dut, *names):
    for name in names:
        value = getattr(dut, name).value
        assert value.is_resolvable, f"{name} is undefined: {value}"


async def begin(dut, **inputs):
    for name, value in inputs.items():
        getattr(dut, name).value = value
    cocotb.start_soon(Clock(dut.clock, 6400, unit="ps").start())
    if hasattr(dut, "reset"):
        dut.reset.value = 1
        for _ in range(4):
            await RisingEdge(dut.clock)
        dut.reset.value = 0


@cocotb.test(timeout_time=4000, timeout_unit="us")
async def encap_byte_for_byte(dut):
    rnd = generator("encap")
    await begin(dut, mac=int.from_bytes(mac(BACK), "big"), ethertype=ETHERTYPE, s_valid=0, s_beat=0, s_route=0, s_route_valid=0, m_ready=0)
    for i in range(100):
        udp = i % 2
        ip = packet(rnd, "10.0.0.9", 40000 + i, "10.0.0.1", 80, udp == 1)
        want = encapsulated(ip, ipos(2, 1 + udp, "10.0.0.9", 40000 + i, "10.1.0.3", 8080))
        # mac 47:0, source address and port, destination address and port, UDP
        fields = ((int.from_bytes(mac(NEXT), "big"), 48), (int.from_bytes(octets("10.0.0.9"), "big"), 32), (40000 + i, 16),
                  (int.from_bytes(octets("10.1.0.3"), "big"), 32), (8080, 16), (udp, 1))
        route = at = 0
        for value, width in fields:
            route, at = route | value << at, at + width
        dut.s_route.value = route
        pending, got = list(beats(plain(ip)[8:])), b""
        while True:
            dut.s_valid.value = dut.s_route_valid.value = int(bool(pending))
            dut.s_beat.value = pending[0] if pending else 0
            dut.m_ready.value = int(rnd.random() < 0.7)
            await ReadOnly()
            defined(dut, "s_ready", "m_valid")
            taken = pending and dut.s_ready.value == 1
            out = None
            if dut.m_valid.value == 1 and dut.m_ready.value == 1:
                defined(dut, "m_beat")
                out = int(dut.m_beat.value)
            await RisingEdge(dut.clock)
            if taken:
                pending.pop(0)
            if out is not None:
                got += octets_of(out)
                if out >> 67 & 1:
                    break
        assert got == want, f"\n got {got.hex()}\nwant {want.hex()}"


@cocotb.test(timeout_time=4000, timeout_unit="us")
async def rx_without_undefined_bits(dut):
    rnd = generator("rx")
    await begin(dut, mac=int.from_bytes(mac(BACK), "big"), promiscuous=0, ethertype=ETHERTYPE, back=1, s_valid=0, s_beat=0,
                key_read=0, meta_read=0, sums_read=0, tail_read=0, beat_read=0)
    frames = []
    for i in range(40):
        ip = packet(rnd, "10.0.0.9", 1000 + i, "10.0.0.1", 80, i % 2 == 1)
        whole = [plain(ip, dst=BACK), encapsulated(ip, ipos(2, 1, "10.0.0.9", 1000 + i, "10.1.0.2", 80), dst=BACK, src=NEXT),
                 encapsulated(bytes(30), ipos(0x81, 1, "10.0.0.9", 1, "10.1.0.2", 80), dst=BACK, src=NEXT)][i % 3]
        frames.append(whole[: rnd.choice([13, 20, 33, 50, len(whole), len(whole)])])
    pending = [b for f in frames for b in beats(f)]
    got, heads, tails, sums, idle = [], 0, 0, [], 0
    while idle < 200:
        dut.s_valid.value = int(bool(pending) and rnd.random() < 0.8)
        dut.s_beat.value = pending[0] if pending else 0
        await ReadOnly()
        defined(dut, "s_ready", "key_valid", "sums_valid", "tail_valid", "beat_valid")
        taken = dut.s_valid.value == 1 and dut.s_ready.value == 1
        reads = {}
        for name, strobe, values in (("key", "key_read", ["key"]), ("sums", "sums_read", ["meta", "ip_ok", "ipos_ok"]),
                                     ("tail", "tail_read", ["l4_ok", "cover_ok"]), ("beat", "beat_read", ["beat"])):
            reads[strobe] = int(getattr(dut, f"{name}_valid").value == 1)
            if reads[strobe]:
                defined(dut, *values)
        heads, tails = heads + reads["key_read"], tails + reads["tail_read"]
        if reads["sums_read"]:
            sums.append(int(dut.ip_ok.value))
        if reads["beat_read"]:
            got.append(int(dut.beat.value))
        await FallingEdge(dut.clock)
        reads["meta_read"] = reads["sums_read"]
        for strobe, value in reads.items():
            getattr(dut, strobe).value = value
        await RisingEdge(dut.clock)
        for strobe in reads:
            getattr(dut, strobe).value = 0
        if taken:
            pending.pop(0)
        idle = 0 if taken or any(reads.values()) else idle + 1
    assert (heads, tails, len(sums)) == (len(frames),) * 3
    assert b"".join(octets_of(b) for b in got) == b"".join(frames)


@cocotb.test(timeout_time=4000, timeout_unit="us")
async def cuckoo_finds_only_what_was_written(dut):
    rnd = generator("cuckoo")
    await begin(dut, hash=0, key=0, sweep=1, sweep_slot=0, commit=0, commit_bank=0, commit_slot=0, commit_valid=0,
                commit_key=0, commit_value=0)
    for i in range(16):  # 4 x 16 slots
        dut.sweep_slot.value = i
        await RisingEdge(dut.clock)
    dut.sweep.value = 0
    known, places = {}, {}

    async def look(k):
        dut.hash.value = sum(slot(b, k, 12) << 12 * b for b in range(4))
        await RisingEdge(dut.clock)
        dut.key.value = k
        for _ in range(5):
            await RisingEdge(dut.clock)
        await ReadOnly()
        # an undefined condition reads as false further down, so the comparisons themselves are looked at
        defined(dut, "hit", "value", "place", *(f"same_{b}_q" for b in range(4)))
        found = (int(dut.value.value), int(dut.place.value)) if dut.hit.value == 1 else None
        await RisingEdge(dut.clock)
        return found

    for _ in range(150):
        k = rnd.getrandbits(97)
        assert await look(k) is None
        bank, value = rnd.randrange(4), rnd.getrandbits(10)
        at = slot(bank, k, 4)
        dut.commit_bank.value, dut.commit_slot.value, dut.commit_valid.value = bank, at, 1
        dut.commit_key.value, dut.commit_value.value, dut.commit.value = k, value, 1
        await RisingEdge(dut.clock)
        dut.commit.value = 0
        known.pop(places.get((bank, at)), None)
        places[bank, at], known[k] = k, (value, bank << 12 | at)
        for k in rnd.sample(sorted(known), min(3, len(known))):
            assert await look(k) == known[k]
