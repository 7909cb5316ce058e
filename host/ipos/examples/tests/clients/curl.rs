//! curl, against the `http` example.

use std::process::Command;

use crate::rig::program::Program;
use crate::rig::{ADDRESS, Rig, runtime};
use crate::{client, moves};

const SIZE: u64 = 5 << 20;
const EVERY: u64 = 256 << 10;

fn servers(rig: &Rig) -> [Program; 2] {
    [0, 1].map(|server| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_http"));
        command.args([ADDRESS.to_string(), EVERY.to_string()]);
        Program::start(rig, server, command)
    })
}

fn curl(url: String) -> Command {
    let mut curl = Command::new("curl");
    curl.args(["--disable", "--silent", "--show-error", "--fail", "--noproxy", "*", "--max-time", "60", &url]);
    curl
}

/// What the example promises to send.
fn content(length: u64) -> Vec<u8> {
    (0..u128::from(length)).map(|i| ((i * 0x9e37_79b9_7f4a_7c15 % (1 << 64)) >> 56) as u8).collect()
}

#[test]
fn a_download_moves() {
    let rig = Rig::new(2);
    let _servers = servers(&rig);
    let output = client(&rig, curl(format!("http://{ADDRESS}/{SIZE}")));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stdout == content(SIZE), "{} of {SIZE} bytes, or others", output.stdout.len());
    let moved = runtime().block_on(moves(&rig));
    assert!(moved >= SIZE / EVERY - 2, "{moved} moves");
}

#[test]
fn an_upload_moves() {
    let rig = Rig::new(2);
    let _servers = servers(&rig);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    let bytes = content(SIZE);
    std::fs::write(&file, &bytes).unwrap();
    let mut curl = curl(format!("http://{ADDRESS}/"));
    curl.arg("--upload-file").arg(&file);
    let output = client(&rig, curl);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // FNV-1a, 64 bits (RFC 9923)
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(*b)).wrapping_mul((1 << 40) + 0x1b3));
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{SIZE} {hash:016x}\n"));
    let moved = runtime().block_on(moves(&rig));
    assert!(moved >= SIZE / EVERY - 2, "{moved} moves");
}
