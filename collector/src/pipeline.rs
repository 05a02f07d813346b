//! Behind the log, in its order: decode -> recognise -> normalise -> price -> columns -> one commit. Only this file knows
//! the order.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arrow::array::RecordBatch;
use marginlake_lake::{AppTransaction, LakeError, LakeTable};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::columns::Rows;
use crate::decode::Decoder;
use crate::telemetry::{CommitTimer, Counters};
use crate::wal::{Appender, Durable, Reader, WalError};

/// Rows that one commit holds at the most: bounds memory, whatever the commit interval.
const COMMIT_ROWS: usize = 131_072;
/// Log records that are read in one go.
const READ_RECORDS: usize = 64;
const FIRST_RETRY: Duration = Duration::from_millis(500);
const LAST_RETRY: Duration = Duration::from_secs(30);

/// Everything from the log to the lake.
pub(crate) struct Pipeline {
    pub(crate) reader: Reader,
    pub(crate) decoder: Decoder,
    pub(crate) table: LakeTable,
    /// Collector id with the log's epoch.
    pub(crate) app_id: String,
    pub(crate) log: Appender,
    pub(crate) commit_interval: Duration,
    pub(crate) counters: Arc<Counters>,
    pub(crate) lake_ready: Arc<AtomicBool>,
}

/// Rows on their way into one commit.
#[derive(Default)]
struct Pending {
    batches: Vec<RecordBatch>,
    rows: usize,
    calls: u64,
    unrecognised: u64,
    /// The last sequence whose rows are here.
    sequence: u64,
    since: Option<Instant>,
}

impl Pipeline {
    /// Runs until `stop` and until everything durable is committed; what cannot be committed then stays in the log.
    pub(crate) async fn run(mut self, mut durable: watch::Receiver<Durable>, stop: CancellationToken) -> Result<(), WalError> {
        let mut pending = Pending::default();
        loop {
            let known = *durable.borrow_and_update();
            self.counters.log_bytes.store(known.bytes, Ordering::Relaxed);
            self.counters.logged_sequence.store(known.sequence, Ordering::Relaxed);
            let more = self.read(known.sequence, &mut pending).await?;
            let stopping = stop.is_cancelled();
            let due = pending.since.map(|since| since + self.commit_interval);
            let is_due = due.is_some_and(|due| due <= Instant::now());
            if pending.since.is_some() && (pending.rows >= COMMIT_ROWS || is_due || (stopping && !more)) {
                let last_try = stopping;
                if !self.commit(&mut pending, &stop, last_try).await {
                    tracing::error!("the lake could not be written: what was acknowledged stays in the log until the next start");
                    return Ok(());
                }
                continue;
            }
            if more {
                continue;
            }
            if stopping {
                // The writer's channel is closed by now or will be: nothing durable is left unread.
                if durable.borrow().sequence == known.sequence {
                    return Ok(());
                }
                continue;
            }
            let wait = due.unwrap_or_else(|| Instant::now() + Duration::from_secs(3600));
            tokio::select! {
                _ = durable.changed() => {}
                () = tokio::time::sleep_until(wait) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Reads some durable records into `pending`; whether there are more.
    async fn read(&mut self, durable: u64, pending: &mut Pending) -> Result<bool, WalError> {
        if pending.rows >= COMMIT_ROWS {
            return Ok(true);
        }
        let mut entries = Vec::new();
        while entries.len() < READ_RECORDS {
            match tokio::task::block_in_place(|| self.reader.next(durable))? {
                Some(logged) => entries.push(logged),
                None => break,
            }
        }
        let Some(last) = entries.last().map(|logged| logged.sequence) else {
            return Ok(false);
        };
        if pending.since.is_none() {
            let oldest = entries.first().map_or(0, |logged| logged.entry.received_at_unix_nano);
            self.counters.oldest_unix_nano.store(oldest, Ordering::Relaxed);
        }
        let decoder = &mut self.decoder;
        let Rows {
            batch,
            calls,
            unrecognised,
        } = tokio::task::block_in_place(|| {
            for logged in &entries {
                decoder.decode(&logged.entry);
            }
            decoder.finish()
        });
        pending.rows += batch.num_rows();
        pending.calls += calls;
        pending.unrecognised += unrecognised;
        if unrecognised > 0 {
            self.counters.note_unknown_scopes(&batch);
        }
        pending.sequence = last;
        pending.since.get_or_insert_with(Instant::now);
        if batch.num_rows() > 0 {
            pending.batches.push(batch);
        }
        Ok(entries.len() == READ_RECORDS)
    }

    /// Commits, retrying for as long as the collector runs; false where it was stopped first.
    async fn commit(&mut self, pending: &mut Pending, stop: &CancellationToken, last_try: bool) -> bool {
        let transaction = AppTransaction {
            app_id: self.app_id.clone(),
            version: i64::try_from(pending.sequence).unwrap_or(i64::MAX),
        };
        let mut retry = FIRST_RETRY;
        loop {
            let timer = CommitTimer::start();
            let committed = self.try_commit(pending, &transaction).await;
            let error = committed.as_ref().err().map(|error| chain(error));
            self.counters.commit_done(&timer, pending.rows, error.as_deref());
            match committed {
                Ok(()) => break,
                Err(error) => {
                    self.counters.commit_failures.fetch_add(1, Ordering::Relaxed);
                    self.lake_ready.store(false, Ordering::Relaxed);
                    tracing::warn!(error = chain(&error), retry_ms = retry.as_millis() as u64, "commit failed");
                    if last_try || stop.is_cancelled() {
                        return false;
                    }
                }
            }
            tokio::select! {
                () = tokio::time::sleep(retry) => {}
                () = stop.cancelled() => {}
            }
            retry = (retry * 2).min(LAST_RETRY);
        }
        self.lake_ready.store(true, Ordering::Relaxed);
        self.counters.oldest_unix_nano.store(0, Ordering::Relaxed);
        self.counters.committed_sequence.store(pending.sequence, Ordering::Relaxed);
        self.counters.committed.fetch_add(pending.rows as u64, Ordering::Relaxed);
        self.counters.calls.fetch_add(pending.calls, Ordering::Relaxed);
        self.counters.unrecognised.fetch_add(pending.unrecognised, Ordering::Relaxed);
        tracing::info!(
            rows = pending.rows,
            calls = pending.calls,
            version = self.table.version(),
            "committed"
        );
        self.log.release(pending.sequence).await;
        *pending = Pending::default();
        true
    }

    async fn try_commit(&mut self, pending: &Pending, transaction: &AppTransaction) -> Result<(), LakeError> {
        if pending.batches.is_empty() {
            // Only records without rows: nothing to commit, and reading them again would give nothing again.
            return Ok(());
        }
        if !self.table.append_once(&pending.batches, transaction).await? {
            tracing::info!(version = transaction.version, "already committed before: not appended again");
        }
        Ok(())
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
