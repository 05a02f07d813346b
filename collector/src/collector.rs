//! One running collector: listeners, log, pipeline.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use marginlake_lake::{Claim, Lake, LakeError, Table};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::forward::{Annotator, Forwarder};
use crate::pipeline::{Pipeline, PipelineError, Source};
use crate::receive::{Credentials, Receiver, SecurityError, Server};
use crate::state;
use crate::telemetry::{self, Counters, Exporting};
use crate::wal::{self, Appender, WalError, WriterOptions};

/// Bytes after which a log segment is closed.
const SEGMENT_BYTES: u64 = 64 << 20;

/// Why a collector could not start or stop.
#[derive(Debug, thiserror::Error)]
pub enum CollectorError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: choose another address with --grpc-addr or --http-addr")]
    Listen {
        /// What was asked for.
        address: SocketAddr,
        /// The operating system's answer.
        #[source]
        source: std::io::Error,
    },
    /// The lake is not on this machine, so the log needs a folder that is.
    #[error("the lake {lake} is not a local directory: say where the write-ahead log goes with --state-dir DIR")]
    StateDir {
        /// The lake.
        lake: String,
    },
    /// The collector id cannot name a folder.
    #[error("collector id {id:?} must be letters, digits, '.', '-' and '_'")]
    CollectorId {
        /// What was given.
        id: String,
    },
    /// Another collector lives under the same id.
    #[error("collector id {id:?} is in use on this lake by {owner}: give each collector an id of its own with --collector-id")]
    IdInUse {
        /// The id.
        id: String,
        /// Who has it.
        owner: String,
    },
    /// The log cannot be used.
    #[error(transparent)]
    Log(#[from] WalError),
    /// Keys or certificates cannot be used.
    #[error(transparent)]
    Security(#[from] SecurityError),
    /// The lake cannot be used.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// The lake takes nothing more.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// A part of the collector panicked.
    #[error("the {part} stopped unexpectedly")]
    Stopped {
        /// Which part.
        part: &'static str,
    },
}

/// What a collector did between its start and its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped {
    /// Spans and log records that were acknowledged.
    pub accepted: u64,
    /// Spans that were rejected by partial success.
    pub rejected: u64,
    /// Requests that were refused whole.
    pub refused: u64,
    /// Rows that were committed to the lake, replayed ones too.
    pub stored: u64,
    /// Acknowledged requests that are still in the log: the next start commits them.
    pub in_log: u64,
    /// Acknowledged requests that the backend does not have yet; `None` without one.
    pub to_forward: Option<u64>,
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "stopped: {} spans and log records accepted, {} rejected, {} requests refused; {} rows stored; {} requests left in the log",
            self.accepted, self.rejected, self.refused, self.stored, self.in_log
        )?;
        match self.to_forward {
            Some(requests) => write!(f, ", {requests} still to be forwarded"),
            None => Ok(()),
        }
    }
}

/// A running collector. Dropping it without [`Collector::stop`] is a crash: safe, but the next start has to replay.
#[derive(Debug)]
pub struct Collector {
    grpc: SocketAddr,
    http: SocketAddr,
    stop_receiving: CancellationToken,
    stop_pipeline: CancellationToken,
    servers: Vec<JoinHandle<()>>,
    pipeline: oneshot::Receiver<Result<(), PipelineError>>,
    /// The pipeline runs no more, for whatever reason.
    ended: CancellationToken,
    forwarder: Option<JoinHandle<Result<(), WalError>>>,
    stop_forwarder: CancellationToken,
    receiver: Arc<Receiver>,
    log: Appender,
    counters: Arc<Counters>,
    exporting: Option<Exporting>,
    claim: Claim,
    log_thread: std::thread::JoinHandle<()>,
    follow: JoinHandle<()>,
}

impl Collector {
    /// Recovers the log, binds the addresses and starts to receive.
    pub async fn start(config: Config) -> Result<Self, CollectorError> {
        let credentials = Arc::new(Credentials::load(config.security.clone())?);
        let lake = Lake::open(&config.lake)?;
        let state = state::folder(&config, &lake)?;
        let recovered = wal::recover(&state)?;
        if recovered.records > 0 || recovered.torn_bytes > 0 {
            let (records, torn_bytes) = (recovered.records, recovered.torn_bytes);
            tracing::info!(
                records,
                torn_bytes,
                "recovered the write-ahead log; torn bytes were never acknowledged"
            );
        }
        if recovered.damaged.records > 0 {
            let wal::Damage { records, bytes } = recovered.damaged;
            tracing::error!(
                records,
                bytes,
                "records of the write-ahead log are damaged on the disk: what was acknowledged of them is lost"
            );
        }
        let claim = claim(&lake, &config.collector_id, &state::token(&state)?).await?;
        let table = lake.ensure(Table::Spans).await?;
        let app_id = format!("{}/{}", config.collector_id, recovered.epoch);
        let committed = table
            .transaction_version(&app_id)
            .await?
            .and_then(|version| u64::try_from(version).ok())
            .unwrap_or(0);

        let (log_folder, epoch) = (recovered.folder.clone(), recovered.epoch.clone());
        let hold = config
            .forward
            .as_ref()
            .map(|forward| Forwarder::hold(forward, &state, &epoch));
        let options = WriterOptions {
            segment_bytes: SEGMENT_BYTES,
            limit_bytes: config.log_limit_bytes,
            hold,
            durability: config.durability,
        };
        let (log, durable, log_thread) = wal::start(recovered.continue_after(committed), options)?;
        log.release(committed).await;

        let counters = Arc::new(Counters::default());
        counters.logged_sequence.store(durable.borrow().sequence, Ordering::Relaxed);
        counters.committed_sequence.store(committed, Ordering::Relaxed);
        let forwarder = config.forward.as_ref().map(|forward| {
            let annotator = Annotator::new(&config.attribution, config.catalogue, config.limits.inflated_bytes);
            Forwarder::new(
                forward,
                &state,
                &log_folder,
                &epoch,
                log.clone(),
                annotator,
                Arc::clone(&counters),
            )
        });
        let lake_ready = Arc::new(AtomicBool::new(true));
        let ended = CancellationToken::new();
        let pipeline = Pipeline {
            source: Source {
                log_folder: log_folder.clone(),
                attribution: config.attribution.clone(),
                catalogue: config.catalogue,
                inflated_limit: config.limits.inflated_bytes,
                counters: Arc::clone(&counters),
            },
            table,
            app_id,
            committed,
            log: log.clone(),
            log_limit_bytes: config.log_limit_bytes,
            commit_interval: config.commit_interval,
            counters: Arc::clone(&counters),
            lake_ready: Arc::clone(&lake_ready),
            written: None,
        };
        let receiver = Arc::new(Receiver {
            log: log.clone(),
            limits: config.limits,
            credentials: Arc::clone(&credentials),
            checks: Semaphore::new(std::thread::available_parallelism().map_or(2, std::num::NonZero::get)),
            keep_metrics: config.forward.is_some(),
            in_flight: Semaphore::new(config.limits.in_flight_bytes.min(Semaphore::MAX_PERMITS)),
            counters: Arc::clone(&counters),
            lake_ready,
            pipeline_ended: ended.clone(),
        });
        let grpc = bind(config.grpc_address).await?;
        let http = bind(config.http_address).await?;
        let (stop_receiving, stop_pipeline) = (CancellationToken::new(), CancellationToken::new());
        let pipeline = pipeline
            .start(durable.clone(), stop_pipeline.clone(), ended.clone().drop_guard())
            .map_err(wal::io("start a thread for", &log_folder))?;
        let addresses = (grpc.address(), http.address());
        let exporting = config
            .telemetry
            .as_ref()
            .and_then(|settings| telemetry::start(settings, &config.collector_id, &[addresses.0, addresses.1], &counters));
        let stop_forwarder = CancellationToken::new();
        let forwarder = forwarder.map(|forwarder| tokio::spawn(forwarder.run(durable.clone(), stop_forwarder.clone())));
        let follow = tokio::spawn(credentials.follow());
        let serve = |server: Server| tokio::spawn(server.serve(Arc::clone(&receiver), stop_receiving.clone()));
        Ok(Self {
            grpc: addresses.0,
            http: addresses.1,
            servers: vec![serve(grpc), serve(http)],
            pipeline,
            ended,
            stop_receiving,
            stop_pipeline,
            forwarder,
            stop_forwarder,
            receiver,
            log,
            counters,
            exporting,
            claim,
            log_thread,
            follow,
        })
    }

    /// Where OTLP/gRPC is served, with the port that was taken.
    pub fn grpc_address(&self) -> SocketAddr {
        self.grpc
    }

    /// Where OTLP/HTTP is served, with the port that was taken.
    pub fn http_address(&self) -> SocketAddr {
        self.http
    }

    /// Waits until nothing more gets into the lake. That should not happen before [`Collector::stop`], which says why it
    /// did: then clients are told to come back later, and only a new start helps.
    pub async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// Stops receiving, lets running requests finish, commits what is in the log, and says what was done.
    pub async fn stop(self) -> Result<Stopped, CollectorError> {
        self.stop_receiving.cancel();
        self.follow.abort();
        for server in self.servers {
            server.await.map_err(|_| CollectorError::Stopped { part: "receiver" })?;
        }
        self.log.sync().await;
        self.stop_pipeline.cancel();
        self.pipeline
            .await
            .map_err(|_| CollectorError::Stopped { part: "pipeline" })??;
        self.stop_forwarder.cancel();
        if let Some(forwarder) = self.forwarder {
            forwarder.await.map_err(|_| CollectorError::Stopped { part: "forwarder" })??;
        }
        let stopped = stopped(&self.counters);
        if let Some(exporting) = self.exporting {
            let _ = tokio::task::spawn_blocking(move || exporting.stop()).await;
        }
        drop((self.receiver, self.log));
        // A connection that outlived the grace time may hold the last appender; the process ends anyway.
        if self.log_thread.is_finished() {
            self.log_thread.join().map_err(|_| CollectorError::Stopped { part: "log" })?;
        }
        self.claim.release().await?;
        Ok(stopped)
    }
}

fn stopped(counters: &Counters) -> Stopped {
    let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    let forward = &counters.forward;
    Stopped {
        accepted: count(&counters.acknowledged),
        rejected: count(&counters.rejected),
        refused: counters.refused_by.total(),
        stored: count(&counters.committed),
        in_log: counters.waiting(),
        to_forward: forward
            .is_on
            .load(Ordering::Relaxed)
            .then(|| count(&counters.logged_sequence).saturating_sub(count(&forward.sequence))),
    }
}

/// Two collectors under one id would be one to everybody who looks at the lake.
async fn claim(lake: &Lake, id: &str, token: &str) -> Result<Claim, CollectorError> {
    match Claim::take(lake, &format!("collector-{id}"), token).await {
        Ok(claim) => Ok(claim),
        Err(LakeError::Claimed { owner, .. }) => Err(CollectorError::IdInUse {
            id: id.to_owned(),
            owner,
        }),
        Err(error) => Err(error.into()),
    }
}

async fn bind(address: SocketAddr) -> Result<Server, CollectorError> {
    Server::bind(address)
        .await
        .map_err(|source| CollectorError::Listen { address, source })
}
