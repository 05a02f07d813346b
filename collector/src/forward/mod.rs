//! Forward: everything that was received goes on to a backend, unchanged but for the costs that are added to calls.
//!
//! It reads the log a second time with a position of its own, so that a slow or dead backend neither slows nor loses what
//! goes into the lake. The log keeps what the backend lacks up to a bound; beyond it the oldest is forgotten and counted.
//! A restart goes on where the backend got to: it may get a request twice, and never misses one.

mod annotate;
mod client;
mod config;
mod position;
mod splice;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesOrdered;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::telemetry::Counters;
use crate::wal::{Appender, Durable, Entry, Hold, Reader, WalError};
pub(crate) use annotate::Annotator;
use client::{Client, Sent};
pub use config::{Forward, ForwardError, ForwardFiles};
use position::Position;

/// Requests that are on their way at a time, and how many bytes of the log they may have.
const IN_FLIGHT: usize = 8;
const IN_FLIGHT_BYTES: usize = 16 << 20;
const FIRST_RETRY: Duration = Duration::from_millis(500);
const LAST_RETRY: Duration = Duration::from_secs(30);
/// A backend may ask for more patience than this; we ask again.
const LONGEST_RETRY: Duration = Duration::from_secs(300);
/// What a stop waits for the backend. What it does not take then is sent after the next start.
const DRAIN: Duration = Duration::from_secs(5);
/// How often the position is written down; what was sent since is sent again after a crash.
const REMEMBER_EVERY: Duration = Duration::from_secs(1);

/// The second reader of the log.
pub(crate) struct Forwarder {
    reader: Reader,
    log: Appender,
    sender: Arc<Sender>,
    position: Position,
    /// The sequence that comes next; `None` before the first request of a log that was never forwarded.
    expected: Option<u64>,
    counters: Arc<Counters>,
}

/// What one delivery needs.
struct Sender {
    client: Client,
    annotator: Annotator,
    counters: Arc<Counters>,
    /// The last try was to be repeated.
    is_failing: AtomicBool,
    /// The backend took something: who waits need not wait longer.
    is_back: Notify,
}

impl Forwarder {
    /// Goes on where the state folder says that the log of this epoch was left.
    pub(crate) fn new(
        settings: &Forward,
        state: &Path,
        log_folder: &Path,
        epoch: &str,
        log: Appender,
        annotator: Annotator,
        counters: Arc<Counters>,
    ) -> Self {
        let position = Position::load(state, epoch);
        counters.forward.is_on.store(true, Ordering::Relaxed);
        counters.forward.sequence.store(position.sequence(), Ordering::Relaxed);
        let sender = Sender {
            client: Client::new(settings),
            annotator,
            counters: Arc::clone(&counters),
            is_failing: AtomicBool::new(false),
            is_back: Notify::new(),
        };
        Self {
            reader: Reader::new(log_folder, position.sequence() + 1),
            expected: position.is_known().then(|| position.sequence() + 1),
            sender: Arc::new(sender),
            position,
            log,
            counters,
        }
    }

    /// What the log must keep for a forwarder that starts at the position in `state`.
    pub(crate) fn hold(settings: &Forward, state: &Path, epoch: &str) -> Hold {
        Hold {
            done: Position::load(state, epoch).sequence(),
            limit_bytes: settings.queue_bytes,
        }
    }

    /// Runs until `stop`, and then for as long as the backend takes what is left, within bounds.
    pub(crate) async fn run(mut self, mut durable: watch::Receiver<Durable>, stop: CancellationToken) -> Result<(), WalError> {
        let mut on_their_way = FuturesOrdered::new();
        let mut bytes = 0;
        let mut remembered = Instant::now();
        let mut deadline: Option<Instant> = None;
        loop {
            let known = *durable.borrow_and_update();
            self.counters.forward.held_bytes.store(known.held_bytes, Ordering::Relaxed);
            while on_their_way.len() < IN_FLIGHT && bytes < IN_FLIGHT_BYTES {
                let next = tokio::task::block_in_place(|| self.reader.next(known.sequence))?;
                let Some(logged) = next else { break };
                self.count_missing(logged.sequence);
                bytes += logged.entry.body.len();
                on_their_way.push_back(deliver(Arc::clone(&self.sender), logged.sequence, logged.entry));
            }
            if stop.is_cancelled() {
                let deadline = *deadline.get_or_insert_with(|| Instant::now() + DRAIN);
                // Nobody waits for a backend that takes nothing.
                let is_failing = self.sender.is_failing.load(Ordering::Relaxed);
                if on_their_way.is_empty() || is_failing || Instant::now() >= deadline {
                    break;
                }
            }
            let wait_until = deadline.unwrap_or_else(|| Instant::now() + Duration::from_secs(3600));
            tokio::select! {
                Some((sequence, length)) = on_their_way.next() => {
                    bytes -= length;
                    self.position.advance(sequence);
                    self.counters.forward.sequence.store(sequence, Ordering::Relaxed);
                    self.log.release_hold(sequence).await;
                    if remembered.elapsed() >= REMEMBER_EVERY {
                        self.remember();
                        remembered = Instant::now();
                    }
                }
                changed = durable.changed(), if !stop.is_cancelled() => {
                    if changed.is_err() {
                        // The log has ended; what is on its way may still arrive.
                        stop.cancelled().await;
                    }
                }
                () = stop.cancelled(), if deadline.is_none() => {}
                () = tokio::time::sleep_until(wait_until) => {}
            }
        }
        self.remember();
        Ok(())
    }

    /// Requests that the log has forgotten before they were read.
    fn count_missing(&mut self, sequence: u64) {
        let missing = self.expected.map_or(0, |expected| sequence.saturating_sub(expected));
        self.expected = Some(sequence + 1);
        if missing > 0 {
            self.counters.forward.dropped.fetch_add(missing, Ordering::Relaxed);
            tracing::warn!(
                requests = missing,
                "not forwarded: the log had to forget them, the lake has them"
            );
        }
    }

    fn remember(&self) {
        if let Err(error) = self.position.save() {
            // Only what was sent since the last time would be sent again.
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "cannot write down how far forwarding is"
            );
        }
    }
}

/// Sends one request until the backend has taken or refused it; its sequence and its bytes in the log.
async fn deliver(sender: Arc<Sender>, sequence: u64, entry: Entry) -> (u64, usize) {
    let length = entry.body.len();
    let counters = Arc::clone(&sender.counters);
    let forward = &counters.forward;
    let signal = entry.signal;
    let prepared = {
        let sender = Arc::clone(&sender);
        // Inflating, pricing and compressing take milliseconds: not on the threads that serve sockets.
        tokio::task::spawn_blocking(move || sender.annotator.annotate(&entry).map(|body| sender.client.prepare(&body))).await
    };
    let Ok(Some(body)) = prepared else {
        forward.refused.fetch_add(1, Ordering::Relaxed);
        tracing::error!("a logged request can no longer be read, so that it is not forwarded");
        return (sequence, length);
    };
    let mut retry = FIRST_RETRY;
    loop {
        let sent = sender.client.send(signal, body.clone()).await;
        let is_failing = matches!(sent, Sent::Retry { .. });
        sender.is_failing.store(is_failing, Ordering::Relaxed);
        match sent {
            Sent::Taken { rejected, message } => {
                sender.is_back.notify_waiters();
                forward.sent.fetch_add(1, Ordering::Relaxed);
                forward.rejected.fetch_add(rejected, Ordering::Relaxed);
                if rejected > 0 {
                    tracing::warn!(rejected, message, "the backend rejected records");
                }
                return (sequence, length);
            }
            Sent::Refused { reason } => {
                forward.refused.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(reason, "the backend refused a request for good: it is not sent again");
                return (sequence, length);
            }
            Sent::Retry { after, reason } => {
                let failures = forward.failures.fetch_add(1, Ordering::Relaxed);
                if failures.is_power_of_two() || failures == 0 {
                    tracing::warn!(
                        reason,
                        failures = failures + 1,
                        "the backend does not take requests; they wait in the log"
                    );
                }
                let wait = after.map_or(retry, |after| after.min(LONGEST_RETRY));
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    // Where it named the delay itself, it is waited for.
                    () = sender.is_back.notified(), if after.is_none() => {}
                }
                retry = (retry * 2).min(LAST_RETRY);
            }
        }
    }
}
