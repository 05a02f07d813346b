//! One running collector: listeners, log, pipeline.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use marginlake_lake::{Lake, LakeError, Table};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::decode::Decoder;
use crate::pipeline::Pipeline;
use crate::receive::{Credentials, Receiver, SecurityError, Server};
use crate::telemetry::Counters;
use crate::wal::{self, WalError, WriterOptions};

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
    /// The log cannot be used.
    #[error(transparent)]
    Log(#[from] WalError),
    /// Keys or certificates cannot be used.
    #[error(transparent)]
    Security(#[from] SecurityError),
    /// The lake cannot be used.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// A part of the collector panicked.
    #[error("the {part} stopped unexpectedly")]
    Stopped {
        /// Which part.
        part: &'static str,
    },
}

/// A running collector. Dropping it without [`Collector::stop`] is a crash: safe, but the next start has to replay.
#[derive(Debug)]
pub struct Collector {
    grpc: SocketAddr,
    http: SocketAddr,
    stop_receiving: CancellationToken,
    stop_pipeline: CancellationToken,
    servers: Vec<JoinHandle<()>>,
    pipeline: JoinHandle<Result<(), WalError>>,
    receiver: Arc<Receiver>,
    log_thread: std::thread::JoinHandle<()>,
    follow: JoinHandle<()>,
}

impl Collector {
    /// Recovers the log, binds the addresses and starts to receive.
    pub async fn start(config: Config) -> Result<Self, CollectorError> {
        let credentials = Arc::new(Credentials::load(config.security.clone())?);
        let lake = Lake::open(&config.lake)?;
        let state = state_dir(&config, &lake)?;
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
        let table = lake.ensure(Table::Spans).await?;
        let app_id = format!("{}/{}", config.collector_id, recovered.epoch);
        let committed = table
            .transaction_version(&app_id)
            .await?
            .and_then(|version| u64::try_from(version).ok())
            .unwrap_or(0);

        let reader = wal::Reader::new(&recovered.folder, committed + 1);
        let options = WriterOptions {
            segment_bytes: SEGMENT_BYTES,
            limit_bytes: config.log_limit_bytes,
            hold: None,
        };
        let (log, durable, log_thread) = wal::start(recovered.continue_after(committed), options)?;
        log.release(committed).await;

        let counters = Arc::new(Counters::default());
        let lake_ready = Arc::new(AtomicBool::new(true));
        let pipeline = Pipeline {
            reader,
            decoder: Decoder::new(&config.attribution, config.catalogue, config.limits.inflated_bytes),
            table,
            app_id,
            log: log.clone(),
            commit_interval: config.commit_interval,
            counters: Arc::clone(&counters),
            lake_ready: Arc::clone(&lake_ready),
        };
        let receiver = Arc::new(Receiver {
            log,
            limits: config.limits,
            credentials: Arc::clone(&credentials),
            checks: Semaphore::new(std::thread::available_parallelism().map_or(2, std::num::NonZero::get)),
            keep_metrics: false,
            in_flight: Semaphore::new(config.limits.in_flight_bytes.min(Semaphore::MAX_PERMITS)),
            counters,
            lake_ready,
        });
        let grpc = bind(config.grpc_address).await?;
        let http = bind(config.http_address).await?;
        let (stop_receiving, stop_pipeline) = (CancellationToken::new(), CancellationToken::new());
        let addresses = (grpc.address(), http.address());
        let follow = tokio::spawn(credentials.follow());
        let serve = |server: Server| tokio::spawn(server.serve(Arc::clone(&receiver), stop_receiving.clone()));
        Ok(Self {
            grpc: addresses.0,
            http: addresses.1,
            servers: vec![serve(grpc), serve(http)],
            pipeline: tokio::spawn(pipeline.run(durable, stop_pipeline.clone())),
            stop_receiving,
            stop_pipeline,
            receiver,
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

    /// Stops receiving, lets running requests finish, commits what is in the log.
    pub async fn stop(self) -> Result<(), CollectorError> {
        self.stop_receiving.cancel();
        self.follow.abort();
        for server in self.servers {
            server.await.map_err(|_| CollectorError::Stopped { part: "receiver" })?;
        }
        self.stop_pipeline.cancel();
        self.pipeline
            .await
            .map_err(|_| CollectorError::Stopped { part: "pipeline" })??;
        drop(self.receiver);
        // A connection that outlived the grace time may hold the last appender; the process ends anyway.
        if self.log_thread.is_finished() {
            self.log_thread.join().map_err(|_| CollectorError::Stopped { part: "log" })?;
        }
        Ok(())
    }
}

async fn bind(address: SocketAddr) -> Result<Server, CollectorError> {
    Server::bind(address)
        .await
        .map_err(|source| CollectorError::Listen { address, source })
}

fn state_dir(config: &Config, lake: &Lake) -> Result<PathBuf, CollectorError> {
    let id = &config.collector_id;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if id.is_empty() || id.starts_with('.') || !id.chars().all(plain) {
        return Err(CollectorError::CollectorId { id: id.clone() });
    }
    match (&config.state_dir, lake.local_path()) {
        (Some(folder), _) => Ok(folder.clone()),
        (None, Some(lake)) => Ok(lake.join("_collector").join(id)),
        (None, None) => Err(CollectorError::StateDir {
            lake: config.lake.clone(),
        }),
    }
}
