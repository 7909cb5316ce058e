//! Socket options that travel with a connection beside its [control block](super::tcb), which has no room for them.
//!
//! A list of entries of kind, length and value, in ascending order of kinds. Only what differs from a new socket is in
//! it, so that most lists are short.
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 1 | kind: [`Kind`] |
//! | 1 | 1 | length of the value, bytes |
//! | 2 | length | value, big endian |
//!
//! The list has no end mark; whatever carries it knows its length. A receiver skips kinds that it does not know and counts
//! them, and refuses a known kind of another length: it never guesses.

use super::{Error, room};

/// The longest list, bytes.
pub const MAX_LEN: usize = 160;
/// Kind and length.
const HEAD: usize = 2;
const TITLE: &str = "socket options";

/// Declares the kinds with the sizes of their values.
macro_rules! kinds {
    ($($variant:ident = $code:literal, $width:literal, $text:literal, $doc:literal;)*) => {
        codes! {
            /// What a value is the value of. Codes are never used again for something else.
            Kind: u8 { $($variant = $code, $text, $doc;)* }
        }

        impl Kind {
            /// Bytes of its value.
            #[must_use]
            pub const fn width(self) -> usize {
                match self { $(Kind::$variant => $width,)* }
            }
        }
    };
}

kinds! {
    BufferLock = 1, 1, "SO_BUF_LOCK", "Buffers that the application has sized: send 0, receive 1. Their sizes stand in the control block.";
    Priority = 2, 4, "SO_PRIORITY", "Priority of sent packets.";
    Mark = 3, 4, "SO_MARK", "Mark of sent packets.";
    ReceiveLow = 4, 4, "SO_RCVLOWAT", "Unread bytes that make the socket readable.";
    PacingRate = 5, 8, "SO_MAX_PACING_RATE", "Fastest sending, bytes per second.";
    ReceiveTimeout = 6, 8, "SO_RCVTIMEO", "Longest wait of a read, microseconds.";
    SendTimeout = 7, 8, "SO_SNDTIMEO", "Longest wait of a write, microseconds.";
    BusyPoll = 8, 4, "SO_BUSY_POLL", "Busy polling of a read, microseconds.";
    PreferBusyPoll = 9, 1, "SO_PREFER_BUSY_POLL", "Whether busy polling goes before interrupts.";
    Rehash = 10, 1, "SO_TXREHASH", "Whether a lost segment is sent again with another hash.";
    ZeroCopy = 11, 1, "SO_ZEROCOPY", "Whether writes may lend their memory.";
    PeekOffset = 12, 4, "SO_PEEK_OFF", "Where the next peek begins, bytes behind the first unread one; two's complement.";
    ReusePort = 13, 1, "SO_REUSEPORT", "Whether a listener may share the port.";
    DontRoute = 14, 1, "SO_DONTROUTE", "Whether packets go to directly connected networks only.";
    SelectErrors = 15, 1, "SO_SELECT_ERR_QUEUE", "Whether a waiting error makes the socket exceptional.";
    SynCount = 32, 1, "TCP_SYNCNT", "Repeated SYNs before an attempt to connect ends.";
    Linger2 = 33, 4, "TCP_LINGER2", "How long FIN_WAIT2 may last, seconds; two's complement, negative: not at all.";
    WindowClamp = 34, 4, "TCP_WINDOW_CLAMP", "Largest receive window, bytes.";
    QuickAck = 35, 1, "TCP_QUICKACK", "Whether segments are acknowledged at once.";
    ThinLinear = 36, 1, "TCP_THIN_LINEAR_TIMEOUTS", "Whether thin streams are spared exponential time-outs.";
    UnsentLow = 37, 4, "TCP_NOTSENT_LOWAT", "Unsent bytes below which the socket is writable.";
    InQueue = 38, 1, "TCP_INQ", "Whether a read tells how much is left.";
    SendDelay = 39, 4, "TCP_TX_DELAY", "Delay of sent packets, microseconds.";
    RtoMax = 40, 4, "TCP_RTO_MAX_MS", "Longest retransmission time-out, milliseconds.";
    RtoMin = 41, 4, "TCP_RTO_MIN_US", "Shortest retransmission time-out, microseconds.";
    AckDelayMax = 42, 4, "TCP_DELACK_MAX_US", "Longest delay of an acknowledgement, microseconds.";
    MtuDiscovery = 64, 1, "IP_MTU_DISCOVER", "Path MTU discovery, as Linux numbers it.";
    ReceiveErrors = 65, 1, "IP_RECVERR", "Whether ICMP errors are queued and told at once.";
    MinTtl = 66, 1, "IP_MINTTL", "Smallest time to live of received packets.";
    Transparent = 67, 1, "IP_TRANSPARENT", "Whether the local address may be one that is not the server's own.";
}

/// All kinds at once fit.
const _: () = {
    let (mut sum, mut i) = (0, 0);
    while i < Kind::ALL.len() {
        sum += HEAD + Kind::ALL[i].width();
        i += 1;
    }
    assert!(sum <= MAX_LEN);
};

/// The options that a connection has beyond those of a new socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Options {
    /// In the order of [`Kind::ALL`].
    values: [Option<u64>; Kind::ALL.len()],
    unknown: u8,
}

impl Kind {
    fn index(self) -> usize {
        Kind::ALL.binary_search(&self).expect("ALL has every kind, in the order of codes")
    }
}

impl Options {
    /// Sets a value, cut to the low bytes that its kind has.
    pub fn set(&mut self, kind: Kind, value: u64) {
        self.values[kind.index()] = Some(value & (u64::MAX >> (64 - 8 * kind.width())));
    }

    /// A value, if there is one.
    #[must_use]
    pub fn get(&self, kind: Kind) -> Option<u64> {
        self.values[kind.index()]
    }

    /// All values, in ascending order of kinds.
    pub fn iter(&self) -> impl Iterator<Item = (Kind, u64)> {
        Kind::ALL.iter().zip(self.values).filter_map(|(kind, value)| Some((*kind, value?)))
    }

    /// Entries of kinds that are not known here, which were skipped.
    #[must_use]
    pub const fn unknown(&self) -> u8 {
        self.unknown
    }

    /// Reads a whole list.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > MAX_LEN {
            return Err(Error::TooLong { header: TITLE, field: "entries", found: bytes.len(), max: MAX_LEN });
        }
        let (mut options, mut rest, mut last) = (Options::default(), bytes, 0);
        while let &[code, length, ref behind @ ..] = rest {
            if code <= last {
                return Err(Error::Value { header: TITLE, field: "order of kinds", found: code.into() });
            }
            last = code;
            let (value, behind) = behind.split_at_checked(length.into()).ok_or(Error::Truncated {
                header: TITLE,
                need: bytes.len() - behind.len() + usize::from(length),
                have: bytes.len(),
            })?;
            match Kind::from_code(code) {
                Some(kind) if kind.width() == value.len() => {
                    options.set(kind, value.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)));
                }
                Some(kind) => return Err(Error::Value { header: TITLE, field: kind.name(), found: length.into() }),
                // fewer than MAX_LEN / HEAD
                None => options.unknown += 1,
            }
            rest = behind;
        }
        if rest.is_empty() {
            Ok(options)
        } else {
            Err(Error::Truncated { header: TITLE, need: bytes.len() + 1, have: bytes.len() })
        }
    }

    /// Bytes of the list.
    #[must_use]
    pub fn buffer_len(&self) -> usize {
        self.iter().map(|(kind, _)| HEAD + kind.width()).sum()
    }

    /// Writes the list at the start of `buffer`; returns its length, at most [`MAX_LEN`].
    pub fn emit(&self, buffer: &mut [u8]) -> Result<usize, Error> {
        let length = self.buffer_len();
        let mut rest = room(TITLE, buffer, length)?;
        for (kind, value) in self.iter() {
            let width = kind.width();
            let (entry, behind) = rest.split_at_mut(HEAD + width);
            entry[..HEAD].copy_from_slice(&[kind.code(), width as u8]);
            entry[HEAD..].copy_from_slice(&value.to_be_bytes()[8 - width..]);
            rest = behind;
        }
        Ok(length)
    }
}
