//! The `dma` registers: the link's settings, what went wrong and how often.
use crate::card::Counter;
use ipos_abi::regs::dma;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

/// The bit of a register's row of 16, and the one of its place in the row.
const fn hot(register: u32) -> u64 {
    1 << (16 + (register >> 6 & 3)) | 1 << (register >> 2 & 15)
}

block! {
    /// A slave on the register bus for offsets 0x600 to 0x6ff; it is silent for others. `causes` are strobes in the order of
    /// `DmaError`; `raise` is one when a cause is newly set.
    pub struct Errors {
        pub clock: Signal<In, Clock>,
        pub reset: Signal<In, Bit>,
        pub address: Signal<In, Bits<16>>,
        pub wdata: Signal<In, Bits<32>>,
        pub write: Signal<In, Bit>,
        pub read: Signal<In, Bit>,
        pub rdata: Signal<Out, Bits<32>>,
        pub ack: Signal<Out, Bit>,
        /// The access is in this block's range.
        pub mine: Signal<Out, Bit>,
        pub causes: Signal<In, Bits<9>>,
        pub raise: Signal<Out, Bit>,
        pub master: Signal<In, Bit>,
        pub mps: Signal<In, Bits<3>>,
        pub mrrs: Signal<In, Bits<3>>,
        pub outstanding: Signal<In, Bit>,
        count: [Counter<16, 32>; 9],
        sticky: DFF<Bits<9>>,
        raised: DFF<Bit>,
        // the access, a cycle later: the register as [`hot`], zero if it is none of these
        at: DFF<Bits<20>>,
        acts: DFF<Bit>,
        rdata_reg: DFF<Bits<32>>,
        ack_reg: DFF<Bit>,
        rows: Signal<Local, Bits<4>>,
        places: Signal<Local, Bits<16>>,
        c_row: Constant<Bits<4>> = 1u64,
        c_place: Constant<Bits<16>> = 1u64,
        link: Signal<Local, Bits<32>>,
        r: Signal<Local, Bits<32>>,
        c_header: Constant<Bits<32>> = dma::HEADER as u64,
        a_header: Constant<Bits<20>> = hot(dma::BASE),
        a_link: Constant<Bits<20>> = hot(dma::LINK),
        a_errors: Constant<Bits<20>> = hot(dma::ERRORS),
        a_page: Constant<Bits<8>> = (dma::BASE >> 8) as u64,
    }
}

impl Logic for Errors {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, sticky, raised, at, acts, rdata_reg, ack_reg);
        self.mine.next = self.address.val().get_bits::<8>(8) == self.a_page.val();
        self.rows.next = self.c_row.val() << self.address.val().get_bits::<2>(6);
        self.places.next = self.c_place.val() << self.address.val().get_bits::<4>(2);
        self.at.d.next = (bit_cast::<20, 4>(self.rows.val()) << 16) | bit_cast::<20, 16>(self.places.val());
        if self.address.val().get_bits::<2>(0).any() {
            self.at.d.next = 0.into();
        }
        self.acts.d.next =
            (self.read.val() | self.write.val()) & self.mine.val() & !self.acts.q.val() & !self.ack_reg.q.val();
        self.link.next = (bit_cast::<32, 3>(self.mps.val()) << 4) | (bit_cast::<32, 3>(self.mrrs.val()) << 8);
        if self.master.val() {
            self.link.next = self.link.val().replace_bit(0, true);
        }
        if self.outstanding.val() {
            self.link.next = self.link.val().replace_bit(16, true);
        }
        // one at most is meant: or, no choice
        self.r.next = 0.into();
        if (self.at.q.val() & self.a_header.val()) == self.a_header.val() {
            self.r.next = self.r.val() | self.c_header.val();
        }
        if (self.at.q.val() & self.a_link.val()) == self.a_link.val() {
            self.r.next = self.r.val() | self.link.val();
        }
        if (self.at.q.val() & self.a_errors.val()) == self.a_errors.val() {
            self.r.next = self.r.val() | bit_cast::<32, 9>(self.sticky.q.val());
        }
        for i in 0..9 {
            self.count[i].clock.next = self.clock.val();
            self.count[i].reset.next = self.reset.val();
            self.count[i].strobe.next = self.causes.val().get_bit(i);
            // the second row
            if self.at.q.val().get_bit(17) & self.at.q.val().get_bit(i) {
                self.r.next = self.r.val() | self.count[i].value.val();
            }
        }
        self.rdata_reg.d.next = 0.into();
        if self.acts.q.val() {
            self.rdata_reg.d.next = self.r.val();
        }
        self.ack_reg.d.next = self.acts.q.val();
        self.sticky.d.next = self.sticky.q.val() | self.causes.val();
        self.raised.d.next = (self.causes.val() & !self.sticky.q.val()).any();
        if self.acts.q.val() & self.write.val() {
            if (self.at.q.val() & self.a_errors.val()) == self.a_errors.val() {
                // a cause that comes in the cycle in which it is cleared stays, and raises again
                self.sticky.d.next = (self.sticky.q.val() & !self.wdata.val().get_bits::<9>(0)) | self.causes.val();
                self.raised.d.next =
                    (self.causes.val() & !(self.sticky.q.val() & !self.wdata.val().get_bits::<9>(0))).any();
            }
        }
        self.rdata.next = self.rdata_reg.q.val();
        self.ack.next = self.ack_reg.q.val();
        self.raise.next = self.raised.q.val();
        if self.reset.val() {
            self.sticky.d.next = 0.into();
            self.raised.d.next = false;
            self.acts.d.next = false;
            self.ack_reg.d.next = false;
        }
    }
}
