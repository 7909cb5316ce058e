"""Prints sim/tests/tlp_vectors.txt: TLPs as cocotbext-pcie packs them. Run by hand with the Python of target/tools/venv."""

import random

from cocotbext.pcie.core.tlp import CplStatus, Tlp, TlpType
from cocotbext.pcie.core.utils import PcieId

rnd = random.Random(1)
print("# TLPs packed by cocotbext-pcie 0.2.16; made by tests/cocotb/tlp_vectors.py, do not edit.")
print("# kind, requester, tag, then: read and write: address, words, first and last enables; completion: completer, status,")
print("# bytes, lower address; then poisoned, and the packet")
for i in range(120):
    tlp, kind = Tlp(), rnd.choice(("read", "write", "completion"))
    tlp.requester_id, tlp.tag = PcieId.from_int(rnd.getrandbits(16)), rnd.getrandbits(8)
    words = rnd.choice((1, 1, 2, 3, 16, 32))
    tlp.ep = kind != "read" and rnd.random() < 0.2
    if kind == "completion":
        tlp.completer_id = PcieId.from_int(rnd.getrandbits(16))
        good = rnd.random() < 0.7
        tlp.status = CplStatus.SC if good else rnd.choice((CplStatus.UR, CplStatus.CA))
        tlp.fmt_type = TlpType.CPL_DATA if good else TlpType.CPL
        tlp.byte_count, tlp.lower_address = rnd.choice((4, 100, 4096)), rnd.getrandbits(5) << 2
        if good:
            tlp.set_data(rnd.randbytes(4 * words))
        else:
            tlp.ep = False
        rest = (int(tlp.completer_id), int(tlp.status), tlp.byte_count, tlp.lower_address)
    else:
        wide = rnd.random() < 0.5
        # cocotbext-pcie checks that a packet stays within 4 KiB
        tlp.address = (rnd.getrandbits(31) << 33 if wide else 0) | rnd.getrandbits(20) << 12 | rnd.randrange(0, 900) << 2
        wide = tlp.address >> 32 != 0
        tlp.fmt_type = {("read", False): TlpType.MEM_READ, ("read", True): TlpType.MEM_READ_64,
                        ("write", False): TlpType.MEM_WRITE, ("write", True): TlpType.MEM_WRITE_64}[kind, wide]
        tlp.first_be, tlp.last_be = rnd.randrange(16) if words == 1 else 15, 0 if words == 1 else 15
        tlp.length = words
        if kind == "write":
            tlp.set_data(rnd.randbytes(4 * words))
        rest = (tlp.address, words, tlp.first_be, tlp.last_be)
    print(kind, int(tlp.requester_id), tlp.tag, *rest, int(tlp.ep), bytes(tlp.pack()).hex())
