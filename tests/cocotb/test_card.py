"""The packet side of the card: frames in and out of its wires, host streams, tables and counters by the register bus.

Oracles: scapy for Ethernet, IPv4, TCP and UDP, docs/datapath.md for ipOS; cocotbext-axi drives and checks the streams.
`test_blocks.py` looks for undefined values.
"""

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ReadOnly, RisingEdge, with_timeout
from cocotbext.axi import AxiStreamBus, AxiStreamFrame, AxiStreamSink, AxiStreamSource

from common import *

SOURCES = ("front_rx", "back_rx", "front_send", "back_send")
SINKS = ("front_tx", "back_tx", "host", "control")
ROUNDS = 60


class Card:
    """The card with a bus master on its register bus and an AXI stream endpoint on each stream."""

    def __init__(self, dut, rnd):
        self.dut, self.metas = dut, {"host": [], "control": []}
        for name in ("build", "clock_khz", "reg_address", "reg_wdata", "reg_write", "reg_read", "event_ready"):
            getattr(dut, name).value = 0
        dut.front_send_checksum.value = dut.back_send_checksum.value = 0
        dut.reset.value = 1
        cocotb.start_soon(Clock(dut.clock, 6400, unit="ps").start())
        for kind, names in ((AxiStreamSource, SOURCES), (AxiStreamSink, SINKS)):
            for name in names:
                end = kind(AxiStreamBus.from_prefix(dut, name), dut.clock, dut.reset)
                end.set_pause_generator(pauses(rnd))
                setattr(self, name, end)

    async def start(self):
        for _ in range(8):
            await RisingEdge(self.dut.clock)
        self.dut.reset.value = 0
        await RisingEdge(self.dut.clock)
        while self.dut.ready.value != 1:
            await RisingEdge(self.dut.clock)
        cocotb.start_soon(self.watch())
        await identify(self, [b for b in MAP["blocks"] if b["name"] not in ("queues", "dma")])
        await set_up(self)

    async def watch(self):
        """Metas beside the host streams."""
        while True:
            await RisingEdge(self.dut.clock)
            await ReadOnly()
            for name, metas in self.metas.items():
                if all(getattr(self.dut, f"{name}_{s}").value == 1 for s in ("tvalid", "tready", "tlast")):
                    metas.append(int(getattr(self.dut, f"{name}_meta").value))

    async def write(self, address, value):
        await self._access(address, value, self.dut.reg_write)

    async def read(self, address):
        return await self._access(address, 0, self.dut.reg_read)

    async def _access(self, address, value, strobe):
        self.dut.reg_address.value, self.dut.reg_wdata.value, strobe.value = address, value, 1
        for _ in range(100):
            await RisingEdge(self.dut.clock)
            if self.dut.reg_ack.value == 1:
                break
        else:
            raise AssertionError(f"register {address:#x} is not answered")
        answer = self.dut.reg_rdata.value
        strobe.value = 0
        await RisingEdge(self.dut.clock)
        return int(answer) if strobe is self.dut.reg_read else None


async def feed(end, frame, bad=False):
    await end.send(AxiStreamFrame(frame, tuser=1 if bad else 0))


async def expect(end, frame):
    got = await with_timeout(end.recv(), 400, "us")
    assert bytes(got.tdata) == frame, f"\n got {bytes(got.tdata).hex()}\nwant {frame.hex()}"
    return got


@cocotb.test(timeout_time=4000, timeout_unit="us")
async def forwards_byte_for_byte(dut):
    rnd = generator("forwards")
    card = Card(dut, rnd)
    await card.start()
    await destination(card, 7, "10.1.0.3", 8080, 5, NEXT)
    flows = [("10.0.0.9", 40000 + i, "10.0.0.1", 80, i % 2 == 1) for i in range(8)]
    for i, flow in enumerate(flows):
        await entry(card, "FORWARD", key(*flow), 7, bank=i % 4)
    sent = []
    for _ in range(ROUNDS):
        src, sport, dst, dport, udp = flow = rnd.choice(flows)
        ip = packet(rnd, *flow)
        padding = bytes(max(0, 46 - len(ip)))
        await feed(card.front_rx, plain(ip) + padding)
        sent.append(encapsulated(ip, ipos(2, 2 if udp else 1, src, sport, "10.1.0.3", 8080)))
        # one at a time in half of the cases: what the card may drop for want of room is tested elsewhere
        await expect(card.back_tx, sent[-1])
    assert await outcomes(card, "FRONT") == {"Forwarded": ROUNDS}
    assert await card.read(REG["counters.BACK_TX"]) == ROUNDS


@cocotb.test(timeout_time=4000, timeout_unit="us")
async def host_path_and_decapsulation(dut):
    rnd = generator("host")
    card = Card(dut, rnd)
    await card.start()
    flow = ("10.0.0.9", 40000, "10.0.0.1", 80, False)
    await entry(card, "ENDPOINT", key(*flow), 0xCAFE_0007)
    want = []
    for i in range(ROUNDS // 2):
        ip = packet(rnd, "10.0.0.8", 1000 + i, "10.0.0.1", 80, udp=i % 2 == 0)
        frame = plain(ip) + bytes(max(0, 46 - len(ip)))
        await feed(card.front_rx, frame)
        await expect(card.host, frame)
        want.append((len(frame), 0, REASON["Miss"] | 1 << 8 | 1 << 12))
        # the same flow twice, in the endpoint table and not: the frame comes out as if it had come in by the front
        for known in (True, False):
            src, sport, dst, dport, udp = flow if known else ("10.0.0.7", 5, "10.0.0.1", 80, False)
            ip = packet(rnd, src, sport, dst, dport, udp)
            await feed(card.back_rx, encapsulated(ip, ipos(2, 1, src, sport, "10.1.0.2", 80), dst=BACK, src=NEXT))
            frame = plain(ip, dst=FRONT, src=NEXT)
            await expect(card.host, frame)
            reason = REASON["Endpoint" if known else "EncapsulatedMiss"]
            want.append((len(frame), 0xCAFE_0007 if known else 0, reason | 1 << 8 | 1 << 12 | 1 << 17 | 1 << 18))
    # an ipOS control packet goes to its own queue
    control = encapsulated(rnd.randbytes(200), ipos(0x84, 1, "10.0.0.9", 40000, "10.1.0.2", 80), dst=BACK, src=NEXT)
    await feed(card.back_rx, control)
    await expect(card.control, control)
    got = [(m & 0xFFFF, m >> 64 & 0xFFFF_FFFF, m >> 96) for m in card.metas["host"]]
    assert got == want
    assert card.metas["control"][0] >> 96 & 0x1F == REASON["Control"]
    n = ROUNDS // 2
    assert await outcomes(card, "FRONT") == {"ToHost": n}
    assert await outcomes(card, "BACK") == {"ToHost": 2 * n, "ToControl": 1}


@cocotb.test(timeout_time=4000, timeout_unit="us")
async def drops_are_counted_and_nothing_leaks(dut):
    rnd = generator("drops")
    card = Card(dut, rnd)
    await card.start()
    await destination(card, 1, "10.1.0.3", 80, 2, NEXT)
    flow = ("10.0.0.9", 40000, "10.0.0.1", 80, False)
    await entry(card, "FORWARD", key(*flow), 1)
    await entry(card, "FORWARD", key("10.0.0.9", 1, "10.0.0.1", 80), 2 << 8)  # drop
    await entry(card, "FORWARD", key("10.0.0.9", 2, "10.0.0.1", 80), 9)  # a destination without neighbour
    await card.write(REG["tables.DEST_PORT"], 3 << 16)
    await card.write(REG["tables.COMMIT_DEST"], 9)
    good = packet(rnd, *flow)
    broken = good[:10] + bytes([good[10] ^ 1]) + good[11:]
    bad_ipos = bytearray(encapsulated(good, ipos(2, 1, "10.0.0.9", 40000, "10.1.0.2", 80), dst=BACK, src=NEXT))
    bad_ipos[28] ^= 1
    for end, frame, bad, in_port, name in (
        (card.front_rx, bytes(13), False, "FRONT", "DropRunt"),
        (card.front_rx, plain(good, dst="02:00:00:00:00:77"), False, "FRONT", "DropMac"),
        (card.front_rx, plain(good, kind=ETHERTYPE), False, "FRONT", "DropIposOnFront"),
        (card.front_rx, plain(broken), False, "FRONT", "DropHeader"),
        (card.front_rx, plain(packet(rnd, "10.0.0.9", 1, "10.0.0.1", 80)), False, "FRONT", "DropTable"),
        (card.front_rx, plain(packet(rnd, "10.0.0.9", 2, "10.0.0.1", 80)), False, "FRONT", "DropNeighbour"),
        (card.front_rx, plain(packet(rnd, "10.0.0.8", 9, "10.0.0.1", 80)), True, "FRONT", "DropError"),
        (card.back_rx, bytes(bad_ipos), False, "BACK", "DropIposChecksum"),
        (card.back_rx, encapsulated(good, ipos(2, 1, "10.0.0.9", 40000, "10.1.0.2", 80), dst=BACK, src=NEXT), False,
         "BACK", "DropLoop"),
    ):
        before = (await outcomes(card, in_port)).get(name, 0)
        await feed(end, frame, bad)
        await end.wait()
        for _ in range(120):
            await RisingEdge(dut.clock)
        assert (await outcomes(card, in_port)).get(name, 0) == before + 1, name
    # and the card still works
    await feed(card.front_rx, plain(good))
    await expect(card.back_tx, encapsulated(good, ipos(2, 1, "10.0.0.9", 40000, "10.1.0.3", 80)))
    for name in SINKS:
        assert getattr(card, name).empty(), name


@cocotb.test(timeout_time=4000, timeout_unit="us")
async def the_hosts_frames_leave_with_their_checksum(dut):
    rnd = generator("sends")
    card = Card(dut, rnd)
    await card.start()
    for i in range(ROUNDS // 2):
        for name, sink in (("front_send", card.front_tx), ("back_send", card.back_tx)):
            ip = packet(rnd, "10.0.0.1", 80, "10.0.0.9", 40000 + i, udp=i % 3 == 0)
            whole = plain(ip, dst=CLIENT, src=FRONT)
            # as Linux's CHECKSUM_PARTIAL: the place holds the sum of the pseudo-header
            offset = 6 if i % 3 == 0 else 16
            pseudo = ones_sum(ip[12:20] + bytes([0, ip[9]]) + (len(ip) - 20).to_bytes(2, "big"))
            at = 34 + offset
            partial = whole[:at] + pseudo.to_bytes(2, "big") + whole[at + 2 :]
            getattr(dut, f"{name}_checksum").value = 1 << 32 | offset << 16 | 34
            await feed(getattr(card, name), partial)
            await expect(sink, whole)
