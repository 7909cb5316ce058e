//! The fabric's structs as they lie in a port: fields from bit 0 up, in the order of their declaration.

/// A struct of `hdl/core` with its fields' widths.
macro_rules! layout {
    ($($(#[$m:meta])* $name:ident { $($field:ident: $width:literal),* $(,)? })*) => {$(
        $(#[$m])*
        #[allow(missing_docs)]
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $name {
            $(pub $field: u64,)*
        }

        impl $name {
            /// Bits of the port.
            pub const BITS: usize = 0 $(+ $width)*;

            /// As the model takes it, `N` = `BITS` / 32, rounded up.
            #[must_use]
            pub fn pack<const N: usize>(&self) -> [u32; N] {
                const { assert!(N == Self::BITS.div_ceil(32)) };
                let mut words = [0; N];
                let mut at = 0;
                $(put(&mut words, &mut at, $width, self.$field);)*
                words
            }

            /// As the model gives it.
            #[must_use]
            pub fn unpack<const N: usize>(words: &[u32; N]) -> Self {
                const { assert!(N == Self::BITS.div_ceil(32)) };
                let mut at = 0;
                $(let $field = get(words, &mut at, $width);)*
                $name { $($field),* }
            }
        }
    )*};
}

layout! {
    /// `stream::Beat`
    Beat { data: 64, cnt: 3, last: 1, user: 1 }
    /// `parse::Meta`
    Meta {
        runt: 1, mac_ok: 1, group: 1, ipos: 1, ipos_short: 1, ipos_type: 8, cover: 8, ipv4: 1, early: 3,
        small_total: 1, late: 3, fragment: 1, other_protocol: 1, l4_skip: 1, udp: 1, tcp_flags: 8, stop: 17, src_mac: 48,
        tagged: 1, tci: 16,
    }
    /// `table::Verdict`
    Verdict { forward: 1, host: 1, control: 1, decapsulate: 1, stop: 17 }
    /// `table::Detail`
    Detail {
        code: 5, l3: 3, judge: 1, l4_skip: 1, cover: 8, tagged: 1, tci: 16, about: 32,
    }
    /// `pcie::CompletionHeader`
    CompletionHeader {
        with_data: 1, poisoned: 1, status: 3, length: 10, bytes: 12, requester: 16, tag: 8, lower: 7,
    }
    /// `dma::Settings`
    Settings { enable: 1, size: 4, descriptors: 64, completions: 64, tail: 16, moderation: 16 }
    /// `route::Route`
    Route { mac: 48, src_ip: 32, src_port: 16, dst_ip: 32, dst_port: 16, udp: 1, beats: 8 }
}

fn put(words: &mut [u32], at: &mut usize, width: usize, value: u64) {
    debug_assert!(width == 64 || value < 1 << width, "{value:#x} in {width} bits");
    let wide = u128::from(value) << (*at % 32);
    for (i, word) in words.iter_mut().skip(*at / 32).take(3).enumerate() {
        *word |= (wide >> (32 * i)) as u32;
    }
    *at += width;
}

fn get(words: &[u32], at: &mut usize, width: usize) -> u64 {
    let wide = words.iter().skip(*at / 32).take(3).enumerate().fold(0u128, |w, (i, &x)| w | u128::from(x) << (32 * i));
    let value = (wide >> (*at % 32)) as u64;
    *at += width;
    if width == 64 { value } else { value & ((1 << width) - 1) }
}

impl Beat {
    /// A frame as beats. `user` marks the last.
    #[must_use]
    pub fn of_frame(frame: &[u8], user: bool) -> Vec<Beat> {
        let mut beats: Vec<Beat> = frame.chunks(8).map(Beat::of_bytes).collect();
        if let Some(last) = beats.last_mut() {
            last.last = 1;
            last.user = user.into();
        }
        beats
    }

    fn of_bytes(bytes: &[u8]) -> Beat {
        let mut data = [0; 8];
        data[..bytes.len()].copy_from_slice(bytes);
        Beat { data: u64::from_le_bytes(data), cnt: bytes.len() as u64 - 1, last: 0, user: 0 }
    }

    /// The valid bytes.
    pub fn bytes(&self) -> impl Iterator<Item = u8> {
        self.data.to_le_bytes().into_iter().take(self.cnt as usize + 1)
    }

    /// Clears what no byte of the frame stands in.
    #[must_use]
    pub fn masked(self) -> Beat {
        Beat { data: self.data & (u64::MAX >> (56 - 8 * self.cnt)), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structs_round_trip_over_word_borders() {
        let route = Route { src_ip: 0xdead_beef, mac: 0x0102_0304_0506, udp: 1, beats: 0xa5, ..Default::default() };
        assert_eq!(Route::unpack(&route.pack::<5>()), route);
        let beat = Beat { data: 0x0807_0605_0403_0201, cnt: 2, last: 1, user: 0 };
        assert_eq!(beat.pack(), [0x0403_0201, 0x0807_0605, 0b0_1010]);
        assert_eq!(Beat::unpack(&beat.pack::<3>()), beat);
    }

    #[test]
    fn frames_become_beats() {
        let beats = Beat::of_frame(&[1, 2, 3, 4, 5, 6, 7, 8, 9], true);
        assert_eq!(beats.iter().map(|b| (b.cnt, b.last, b.user)).collect::<Vec<_>>(), [(7, 0, 0), (0, 1, 1)]);
        assert_eq!(beats.iter().flat_map(Beat::bytes).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    }
}
