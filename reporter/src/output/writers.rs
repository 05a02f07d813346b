//! Files that threads write while the run goes on.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use crate::report::ReportError;

/// Files that are written at a time at the most.
const MOST_AT_A_TIME: usize = 8;

/// Writes one file, or few that belong together.
pub(super) type WriteFile = Box<dyn FnOnce() -> Result<(), ReportError> + Send>;

/// Threads, as many as the machine has processors, and the files that wait for one.
pub(super) struct Writers {
    waiting: Option<Sender<(usize, WriteFile)>>,
    threads: Vec<JoinHandle<()>>,
    shared: Arc<Shared>,
    added: usize,
}

#[derive(Default)]
struct Shared {
    /// Nobody wants the files any more.
    stop: AtomicBool,
    /// By the order in which files were added, so that the same run fails for the same reason.
    failed: Mutex<BTreeMap<usize, ReportError>>,
}

impl Writers {
    pub(super) fn new() -> Writers {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let (waiting, files) = channel();
        let (files, shared) = (Arc::new(Mutex::new(files)), Arc::new(Shared::default()));
        let thread = |_| {
            let (files, shared) = (Arc::clone(&files), Arc::clone(&shared));
            std::thread::spawn(move || shared.write(&files))
        };
        Writers {
            threads: (0..threads.min(MOST_AT_A_TIME)).map(thread).collect(),
            waiting: Some(waiting),
            shared,
            added: 0,
        }
    }

    /// Has a file written when a thread is free.
    pub(super) fn add(&mut self, file: WriteFile) {
        if let Some(waiting) = &self.waiting {
            // The threads take what is sent until this is dropped.
            let _ = waiting.send((self.added, file));
            self.added += 1;
        }
    }

    /// Waits for all files, and fails as the first of them that failed.
    pub(super) fn finish(mut self) -> Result<(), ReportError> {
        self.waiting = None;
        for thread in self.threads.drain(..) {
            if let Err(panic) = thread.join() {
                std::panic::resume_unwind(panic);
            }
        }
        let failed = std::mem::take(&mut *lock(&self.shared.failed));
        failed.into_values().next().map_or(Ok(()), Err)
    }
}

impl Shared {
    fn write(&self, files: &Mutex<Receiver<(usize, WriteFile)>>) {
        let next = || lock(files).recv();
        while let Ok((at, file)) = next() {
            if self.stop.load(Ordering::Relaxed) {
                continue;
            }
            if let Err(error) = file() {
                lock(&self.failed).insert(at, error);
            }
        }
    }
}

impl Drop for Writers {
    /// A run that failed elsewhere waits for the files that are being written and for no others.
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.waiting = None;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn lock<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[test]
    fn every_file_is_written_and_the_first_that_failed_is_named() {
        let written = Arc::new(AtomicUsize::new(0));
        let mut writers = Writers::new();
        for at in 0..100 {
            let written = Arc::clone(&written);
            writers.add(Box::new(move || {
                written.fetch_add(1, Ordering::Relaxed);
                match at % 40 {
                    7 => Err(ReportError::ForeignOut {
                        path: PathBuf::from(format!("file {at}")),
                    }),
                    _ => Ok(()),
                }
            }));
        }
        let failed = writers.finish().unwrap_err().to_string();
        assert_eq!(written.load(Ordering::Relaxed), 100);
        assert!(failed.contains("file 7"), "{failed}");
    }

    #[test]
    fn files_that_nobody_wants_any_more_are_not_begun() {
        let (begin, may_begin) = channel::<()>();
        let may_begin = Arc::new(Mutex::new(may_begin));
        let written = Arc::new(AtomicUsize::new(0));
        let mut writers = Writers::new();
        let at_once = writers.threads.len();
        for _ in 0..at_once + 100 {
            let (written, may_begin) = (Arc::clone(&written), Arc::clone(&may_begin));
            writers.add(Box::new(move || {
                let _ = lock(&may_begin).recv();
                written.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }));
        }
        writers.shared.stop.store(true, Ordering::Relaxed);
        drop(begin);
        drop(writers);
        assert!(written.load(Ordering::Relaxed) <= at_once);
    }
}
