//! The table of socket options against the kernel's headers and against the running kernel.

use std::collections::BTreeSet;
use std::fs;
use std::os::fd::AsRawFd;
use std::path::Path;

use ipos_abi::wire::options::Kind;
use ipos_migrate::socket::{Fate, OPTIONS, options_page};
use socket2::{Domain, Protocol, Socket, Type};

const LEVELS: [(&str, i32); 3] =
    [("SOL_SOCKET", libc::SOL_SOCKET), ("IPPROTO_TCP", libc::IPPROTO_TCP), ("IPPROTO_IP", libc::IPPROTO_IP)];

/// Level, name and number of each option in the headers of Linux 6.18.
fn headers() -> Vec<(i32, String, i32)> {
    let lines = include_str!("linux_options.txt").lines().filter(|l| !l.starts_with('#'));
    let options = lines.map(|line| {
        let mut words = line.split(' ');
        let mut word = || words.next().expect("level, name, number");
        let (level, name, number) = (word(), word(), word());
        let level = LEVELS.iter().find(|(n, _)| *n == level).expect("a level").1;
        (level, name.to_owned(), number.parse().expect("a number"))
    });
    options.collect()
}

/// The same of the headers that this machine has, which may be newer. Debian's linux-libc-dev comes with every compiler.
fn installed() -> Vec<(i32, String, i32)> {
    let mut found = Vec::new();
    for (level, file, prefixes) in [
        (libc::SOL_SOCKET, "/usr/include/asm-generic/socket.h", &["SO_"][..]),
        (libc::IPPROTO_TCP, "/usr/include/linux/tcp.h", &["TCP_"]),
        (libc::IPPROTO_IP, "/usr/include/linux/in.h", &["IP_", "MCAST_"]),
    ] {
        let text = fs::read_to_string(file).unwrap_or_default();
        for line in text.lines() {
            let mut words = line.split_whitespace();
            if let (Some("#define"), Some(name), Some(value)) = (words.next(), words.next(), words.next())
                && prefixes.iter().any(|p| name.starts_with(p))
                && let Ok(number) = value.parse()
            {
                found.push((level, name.to_owned(), number));
            }
        }
    }
    // values of options, not options
    let values = ["IP_PMTUDISC_", "IP_DEFAULT_", "MCAST_EXCLUDE", "MCAST_INCLUDE", "TCP_MSS_", "TCP_REPAIR_O"];
    let values =
        [&values[..], &["TCP_MD5SIG_MAXKEYLEN", "TCP_MD5SIG_FLAG", "TCP_AO_MAXKEYLEN", "TCP_AO_KEYF"]].concat();
    found.retain(|(_, name, _)| !values.iter().any(|v| name.starts_with(v)) && !name.contains("_FLAG_"));
    found
}

#[test]
fn every_option_of_the_headers_stands_in_the_table_with_what_becomes_of_it() {
    let (known, installed) = (headers(), installed());
    assert!(known.len() > 180 && (installed.is_empty() || installed.len() > 150), "{} read", installed.len());
    for (level, name, number) in known.iter().chain(&installed) {
        let entry = OPTIONS.iter().find(|o| (o.level, o.number) == (*level, *number));
        assert!(entry.is_some(), "{name} ({level}, {number}) has no entry");
    }
    for option in OPTIONS {
        // a name may stand for a number that has several
        let named =
            known.iter().any(|(l, name, n)| (*l, name.as_str(), *n) == (option.level, option.name, option.number));
        assert!(named, "{} is not {} in the headers", option.name, option.number);
        let reason = matches!(option.fate, Fate::Stays | Fate::Refused);
        assert!(!reason || !option.remark.is_empty(), "{} has no reason", option.name);
    }
    let unique: BTreeSet<_> = OPTIONS.iter().map(|o| (o.level, o.number)).collect();
    assert_eq!(unique.len(), OPTIONS.len());
}

#[test]
fn every_option_that_the_running_kernel_tells_of_a_connection_stands_in_the_table() {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).unwrap();
    for (name, level) in LEVELS {
        // from 64 on they are netfilter's and multicast routing's
        for number in 1..if level == libc::IPPROTO_IP { 64 } else { 256 } {
            let (mut value, mut length) = ([0u8; 256], 256);
            // SAFETY: `value` has `length` bytes.
            let r = unsafe {
                libc::getsockopt(socket.as_raw_fd(), level, number, value.as_mut_ptr().cast(), &raw mut length)
            };
            let stands = OPTIONS.iter().any(|o| (o.level, o.number) == (level, number));
            assert!(r < 0 || stands, "{name} {number} is answered and not known");
        }
    }
}

#[test]
fn every_kind_of_the_list_stands_in_the_table_once_by_its_name() {
    for kind in Kind::ALL {
        let entries: Vec<_> = OPTIONS.iter().filter(|o| o.fate == Fate::Listed(*kind)).collect();
        let first = entries.first().unwrap_or_else(|| panic!("{} is listed nowhere", kind.name()));
        assert!(first.name.starts_with(kind.name()), "{} is listed as {}", kind.name(), first.name);
        // time-outs have two numbers for two sizes of the same value
        assert_eq!(entries.len(), if kind.name().ends_with("TIMEO") { 2 } else { 1 }, "{}", kind.name());
    }
}

#[test]
fn the_page_is_made_from_the_table() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/socket-options.md");
    assert!(fs::read_to_string(file).unwrap() == options_page(), "stale: run `cargo xtask gen`");
}
