//! Bytes between the application and the kernel.

/// A queue of bytes in one piece.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    /// Bytes at the front that have been consumed.
    at: usize,
}

impl Buffer {
    pub fn rest(&self) -> &[u8] {
        &self.bytes[self.at..]
    }

    pub fn is_empty(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// Takes `n` bytes from the front, or all.
    pub fn consume(&mut self, n: usize) {
        self.at = (self.at + n).min(self.bytes.len());
        if self.is_empty() {
            self.bytes.clear();
            self.at = 0;
        }
    }

    pub fn append(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub fn prepend(&mut self, bytes: &[u8]) {
        let front = self.at.min(bytes.len());
        // what was consumed makes room
        self.bytes.splice(self.at - front..self.at, bytes.iter().copied());
        self.at -= front;
    }

    /// An empty buffer of `size` zero bytes to read into, then [`Buffer::filled`].
    pub fn space(&mut self, size: usize) -> &mut [u8] {
        self.at = 0;
        self.bytes.resize(size, 0);
        &mut self.bytes
    }

    /// The first `n` bytes of [`Buffer::space`] are data.
    pub fn filled(&mut self, n: usize) {
        self.bytes.truncate(n);
    }
}

#[cfg(test)]
mod tests {
    use super::Buffer;
    use std::collections::VecDeque;

    /// Against a deque, over all short sequences of operations.
    #[test]
    fn behaves_like_a_deque() {
        const STEPS: u32 = 7;
        for sequence in 0..6u32.pow(STEPS) {
            let (mut buffer, mut deque) = (Buffer::default(), VecDeque::new());
            for step in 0..STEPS {
                let new = [step as u8 * 3, step as u8 * 3 + 1, step as u8 * 3 + 2];
                match sequence / 6u32.pow(step) % 6 {
                    0 => {
                        buffer.append(&new);
                        deque.extend(new);
                    }
                    n @ 1..3 => {
                        buffer.prepend(&new[..n as usize]);
                        new[..n as usize].iter().rev().for_each(|b| deque.push_front(*b));
                    }
                    n @ 3..5 => {
                        buffer.consume(n as usize - 1);
                        deque.drain(..deque.len().min(n as usize - 1));
                    }
                    _ if buffer.is_empty() => {
                        buffer.space(3).copy_from_slice(&new);
                        buffer.filled(2);
                        deque.extend(&new[..2]);
                    }
                    _ => {}
                }
                assert_eq!(buffer.rest(), deque.make_contiguous(), "sequence {sequence}, step {step}");
                assert_eq!(buffer.is_empty(), deque.is_empty());
            }
        }
    }
}
