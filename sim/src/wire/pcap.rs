//! Capture files with nanosecond times, as Wireshark and tshark read and write them.

use std::fs::File;
use std::io::{self, BufReader, BufWriter};
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use ipos_device::Mtu;
use pcap_file::pcap::{PcapHeader, PcapPacket, PcapReader, PcapWriter};
use pcap_file::{DataLink, TsResolution};

use super::Wire;

/// Frames are never cut: longer than any that a wire carries.
const SNAP_LENGTH: u32 = 1 << 18;

/// `error` with what was tried in front, its kind kept.
fn context(what: impl std::fmt::Display, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{what}: {error}"))
}

/// Writes every frame that passes another wire, in both directions, to a file.
/// The direction shows in the MAC addresses.
pub struct Recorder<W> {
    inner: W,
    file: PcapWriter<BufWriter<File>>,
}

impl<W: Wire> Recorder<W> {
    /// Records `inner` to a new file; an old one of that name is replaced.
    pub fn create(inner: W, path: &Path) -> io::Result<Self> {
        let failed = |e: io::Error| context(format_args!("writing the capture {}", path.display()), &e);
        let header = PcapHeader {
            snaplen: SNAP_LENGTH,
            datalink: DataLink::ETHERNET,
            ts_resolution: TsResolution::NanoSecond,
            ..Default::default()
        };
        let file = BufWriter::new(File::create(path).map_err(failed)?);
        let file = PcapWriter::with_header(file, header).map_err(|e| failed(io::Error::other(e)))?;
        Ok(Recorder { inner, file })
    }

    fn record(&mut self, frame: &[u8]) -> io::Result<()> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let packet = PcapPacket::new(now, frame.len() as u32, frame);
        self.file.write_packet(&packet).map(drop).map_err(io::Error::other)
    }
}

impl<W: Wire> Wire for Recorder<W> {
    fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        self.record(frame)?;
        self.inner.send(frame)
    }

    fn receive(&mut self, frame: &mut Vec<u8>) -> io::Result<bool> {
        let some = self.inner.receive(frame)?;
        if some {
            self.record(frame)?;
        }
        Ok(some)
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.inner.fd()
    }

    fn lost(&self) -> u64 {
        self.inner.lost()
    }

    fn mtu(&self) -> Option<Mtu> {
        self.inner.mtu()
    }
}

/// Plays a file back, as fast as it is asked for; what is sent to it is lost.
pub struct Replay {
    file: PcapReader<BufReader<File>>,
    path: String,
}

impl Replay {
    /// Opens a pcap file of Ethernet frames.
    pub fn open(path: &Path) -> io::Result<Self> {
        let name = path.display().to_string();
        let file = File::open(path).map_err(|e| context(format_args!("opening the capture {name}"), &e))?;
        let file = PcapReader::new(BufReader::new(file)).map_err(|e| invalid(&name, &e))?;
        let link = file.header().datalink;
        if link != DataLink::ETHERNET {
            return Err(invalid(&name, &format_args!("it holds {link:?} frames, not Ethernet")));
        }
        Ok(Replay { file, path: name })
    }
}

impl Wire for Replay {
    fn send(&mut self, _frame: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn receive(&mut self, frame: &mut Vec<u8>) -> io::Result<bool> {
        frame.clear();
        match self.file.next_packet() {
            None => Ok(false),
            Some(Ok(packet)) => {
                frame.extend_from_slice(&packet.data);
                Ok(true)
            }
            Some(Err(e)) => Err(invalid(&self.path, &e)),
        }
    }
}

fn invalid(path: &str, error: &dyn std::fmt::Display) -> io::Error {
    let text = format!(
        "{path} is no pcap file of Ethernet frames that ends well (convert others with editcap -F nsecpcap): {error}"
    );
    io::Error::new(io::ErrorKind::InvalidData, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::memory::pair;
    use std::path::PathBuf;

    struct TempFile(PathBuf);

    impl TempFile {
        fn new(name: &str) -> Self {
            TempFile(std::env::temp_dir().join(format!("ipos-{}-{name}", std::process::id())))
        }
    }

    impl Drop for TempFile {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    #[test]
    fn what_passes_is_in_the_file_and_replays() {
        let file = TempFile::new("record.pcap");
        let (a, mut far) = pair().unwrap();
        let mut recorder = Recorder::create(a, &file.0).unwrap();
        let (out, into) = ([1u8; 30], [2u8; 1514]);
        recorder.send(&out).unwrap();
        far.send(&into).unwrap();
        let mut f = Vec::new();
        assert!(recorder.receive(&mut f).unwrap());
        assert_eq!(f, into);
        assert!(!recorder.receive(&mut f).unwrap());
        assert!(far.receive(&mut f).unwrap());
        assert_eq!(f, out);
        drop(recorder);

        // draft-ietf-opsawg-pcap: magic of nanosecond files, version 2.4, link type 1
        let bytes = std::fs::read(&file.0).unwrap();
        let word = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
        assert_eq!((word(0), word(4), word(20)), (0xa1b2_3c4d, 0x0002_0004, 1));
        assert_eq!(bytes.len(), 24 + 16 + 30 + 16 + 1514);
        assert_eq!((word(24 + 8), word(24 + 12)), (30, 30));

        let mut replay = Replay::open(&file.0).unwrap();
        for want in [&out[..], &into[..]] {
            assert!(replay.receive(&mut f).unwrap());
            assert_eq!(f, want);
        }
        assert!(!replay.receive(&mut f).unwrap());
    }

    #[test]
    fn a_file_cut_anywhere_is_an_error_or_ends_and_never_panics() {
        let file = TempFile::new("cut.pcap");
        let mut recorder = Recorder::create(pair().unwrap().0, &file.0).unwrap();
        recorder.send(&[3; 60]).unwrap();
        drop(recorder);
        let whole = std::fs::read(&file.0).unwrap();
        for length in 0..whole.len() {
            std::fs::write(&file.0, &whole[..length]).unwrap();
            match Replay::open(&file.0) {
                Err(e) => assert!(length < 24 && e.to_string().contains("cut.pcap"), "{length}: {e}"),
                Ok(mut r) => {
                    let result = r.receive(&mut Vec::new());
                    assert!(if length == 24 { matches!(result, Ok(false)) } else { result.is_err() }, "{length}");
                }
            }
        }
        assert!(Recorder::create(pair().unwrap().0, Path::new("/nonesuch/x.pcap")).is_err());
    }
}
