//! What a node must know after a restart, in a file: which connections of its services live elsewhere, and which are here.
//!
//! A card keeps its tables when the node's process ends, and the applications their sockets; only the knowledge whose they
//! are would be lost. One line tells of one change, and a change that others rely on happens after its line is written.
//! The loop doesn't wait for the disk: another thread syncs what was written, in groups (`sync`). When most lines are
//! history, or some are missing, the file is written anew: as a whole beside the old one, then renamed.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::str::{self, FromStr};
use std::sync::Arc;

use ipos_migrate::protocol::{EPOCHS, Flow, Protocol};
use nom::branch::alt;
use nom::bytes::complete::{tag, take_till1};
use nom::combinator::{all_consuming, map, map_opt, value, verify};
use nom::sequence::preceded;
use nom::{IResult, Parser};

use crate::sync::{self, Syncer};

/// Lines of history that are kept beside twice as many as are true.
const HISTORY: usize = 1024;
/// Unreadable lines that are shown, and bytes of each.
const SHOWN: (usize, usize) = (8, 120);

/// What is true of a connection, with the epoch of its last move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// It lives at the server with this back-side address.
    Away(Ipv4Addr, u64),
    /// It is this server's: it moved here, or an application has given it to the node (epoch 0, if it never moved).
    Here(u64),
    /// It comes back to its home by the move `by`. Until it has a socket here, it lives at its owner of before.
    Coming { by: u64, owner: Ipv4Addr, epoch: u64 },
}

/// The file and what it says.
pub(crate) struct Journal {
    /// `None`: nothing is written down.
    store: Option<Store>,
    places: HashMap<Flow, Place>,
    lines: usize,
    /// Something is true that the file doesn't say.
    behind: bool,
}

/// Where the lines go. A file that is written anew is `NODE.part` until it is whole, then `NODE.new` until it is synced.
struct Store {
    path: PathBuf,
    /// For the next line; or why there is none.
    file: Result<Arc<File>, ErrorKind>,
    /// Bytes of whole lines in it.
    length: u64,
    syncer: Syncer,
}

impl Journal {
    /// Opens the journal of a node in `dir`, which is made if it is missing. A disk that takes nothing is no reason not to
    /// start: what was written is read, and connections don't move before there is room.
    pub fn open(dir: Option<&Path>, node: &str) -> io::Result<Self> {
        let mut journal = Journal { store: None, places: HashMap::new(), lines: 0, behind: false };
        let Some(dir) = dir else { return Ok(journal) };
        let path = dir.join(format!("{node}.connections"));
        match fs::create_dir_all(dir) {
            Err(e) if !takes_nothing(&e) => return Err(e),
            _ => {}
        }
        let mut last = None;
        for file in [path.clone(), path.with_extension("new")] {
            match fs::read(&file) {
                Ok(bytes) => {
                    let whole = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |end| end + 1);
                    journal.replay(&file, &bytes);
                    last = Some((file, whole as u64));
                }
                Err(e) if e.kind() == ErrorKind::NotFound => {}
                Err(e) => return Err(e),
            }
        }
        let syncer = Syncer::new(path.clone())?;
        let mut store = Store { path, file: Err(ErrorKind::NotFound), length: 0, syncer };
        // nobody waits yet
        let rewritten = store.rewrite(&journal.places).and_then(|file| {
            file.sync_data()?;
            sync::replace(&store.path)
        });
        if let Err(e) = rewritten {
            if !takes_nothing(&e) {
                return Err(e);
            }
            tracing::error!("no connection moves before the journal {} can be written: {e}", store.path.display());
            journal.behind = true;
            store.resume(last, &e);
        }
        journal.lines = journal.places.len();
        journal.store = Some(store);
        Ok(journal)
    }

    /// What was true when the node ended.
    pub fn places(&self) -> Vec<(Flow, Place)> {
        self.places.iter().map(|(flow, place)| (*flow, *place)).collect()
    }

    /// What is written down of a connection.
    pub fn place(&self, flow: &Flow) -> Option<Place> {
        self.places.get(flow).copied()
    }

    /// Writes down what is to become true, or fails: then it must not. `None`: nothing is to be known of it any more.
    pub fn record(&mut self, flow: Flow, place: Option<Place>) -> io::Result<()> {
        let Some(store) = &mut self.store else { return Ok(()) };
        if self.behind || self.places.get(&flow).copied() != place {
            store.write(&line(&flow, place))?;
            self.lines += 1;
            self.set(flow, place);
        }
        Ok(())
    }

    /// Writes down what is true whether it can be written or not; what can't be is written when there is room again.
    pub fn note(&mut self, flow: Flow, place: Option<Place>) {
        if let Err(e) = self.record(flow, place) {
            self.set(flow, place);
            if !std::mem::replace(&mut self.behind, true) {
                tracing::error!("the node's journal can't be written, a restart will not find {flow:?}: {e}");
            }
        }
    }

    /// Whether [`tidy`](Self::tidy) has something to write.
    pub fn is_behind(&self) -> bool {
        self.behind
    }

    fn set(&mut self, flow: Flow, place: Option<Place>) {
        match place {
            Some(place) => self.places.insert(flow, place),
            None => self.places.remove(&flow),
        };
    }

    /// Writes the file anew if something is missing, or, while no client waits, if it is long.
    pub fn tidy(&mut self, idle: bool) {
        let Some(store) = &mut self.store else { return };
        store.look();
        self.behind |= store.file.is_err();
        let long = self.lines > 2 * self.places.len() + HISTORY;
        if !(self.behind || idle && long) {
            return;
        }
        match store.rewrite(&self.places) {
            Ok(file) => {
                store.syncer.ask(&file, true);
                if std::mem::take(&mut self.behind) {
                    tracing::info!("the journal {} is written again", store.path.display());
                }
                self.lines = self.places.len();
            }
            Err(e) => tracing::debug!("the journal {} can't be written anew: {e}", store.path.display()),
        }
    }

    /// Takes what can be read, and tells of the rest.
    fn replay(&mut self, file: &Path, bytes: &[u8]) {
        let mut unreadable = 0;
        for (number, line) in bytes.split_inclusive(|b| *b == b'\n').enumerate() {
            // the last line may be cut anywhere, and look whole
            match line.strip_suffix(b"\n").and_then(|line| entry(line).ok()) {
                Some((_, (flow, place))) => self.set(flow, place),
                None => {
                    unreadable += 1;
                    if unreadable <= SHOWN.0 {
                        let text = line[..line.len().min(SHOWN.1)].escape_ascii();
                        let file = file.display();
                        tracing::warn!("{file}:{}: not believed, because it can't be read: {text}", number + 1);
                    }
                }
            }
        }
        if unreadable > SHOWN.0 {
            tracing::warn!("{}: {unreadable} lines can't be read", file.display());
        }
    }
}

impl Store {
    /// Goes on behind what the last life has written, where nothing can be written anew.
    fn resume(&mut self, last: Option<(PathBuf, u64)>, error: &io::Error) {
        let (path, length) = last.unwrap_or_else(|| (self.path.clone(), 0));
        let opened = OpenOptions::new().create(true).append(true).open(path);
        let opened = opened.and_then(|file| file.set_len(length).map(|()| Arc::new(file)));
        (self.file, self.length) = (opened.map_err(|_| error.kind()), length);
    }

    /// A file that could not be synced may have anything.
    fn look(&mut self) {
        if let Some(kind) = self.syncer.failed() {
            self.file = Err(kind);
        }
    }

    fn write(&mut self, line: &str) -> io::Result<()> {
        self.look();
        let file = self.file.as_ref().map_err(|kind| io::Error::from(*kind))?;
        if let Err(e) = (&**file).write_all(line.as_bytes()) {
            // a piece of a line must not be in front of the next
            if file.set_len(self.length).is_err() {
                self.file = Err(e.kind());
            }
            return Err(e);
        }
        self.length += line.len() as u64;
        self.syncer.ask(file, false);
        Ok(())
    }

    /// Writes a new file, which is the old one's heir once it is synced.
    fn rewrite(&mut self, places: &HashMap<Flow, Place>) -> io::Result<Arc<File>> {
        if let Some(dir) = self.path.parent() {
            fs::create_dir_all(dir)?;
        }
        let text: String = places.iter().map(|(flow, place)| line(flow, Some(*place))).collect();
        let (part, new) = (self.path.with_extension("part"), self.path.with_extension("new"));
        let written = fs::write(&part, &text)
            .and_then(|()| OpenOptions::new().append(true).open(&part))
            .and_then(|file| fs::rename(&part, &new).map(|()| file));
        let file = Arc::new(written.inspect_err(|_| drop(fs::remove_file(&part)))?);
        (self.file, self.length) = (Ok(file.clone()), text.len() as u64);
        Ok(file)
    }
}

/// Whether a disk can be read all the same: it is full, or fails, or was made read-only because it does.
fn takes_nothing(error: &io::Error) -> bool {
    use ErrorKind::{FileTooLarge, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    matches!(error.kind(), FileTooLarge | QuotaExceeded | ReadOnlyFilesystem | StorageFull)
        || error.raw_os_error() == Some(nix::errno::Errno::EIO as i32)
}

fn line(flow: &Flow, place: Option<Place>) -> String {
    let protocol = match flow.protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
    };
    let Flow { client, service, .. } = flow;
    match place {
        Some(Place::Away(owner, epoch)) => format!("{protocol} {client} {service} away {owner} {epoch}\n"),
        Some(Place::Here(epoch)) => format!("{protocol} {client} {service} here {epoch}\n"),
        Some(Place::Coming { by, owner, epoch }) => {
            format!("{protocol} {client} {service} coming {by} {owner} {epoch}\n")
        }
        None => format!("{protocol} {client} {service} gone\n"),
    }
}

/// A line without its end.
fn entry(line: &[u8]) -> IResult<&[u8], (Flow, Option<Place>)> {
    let protocol = alt((value(Protocol::Tcp, tag("tcp")), value(Protocol::Udp, tag("udp"))));
    let place = alt((
        value(None, tag(" gone")),
        map(preceded(tag(" here"), epoch), |epoch| Some(Place::Here(epoch))),
        map(preceded(tag(" away"), (word, epoch)), |(owner, epoch)| Some(Place::Away(owner, epoch))),
        map(preceded(tag(" coming"), (epoch, word, epoch)), |(by, owner, epoch)| {
            Some(Place::Coming { by, owner, epoch })
        }),
    ));
    let flow =
        map((protocol, word::<SocketAddrV4>, word), |(protocol, client, service)| Flow { protocol, client, service });
    all_consuming((flow, place)).parse(line)
}

/// A blank, and what stands before the next one.
fn word<T: FromStr>(text: &[u8]) -> IResult<&[u8], T> {
    let word = preceded(tag(" "), take_till1(|b| b == b' '));
    map_opt(word, |word| str::from_utf8(word).ok()?.parse().ok()).parse(text)
}

fn epoch(text: &[u8]) -> IResult<&[u8], u64> {
    verify(word, |epoch| *epoch < EPOCHS).parse(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(port: u16) -> Flow {
        let address = |ip, port| SocketAddrV4::new(Ipv4Addr::from(ip), port);
        Flow { protocol: Protocol::Udp, client: address([10, 0, 0, 9], port), service: address([10, 0, 0, 1], 53) }
    }

    /// A directory that is removed again.
    struct Dir(PathBuf);

    impl Dir {
        fn new(name: &str) -> Self {
            Dir(std::env::temp_dir().join(format!("ipos-journal-{}-{name}", std::process::id())))
        }
    }

    impl Drop for Dir {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    #[test]
    fn what_was_true_is_found_again_and_history_is_not_kept() {
        let dir = Dir::new("history");
        let (away, here) = (Place::Away(Ipv4Addr::new(10, 78, 0, 2), 7), Place::Here(8));
        let mut journal = Journal::open(Some(&dir.0), "a").unwrap();
        assert_eq!(journal.places(), []);
        for i in 0..5000 {
            journal.note(flow(1), Some(Place::Here(i)));
            journal.tidy(true);
        }
        journal.note(flow(1), Some(away));
        journal.note(flow(2), Some(here));
        journal.note(flow(3), Some(here));
        journal.note(flow(3), None);
        drop(journal);
        let length = fs::metadata(dir.0.join("a.connections")).unwrap().len();
        assert!(length < 100 * HISTORY as u64, "{length} bytes for two connections");

        let mut places = Journal::open(Some(&dir.0), "a").unwrap().places();
        places.sort_by_key(|(flow, _)| *flow);
        assert_eq!(places, [(flow(1), away), (flow(2), here)]);
    }

    /// The places that are found in a journal of these bytes.
    fn found(dir: &Dir, bytes: &[u8]) -> Vec<(Flow, Place)> {
        fs::create_dir_all(&dir.0).unwrap();
        fs::write(dir.0.join("a.connections"), bytes).unwrap();
        let mut places = Journal::open(Some(&dir.0), "a").unwrap().places();
        places.sort_by_key(|(flow, _)| *flow);
        places
    }

    #[test]
    fn a_damaged_line_is_not_believed_and_the_others_are() {
        let dir = Dir::new("damage");
        let good = "udp 10.0.0.9:1 10.0.0.1:53 here 8\n";
        let bad: &[&[u8]] = &[
            b"nonsense\n",
            b"\xff\xfe\x00 no text\n",
            b"udp 10.0.0.9:2 10.0.0.1:53 away 10.78.0.2\n",
            b"udp 10.0.0.9:2 10.0.0.1:53 here 8 \n",
            b"udp 10.0.0.9:2 10.0.0.1:53  here 8\n",
            // 2^63, 2^64 - 1, 2^64
            b"udp 10.0.0.9:2 10.0.0.1:53 here 9223372036854775808\n",
            b"udp 10.0.0.9:2 10.0.0.1:53 away 10.78.0.2 18446744073709551615\n",
            b"udp 10.0.0.9:2 10.0.0.1:53 coming 18446744073709551616 10.78.0.2 1\n",
            b"udp 10.0.0.9:1 10.0.0.1:53 gon",
        ];
        for bad in bad {
            let good_bytes = good.as_bytes();
            for text in [[good_bytes, bad].concat(), [bad, b"\n".as_slice(), good_bytes].concat()] {
                assert_eq!(found(&dir, &text), [(flow(1), Place::Here(8))], "{}", text.escape_ascii());
                // what was read is all that is left
                assert_eq!(fs::read_to_string(dir.0.join("a.connections")).unwrap(), good);
            }
        }
        let last = format!("udp 10.0.0.9:1 10.0.0.1:53 here {}\n", (1u64 << 63) - 1);
        assert_eq!(found(&dir, last.as_bytes()), [(flow(1), Place::Here((1 << 63) - 1))]);
    }

    #[test]
    fn a_journal_that_is_cut_anywhere_says_what_its_whole_lines_say() {
        let dir = Dir::new("cut");
        let owner = Ipv4Addr::new(10, 78, 0, 2);
        let places = [
            Place::Here(1234),
            Place::Away(owner, 5678),
            Place::Coming { by: 9012, owner, epoch: 5678 },
            Place::Here(3),
        ];
        let lines: Vec<_> = (0..).zip(places).map(|(i, place)| line(&flow(i), Some(place))).collect();
        let text = lines.concat();
        for cut in 0..=text.len() {
            let ends = lines.iter().scan(0, |end, line| {
                *end += line.len();
                Some(*end)
            });
            let whole = ends.take_while(|end| *end <= cut).count();
            let expected: Vec<_> = (0..).map(flow).zip(places).take(whole).collect();
            assert_eq!(found(&dir, &text.as_bytes()[..cut]), expected, "cut at {cut}");
        }
    }

    /// The kernel's own full disk, in place of the file.
    fn fill(journal: &mut Journal) {
        let full = OpenOptions::new().append(true).open("/dev/full").unwrap();
        journal.store.as_mut().unwrap().file = Ok(Arc::new(full));
    }

    #[test]
    fn what_a_full_disk_does_not_take_is_not_true_or_is_written_later() {
        let dir = Dir::new("full");
        let mut journal = Journal::open(Some(&dir.0), "a").unwrap();
        journal.record(flow(1), Some(Place::Here(1))).unwrap();
        fill(&mut journal);
        for _ in 0..2 {
            let refused = journal.record(flow(1), Some(Place::Here(2))).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::StorageFull);
        }
        assert_eq!(journal.place(&flow(1)), Some(Place::Here(1)));
        journal.note(flow(2), Some(Place::Here(3)));
        journal.note(flow(1), None);
        // there is room again
        journal.tidy(false);
        journal.record(flow(4), Some(Place::Here(4))).unwrap();
        drop(journal);
        let mut places = Journal::open(Some(&dir.0), "a").unwrap().places();
        places.sort_by_key(|(flow, _)| *flow);
        assert_eq!(places, [(flow(2), Place::Here(3)), (flow(4), Place::Here(4))]);
    }

    #[test]
    fn a_crash_while_the_file_is_written_anew_loses_nothing() {
        let dir = Dir::new("anew");
        let text = |port, epoch| line(&flow(port), Some(Place::Here(epoch)));
        fs::create_dir_all(&dir.0).unwrap();
        fs::write(dir.0.join("a.connections"), [text(1, 1), text(2, 2)].concat()).unwrap();
        fs::write(dir.0.join("a.new"), [text(2, 3), text(3, 4)].concat()).unwrap();
        fs::write(dir.0.join("a.part"), "udp 10.0.0.9:1 10.0").unwrap();
        let mut places = Journal::open(Some(&dir.0), "a").unwrap().places();
        places.sort_by_key(|(flow, _)| *flow);
        assert_eq!(places, [(flow(1), Place::Here(1)), (flow(2), Place::Here(3)), (flow(3), Place::Here(4))]);
        let left: Vec<_> = fs::read_dir(&dir.0).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left, ["a.connections"]);
    }

    #[test]
    fn without_a_directory_nothing_is_kept() {
        let mut journal = Journal::open(None, "a").unwrap();
        journal.note(flow(1), Some(Place::Here(1)));
        assert_eq!(journal.places(), []);
    }
}
