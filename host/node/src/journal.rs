//! What a node must know after a restart, in a file: which connections of its services live elsewhere, and which moved here.
//!
//! A card keeps its tables when the node's process ends, and the applications their sockets; only the knowledge whose they
//! are would be lost. One line tells of one change; when most lines are history, the file is written anew. Nothing is
//! synced: a server that loses power loses its sockets, too.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::{Path, PathBuf};

use ipos_migrate::protocol::{Flow, Protocol};

/// Lines of history that are kept beside twice as many as are true.
const HISTORY: usize = 1024;

/// What is true of a connection, with the epoch of its last move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// It lives at the server with this back-side address.
    Away(Ipv4Addr, u64),
    /// It moved here.
    Here(u64),
}

/// The file and what it says.
pub(crate) struct Journal {
    /// `None`: nothing is written down.
    file: Option<(PathBuf, File)>,
    places: HashMap<Flow, Place>,
    lines: usize,
}

impl Journal {
    /// Opens the journal of a node in `dir`, which is made if it is missing.
    pub fn open(dir: Option<&Path>, node: &str) -> io::Result<Self> {
        let mut journal = Journal { file: None, places: HashMap::new(), lines: 0 };
        if let Some(dir) = dir {
            fs::create_dir_all(dir)?;
            let path = dir.join(format!("{node}.connections"));
            match fs::read_to_string(&path) {
                Ok(text) => journal.replay(&text),
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(e),
            }
            journal.rewrite(path)?;
        }
        Ok(journal)
    }

    /// What was true when the node ended.
    pub fn places(&self) -> Vec<(Flow, Place)> {
        self.places.iter().map(|(flow, place)| (*flow, *place)).collect()
    }

    /// Writes a change down. `None`: nothing is to be known of it any more.
    pub fn note(&mut self, flow: Flow, place: Option<Place>) {
        if self.file.is_none() {
            return;
        }
        let before = match place {
            Some(place) => self.places.insert(flow, place),
            None => self.places.remove(&flow),
        };
        if before == place {
            return;
        }
        self.lines += 1;
        let line = line(&flow, place);
        let written = match &mut self.file {
            Some((path, _)) if self.lines > 2 * self.places.len() + HISTORY => {
                let path = std::mem::take(path);
                self.rewrite(path)
            }
            Some((_, file)) => file.write_all(line.as_bytes()),
            None => Ok(()),
        };
        if let Err(e) = written {
            tracing::error!("the node's journal can't be written, a restart will not find {flow:?}: {e}");
        }
    }

    fn rewrite(&mut self, path: PathBuf) -> io::Result<()> {
        let new = path.with_extension("new");
        let mut file = OpenOptions::new().create(true).write(true).truncate(true).open(&new)?;
        let text: String = self.places.iter().map(|(flow, place)| line(flow, Some(*place))).collect();
        file.write_all(text.as_bytes())?;
        fs::rename(&new, &path)?;
        self.lines = self.places.len();
        self.file = Some((path, file));
        Ok(())
    }

    /// The last line may be cut; what can't be read is not believed.
    fn replay(&mut self, text: &str) {
        for line in text.split_inclusive('\n') {
            match line.strip_suffix('\n').and_then(parse) {
                Some((flow, Some(place))) => drop(self.places.insert(flow, place)),
                Some((flow, None)) => drop(self.places.remove(&flow)),
                None => tracing::warn!("a line of the journal can't be read: {line:?}"),
            }
        }
    }
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
        None => format!("{protocol} {client} {service} gone\n"),
    }
}

fn parse(line: &str) -> Option<(Flow, Option<Place>)> {
    let words: Vec<_> = line.split(' ').collect();
    let [protocol, client, service, ref place @ ..] = words[..] else { return None };
    let protocol = match protocol {
        "tcp" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        _ => return None,
    };
    let address = |text: &str| text.parse::<SocketAddrV4>().ok();
    let flow = Flow { protocol, client: address(client)?, service: address(service)? };
    let place = match *place {
        ["away", owner, epoch] => Some(Place::Away(owner.parse().ok()?, epoch.parse().ok()?)),
        ["here", epoch] => Some(Place::Here(epoch.parse().ok()?)),
        ["gone"] => None,
        _ => return None,
    };
    Some((flow, place))
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

    #[test]
    fn a_cut_or_damaged_line_is_not_believed() {
        let dir = Dir::new("damage");
        fs::create_dir_all(&dir.0).unwrap();
        let good = "udp 10.0.0.9:1 10.0.0.1:53 here 8\n";
        let text =
            format!("{good}nonsense\nudp 10.0.0.9:2 10.0.0.1:53 away 10.78.0.2\ntcp 10.0.0.9:1 10.0.0.1:53 here 12");
        fs::write(dir.0.join("a.connections"), text).unwrap();
        let journal = Journal::open(Some(&dir.0), "a").unwrap();
        assert_eq!(journal.places(), [(flow(1), Place::Here(8))]);
        // what was read is all that is left
        assert_eq!(fs::read_to_string(dir.0.join("a.connections")).unwrap(), good);
    }

    #[test]
    fn without_a_directory_nothing_is_kept() {
        let mut journal = Journal::open(None, "a").unwrap();
        journal.note(flow(1), Some(Place::Here(1)));
        assert_eq!(journal.places(), []);
    }
}
