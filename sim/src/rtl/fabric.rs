//! What the card's models have in common, whatever their width: streams by number, and the signals beside them.

use ipos_abi::rx::RxMeta;

use super::stream::{Data, Shown};

/// A Verilated card. Input streams: 0 and 1 the wires of front and back port, 2 and 3 the host's frames to them. Output streams:
/// 0 and 1 the wires, 2 the receive queue, 3 the control queue.
pub trait Fabric: Send + Sized {
    /// Of each stream.
    type Data: Data;
    /// Registers without a reset start with random contents where there is a seed.
    fn new(seed: Option<u32>) -> Self;
    /// Offers a beat on an input stream, or none.
    fn offer(&mut self, stream: usize, beat: Option<Shown<Self::Data>>);
    /// An input stream's `valid` and `ready`.
    fn offered(&self, stream: usize) -> (bool, bool);
    /// Sets an output stream's `ready`.
    fn accept(&mut self, stream: usize, ready: bool);
    /// The beat that an output stream shows (data, keep, last, error), and whether it is taken.
    fn shown(&self, stream: usize) -> (Option<Shown<Self::Data>>, bool);
    /// What stands beside a beat to the host.
    fn meta(&self, stream: usize) -> RxMeta;
    /// What stands beside the host's frames to the wires.
    fn set_checksums(&mut self, checksums: [u64; 2]);
    /// The event that is taken, if the host is ready for one.
    fn event(&mut self, ready: bool) -> Option<u32>;
    /// The register bus: its strobes, its address, and what is written. An access's strobe stays until the answer.
    fn access(&mut self, read: bool, write: bool, offset: u16, value: u32);
    /// The answer to it.
    fn answer(&self) -> Option<u32>;
    /// Sets `clock` and evaluates; `time` is that of the waveforms.
    fn clock(&mut self, high: bool, time: u64);
    /// Sets `reset`.
    fn reset(&mut self, reset: bool);
    /// Out of reset.
    fn is_ready(&self) -> bool;
    /// Sets the BUILD register's value, and the rate that the clock is said to have.
    fn identify(&mut self, build: u32, clock_khz: u32);
}

macro_rules! fabric {
    ($model:ty, $data:ty, $set:expr, $get:expr, $dump:expr) => {
        impl Fabric for $model {
            type Data = $data;

            fn new(seed: Option<u32>) -> Self {
                <$model>::new(seed)
            }

            fn offer(&mut self, stream: usize, beat: Option<Shown<Self::Data>>) {
                macro_rules! offer {
                    ($valid:ident, $tdata:ident, $keep:ident, $last:ident, $user:ident) => {
                        match beat {
                            Some((data, keep, last, flag)) => {
                                self.$valid(1);
                                $set(self, <$model>::$tdata, data);
                                self.$keep(keep);
                                self.$last(last.into());
                                self.$user((last && flag).into()); // it rides on the last beat only
                            }
                            None => self.$valid(0),
                        }
                    };
                }
                match stream {
                    0 => offer!(
                        set_front_rx_tvalid,
                        set_front_rx_tdata,
                        set_front_rx_tkeep,
                        set_front_rx_tlast,
                        set_front_rx_tuser
                    ),
                    1 => offer!(
                        set_back_rx_tvalid,
                        set_back_rx_tdata,
                        set_back_rx_tkeep,
                        set_back_rx_tlast,
                        set_back_rx_tuser
                    ),
                    2 => offer!(
                        set_front_send_tvalid,
                        set_front_send_tdata,
                        set_front_send_tkeep,
                        set_front_send_tlast,
                        set_front_send_tuser
                    ),
                    _ => offer!(
                        set_back_send_tvalid,
                        set_back_send_tdata,
                        set_back_send_tkeep,
                        set_back_send_tlast,
                        set_back_send_tuser
                    ),
                }
            }

            fn offered(&self, stream: usize) -> (bool, bool) {
                let (valid, ready) = match stream {
                    0 => (self.front_rx_tvalid(), self.front_rx_tready()),
                    1 => (self.back_rx_tvalid(), self.back_rx_tready()),
                    2 => (self.front_send_tvalid(), self.front_send_tready()),
                    _ => (self.back_send_tvalid(), self.back_send_tready()),
                };
                (valid != 0, ready != 0)
            }

            fn accept(&mut self, stream: usize, ready: bool) {
                match stream {
                    0 => self.set_front_tx_tready(ready.into()),
                    1 => self.set_back_tx_tready(ready.into()),
                    2 => self.set_host_tready(ready.into()),
                    _ => self.set_control_tready(ready.into()),
                }
            }

            fn shown(&self, stream: usize) -> (Option<Shown<Self::Data>>, bool) {
                macro_rules! shown {
                    ($valid:ident, $ready:ident, $tdata:ident, $keep:ident, $last:ident, $error:expr) => {{
                        let beat = || ($get(self.$tdata()), self.$keep(), self.$last() != 0, $error != 0);
                        ((self.$valid() != 0).then(beat), self.$ready() != 0)
                    }};
                }
                match stream {
                    0 => shown!(
                        front_tx_tvalid,
                        front_tx_tready,
                        front_tx_tdata,
                        front_tx_tkeep,
                        front_tx_tlast,
                        self.front_tx_tuser()
                    ),
                    1 => shown!(
                        back_tx_tvalid,
                        back_tx_tready,
                        back_tx_tdata,
                        back_tx_tkeep,
                        back_tx_tlast,
                        self.back_tx_tuser()
                    ),
                    2 => shown!(host_tvalid, host_tready, host_tdata, host_tkeep, host_tlast, 0),
                    _ => shown!(control_tvalid, control_tready, control_tdata, control_tkeep, control_tlast, 0),
                }
            }

            fn meta(&self, stream: usize) -> RxMeta {
                RxMeta::from_words(if stream == 2 { *self.host_meta() } else { *self.control_meta() })
            }

            fn set_checksums(&mut self, [front, back]: [u64; 2]) {
                self.set_front_send_checksum(front);
                self.set_back_send_checksum(back);
            }

            fn event(&mut self, ready: bool) -> Option<u32> {
                self.set_event_ready(ready.into());
                (ready && self.event_valid() != 0).then(|| self.event_data())
            }

            fn access(&mut self, read: bool, write: bool, offset: u16, value: u32) {
                self.set_reg_read(read.into());
                self.set_reg_write(write.into());
                self.set_reg_address(offset);
                self.set_reg_wdata(value);
            }

            fn answer(&self) -> Option<u32> {
                (self.reg_ack() != 0).then(|| self.reg_rdata())
            }

            fn clock(&mut self, high: bool, time: u64) {
                self.set_clock(high.into());
                self.eval();
                $dump(self, time);
            }

            fn reset(&mut self, reset: bool) {
                self.set_reset(reset.into());
            }

            fn is_ready(&self) -> bool {
                self.ready() != 0
            }

            fn identify(&mut self, build: u32, clock_khz: u32) {
                self.set_build(build);
                self.set_clock_khz(clock_khz);
            }
        }
    };
}

/// The model at 64 bits.
pub type Narrow = ipos_verilated_card::ipos_card::Model;
/// The model at 512 bits.
pub type Wide = ipos_verilated_card_wide::ipos_card_wide::Model;

fabric!(
    Narrow,
    u64,
    |model: &mut Narrow, set: fn(&mut Narrow, u64), data| set(model, data),
    |data: u64| data,
    Narrow::dump
);
fabric!(
    Wide,
    [u32; 16],
    |model: &mut Wide, set: fn(&mut Wide, &[u32; 16]), data: [u32; 16]| set(model, &data),
    |data: &[u32; 16]| *data,
    |_: &mut Wide, _| ()
);
