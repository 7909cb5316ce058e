//! Frames from host memory: several reads under way, frames in order, each with its completion.
use super::Fetch;
use crate::stream::{Beat, SmallFifo};
use ipos_abi::queue::{MAX_FRAME, STATUS_SHIFT, Status};
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

block! {
    /// A frame is asked for only when the port's send buffer has room for it, so that what comes back never waits and
    /// holds up no other reader.
    pub struct Transmit {
        pub clock: Signal<In, Clock>,
        pub reset: Signal<In, Bit>,
        pub client: Signal<In, Bits<3>>,
        pub descriptor: Signal<In, Bits<128>>,
        pub descriptor_valid: Signal<In, Bit>,
        pub descriptor_take: Signal<Out, Bit>,
        /// Beats and frames in the send buffer.
        pub used: Signal<In, Bits<10>>,
        pub frames: Signal<In, Bits<6>>,
        pub fetch: Signal<Out, Fetch>,
        pub fetch_valid: Signal<Out, Bit>,
        pub fetch_ready: Signal<In, Bit>,
        /// Answers to this client.
        pub s_beat: Signal<In, Beat>,
        pub s_valid: Signal<In, Bit>,
        pub s_ready: Signal<Out, Bit>,
        /// To the send buffer.
        pub m_beat: Signal<Out, Beat>,
        pub m_checksum: Signal<Out, Bits<33>>,
        pub m_valid: Signal<Out, Bit>,
        pub m_ready: Signal<In, Bit>,
        pub level: Signal<In, Bits<5>>,
        pub entry: Signal<Out, Bits<128>>,
        pub write: Signal<Out, Bit>,
        pub idle: Signal<Out, Bit>,
        pub fail: Signal<Out, Bit>,
        pub busy: Signal<Out, Bit>,
        // what was asked for: length 11:0, checksum 44:12, status 48:45
        asked: SmallFifo<Bits<49>, 4, 5>,
        state: DFF<Bits<2>>, // 0 waits, 1 measures, 2 judges and waits for room, 3 asks
        d: DFF<Bits<128>>,
        status: DFF<Bits<4>>,
        // what is wrong with the descriptor: address, length, checksum
        wrong: DFF<Bits<3>>,
        place: DFF<Bits<17>>, // behind the checksum
        beats: DFF<Bits<9>>,
        flying: DFF<Bits<10>>, // beats asked for that have not come
        sum: DFF<Bits<11>>,
        fits: DFF<Bit>,
        look: DFF<Bits<2>>,
        // what comes next, and whether beats come for it or nothing was asked for
        head: DFF<Bits<49>>,
        comes: DFF<Bit>,
        none: DFF<Bit>,
        done: DFF<Bit>,
        done_length: DFF<Bits<12>>,
        done_status: DFF<Bits<4>>,
        length: Signal<Local, Bits<16>>,
        start: Signal<Local, Bits<17>>,
        f: Signal<Local, Fetch>,
        word: Signal<Local, Bits<49>>,
        load: Signal<Local, Bit>,
        refused: Signal<Local, Bit>,
        ends: Signal<Local, Bit>,
        o: Signal<Local, Beat>,
        asks: Signal<Local, Bit>,
        came: Signal<Local, Bit>,
        c_address: Constant<Bits<4>> = Status::Address as u64,
        c_length: Constant<Bits<4>> = Status::Length as u64,
        c_checksum: Constant<Bits<4>> = Status::Checksum as u64,
        c_read: Constant<Bits<4>> = Status::Read as u64,
        c_shift: Constant<Bits<7>> = (96 + STATUS_SHIFT) as u64,
        c_least: Constant<Bits<16>> = 14u64,
        c_most: Constant<Bits<16>> = MAX_FRAME as u64,
        c_room: Constant<Bits<11>> = 480u64,
    }
}

impl Logic for Transmit {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self,
            clock,
            state,
            d,
            status,
            wrong,
            place,
            beats,
            flying,
            sum,
            fits,
            look,
            head,
            comes,
            none,
            done,
            done_length,
            done_status
        );
        clock!(self, clock, asked);
        self.asked.reset.next = self.reset.val();

        // ask
        self.length.next = self.d.q.val().get_bits::<16>(64);
        self.start.next = bit_cast::<17, 16>(self.d.q.val().get_bits::<16>(96));
        self.place.d.next = self.start.val() + bit_cast::<17, 16>(self.d.q.val().get_bits::<16>(112)) + 2;
        self.f.next.address = self.d.q.val().get_bits::<64>(0);
        self.f.next.length = bit_cast::<13, 9>(self.beats.q.val()) << 3;
        self.f.next.client = self.client.val();
        self.fetch.next = self.f.val();
        self.fetch_valid.next = self.state.q.val() == 3;
        self.word.next = bit_cast::<49, 16>(self.length.val().get_bits::<16>(0) & 0xfff)
            | (bit_cast::<49, 16>(self.d.q.val().get_bits::<16>(96)) << 12)
            | (bit_cast::<49, 16>(self.d.q.val().get_bits::<16>(112)) << 28)
            | (bit_cast::<49, 4>(self.status.q.val()) << 45);
        if self.d.q.val().get_bit(80) {
            self.word.next = (bit_cast::<49, 16>(self.length.val().get_bits::<16>(0) & 0xfff)
                | (bit_cast::<49, 16>(self.d.q.val().get_bits::<16>(96)) << 12)
                | (bit_cast::<49, 16>(self.d.q.val().get_bits::<16>(112)) << 28)
                | (bit_cast::<49, 4>(self.status.q.val()) << 45))
                .replace_bit(44, true);
        }
        self.asked.data_in.next = self.word.val();
        self.asked.write.next = false;
        self.descriptor_take.next = false;
        self.asks.next = false;
        self.sum.d.next = bit_cast::<11, 10>(self.used.val())
            + bit_cast::<11, 10>(self.flying.q.val())
            + bit_cast::<11, 9>(self.beats.q.val());
        self.fits.d.next = (self.sum.q.val() <= self.c_room.val())
            & ((bit_cast::<6, 5>(self.asked.level.val()) + self.frames.val()) < 18)
            & ((self.asked.level.val() + self.level.val()) < 12);
        self.look.d.next = 0.into();
        match self.state.q.val().index() {
            0 => {
                self.d.d.next = self.descriptor.val();
                if self.descriptor_valid.val() & (self.asked.level.val() < 12) {
                    self.descriptor_take.next = true;
                    self.state.d.next = 1.into();
                }
            }
            1 => {
                // `place` is a cycle behind
                self.look.d.next = 1.into();
                self.beats.d.next = bit_cast::<9, 16>((self.length.val() + 7) >> 3);
                self.status.d.next = 0.into();
                self.wrong.d.next = 0.into();
                if (self.d.q.val().get_bits::<64>(0) == 0) | (self.d.q.val().get_bits::<3>(0) != 0) {
                    self.wrong.d.next = self.wrong.d.val().replace_bit(0, true);
                }
                if (self.length.val() < self.c_least.val()) | (self.length.val() > self.c_most.val()) {
                    self.wrong.d.next = self.wrong.d.val().replace_bit(1, true);
                }
                if self.d.q.val().get_bit(80)
                    & (self.d.q.val().get_bit(96)
                        | self.d.q.val().get_bit(112)
                        | (self.place.q.val() > bit_cast::<17, 16>(self.length.val())))
                {
                    self.wrong.d.next = self.wrong.d.val().replace_bit(2, true);
                }
                if self.look.q.val() != 0 {
                    self.look.d.next = 0.into();
                    self.state.d.next = 2.into();
                }
            }
            2 => {
                if self.wrong.q.val().any() {
                    self.beats.d.next = 0.into();
                    self.status.d.next = self.c_checksum.val();
                    if self.wrong.q.val().get_bit(0) {
                        self.status.d.next = self.c_address.val();
                    } else if self.wrong.q.val().get_bit(1) {
                        self.status.d.next = self.c_length.val();
                    }
                }
                // counts that were just changed have to be looked at anew
                self.look.d.next = self.look.q.val() + 1;
                if self.look.q.val().all() {
                    self.look.d.next = self.look.q.val();
                    if self.fits.q.val() {
                        self.state.d.next = 3.into();
                        if self.status.q.val() != 0 {
                            self.asked.write.next = true;
                            self.state.d.next = 0.into();
                        }
                    }
                }
            }
            _ => {
                if self.fetch_ready.val() {
                    self.asks.next = true;
                    self.asked.write.next = true;
                    self.state.d.next = 0.into();
                }
            }
        }

        // what comes back; a descriptor that asked for nothing is done in its turn
        self.load.next = self.asked.valid.val() & !self.comes.q.val() & !self.none.q.val();
        self.asked.read.next = self.load.val();
        self.refused.next = self.asked.data_out.val().get_bits::<4>(45) != 0;
        if self.load.val() {
            self.head.d.next = self.asked.data_out.val();
            self.comes.d.next = !self.refused.val();
            self.none.d.next = self.refused.val();
        }
        self.o.next = self.s_beat.val();
        self.o.next.cnt = 7.into();
        if self.s_beat.val().last {
            self.o.next.cnt = self.head.q.val().get_bits::<3>(0) - 1;
        }
        self.m_beat.next = self.o.val();
        self.m_checksum.next = self.head.q.val().get_bits::<33>(12);
        self.m_valid.next = self.s_valid.val() & self.comes.q.val();
        self.s_ready.next = self.m_ready.val() & self.comes.q.val();
        self.came.next = self.s_valid.val() & self.m_ready.val() & self.comes.q.val();
        self.ends.next = (self.came.val() & self.s_beat.val().last) | self.none.q.val();
        if self.ends.val() {
            self.comes.d.next = false;
            self.none.d.next = false;
        }
        self.flying.d.next = self.flying.q.val();
        if self.asks.val() {
            self.flying.d.next = self.flying.q.val() + bit_cast::<10, 9>(self.beats.q.val());
        }
        if self.came.val() {
            self.flying.d.next = self.flying.q.val() - 1;
            if self.asks.val() {
                self.flying.d.next = self.flying.q.val() + bit_cast::<10, 9>(self.beats.q.val()) - 1;
            }
        }
        self.done.d.next = self.ends.val();
        self.done_length.d.next = self.head.q.val().get_bits::<12>(0);
        self.done_status.d.next = self.head.q.val().get_bits::<4>(45);
        if self.comes.q.val() & self.s_beat.val().user {
            self.done_status.d.next = self.c_read.val();
        }
        self.entry.next = bit_cast::<128, 12>(self.done_length.q.val())
            | (bit_cast::<128, 4>(self.done_status.q.val()) << self.c_shift.val());
        self.write.next = self.done.q.val();
        self.fail.next = self.done.q.val() & (self.done_status.q.val() != 0);
        self.idle.next = !self.done.q.val() & (self.asked.level.val() == 0) & !self.comes.q.val() & !self.none.q.val();
        self.busy.next = (self.state.q.val() != 0) | !self.idle.val();
        if self.reset.val() {
            self.state.d.next = 0.into();
            self.flying.d.next = 0.into();
            self.look.d.next = 0.into();
            self.comes.d.next = false;
            self.none.d.next = false;
            self.done.d.next = false;
        }
    }
}
