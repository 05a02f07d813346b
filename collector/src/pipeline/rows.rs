//! The half that reads: logged requests become batches of rows, on a thread of its own.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use marginlake_pricing::Catalogue;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::columns::Rows;
use crate::decode::Decoder;
use crate::recognise::AttributionConfig;
use crate::telemetry::Counters;
use crate::wal::{Durable, Reader, WalError, io};

/// How the thread that reads the log ended.
type Ended = Result<(), WalError>;

/// Batches that wait to be written: with the one in work on either side, what the pipeline holds as rows.
const WAITING: usize = 2;
/// How long rows wait for more to come: small requests are written together.
const LINGER: Duration = Duration::from_millis(50);

/// Where rows come from.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) log_folder: PathBuf,
    pub(crate) attribution: AttributionConfig,
    pub(crate) catalogue: &'static Catalogue,
    pub(crate) inflated_limit: usize,
    pub(crate) counters: Arc<Counters>,
}

/// Rows in the order of the log.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) rows: Rows,
    /// The last request of which rows are here or in an earlier batch.
    pub(super) sequence: u64,
    /// That request has no more rows.
    pub(super) is_whole: bool,
    /// Bytes of the requests that were begun in this batch, as they stand in the log.
    pub(super) log_bytes: u64,
    /// When its first request was received.
    pub(super) oldest_unix_nano: u64,
}

impl Source {
    /// Reads the log from the request `next` on; ends when `stop` is given and everything durable is read, when the
    /// batches are no longer wanted, or with an error.
    pub(super) fn read(
        &self,
        next: u64,
        durable: watch::Receiver<Durable>,
        stop: CancellationToken,
    ) -> Result<(mpsc::Receiver<Batch>, oneshot::Receiver<Ended>), WalError> {
        let (batches, received) = mpsc::channel(WAITING);
        let mut reading = Reading {
            reader: Reader::new(&self.log_folder, next),
            decoder: Decoder::new(&self.attribution, self.catalogue, self.inflated_limit),
            counters: Arc::clone(&self.counters),
            out: Out {
                batches,
                sequence: next.saturating_sub(1),
                log_bytes: 0,
                oldest_unix_nano: 0,
                since: None,
            },
            durable,
            stop,
        };
        let (done, end) = oneshot::channel();
        let runtime = Handle::current();
        std::thread::Builder::new()
            .name("decode".into())
            .spawn(move || done.send(reading.run(&runtime)))
            .map_err(io("start a thread for", &self.log_folder))?;
        Ok((received, end))
    }
}

struct Reading {
    reader: Reader,
    decoder: Decoder,
    counters: Arc<Counters>,
    out: Out,
    durable: watch::Receiver<Durable>,
    stop: CancellationToken,
}

/// The batch that is being filled, and where it goes.
struct Out {
    batches: mpsc::Sender<Batch>,
    sequence: u64,
    log_bytes: u64,
    oldest_unix_nano: u64,
    since: Option<Instant>,
}

impl Reading {
    /// What was read is whole and handed on, whatever comes behind it.
    fn run(&mut self, runtime: &Handle) -> Result<(), WalError> {
        let end = self.follow(runtime);
        if self.out.since.is_some() {
            self.out.send(self.decoder.finish(), true);
        }
        end
    }

    fn follow(&mut self, runtime: &Handle) -> Result<(), WalError> {
        while !self.out.batches.is_closed() {
            let known = *self.durable.borrow_and_update();
            self.counters.log_bytes.store(known.bytes, Ordering::Relaxed);
            self.counters.logged_sequence.store(known.sequence, Ordering::Relaxed);
            while let Some(logged) = self.reader.next(known.sequence)? {
                let out = &mut self.out;
                out.sequence = logged.sequence;
                out.log_bytes += logged.entry.body.len() as u64;
                if out.since.is_none() {
                    out.since = Some(Instant::now());
                    out.oldest_unix_nano = logged.entry.received_at_unix_nano;
                }
                // Of a request that fills several batches only the last one is whole.
                self.decoder.decode(&logged.entry, &mut |rows| out.send(rows, false));
                if self.decoder.is_full() {
                    out.send(self.decoder.finish(), true);
                }
                if out.batches.is_closed() {
                    return Ok(());
                }
            }
            let stopping = self.stop.is_cancelled() || self.durable.has_changed().is_err();
            let is_due = self.out.since.is_some_and(|since| since + LINGER <= Instant::now());
            if is_due {
                self.out.send(self.decoder.finish(), true);
            }
            // The writer's channel is closed by now or will be: nothing durable is left unread.
            if stopping && self.durable.borrow().sequence == known.sequence {
                return Ok(());
            }
            if !stopping {
                self.wait(runtime);
            }
        }
        Ok(())
    }

    /// Until more is durable, or what is here has waited long enough, or nobody wants it.
    fn wait(&mut self, runtime: &Handle) {
        let linger = self.out.since.map(|since| since + LINGER);
        runtime.block_on(async {
            tokio::select! {
                _ = self.durable.changed() => {}
                () = super::at(linger) => {}
                () = self.stop.cancelled() => {}
                () = self.out.batches.closed() => {}
            }
        });
    }
}

impl Out {
    /// Waits for room. Where nobody takes rows any more, they are dropped: they stay in the log.
    fn send(&mut self, rows: Rows, is_whole: bool) {
        let batch = Batch {
            rows,
            sequence: self.sequence,
            is_whole,
            log_bytes: std::mem::take(&mut self.log_bytes),
            oldest_unix_nano: self.oldest_unix_nano,
        };
        if is_whole {
            self.since = None;
        }
        let _ = self.batches.blocking_send(batch);
    }
}
