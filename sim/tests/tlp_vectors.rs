//! The simulator's TLPs are those of cocotbext-pcie: packets that it packed (`tests/cocotb/tlp_vectors.py`).

use ipos_sim::pcie::tlp::Tlp;

fn octets(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).expect("hex")).collect()
}

#[test]
fn packets_are_those_of_cocotbext_pcie() {
    let mut kinds = [0; 3];
    for line in include_str!("tlp_vectors.txt").lines().filter(|l| !l.starts_with('#')) {
        let fields: Vec<&str> = line.split(' ').collect();
        let &[kind, .., packet] = &fields[..] else { panic!("{line}") };
        let n: Vec<u64> = fields[1..8].iter().map(|f| f.parse().expect("a number")).collect();
        let &[requester, tag, a, b, c, d, poisoned] = &n[..] else { panic!("{line}") };
        let (requester, tag, poisoned) = (requester as u16, tag as u8, poisoned == 1);
        let packet = octets(packet);
        let header = if packet[0] >> 5 & 1 == 1 { 16 } else { 12 };
        let data = packet[header..].to_vec();
        let tlp = match kind {
            "read" => Tlp::Read { requester, tag, address: a, words: b as usize, enables: [c as u8, d as u8] },
            "write" => Tlp::Write { requester, tag, address: a, enables: [c as u8, d as u8], data, poisoned },
            "completion" => Tlp::Completion {
                completer: a as u16,
                requester,
                tag,
                status: b as u8,
                bytes: c as usize,
                lower: d as u8,
                data,
                poisoned,
            },
            other => panic!("{other}"),
        };
        kinds[["read", "write", "completion"].iter().position(|k| *k == kind).expect("known")] += 1;
        assert_eq!(tlp.encode(), packet, "{line}");
        assert_eq!(Tlp::decode(&packet), Ok(tlp), "{line}");
    }
    assert!(kinds.iter().all(|&n| n > 20), "{kinds:?}");
}
