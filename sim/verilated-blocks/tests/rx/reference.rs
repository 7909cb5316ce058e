//! What the parser must say of a frame: `docs/datapath.md`, steps 1 to 7, over bytes. `None`: nothing depends on it.

use ipos_abi::rx::L3;
use ipos_abi::table::Protocol;
use ipos_abi::wire::checksum::Sum;
use ipos_verilated_blocks::Meta;

use crate::frames::{IPOS, MAC};

/// Settings of the port.
#[derive(Clone, Copy, Debug)]
pub struct Port {
    pub back: bool,
    pub promiscuous: bool,
}

/// Verdict-ready: fields in the order in which they begin to matter.
#[derive(Debug, Default, PartialEq)]
pub struct Parsed {
    pub runt: bool,
    pub link: Option<Link>,
    pub ipos: Option<Ipos>,
    pub ipv4: Option<bool>,
    pub header: Option<Header>,
    pub key: Option<Key>,
    pub l4_ok: Option<bool>,
    pub cover_ok: Option<bool>,
}

#[derive(Debug, PartialEq)]
pub struct Link {
    pub mac_ok: bool,
    pub group: bool,
    pub src_mac: u64,
    pub tci: Option<u64>,
    pub ipos: bool,
}

#[derive(Debug, Default, PartialEq)]
pub struct Ipos {
    pub short: bool,
    pub kind: Option<u64>,
    pub cover: Option<u64>,
    pub ok: Option<bool>,
}

#[derive(Debug, PartialEq)]
pub struct Header {
    pub early: u64,
    pub rest: Option<Rest>,
}

#[derive(Debug, PartialEq)]
pub struct Rest {
    pub ip_ok: bool,
    pub small_total: bool,
    pub total: u64,
    pub fragment: bool,
    pub other_protocol: bool,
    pub late: Option<u64>,
}

#[derive(Debug, PartialEq)]
pub struct Key {
    pub udp: bool,
    pub src_ip: u64,
    pub dst_ip: u64,
    pub src_port: u64,
    pub dst_port: u64,
    pub tcp_flags: u64,
    pub l4_skip: bool,
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |n, &b| n << 8 | u64::from(b))
}

fn sums_to_ones(bytes: &[u8]) -> bool {
    Sum::new().bytes(bytes).is_valid()
}

/// The frame as it leaves the tag stripper, and what there is to say of it.
pub fn parse(mut frame: Vec<u8>, port: Port) -> (Option<Vec<u8>>, Parsed) {
    let tagged = frame.len() >= 14 && frame[12..14] == [0x81, 0x00];
    if frame.len() < if tagged { 18 } else { 14 } {
        return (None, Parsed { runt: true, ..Default::default() });
    }
    let tci = tagged.then(|| number(&frame.drain(12..16).collect::<Vec<_>>()[2..]));
    let ethertype = number(&frame[12..14]);
    let group = frame[0] & 1 == 1;
    let ipos = ethertype == u64::from(IPOS);
    let link = Link {
        mac_ok: port.promiscuous || group || frame[..6] == MAC,
        group,
        src_mac: number(&frame[6..12]),
        tci,
        ipos,
    };
    let mut parsed = Parsed { link: Some(link), ..Default::default() };
    let mut packet = &frame[14..];
    if !ipos {
        parsed.ipv4 = Some(ethertype == 0x0800);
    } else if port.back {
        parsed.ipos = Some(self::ipos(packet, &mut parsed.cover_ok));
        parsed.ipv4 = parsed.ipos.as_ref().and_then(|i| i.kind).filter(|&k| k == 2).map(|_| true);
        packet = packet.get(16..).unwrap_or(&[]);
    }
    if parsed.ipv4 == Some(true) {
        ipv4(packet, &mut parsed);
    }
    (Some(frame), parsed)
}

fn ipos(packet: &[u8], cover_ok: &mut Option<bool>) -> Ipos {
    let Some(header) = packet.get(..16) else { return Ipos { short: true, ..Default::default() } };
    let (kind, protocol) = (header[12], header[13]);
    let cover = match (kind, protocol) {
        (1, 1) => 162,
        (1, 2) => 22,
        (3, _) => 16,
        _ => 0,
    };
    if cover > 0 {
        *cover_ok = packet.get(..cover).map(sums_to_ones);
    }
    Ipos {
        short: false,
        kind: Some(kind.into()),
        cover: (kind != 2).then_some(cover as u64),
        ok: (kind == 2).then(|| sums_to_ones(header)),
    }
}

fn ipv4(packet: &[u8], parsed: &mut Parsed) {
    let early = |l3| Some(Header { early: l3 as u64, rest: None });
    parsed.header = early(L3::Truncated);
    let Some(fixed) = packet.get(..20) else { return };
    let words = usize::from(fixed[0] & 15);
    if fixed[0] >> 4 != 4 || words < 5 {
        parsed.header = early(L3::Malformed);
        return;
    }
    let Some((header, rest)) = packet.split_at_checked(4 * words) else { return };
    let total = number(&fixed[2..4]) as usize;
    let need = match fixed[9] {
        6 => Some(20),
        17 => Some(8),
        _ => None,
    };
    let fragment = number(&fixed[6..8]) & 0x3fff != 0;
    let small_total = total < header.len();
    let late = match need {
        Some(need) if !fragment && rest.len() < need => L3::Truncated as u64,
        Some(need) if !fragment && total < header.len() + need => L3::Malformed as u64,
        _ => 0,
    };
    let ip_ok = sums_to_ones(header);
    parsed.header = Some(Header {
        early: 0,
        rest: Some(Rest {
            ip_ok,
            small_total,
            total: total as u64,
            fragment,
            other_protocol: need.is_none(),
            late: (!small_total).then_some(late),
        }),
    });
    if small_total || fragment || need.is_none() || late != 0 {
        return;
    }
    let udp = fixed[9] == 17;
    let length = total - header.len();
    let l4_skip = udp && (number(&rest[6..8]) == 0 || number(&rest[4..6]) != length as u64);
    let (src, dst): ([u8; 4], [u8; 4]) = (fixed[12..16].try_into().expect("4"), fixed[16..20].try_into().expect("4"));
    parsed.key = Some(Key {
        udp,
        src_ip: number(&src),
        dst_ip: number(&dst),
        src_port: number(&rest[..2]),
        dst_port: number(&rest[2..4]),
        tcp_flags: if udp { 0 } else { rest[13].into() },
        l4_skip,
    });
    if ip_ok && !l4_skip {
        let protocol = if udp { Protocol::Udp } else { Protocol::Tcp };
        parsed.l4_ok = rest
            .get(..length)
            .map(|segment| Sum::pseudo_header(src.into(), dst.into(), protocol, length).bytes(segment).is_valid());
    }
}

/// What the block said, as far as `expected` says something.
pub fn said(
    expected: &Parsed,
    key: u128,
    meta: &Meta,
    ip_ok: bool,
    ipos_ok: bool,
    l4_ok: bool,
    cover_ok: bool,
) -> Parsed {
    Parsed {
        runt: meta.runt == 1,
        link: expected.link.as_ref().map(|_| Link {
            mac_ok: meta.mac_ok == 1,
            group: meta.group == 1,
            src_mac: meta.src_mac,
            tci: (meta.tagged == 1).then_some(meta.tci),
            ipos: meta.ipos == 1,
        }),
        ipos: expected.ipos.as_ref().map(|e| Ipos {
            short: meta.ipos_short == 1,
            kind: e.kind.map(|_| meta.ipos_type),
            cover: e.cover.map(|_| meta.cover),
            ok: e.ok.map(|_| ipos_ok),
        }),
        ipv4: expected.ipv4.map(|_| meta.ipv4 == 1),
        header: expected.header.as_ref().map(|e| Header {
            early: meta.early,
            rest: e.rest.as_ref().map(|e| Rest {
                ip_ok,
                small_total: meta.small_total == 1,
                total: meta.stop.wrapping_sub(13),
                fragment: meta.fragment == 1,
                other_protocol: meta.other_protocol == 1,
                late: e.late.map(|_| meta.late),
            }),
        }),
        key: expected.key.as_ref().map(|_| Key {
            udp: (meta.udp == 1) & (key >> 96 == 1),
            src_ip: (key >> 64) as u64 & 0xffff_ffff,
            dst_ip: (key >> 16) as u64 & 0xffff_ffff,
            src_port: (key >> 48) as u64 & 0xffff,
            dst_port: key as u64 & 0xffff,
            tcp_flags: meta.tcp_flags,
            l4_skip: meta.l4_skip == 1,
        }),
        l4_ok: expected.l4_ok.map(|_| l4_ok),
        cover_ok: expected.cover_ok.map(|_| cover_ok),
    }
}
