"""The whole card below cocotbext-pcie's root complex: enumeration, registers, queues in host memory, MSI-X, errors, reset.

The config space is the model's, as it is the PCIe core's on a board; memory TLPs, completions and messages cross the card's
own streams. Credits are those that a small receiver would give, for all of posted, non-posted and completions; they are the link's
(PCI Express base specification 2.6.1), so no function reset (6.6.2) changes them. Paragraphs are from memory: one reading. The queues
are driven here as docs/host-interface.md says; no code of ours but the card is involved.
"""

import struct

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge, Timer, with_timeout
from cocotbext.axi import AxiStreamBus, AxiStreamFrame, AxiStreamSink, AxiStreamSource
from cocotbext.pcie.core import RootComplex
from cocotbext.pcie.core.caps import MsixCapability
from cocotbext.pcie.core.device import Device
from cocotbext.pcie.core.endpoint import Endpoint
from cocotbext.pcie.core.tlp import Tlp, TlpType

from common import *

CONST = MAP["constants"]
QUEUES = {c["name"]: c["code"] for c in MAP["codes"]["queue"]}
STATUS = {c["name"]: c["code"] for c in MAP["codes"]["status"]}
ERROR = {c["name"]: c["code"] for c in MAP["codes"]["dma_error"]}
BITS = 3  # rings of eight
# headers and data of posted, headers of non-posted, headers and data of completions
CREDITS = [4, 64, 4, 2, 2]


class Core(Endpoint):
    """A PCIe core between the model's link and the card's TLP streams."""

    def __init__(self, dut, rnd):
        super().__init__()
        self.dut, self.rnd = dut, rnd
        self.vendor_id, self.device_id, self.class_code = 0x1234, 0x4F53, 0x020000
        self.configure_bar(0, 1 << 16)
        self.msix_cap = MsixCapability()
        self.msix_cap.msix_table_size = CONST["vectors"] - 1
        self.msix_cap.msix_table_offset = CONST["msix_table"]
        self.msix_cap.msix_pba_offset = CONST["msix_pending"]
        self.register_capability(self.msix_cap)
        self.to_card = AxiStreamSource(AxiStreamBus.from_prefix(dut, "pcie_rx"), dut.clock, dut.reset)
        self.of_card = AxiStreamSink(AxiStreamBus.from_prefix(dut, "pcie_tx"), dut.clock, dut.reset)
        self.to_card.set_pause_generator(pauses(rnd))
        self.of_card.set_pause_generator(pauses(rnd))
        self.sent = []
        self.asking = []
        self.limits, self.used = CREDITS[:], [0] * len(CREDITS)
        self.show_limits()
        cocotb.start_soon(self.up())
        cocotb.start_soon(self.settings())

    def show_limits(self):
        for name, limit, size in zip(("ph", "pd", "nph", "cplh", "cpld"), self.limits, (8, 12, 8, 8, 12)):
            getattr(self.dut, f"fc_{name}").value = limit % (1 << size)

    async def handle_tlp(self, tlp):
        if tlp.fmt_type in (TlpType.CFG_READ_0, TlpType.CFG_WRITE_0):
            await super().handle_tlp(tlp)
        else:
            # 2.6.1: a non-posted request's credit goes back when the card says that its place is free
            if tlp.get_fc_type().name == "NP":
                self.asking.append(tlp)
            else:
                tlp.release_fc()
            hit = self.memory_space_enable and self.match_bar(tlp.address) is not None
            await self.to_card.send(AxiStreamFrame(bytes(tlp.pack()), tuser=int(hit)))

    async def up(self):
        while True:
            frame = await self.of_card.recv()
            if int(frame.tuser[-1] if isinstance(frame.tuser, list) else frame.tuser):
                continue  # cut by a reset: the core nullifies it, and its receiver never counts it (one reading of 3.5.2.1)
            tlp = Tlp.unpack(bytes(frame.tdata))
            self.sent.append(tlp)
            header, data = {"P": (0, 1), "NP": (2, None), "CPL": (3, 4)}[tlp.get_fc_type().name]
            cost = tlp.get_data_credits()
            assert tlp.get_payload_size() <= 128 << self.pcie_cap.max_payload_size
            self.used[header] += 1
            if data is not None:
                self.used[data] += cost
            assert all(used <= limit for used, limit in zip(self.used, self.limits)), "sent without credit"
            await self.send(tlp)
            cocotb.start_soon(self.release(header, data, cost))

    async def release(self, header, data, cost):
        await Timer(self.rnd.randrange(1, 400), "ns")
        self.limits[header] += 1
        if data is not None:
            self.limits[data] += cost
        self.show_limits()

    async def settings(self):
        while True:
            self.dut.cfg_id.value = int(self.pcie_id)
            self.dut.cfg_mps.value = self.pcie_cap.max_payload_size
            self.dut.cfg_mrrs.value = self.pcie_cap.max_read_request_size
            self.dut.cfg_master.value = int(self.bus_master_enable)
            self.dut.cfg_memory.value = int(self.memory_space_enable)
            self.dut.cfg_msix.value = int(self.msix_cap.msix_enable)
            self.dut.cfg_msix_mask.value = int(self.msix_cap.msix_function_mask)
            await RisingEdge(self.dut.clock)
            if self.dut.pcie_rx_freed.value == 1:
                self.asking.pop(0).release_fc()


class Queue:
    """A queue's two rings, in one region of host memory."""

    def __init__(self, nic, name):
        self.nic, self.index, self.count = nic, QUEUES[name], 1 << BITS
        self.memory = nic.rc.mem_pool.alloc_region(2 * self.count * 16)
        self.base = self.memory.get_absolute_address(0)
        self.memory[0 : 2 * self.count * 16] = bytes(2 * self.count * 16)
        self.filled = self.done = 0

    def register(self, name):
        return REG[f"queues.{name}"] + CONST["queue_stride"] * self.index

    async def start(self):
        for name, address in (("DESCRIPTORS", self.base), ("COMPLETIONS", self.base + self.count * 16)):
            await self.nic.write(self.register(f"{name}_LO"), address & 0xFFFF_FFFF)
            await self.nic.write(self.register(f"{name}_HI"), address >> 32)
        await self.nic.write(self.register("CONTROL"), BITS << 8 | 1)

    def offer(self, descriptor):
        at = 16 * (self.filled % self.count)
        self.memory[at : at + 16] = descriptor
        self.filled += 1

    async def ring(self):
        await self.nic.write(self.register("TAIL"), self.filled & 0xFFFF)

    def completion(self):
        """Words 0 to 2, status and the low 24 bits of the next completion, if it is there."""
        at = 16 * (self.count + self.done % self.count)
        *words, flags = struct.unpack("<4I", self.memory[at : at + 16])
        phase = 1 - (self.done // self.count & 1)
        if flags >> 31 != phase:
            return None
        self.done += 1
        return words, flags >> 24 & 0xF, flags & 0xFF_FFFF

    async def wait(self):
        for _ in range(400):
            if found := self.completion():
                return found
            await Timer(100, "ns")
        raise AssertionError(f"queue {self.index}: no completion {self.done}")


class Nic:
    def __init__(self, dut, rnd):
        self.dut, self.rnd = dut, rnd
        for name in ("build", "flr", "fc_infinite", "cfg_id", "cfg_mps", "cfg_mrrs", "cfg_master", "cfg_power", "cfg_memory", "cfg_msix", "cfg_msix_mask", "cfg_timeout", "cfg_timeout_off"):
            getattr(dut, name).value = 0
        dut.clock_khz.value = 156_250
        dut.link_up.value = 1
        dut.reset.value = 1
        cocotb.start_soon(Clock(dut.clock, 6400, unit="ps").start())
        for kind, names in ((AxiStreamSource, ("front_rx", "back_rx")), (AxiStreamSink, ("front_tx", "back_tx"))):
            for name in names:
                end = kind(AxiStreamBus.from_prefix(dut, name), dut.clock, dut.reset)
                end.set_pause_generator(pauses(rnd))
                setattr(self, name, end)
        self.rc = RootComplex()
        self.rc.mem_pool.alloc_region(1 << 16)  # address zero means none
        self.rc.split_on_all_rcb = rnd.random() < 0.5
        self.core = Core(dut, rnd)
        self.rc.make_port().connect(Device(eps=[self.core]))
        self.interrupts = [0] * CONST["vectors"]

    async def start(self):
        for _ in range(8):
            await RisingEdge(self.dut.clock)
        self.dut.reset.value = 0
        await RisingEdge(self.dut.clock)
        while self.dut.flr_done.value != 1:
            await RisingEdge(self.dut.clock)
        await self.rc.enumerate()
        self.device = self.rc.find_device(self.core.pcie_id)
        await self.device.enable_device()
        await self.device.set_master()
        self.bar = self.device.bar_window[0]
        await self.device.alloc_irq_vectors(CONST["vectors"], CONST["vectors"])
        for vector in range(CONST["vectors"]):
            self.device.request_irq(vector, lambda v=vector: self.interrupt(v))
        await set_up(self)
        await self.read(REG["card.MAGIC"])  # writes are posted: what was written before is done when a read is answered

    async def reset(self):
        """A function reset: 2,000 cycles at most, and nothing but the function is reset."""
        self.dut.flr.value = 1
        await RisingEdge(self.dut.clock)
        self.dut.flr.value = 0
        for _ in range(2000):
            await RisingEdge(self.dut.clock)
            if self.dut.flr_done.value == 1:
                return
        raise AssertionError("a reset ends within 2,000 cycles")

    async def interrupt(self, vector):
        self.interrupts[vector] += 1

    async def read(self, offset):
        return await self.bar.read_dword(offset)

    async def write(self, offset, value):
        await self.bar.write_dword(offset, value)

    async def errors(self):
        return {name: n for name, c in ERROR.items() if (n := await self.read(REG["dma.COUNT"] + 4 * c))}

    async def refused(self, address, length):
        """A read straight to an address: its completion's status."""
        try:
            await with_timeout(self.rc.mem_read(address, length), 20, "us")
        except Exception as e:  # the model raises the bare class
            return str(e)
        return None


@cocotb.test(timeout_time=2000, timeout_unit="us")
async def enumerates_and_answers_register_accesses(dut):
    nic = Nic(dut, generator("enumerate"))
    await nic.start()
    assert nic.device.bar_size[0] == 1 << 16
    await identify(nic)
    # 64-bit accesses are two registers
    magic, abi = struct.unpack("<II", await nic.bar.read(REG["card.MAGIC"], 8))
    assert (magic, abi) == (CONST["magic"], CONST["abi_version"])
    await nic.bar.write(REG["tables.KEY0"], struct.pack("<II", 0x1122_3344, 0x5566_7788))
    assert await nic.read(REG["tables.KEY0"]) == 0x1122_3344
    assert await nic.read(REG["tables.KEY1"]) == 0x5566_7788
    assert await nic.errors() == {}
    # a byte is refused, and the card goes on
    base = nic.device.bar_addr[0]
    assert await nic.refused(base + REG["card.MAGIC"], 1) is not None
    assert await nic.errors() == {"RegisterAccess": 1}
    assert await nic.read(REG["card.MAGIC"]) == CONST["magic"]


@cocotb.test(timeout_time=6000, timeout_unit="us")
async def frames_go_both_ways_through_rings(dut):
    rnd = generator("rings")
    nic = Nic(dut, rnd)
    await nic.start()
    buffers = nic.rc.mem_pool.alloc_region(8 * 2048)
    receive, send = Queue(nic, "Receive"), Queue(nic, "TransmitBack")
    for queue in (receive, send):
        await queue.start()
    for i in range(8):
        receive.offer(struct.pack("<QII", buffers.get_absolute_address(2048 * i), 2048, 0))
    await receive.ring()
    await nic.read(receive.register("TAIL"))
    outgoing = nic.rc.mem_pool.alloc_region(8 * 2048)
    for i in range(40):  # five laps
        ip = packet(rnd, "10.0.0.8", 1000 + i, "10.0.0.1", 80, udp=i % 2 == 0)
        frame = plain(ip) + bytes(max(0, 46 - len(ip)))
        await nic.front_rx.send(AxiStreamFrame(frame, tuser=0))
        # meanwhile the other way, with the transport checksum left to the card
        whole = plain(packet(rnd, "10.0.0.1", 80, "10.0.0.9", 40000 + i), dst=CLIENT, src=BACK)
        pseudo = ones_sum(whole[26:34] + bytes([0, 6]) + (len(whole) - 34).to_bytes(2, "big"))
        at = 2048 * (i % 8)
        outgoing[at : at + len(whole)] = whole[:50] + pseudo.to_bytes(2, "big") + whole[52:]
        send.offer(struct.pack("<QHHHH", outgoing.get_absolute_address(at), len(whole), CONST["checksum"], 34, 16))
        await send.ring()
        got = await with_timeout(nic.back_tx.recv(), 100, "us")
        assert bytes(got.tdata) == whole
        words, status, _ = await send.wait()
        assert (status, words[0]) == (STATUS["Ok"], len(whole))
        words, status, meta = await receive.wait()
        assert (status, words[0] & 0xFFFF, words[1], meta) == (STATUS["Ok"], len(frame), i, REASON["Miss"] | 1 << 8 | 1 << 12)
        at = 2048 * (i % 8)
        assert buffers[at : at + len(frame)] == frame
        buffers[at : at + 2048] = bytes(2048)
        receive.offer(struct.pack("<QII", buffers.get_absolute_address(at), 2048, 0))
        await receive.ring()
    await Timer(2, "us")
    assert nic.interrupts[receive.index] == nic.interrupts[send.index] == 40
    assert sum(nic.interrupts) == 80
    assert await nic.errors() == {}
    assert await outcomes(nic, "FRONT") == {"ToHost": 40}
    assert len([t for t in nic.core.sent if t.fmt_type in (TlpType.MEM_READ, TlpType.MEM_READ_64)]) > 40


@cocotb.test(timeout_time=4000, timeout_unit="us")
async def unmapped_memory_is_reported_and_a_reset_mends_all(dut):
    rnd = generator("errors")
    nic = Nic(dut, rnd)
    await nic.start()
    send = Queue(nic, "TransmitFront")
    await send.start()
    send.offer(struct.pack("<QHHHH", 0x7FFF_FFFF_0000, 100, 0, 0, 0))
    await send.ring()
    _, status, _ = await send.wait()
    assert status == STATUS["Read"]
    await Timer(1, "us")
    assert (await nic.errors())["CompletionStatus"] >= 1
    assert nic.interrupts[CONST["error_vector"]] == 1
    # resets in the middle of frames' ways out: far more packets than a partner has given credits at first
    outgoing = nic.rc.mem_pool.alloc_region(2048)
    frame = plain(packet(rnd, "10.0.0.1", 80, "10.0.0.9", 40000), dst=CLIENT, src=FRONT)
    outgoing[0 : len(frame)] = frame
    offer = struct.pack("<QHHHH", outgoing.get_absolute_address(0), len(frame), 0, 0, 0)
    for _ in range(6):
        for _ in range(4):
            send.offer(offer)
        await send.ring()
        await Timer(rnd.randrange(200, 1500), "ns")
        await nic.reset()
        while not nic.front_tx.empty():  # what left before is whole, or marked
            got = nic.front_tx.recv_nowait()
            assert bytes(got.tdata) == frame or got.tuser
        assert await nic.errors() == {}
        assert await nic.read(send.register("STATUS")) == 0
        await set_up(nic)
        send = Queue(nic, "TransmitFront")
        await send.start()
        for _ in range(8):
            send.offer(offer)
            await send.ring()
            while True:
                got = await with_timeout(nic.front_tx.recv(), 100, "us")
                if not got.tuser:
                    break
            assert bytes(got.tdata) == frame
            assert (await send.wait())[1] == STATUS["Ok"]
