//! Lists of socket options against bytes that were written by hand, in both directions, and against damage.

mod common;

use common::exercise;
use ipos_abi::wire::Error;
use ipos_abi::wire::options::{Kind, MAX_LEN, Options};
use proptest::prelude::*;

/// One of each width, a negative value among them, and what they mean.
const VECTOR: &[u8] = &[
    0x01, 1, 0x03, // both buffers are locked
    0x03, 4, 0x00, 0x00, 0x12, 0x34, // mark 0x1234
    0x05, 8, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x02, // 2^32 + 2 bytes per second
    0x21, 4, 0xff, 0xff, 0xff, 0xff, // no FIN_WAIT2
    0x42, 1, 0xff, // TTL 255
];

fn meaning() -> Options {
    let mut options = Options::default();
    options.set(Kind::MinTtl, 255);
    options.set(Kind::BufferLock, 3);
    options.set(Kind::Mark, 0x1234);
    options.set(Kind::PacingRate, (1 << 32) + 2);
    options.set(Kind::Linger2, -1i64 as u64);
    options
}

#[test]
fn a_list_is_read_and_written() {
    assert_eq!(Options::parse(VECTOR), Ok(meaning()));
    let mut out = [0xee; MAX_LEN + 1];
    assert_eq!(meaning().emit(&mut out), Ok(VECTOR.len()));
    assert_eq!((&out[..VECTOR.len()], out[VECTOR.len()]), (VECTOR, 0xee));
    let listed: Vec<_> = meaning().iter().map(|(kind, value)| (kind.name(), value)).collect();
    assert_eq!(listed[3..], [("TCP_LINGER2", 0xffff_ffff), ("IP_MINTTL", 255)]);
    assert_eq!((meaning().get(Kind::Mark), meaning().get(Kind::Priority)), (Some(0x1234), None));
    assert_eq!(Options::parse(&[]), Ok(Options::default()));
}

#[test]
fn all_kinds_fit_and_keep_their_values() {
    let mut options = Options::default();
    for kind in Kind::ALL {
        options.set(*kind, u64::MAX);
    }
    let mut out = [0; MAX_LEN];
    let n = options.emit(&mut out).unwrap();
    let again = Options::parse(&out[..n]).unwrap();
    for kind in Kind::ALL {
        assert_eq!(again.get(*kind), Some(u64::MAX >> (64 - 8 * kind.width())), "{kind:?}");
    }
    for short in 0..n {
        assert!(matches!(options.emit(&mut vec![0; short]), Err(Error::Buffer { .. })), "into {short}");
    }
}

#[test]
fn unknown_kinds_are_skipped_and_counted() {
    let mut bytes = VECTOR.to_vec();
    bytes.extend([0xf0, 0, 0xf1, 3, 1, 2, 3]);
    let read = Options::parse(&bytes).unwrap();
    assert_eq!(read.unknown(), 2);
    assert!(read.iter().eq(meaning().iter()));
}

#[test]
fn what_is_not_a_list_is_refused() {
    let wrong = |bytes: &[u8], field: &str| match Options::parse(bytes) {
        Err(Error::Value { field: found, .. }) => assert_eq!(found, field),
        other => panic!("{field}: {other:?}"),
    };
    wrong(&[0x03, 2, 0, 1], "SO_MARK");
    wrong(&[0x01, 1, 0, 0x01, 1, 0], "order of kinds");
    wrong(&[0x02, 4, 0, 0, 0, 1, 0x01, 1, 0], "order of kinds");
    wrong(&[0x00, 0], "order of kinds");
    assert!(matches!(Options::parse(&[0; MAX_LEN + 1]), Err(Error::TooLong { found: 161, max: 160, .. })));
    let entries: Vec<usize> = vec![0, 3, 9, 19, 25, 28];
    for n in 0..=VECTOR.len() {
        match Options::parse(&VECTOR[..n]) {
            Ok(_) => assert!(entries.contains(&n), "cut to {n}"),
            Err(Error::Truncated { need, have, .. }) => {
                assert!(!entries.contains(&n) && have == n && need > n, "cut to {n}: {need}");
            }
            other => panic!("cut to {n}: {other:?}"),
        }
    }
}

#[test]
fn single_bit_flips_give_an_error_or_a_list() {
    for bit in 0..VECTOR.len() * 8 {
        let mut bad = VECTOR.to_vec();
        bad[bit / 8] ^= 0x80 >> (bit % 8);
        exercise::options(&bad);
        assert_ne!(Options::parse(&bad), Ok(meaning()), "bit {bit}");
    }
}

proptest! {
    #[test]
    fn random_bytes(bytes in prop::collection::vec(any::<u8>(), 0..MAX_LEN + 8)) {
        exercise::options(&bytes);
    }

    /// Well-formed lists, kinds that are not known among them.
    #[test]
    fn random_lists(entries in prop::collection::btree_map(1u8.., prop::collection::vec(any::<u8>(), 0..9), 0..12)) {
        let mut bytes = Vec::new();
        let (mut known, mut unknown) = (0, 0);
        for (code, value) in &entries {
            let width = Kind::from_code(*code).map_or(value.len(), Kind::width);
            *(if Kind::from_code(*code).is_some() { &mut known } else { &mut unknown }) += 1;
            bytes.extend([*code, width as u8]);
            bytes.extend((0..width).map(|i| value.get(i).copied().unwrap_or(0x5a)));
        }
        prop_assume!(bytes.len() <= MAX_LEN);
        exercise::options(&bytes);
        let list = Options::parse(&bytes).expect("well formed");
        prop_assert_eq!((list.iter().count(), usize::from(list.unknown())), (known, unknown));
    }
}
