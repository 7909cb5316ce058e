//! The committed dissector is the generated one, and Wireshark reads every vector with it.

mod common;

use common::{vector, vectors};
use std::path::{Path, PathBuf};
use std::process::Command;

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tools/ipos.lua")
}

#[test]
fn committed_dissector_is_current() {
    let mut fresh = String::new();
    ipos_abi::wire::dissector::lua(&mut fresh).expect("strings take everything");
    let committed = std::fs::read_to_string(script()).expect("tools/ipos.lua is committed");
    assert!(fresh == committed, "tools/ipos.lua is stale: run `cargo xtask gen`");
}

/// Writes a capture of frames, each with the length that it had on the wire.
fn capture(path: &Path, frames: &[(Vec<u8>, usize)]) {
    let mut pcap: Vec<u8> =
        [0xa1b2_c3d4u32, 0x0002_0004, 0, 0, 65_535, 1].iter().flat_map(|w| w.to_be_bytes()).collect();
    for (frame, length) in frames {
        pcap.extend([0, 0, frame.len() as u32, *length as u32].iter().flat_map(|w| w.to_be_bytes()));
        pcap.extend(frame);
    }
    std::fs::write(path, pcap).expect("temporary directory");
}

/// [`tshark_cut`] of whole frames, padded as a MAC pads them.
fn tshark(name: &str, frames: &[Vec<u8>], fields: &[&str]) -> Option<Vec<String>> {
    let padded = frames.iter().map(|frame| {
        let length = frame.len().max(60);
        ([frame.as_slice(), &vec![0; length - frame.len()]].concat(), length)
    });
    tshark_cut(name, &padded.collect::<Vec<_>>(), fields)
}

/// One line per frame with the values of `fields`; `None`: tshark is not installed.
/// `name` names the capture, which stays for a look at it.
fn tshark_cut(name: &str, frames: &[(Vec<u8>, usize)], fields: &[&str]) -> Option<Vec<String>> {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name).with_extension("pcap");
    capture(&path, frames);
    let mut tshark = Command::new("tshark");
    tshark.arg("-X").arg(format!("lua_script:{}", script().display())).arg("-r").arg(&path);
    tshark.args(["-T", "fields", "-E", "separator=|"]).args(fields.iter().flat_map(|f| ["-e", f]));
    match tshark.output() {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("skipped: tshark is not installed");
            None
        }
        output => {
            let output = output.expect("tshark starts");
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && !errors.contains("Lua"), "{errors}");
            let text = String::from_utf8(output.stdout).expect("text");
            Some(text.lines().map(|l| l.trim_end_matches('|').to_owned()).collect())
        }
    }
}

/// The line that tshark must show for each vector.
const EXPECTED: &[(&str, &str)] = &[
    ("TCP_CONNECTION", "0x01|1|1700000000000007|8080|1000|0"),
    ("TCP_CONNECTION_OPTIONS", "0x01|1|1700000000000007|8080|1000|0"),
    ("TCP_CONNECTION_PLAIN", "0x01|1||8080|1000|0"),
    ("UDP_CONNECTION", "0x01|1|1700000000000007|8080"),
    ("UDP_CONNECTION_PLAIN", "0x01|1||8080"),
    ("TCP_PACKET", "0x02|1|||||||||||8080"),
    ("UDP_PACKET", "0x02|1||||||||||||8080"),
    ("ACK", "0x03|1|1700000000000007"),
    ("ACK_NO_KEY", "0x03|1|1700000000000007"),
    ("ACK_PLAIN", "0x03|1"),
    ("ACK_UDP_VLAN", "0x03|1|1700000000000007"),
    ("OFFER", "0x80|1|1700000000000007||||800"),
    ("REFUSAL", "0x81|1|1700000000000007|||||2"),
    ("RELEASE", "0x82|1|1700000000000007"),
    ("CANCEL", "0x83|1|1700000000000007"),
    ("DATA", "0x84|1|1700000000000007||||||61626364"),
    ("DATA_UDP", "0x84|1|1700000000000007||||||61626364"),
    ("DATA_NONE", "0x84|1|1700000000000007"),
    ("PROGRESS", "0x85|1|1700000000000007|||||||64"),
    ("COMMIT", "0x86|1|1700000000000007"),
    ("COMMIT_ANSWER", "0x86|1|1700000000000007"),
    ("MOVED", "0x87|1|1700000000000007||||||||10.0.0.3"),
    ("READY", "0x88|1|1700000000000007"),
    ("QUERY_ANSWER", "0x89|1|1700000000000007|||||||||1700000000000008"),
];
const FIELDS: [&str; 14] = [
    "ip_os.kind",
    "ip_os.checksum_ok",
    "ip_os.trailer.epoch",
    "ip_os.connection.server_port",
    "ip_os.tcb.snd_una",
    "ip_os.tcb.congestion",
    "ip_os.offer.send_len",
    "ip_os.refusal.reason",
    "ip_os.data.bytes",
    "ip_os.progress.credit",
    "ip_os.moved.owner",
    "ip_os.query.owner_epoch",
    "tcp.dstport",
    "udp.dstport",
];

/// Nonces and extras of trailers.
#[test]
fn tshark_reads_nonces_and_extras() {
    let names = ["TCP_CONNECTION_OPTIONS", "OFFER", "ACK_PLAIN"];
    let bytes: Vec<_> = names.iter().map(|name| common::vector(name)).collect();
    let fields = ["ip_os.trailer.from", "ip_os.trailer.to", "ip_os.trailer.extra", "ip_os.offer.features"];
    let Some(lines) = tshark("nonces", &bytes, &fields) else { return };
    let from = "0x0102030405060708";
    let options = format!("{from}|0x1122334455667788|0103aabbcc,7f00");
    assert_eq!(lines, [options, format!("{from}|0x0000000000000000||0x0001"), String::new()]);
}

#[test]
fn tshark_reads_every_vector() {
    let frames: Vec<_> = vectors().into_iter().filter(|(name, _)| *name != "TCB").collect();
    let bytes: Vec<_> = frames.iter().map(|(_, bytes)| bytes.clone()).collect();
    let Some(lines) = tshark("vectors", &bytes, &FIELDS) else { return };
    let shown: Vec<_> = frames.iter().map(|(name, _)| *name).zip(lines.iter().map(String::as_str)).collect();
    assert_eq!(shown, EXPECTED);
}

#[test]
fn tshark_reads_every_type_over_both_ethertypes_and_a_tag() {
    let commit = vector("COMMIT");
    let experimental = [&commit[..12], &[0x88, 0xb5], &commit[14..]].concat();
    let tagged = [&commit[..12], &[0x81, 0, 0, 5], &commit[12..]].concat();
    // 802.3 with a length of 7: LLC, not ipOS
    let llc = [&commit[..14], &[0x42, 0x42, 3, 0, 0, 0, 0]].concat();
    let Some(lines) = tshark("types", &[experimental, tagged, llc], &FIELDS[..3]) else { return };
    assert_eq!(lines, ["0x86|1|1700000000000007", "0x86|1|1700000000000007", ""]);
}

/// Captures are cut by a snapshot length, at any byte.
#[test]
fn tshark_reads_what_a_capture_has_of_a_frame() {
    let all = vectors().into_iter().filter(|(name, _)| *name != "TCB");
    let frames: Vec<_> =
        all.flat_map(|(_, frame)| (0..frame.len()).map(move |cut| (frame[..cut].to_vec(), frame.len()))).collect();
    let fields = ["_ws.expert.message", "ip_os.truncated", "ip_os.kind"];
    let Some(lines) = tshark_cut("cut", &frames, &fields) else { return };
    assert_eq!(lines.len(), frames.len());
    for ((cut, length), line) in frames.iter().zip(&lines) {
        assert!(!line.contains("Lua"), "{} of {length} bytes: {line}", cut.len());
        // behind tag and header
        if cut.len() >= 34 + 4 {
            assert!(
                line.split('|').nth(2).is_some_and(|kind| kind.starts_with("0x")),
                "{} of {length}: {line}",
                cut.len()
            );
        }
    }
}

#[test]
fn tshark_shows_damage() {
    let mut sum = vector("TCP_CONNECTION");
    sum[30] ^= 1;
    let cut = vector("TCP_CONNECTION")[..100].to_vec();
    let mut long = vector("DATA");
    long[52] = 0xff;
    let Some(lines) = tshark("damage", &[sum, cut, long], &["ip_os.checksum_ok", "ip_os.truncated"]) else { return };
    assert_eq!(lines, ["0", "|TCP control block", "|ipOS data"]);
}
