//! The file that is downloaded: any part of it can be made from its seed, so no server stores it.

use blake3::{Hash, Hasher, OutputReader};

/// A file of a size whose content a seed decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct File {
    /// Decides the content.
    pub seed: u64,
    /// Bytes.
    pub size: u64,
}

impl File {
    /// Fills `buffer` with the content from `offset` on; the file's end is the caller's business.
    pub fn fill(&self, offset: u64, buffer: &mut [u8]) {
        let mut content = self.content();
        content.set_position(offset);
        content.fill(buffer);
    }

    /// BLAKE3 of the whole file.
    pub fn digest(&self) -> Hash {
        let mut content = self.content();
        let mut hasher = Hasher::new();
        let mut buffer = vec![0; 1 << 16];
        let mut left = self.size;
        while left > 0 {
            let length = left.min(buffer.len() as u64) as usize;
            content.fill(&mut buffer[..length]);
            hasher.update(&buffer[..length]);
            left -= length as u64;
        }
        hasher.finalize()
    }

    fn content(&self) -> OutputReader {
        Hasher::new_derive_key("ipos demo file").update(&self.seed.to_be_bytes()).finalize_xof()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_join_to_the_whole_and_the_seed_decides() {
        let file = File { seed: 7, size: 100_001 };
        let mut whole = vec![0; 100_001];
        for (n, part) in whole.chunks_mut(997).enumerate() {
            file.fill(997 * n as u64, part);
        }
        assert_eq!(blake3::hash(&whole), file.digest());
        assert_ne!(File { seed: 8, ..file }.digest(), file.digest());
        assert_ne!(whole[..64], whole[64..128]);
    }
}
