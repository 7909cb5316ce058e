//! Values that a configuration file writes in another way than memory holds them.

use std::time::Duration;

use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// Bytes in hexadecimal digits, with colons or without.
struct Hex<const N: usize>([u8; N]);

impl<'de, const N: usize> Deserialize<'de> for Hex<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        bytes(&text).map(Hex).ok_or_else(|| D::Error::custom(format!("{N} bytes in hexadecimal digits are wanted")))
    }
}

fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits: Vec<char> = text.chars().filter(|c| *c != ':').collect();
    let values: Option<Vec<u8>> = digits
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => Some((high.to_digit(16)? << 4 | low.to_digit(16)?) as u8),
            _ => None,
        })
        .collect();
    values?.try_into().ok()
}

pub(super) fn hex<'de, const N: usize, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; N], D::Error> {
    Ok(Hex::deserialize(deserializer)?.0)
}

pub(super) fn keys<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<[u8; 32]>, D::Error> {
    Ok(Vec::<Hex<32>>::deserialize(deserializer)?.into_iter().map(|key| key.0).collect())
}

pub(super) fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    u64::deserialize(deserializer).map(Duration::from_secs)
}
