//! Byte layouts on the wire.
