"""What both benches need: the register map, the table's hash, frames. Written from docs/, not from the Rust code."""

import json
import os
import random
from pathlib import Path

from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Raw

SEED = int(os.environ.get("IPOS_SEED", "1"))
MAP = json.loads((Path(__file__).parents[2] / "docs/registers.json").read_text())
REG = {f"{b['name']}.{r['name']}": r["offset"] for b in MAP["blocks"] for r in b["registers"]}
OUTCOME = {c["name"]: c["code"] for c in MAP["codes"]["outcome"]}
REASON = {c["name"]: c["code"] for c in MAP["codes"]["reason"]}

FRONT, BACK, NEXT, CLIENT = "02:00:00:00:00:01", "02:00:00:00:00:02", "02:00:00:00:00:03", "02:00:00:00:00:09"
ETHERTYPE = 0x0007
MASK64 = (1 << 64) - 1


def _spread():
    """What each bit of a key flips in the word of 48 bits: three shuffles, dealt to its bits in turn; splitmix64 from the seed that hdl/abi states."""
    state, spread, dealt = 0x6970_4F53_2026_015E, [0] * 97, 0
    for _ in range(3):
        order = list(range(97))
        for i in range(96, 0, -1):
            state = (state + 0x9E37_79B9_7F4A_7C15) & MASK64
            z = state
            z = (z ^ z >> 30) * 0xBF58_476D_1CE4_E5B9 & MASK64
            z = (z ^ z >> 27) * 0x94D0_49BB_1331_11EB & MASK64
            j = (z ^ z >> 31) % (i + 1)
            order[i], order[j] = order[j], order[i]
        for bit in order:
            spread[bit] |= 1 << dealt % 48
            dealt += 1
    return spread


SPREAD = _spread()


def octets(dotted):
    return bytes(int(x) for x in dotted.split("."))


def key(src, sport, dst, dport, udp=False):
    return udp << 96 | int.from_bytes(octets(src) + sport.to_bytes(2, "big") + octets(dst) + dport.to_bytes(2, "big"), "big")


def slot(bank, k, bits):
    word = 0
    for i, flips in enumerate(SPREAD):
        word ^= flips * (k >> i & 1)

    def turned(by):
        return (word << by | word >> 48 - by) & (1 << 48) - 1

    for a, b, c in ((36, 38, 5), (29, 39, 28)):
        word = word ^ turned(a) ^ turned(b) & turned(c)
    return word >> 12 * bank & (1 << bits) - 1


def ones_sum(data):
    total = sum(int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def ipos(kind, protocol, src, sport, dst, dport):
    """An ipOS header: source, destination, type, protocol, checksum."""
    head = octets(src) + sport.to_bytes(2, "big") + octets(dst) + dport.to_bytes(2, "big") + bytes([kind, protocol])
    return head + (0xFFFF ^ ones_sum(head)).to_bytes(2, "big")


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def packet(rnd, src, sport, dst, dport, udp=False, flags="A"):
    """An IPv4 packet, TCP or UDP, checksums by scapy."""
    l4 = UDP(sport=sport, dport=dport) if udp else TCP(sport=sport, dport=dport, flags=flags, seq=rnd.getrandbits(32))
    return bytes(IP(src=src, dst=dst, id=rnd.getrandbits(16)) / l4 / Raw(rnd.randbytes(rnd.randrange(0, 1200))))


def plain(ip, dst=FRONT, src=CLIENT, kind=0x0800):
    return mac(dst) + mac(src) + kind.to_bytes(2, "big") + ip


def encapsulated(ip, header, dst=NEXT, src=BACK):
    return mac(dst) + mac(src) + ETHERTYPE.to_bytes(2, "big") + header + ip


def mac_words(text):
    raw = mac(text)
    return int.from_bytes(raw[2:], "big"), int.from_bytes(raw[:2], "big")


async def identify(regs, blocks=MAP["blocks"]):
    """`regs` has `read(offset)` and `write(offset, value)`. The list of blocks describes itself."""
    assert await regs.read(REG["card.MAGIC"]) == MAP["constants"]["magic"]
    assert await regs.read(REG["card.ABI"]) == MAP["constants"]["abi_version"]
    for block, following in zip(blocks, MAP["blocks"][1:] + [{"offset": 0}]):
        assert await regs.read(block["offset"]) == block["type"] << 16 | block["version"], block["name"]
        assert await regs.read(block["offset"] + 4) == following["offset"], block["name"]


async def set_up(regs):
    for port, address in (("FRONT", FRONT), ("BACK", BACK)):
        lo, hi = mac_words(address)
        await regs.write(REG[f"port.{port}_MAC_LO"], lo)
        await regs.write(REG[f"port.{port}_MAC_HI"], hi)


async def entry(regs, table, k, value, bank=0):
    """Writes an entry of the forward or endpoint table."""
    bits = await regs.read(REG[f"card.{table}_SLOTS"])
    for i in range(4):
        await regs.write(REG[f"tables.KEY{i}"], k >> 32 * i & 0xFFFF_FFFF)
    await regs.write(REG["tables.VALUE"], value)
    await regs.write(REG[f"tables.COMMIT_{table}"], 1 << 31 | bank << 16 | slot(bank, k, bits))


async def destination(regs, index, ip, port, neighbour, address):
    await regs.write(REG["tables.DEST_IP"], int.from_bytes(octets(ip), "big"))
    await regs.write(REG["tables.DEST_PORT"], neighbour << 16 | port)
    await regs.write(REG["tables.COMMIT_DEST"], index)
    lo, hi = mac_words(address)
    await regs.write(REG["tables.NEIGHBOUR_LO"], lo)
    await regs.write(REG["tables.NEIGHBOUR_HI"], 1 << 31 | hi)
    await regs.write(REG["tables.COMMIT_NEIGHBOUR"], neighbour)


async def outcomes(regs, port):
    """A port's outcomes that are not zero, by name; they sum up to what it received."""
    base = REG[f"counters.{port}_OUTCOME"]
    counts = {name: await regs.read(base + 4 * code) for name, code in OUTCOME.items()}
    received = await regs.read(REG[f"counters.{port}_RX"])
    assert sum(counts.values()) == received, "every frame has one outcome"
    return {name: n for name, n in counts.items() if n}


def pauses(rnd):
    """Random stalls, in bursts."""
    while True:
        stall = rnd.random() < 0.4
        for _ in range(rnd.randrange(1, 12)):
            yield stall and rnd.random() < 0.8


def generator(name):
    print(f"{name}: IPOS_SEED={SEED}")
    return random.Random(f"{SEED} {name}")
