//! One thing for each of the three streams of a move.

use std::array;
use std::ops::{Index, IndexMut};

use ipos_abi::wire::ext::Stream;

/// The streams in the order of transfer and of the digest: their bytes, their lengths, or what else there is of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Streams<T> {
    /// The receive queue: bytes that the application has not read.
    pub receive: T,
    /// The send queue: bytes that the client has not acknowledged.
    pub send: T,
    /// The application's state.
    pub application: T,
}

impl<T> Streams<T> {
    /// The same of each stream.
    pub fn map<U>(self, mut of: impl FnMut(T) -> U) -> Streams<U> {
        Streams { receive: of(self.receive), send: of(self.send), application: of(self.application) }
    }

    /// By reference.
    pub const fn as_ref(&self) -> Streams<&T> {
        Streams { receive: &self.receive, send: &self.send, application: &self.application }
    }

    /// Two things for each stream.
    pub fn zip<U>(self, other: Streams<U>) -> Streams<(T, U)> {
        Streams {
            receive: (self.receive, other.receive),
            send: (self.send, other.send),
            application: (self.application, other.application),
        }
    }
}

impl Streams<u32> {
    /// The sum of their lengths.
    #[must_use]
    pub const fn bytes(self) -> usize {
        self.receive as usize + self.send as usize + self.application as usize
    }
}

impl<T> Index<Stream> for Streams<T> {
    type Output = T;

    fn index(&self, stream: Stream) -> &T {
        match stream {
            Stream::Receive => &self.receive,
            Stream::Send => &self.send,
            Stream::Application => &self.application,
        }
    }
}

impl<T> IndexMut<Stream> for Streams<T> {
    fn index_mut(&mut self, stream: Stream) -> &mut T {
        match stream {
            Stream::Receive => &mut self.receive,
            Stream::Send => &mut self.send,
            Stream::Application => &mut self.application,
        }
    }
}

impl<T> IntoIterator for Streams<T> {
    type Item = (Stream, T);
    type IntoIter = array::IntoIter<(Stream, T), 3>;

    fn into_iter(self) -> Self::IntoIter {
        let Streams { receive, send, application } = self;
        [(Stream::Receive, receive), (Stream::Send, send), (Stream::Application, application)].into_iter()
    }
}
