//! Syncs what is written to a file, in groups and on a thread of its own: who writes never waits for the disk.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// From what was written to its sync: what comes meanwhile shares it. The disk gets as long again of the 100 ms that a power
/// cut may cost.
const GROUP: Duration = Duration::from_millis(50);

/// A file, and whether it is `NODE.new`, which takes the old one's place once it is synced.
type Job = (Arc<File>, bool);

/// What both threads see.
#[derive(Default)]
struct Shared {
    /// A job waits.
    asked: AtomicBool,
    failed: Mutex<Option<ErrorKind>>,
}

/// The writer's end.
pub(crate) struct Syncer {
    /// `None`: it ends.
    jobs: Option<mpsc::Sender<Job>>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Syncer {
    /// For the file at `path`.
    pub fn new(path: PathBuf) -> io::Result<Self> {
        let (jobs, inbox) = mpsc::channel();
        let shared = Arc::new(Shared::default());
        let of_thread = shared.clone();
        let thread = thread::Builder::new().name("journal".to_owned()).spawn(move || run(&inbox, &path, &of_thread))?;
        Ok(Syncer { jobs: Some(jobs), shared, thread: Some(thread) })
    }

    /// Something was written to `file`. `renamed`: to a new one.
    pub fn ask(&self, file: &Arc<File>, renamed: bool) {
        let waits = self.shared.asked.swap(true, Ordering::AcqRel);
        if (renamed || !waits)
            && let Some(jobs) = &self.jobs
        {
            // the thread lives as long as this end
            let _ = jobs.send((file.clone(), renamed));
        }
    }

    /// Why a sync has failed since this was last asked.
    pub fn failed(&self) -> Option<ErrorKind> {
        self.shared.failed.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(jobs: &mpsc::Receiver<Job>, path: &Path, shared: &Shared) {
    let mut replaces = false;
    while let Ok((mut file, renamed)) = jobs.recv() {
        replaces |= renamed;
        let mut take = |(later, renamed)| {
            // a later file has all that an earlier one has
            file = later;
            replaces |= renamed;
        };
        let due = Instant::now() + GROUP;
        while let Ok(job) = jobs.recv_timeout(due.saturating_duration_since(Instant::now())) {
            take(job);
        }
        // what is written from here on may miss this sync
        shared.asked.store(false, Ordering::Release);
        jobs.try_iter().for_each(take);
        let synced = file.sync_data().and_then(|()| if replaces { replace(path) } else { Ok(()) });
        match synced {
            Ok(()) => replaces = false,
            Err(e) => {
                tracing::error!("the journal {} can't be synced: {e}", path.display());
                *shared.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(e.kind());
            }
        }
    }
}

/// Gives the new file the place of the old one.
pub(crate) fn replace(path: &Path) -> io::Result<()> {
    match fs::rename(path.with_extension("new"), path) {
        // it has it already: there was a newer one
        Err(e) if e.kind() != ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
}
