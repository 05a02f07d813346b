//! Behind the log, in its order: decode -> recognise -> normalise -> price -> columns -> data files -> one commit. Only this
//! file knows the order.
//!
//! Two halves run beside each other, so that two processors have work: `rows` turns logged requests into batches of rows,
//! and this task writes them as Parquet and commits. Between them stand a few batches at the most, and rows that wait for a
//! commit wait in data files: how much memory is held depends neither on the commit interval nor on how far the log is
//! ahead. When anything fails, what was not committed is dropped and read from the log again.

mod rows;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use marginlake_lake::{AppTransaction, FileWriter, LakeError, LakeTable, Staged};
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::columns::Counts;
use crate::telemetry::{CommitTimer, Counters};
use crate::wal::{Appender, Durable, WalError};
use rows::Batch;
pub(crate) use rows::Source;

/// Rows and bytes of the log that one commit takes at the most, whatever the interval: what is not committed yet is read
/// again after a crash, and fills the log until then.
const COMMIT_ROWS: usize = 1 << 20;
const COMMIT_LOG_BYTES: u64 = 512 << 20;
const FIRST_RETRY: Duration = Duration::from_millis(500);
const LAST_RETRY: Duration = Duration::from_secs(30);
/// How long data files whose commit failed are tried again; well below what vacuum leaves alone.
const KEPT: Duration = Duration::from_secs(3600);

/// Everything from the log to the lake.
pub(crate) struct Pipeline {
    pub(crate) source: Source,
    pub(crate) table: LakeTable,
    /// Collector id with the log's epoch.
    pub(crate) app_id: String,
    /// The last sequence that is in the lake.
    pub(crate) committed: u64,
    pub(crate) log: Appender,
    /// Bytes that the log may hold: a commit must come well before it is full.
    pub(crate) log_limit_bytes: u64,
    pub(crate) commit_interval: Duration,
    pub(crate) counters: Arc<Counters>,
    pub(crate) lake_ready: Arc<AtomicBool>,
    /// Data files of a commit that failed: written once, however often it is tried.
    pub(crate) written: Option<Written>,
}

/// Why a pass over the log ended before the log did.
#[derive(Debug, thiserror::Error)]
enum Interrupted {
    #[error(transparent)]
    Lake(#[from] LakeError),
    #[error(transparent)]
    Log(#[from] WalError),
    #[error("reading the log stopped unexpectedly")]
    Stopped,
}

impl Interrupted {
    /// Whether trying again can help without anybody repairing the log.
    fn is_retryable(&self) -> bool {
        match self {
            Interrupted::Lake(_) | Interrupted::Log(WalError::Io { .. }) => true,
            Interrupted::Log(_) | Interrupted::Stopped => false,
        }
    }
}

/// Why the pipeline ended before it was told to: nothing more gets into the lake until the collector is started again.
#[derive(Debug, thiserror::Error)]
#[error("nothing more can be written to the lake; what was acknowledged stays in the log")]
pub struct PipelineError {
    source: Interrupted,
}

/// Rows on their way into one commit.
#[derive(Default)]
struct Pending {
    files: Option<FileWriter>,
    rows: usize,
    counts: Counts,
    log_bytes: u64,
    /// The last request of which any rows are here.
    sequence: u64,
    /// The last batch ended with a whole request, so that a commit may come here.
    is_whole: bool,
    since: Option<Instant>,
}

/// Data files with all rows of one commit, and what is in them.
#[derive(Debug)]
pub(crate) struct Written {
    staged: Staged,
    rows: usize,
    counts: Counts,
    sequence: u64,
    since: Instant,
}

impl Pipeline {
    /// Starts the pipeline on a thread of its own: encoding Parquet would keep a shared one from serving sockets, and memory
    /// that one thread takes and gives back is used again. The answer comes when it ends, however it does.
    pub(crate) fn start(
        self,
        durable: watch::Receiver<Durable>,
        stop: CancellationToken,
        ended: DropGuard,
    ) -> std::io::Result<oneshot::Receiver<Result<(), PipelineError>>> {
        let (done, end) = oneshot::channel();
        let runtime = Handle::current();
        std::thread::Builder::new().name("pipeline".into()).spawn(move || {
            let _ended = ended;
            // Nobody asks where the collector was dropped.
            let _ = done.send(runtime.block_on(self.run(durable, stop)));
        })?;
        Ok(end)
    }

    /// Runs until `stop` and until everything durable is committed; what cannot be committed then stays in the log.
    async fn run(mut self, durable: watch::Receiver<Durable>, stop: CancellationToken) -> Result<(), PipelineError> {
        let mut retry = FIRST_RETRY;
        loop {
            let before = self.committed;
            let Err(interrupted) = self.pass(durable.clone(), &stop).await else {
                return Ok(());
            };
            self.counters.commit_failures.fetch_add(1, Ordering::Relaxed);
            self.lake_ready.store(false, Ordering::Relaxed);
            if !interrupted.is_retryable() {
                return Err(PipelineError { source: interrupted });
            }
            if self.committed > before {
                retry = FIRST_RETRY;
            }
            let error = chain(&interrupted);
            if stop.is_cancelled() {
                tracing::error!(
                    error,
                    "the lake could not be written: what was acknowledged stays in the log until the next start"
                );
                return Ok(());
            }
            tracing::warn!(error, retry_ms = retry.as_millis() as u64, "commit failed");
            tokio::select! {
                () = tokio::time::sleep(retry) => {}
                () = stop.cancelled() => {}
            }
            retry = (retry * 2).min(LAST_RETRY);
        }
    }

    /// Commits what the log holds from the last commit on, until `stop`.
    async fn pass(&mut self, durable: watch::Receiver<Durable>, stop: &CancellationToken) -> Result<(), Interrupted> {
        self.look_where_we_are().await?;
        self.commit_what_was_written().await?;
        let (mut batches, reading) = self.source.read(self.committed + 1, durable, stop.clone())?;
        let mut pending = Pending::default();
        loop {
            // In the middle of a request there is nothing to wait for but its end.
            let due = pending.since.map(|since| since + self.commit_interval);
            tokio::select! {
                batch = batches.recv() => match batch {
                    Some(batch) => self.add(batch, &mut pending)?,
                    None => break,
                },
                () = at(due.filter(|_| pending.is_whole)) => {}
            }
            if pending.is_whole && (self.is_full(&pending) || due.is_some_and(|due| due <= Instant::now())) {
                self.commit(&mut pending).await?;
            }
        }
        // What was read before an error is whole and as good as ever.
        if pending.is_whole {
            self.commit(&mut pending).await?;
        }
        reading.await.map_err(|_| Interrupted::Stopped)??;
        Ok(())
    }

    /// A commit whose answer was lost is in the table all the same.
    async fn look_where_we_are(&mut self) -> Result<(), LakeError> {
        if self.lake_ready.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.table.refresh().await?;
        let version = self.table.transaction_version(&self.app_id).await?;
        let committed = version.and_then(|version| u64::try_from(version).ok()).unwrap_or(0);
        if committed > self.committed {
            self.committed = committed;
            self.log.release(committed).await;
            self.lake_ready.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    fn add(&self, batch: Batch, pending: &mut Pending) -> Result<(), LakeError> {
        let rows = batch.rows.batch.num_rows();
        pending.rows += rows;
        pending.counts += batch.rows.counts;
        if batch.rows.counts.unrecognised > 0 {
            self.counters.note_unknown_scopes(&batch.rows.batch);
        }
        pending.log_bytes += batch.log_bytes;
        pending.sequence = batch.sequence;
        pending.is_whole = batch.is_whole;
        if pending.since.is_none() {
            pending.since = Some(Instant::now());
            self.counters
                .oldest_unix_nano
                .store(batch.oldest_unix_nano, Ordering::Relaxed);
        }
        if rows == 0 {
            return Ok(());
        }
        let files = match &mut pending.files {
            Some(files) => files,
            none => none.insert(self.table.writer()?),
        };
        files.write(&batch.rows.batch)
    }

    fn is_full(&self, pending: &Pending) -> bool {
        pending.rows >= COMMIT_ROWS || pending.log_bytes >= COMMIT_LOG_BYTES.min(self.log_limit_bytes / 4)
    }

    async fn commit(&mut self, pending: &mut Pending) -> Result<(), LakeError> {
        let pending = std::mem::take(pending);
        // Only requests without rows: nothing to commit, and reading them again would give nothing again.
        if let Some(files) = pending.files {
            let timer = CommitTimer::start();
            let staged = match files.finish().await {
                Ok(staged) => staged,
                Err(error) => {
                    self.counters.commit_done(&timer, pending.rows, Some(&chain(&error)));
                    return Err(error);
                }
            };
            let written = Written {
                staged,
                rows: pending.rows,
                counts: pending.counts,
                sequence: pending.sequence,
                since: Instant::now(),
            };
            self.append(written, &timer).await?;
        }
        self.release(pending.sequence).await;
        Ok(())
    }

    /// Goes on with a commit that failed, so that an outage leaves no file behind for each time it is tried. Files that are
    /// old, or no longer there, are left to vacuum and their rows read from the log again.
    async fn commit_what_was_written(&mut self) -> Result<(), LakeError> {
        let wanted = |written: &Written| written.sequence > self.committed && written.since.elapsed() < KEPT;
        let Some(written) = self.written.take_if(|written| wanted(written)) else {
            self.written = None;
            return Ok(());
        };
        match self.table.has_staged(&written.staged).await {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(error) => {
                self.written = Some(written);
                return Err(error);
            }
        }
        let sequence = written.sequence;
        self.append(written, &CommitTimer::start()).await?;
        self.release(sequence).await;
        Ok(())
    }

    /// Makes data files part of the table, or keeps them for the next time.
    async fn append(&mut self, written: Written, timer: &CommitTimer) -> Result<(), LakeError> {
        let transaction = AppTransaction {
            app_id: self.app_id.clone(),
            version: i64::try_from(written.sequence).unwrap_or(i64::MAX),
        };
        let appended = self.table.append_staged_once(written.staged.clone(), &transaction).await;
        let error = appended.as_ref().err().map(|error| chain(error));
        self.counters.commit_done(timer, written.rows, error.as_deref());
        match appended {
            Ok(true) => {
                self.counters.committed.fetch_add(written.rows as u64, Ordering::Relaxed);
                self.counters.committed_counts(written.counts);
                let (rows, calls, version) = (written.rows, written.counts.calls, self.table.version());
                tracing::info!(rows, calls, version, "committed");
            }
            Ok(false) => tracing::info!(version = transaction.version, "already committed before: not appended again"),
            Err(error) => {
                self.written = Some(written);
                return Err(error);
            }
        }
        self.lake_ready.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Everything up to `sequence` is in the lake: the log may forget it.
    async fn release(&mut self, sequence: u64) {
        self.committed = sequence;
        self.counters.oldest_unix_nano.store(0, Ordering::Relaxed);
        self.counters.committed_sequence.store(sequence, Ordering::Relaxed);
        self.log.release(sequence).await;
    }
}

/// Never, where there is no instant.
async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests;
