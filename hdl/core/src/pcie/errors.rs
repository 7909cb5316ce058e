//! The `dma` registers: the link's settings, what went wrong and how often.
use crate::card::Counter;
use ipos_abi::regs::dma;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

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
        pub timeout: Signal<Out, Bits<16>>,
        count: [Counter<16, 32>; 9],
        sticky: DFF<Bits<9>>,
        timeout_reg: DFF<Bits<16>>,
        raised: DFF<Bit>,
        rdata_reg: DFF<Bits<32>>,
        ack_reg: DFF<Bit>,
        hit: Signal<Local, Bit>,
        pick: Signal<Local, Bits<16>>,
        c_one: Constant<Bits<16>> = 1u64,
        link: Signal<Local, Bits<32>>,
        r: Signal<Local, Bits<32>>,
        index: Signal<Local, Bits<4>>,
        c_header: Constant<Bits<32>> = dma::HEADER as u64,
        c_timeout: Constant<Bits<16>> = 7_812u64,
        a_header: Constant<Bits<8>> = (dma::BASE & 0xff) as u64,
        a_link: Constant<Bits<8>> = (dma::LINK & 0xff) as u64,
        a_errors: Constant<Bits<8>> = (dma::ERRORS & 0xff) as u64,
        a_timeout: Constant<Bits<8>> = (dma::TIMEOUT & 0xff) as u64,
        a_count: Constant<Bits<8>> = (dma::COUNT & 0xff) as u64,
        a_page: Constant<Bits<8>> = (dma::BASE >> 8) as u64,
    }
}

impl Logic for Errors {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, sticky, timeout_reg, raised, rdata_reg, ack_reg);
        self.mine.next = self.address.val().get_bits::<8>(8) == self.a_page.val();
        self.hit.next = (self.read.val() | self.write.val())
            & (self.address.val().get_bits::<8>(8) == self.a_page.val())
            & !self.ack_reg.q.val();
        self.link.next = (bit_cast::<32, 3>(self.mps.val()) << 4) | (bit_cast::<32, 3>(self.mrrs.val()) << 8);
        if self.master.val() {
            self.link.next = self.link.val().replace_bit(0, true);
        }
        if self.outstanding.val() {
            self.link.next = self.link.val().replace_bit(16, true);
        }
        self.r.next = 0.into();
        if self.address.val().get_bits::<8>(0) == self.a_header.val() {
            self.r.next = self.c_header.val();
        }
        if self.address.val().get_bits::<8>(0) == self.a_link.val() {
            self.r.next = self.link.val();
        }
        if self.address.val().get_bits::<8>(0) == self.a_errors.val() {
            self.r.next = bit_cast::<32, 9>(self.sticky.q.val());
        }
        if self.address.val().get_bits::<8>(0) == self.a_timeout.val() {
            self.r.next = bit_cast::<32, 16>(self.timeout_reg.q.val());
        }
        self.index.next = self.address.val().get_bits::<4>(2);
        self.pick.next = self.c_one.val() << self.index.val();
        for i in 0..9 {
            self.count[i].clock.next = self.clock.val();
            self.count[i].reset.next = self.reset.val();
            self.count[i].strobe.next = self.causes.val().get_bit(i);
            if (self.address.val().get_bits::<2>(6) == self.a_count.val().get_bits::<2>(6)) & self.pick.val().get_bit(i)
            {
                self.r.next = self.count[i].value.val();
            }
        }
        self.rdata_reg.d.next = self.r.val();
        self.ack_reg.d.next = self.hit.val();
        self.sticky.d.next = self.sticky.q.val() | self.causes.val();
        self.raised.d.next = (self.causes.val() & !self.sticky.q.val()).any();
        if self.hit.val() & self.write.val() {
            if self.address.val().get_bits::<8>(0) == self.a_errors.val() {
                // a cause that comes in the cycle in which it is cleared stays, and raises again
                self.sticky.d.next = (self.sticky.q.val() & !self.wdata.val().get_bits::<9>(0)) | self.causes.val();
                self.raised.d.next =
                    (self.causes.val() & !(self.sticky.q.val() & !self.wdata.val().get_bits::<9>(0))).any();
            }
            if self.address.val().get_bits::<8>(0) == self.a_timeout.val() {
                self.timeout_reg.d.next = self.wdata.val().get_bits::<16>(0);
            }
        }
        self.rdata.next = self.rdata_reg.q.val();
        self.ack.next = self.ack_reg.q.val();
        self.raise.next = self.raised.q.val();
        self.timeout.next = self.timeout_reg.q.val();
        if self.reset.val() {
            self.sticky.d.next = 0.into();
            self.raised.d.next = false;
            self.ack_reg.d.next = false;
            self.timeout_reg.d.next = self.c_timeout.val();
        }
    }
}
