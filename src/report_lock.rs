//! One report run at a time on a local lake.
//!
//! The lock is the operating system's: it ends with the process, however that ends, so that a run after a crash needs no
//! repair and nobody waits for a lease. A lake in an object store is not locked: let one machine report on it.

use std::fs::{File, TryLockError};

use anyhow::{Context, bail};
use marginlake_lake::Lake;

/// The file below the lake's folder; it stays, empty, when the run is over.
const FILE: &str = "_report.lock";

/// Held for as long as a run writes.
#[derive(Debug)]
pub(crate) struct ReportLock {
    _file: Option<File>,
}

impl ReportLock {
    /// Takes the lock, or says that somebody has it.
    pub(crate) fn take(lake: &Lake) -> anyhow::Result<ReportLock> {
        let Some(folder) = lake.local_path() else {
            return Ok(ReportLock { _file: None });
        };
        let path = folder.join(FILE);
        let shown = path.display();
        let file = File::create(&path).with_context(|| format!("cannot open {shown}"))?;
        match file.try_lock() {
            Ok(()) => Ok(ReportLock { _file: Some(file) }),
            Err(TryLockError::WouldBlock) => {
                bail!("another report on this lake is running (it holds {shown}): wait until it is done")
            }
            // Some network file systems cannot lock: better a report without one than none.
            Err(TryLockError::Error(error)) => {
                tracing::warn!(%error, path = %shown, "no lock against a second report");
                Ok(ReportLock { _file: None })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_run_is_refused_until_the_first_is_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let lake = Lake::open(&folder.path().to_string_lossy()).expect("a lake");
        let first = ReportLock::take(&lake).expect("free");
        let refused = ReportLock::take(&lake).expect_err("taken").to_string();
        assert!(refused.contains("another report on this lake is running"), "{refused}");
        drop(first);
        ReportLock::take(&lake).expect("free again");
    }
}
