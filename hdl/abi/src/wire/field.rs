//! Field tables: where each offset of a header stands, once.

use super::Mac;
use core::net::Ipv4Addr;

/// One field of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Name, lower snake case, unique within its header.
    pub name: &'static str,
    /// Offset from the start of the header in bytes.
    pub offset: usize,
    /// Size in bytes.
    pub size: usize,
    /// How people read it.
    pub kind: Kind,
    /// Meaning, with unit.
    pub doc: &'static str,
}

/// How a field is shown to people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Unsigned decimal.
    Dec,
    /// Unsigned hexadecimal: flags, checksums, magic numbers.
    Hex,
    /// IPv4 address.
    Ip,
    /// Ethernet address.
    Mac,
    /// Opaque bytes.
    Bytes,
}

/// A type that a field can have.
pub(super) trait Value: Copy {
    const SIZE: usize;
    /// Reads at an offset that a checked constructor has covered.
    fn get(bytes: &[u8], offset: usize) -> Self;
    fn put(self, bytes: &mut [u8], offset: usize);
}

impl<const N: usize> Value for [u8; N] {
    const SIZE: usize = N;
    fn get(bytes: &[u8], offset: usize) -> Self {
        let mut out = [0; N];
        out.copy_from_slice(&bytes[offset..offset + N]);
        out
    }
    fn put(self, bytes: &mut [u8], offset: usize) {
        bytes[offset..offset + N].copy_from_slice(&self);
    }
}

/// A type with a lossless conversion from and to its bytes.
macro_rules! value {
    ($($ty:ty: $get:expr, $put:expr;)*) => {$(
        impl Value for $ty {
            const SIZE: usize = size_of::<$ty>();
            fn get(bytes: &[u8], offset: usize) -> Self {
                $get(Value::get(bytes, offset))
            }
            fn put(self, bytes: &mut [u8], offset: usize) {
                Value::put($put(self), bytes, offset);
            }
        }
    )*};
}
value! {
    u8: |[b]: [u8; 1]| b, |b| [b];
    u16: u16::from_be_bytes, u16::to_be_bytes;
    u32: u32::from_be_bytes, u32::to_be_bytes;
    u64: u64::from_be_bytes, u64::to_be_bytes;
    Mac: Mac, |m: Mac| m.0;
    Ipv4Addr: |b: [u8; 4]| Ipv4Addr::from(b), |a: Ipv4Addr| a.octets();
}

/// Fields ascend, do not overlap and lie within the header. Gaps are reserved bytes.
pub(super) const fn assert_layout(fields: &[Field], len: usize) {
    let mut i = 0;
    let mut end = 0;
    while i < fields.len() {
        assert!(fields[i].offset >= end, "fields overlap");
        end = fields[i].offset + fields[i].size;
        i += 1;
    }
    assert!(end <= len, "a field lies beyond the header");
}

/// Declares the fixed part of a header: `LEN`, `FIELDS`, a view with one accessor per field, and a
/// struct of all fields that is written in one go, so that no field can be forgotten.
macro_rules! header {
    (
        $title:literal, $len:literal bytes;
        $(#[$vm:meta])* view $view:ident;
        $(#[$rm:meta])* $rvis:vis struct $raw:ident;
        $($field:ident: $ty:ty as $kind:ident @ $offset:literal, $doc:literal;)*
    ) => {
        /// Bytes of the fixed part.
        pub const LEN: usize = $len;
        pub(in crate::wire) const TITLE: &str = $title;
        /// Where each field lies.
        pub const FIELDS: &[$crate::wire::Field] = &[$($crate::wire::Field {
            name: stringify!($field),
            offset: $offset,
            size: <$ty as $crate::wire::field::Value>::SIZE,
            kind: $crate::wire::Kind::$kind,
            doc: $doc,
        },)*];
        const _: () = $crate::wire::field::assert_layout(FIELDS, LEN);

        $(#[$vm])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $view<T> {
            buffer: T,
        }

        impl<T: AsRef<[u8]>> $view<T> {
            /// Checks the length of the fixed part only.
            pub(in crate::wire) fn new_fixed(buffer: T) -> Result<Self, $crate::wire::Error> {
                let have = buffer.as_ref().len();
                if have < LEN {
                    return Err($crate::wire::Error::Truncated { header: TITLE, need: LEN, have });
                }
                Ok($view { buffer })
            }

            /// Gives the buffer back.
            pub fn into_inner(self) -> T {
                self.buffer
            }

            $(
                #[doc = $doc]
                #[must_use]
                pub fn $field(&self) -> $ty {
                    $crate::wire::field::Value::get(self.buffer.as_ref(), $offset)
                }
            )*
        }

        $(#[$rm])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        $rvis struct $raw {
            $(#[doc = $doc] $rvis $field: $ty,)*
        }

        impl $raw {
            #[allow(dead_code)] // headers with parts of fields are read field by field
            pub(in crate::wire) fn read<T: AsRef<[u8]>>(view: &$view<T>) -> Self {
                $raw { $($field: view.$field(),)* }
            }

            /// Writes the fixed part into the first [`LEN`] bytes, reserved bytes zero.
            pub(in crate::wire) fn write(&self, buffer: &mut [u8]) {
                buffer[..LEN].fill(0);
                $($crate::wire::field::Value::put(self.$field, buffer, $offset);)*
            }
        }
    };
}

/// Declares an enum of codes with their names, so that code, name and meaning stand once.
macro_rules! codes {
    ($(#[$m:meta])* $name:ident: $ty:ident {
        $($(#[$vm:meta])* $variant:ident = $code:literal, $text:literal, $doc:literal;)*
    }) => {
        $(#[$m])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr($ty)]
        pub enum $name { $(#[doc = $doc] $(#[$vm])* $variant = $code,)* }

        impl $name {
            /// All values in the order of their codes.
            pub const ALL: &'static [$name] = &[$($name::$variant,)*];

            /// The value with this code, if it is defined.
            #[must_use]
            pub const fn from_code(code: $ty) -> Option<Self> {
                match code { $($code => Some($name::$variant),)* _ => None }
            }

            /// Its code.
            #[must_use]
            pub const fn code(self) -> $ty {
                self as $ty
            }

            /// Its name for people.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $($name::$variant => $text,)* }
            }
        }
    };
}
