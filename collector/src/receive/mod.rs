//! OTLP from the socket to the log: read, check, log, answer. Knows encodings, keys and status codes, not LLM calls.
//!
//! One service answers both protocols on both ports: OTLP/gRPC with our own five-byte framing (a gRPC library inflates
//! the frame before anybody sees it and reads only the first gzip member) and OTLP/HTTP.

mod answer;
mod auth;
mod body;
mod credentials;
mod grpc;
mod http;
mod inflate;
mod inspect;
mod json;
mod server;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use hyper::header::HeaderMap;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_util::sync::CancellationToken;

pub use auth::{Keys, KeysError, key_line, new_key};
pub(crate) use credentials::Credentials;
pub use credentials::{Security, SecurityError, TlsFiles};
pub(crate) use inflate::inflate;
pub(crate) use inspect::{as_protobuf, id_fault};
pub(crate) use server::Server;

/// Reading certificates and keys, for clients too.
pub(crate) mod tls {
    pub(crate) use super::credentials::{authorities, certificates, private_key, provider};
}

use crate::telemetry::Counters;
use crate::wal::{Appender, Compression, Encoding, Entry, Signal};
use answer::{Failure, Outcome};

/// Bounds on one request and on all requests together.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of one body as sent.
    pub body_bytes: usize,
    /// Bytes of one body after inflating, enforced while inflating.
    pub inflated_bytes: usize,
    /// Bytes of all bodies that are being received or wait for the log.
    pub in_flight_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 32 << 20,
            inflated_bytes: 64 << 20,
            in_flight_bytes: 128 << 20,
        }
    }
}

/// What a request needs on its way into the log.
#[derive(Debug)]
pub(crate) struct Receiver {
    pub(crate) log: Appender,
    pub(crate) limits: Limits,
    pub(crate) credentials: Arc<Credentials>,
    pub(crate) in_flight: Semaphore,
    /// Bodies that are inflated and checked at a time: what they inflate to is bounded by this and the limit of one.
    pub(crate) checks: Semaphore,
    /// Whether anybody reads metrics from the log.
    pub(crate) keep_metrics: bool,
    pub(crate) counters: Arc<Counters>,
    /// Whether commits to the lake get through.
    pub(crate) lake_ready: Arc<AtomicBool>,
    /// Nothing that is logged gets into the lake any more.
    pub(crate) pipeline_ended: CancellationToken,
}

/// One signal of OTLP. Metrics are accepted and never stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    Traces,
    Logs,
    Metrics,
}

/// A request body with what its headers say about it.
#[derive(Debug)]
pub(crate) struct Received {
    service: Service,
    encoding: Encoding,
    compression: Compression,
    tenant: Option<String>,
    body: Bytes,
}

impl Receiver {
    /// The tenant of the request's key; `None` where no keys are asked for.
    fn authenticate(&self, headers: &HeaderMap) -> Result<Option<String>, Failure> {
        match &self.credentials.current().keys {
            Some(keys) => keys.authenticate(headers).map(Some),
            None => Ok(None),
        }
    }

    /// A place for `bytes` among the requests in flight; refused, not queued, when there is none.
    fn admit(&self, bytes: usize) -> Result<SemaphorePermit<'_>, Failure> {
        if self.pipeline_ended.is_cancelled() {
            return Err(Failure::out_of_room(
                "the lake cannot be written until the collector is started again",
            ));
        }
        if let Some(full) = self.log.full() {
            return Err(Failure::out_of_room(full.to_string()));
        }
        let permits = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.in_flight
            .try_acquire_many(permits)
            .map_err(|_| Failure::overloaded("too many bytes in flight"))
    }

    /// Checks a body, logs it as it came, and says what was accepted. Whoever gets an [`Outcome`] has it durable.
    async fn accept(&self, received: Received) -> Result<Outcome, Failure> {
        let signal = match received.service {
            Service::Traces => Signal::Traces,
            Service::Logs => Signal::Logs,
            Service::Metrics => Signal::Metrics,
        };
        let limit = self.limits.inflated_bytes;
        // Inflating and checking a large body takes milliseconds: not on the threads that serve sockets.
        let checked = move || -> Result<(Outcome, Received), Failure> {
            let inflated = inflate(&received.body, received.compression, limit)?;
            let inspected = inspect::inspect(signal, received.encoding, &inflated)?;
            let received = match inspected.whole {
                Some(whole) => Received {
                    encoding: Encoding::Protobuf,
                    compression: Compression::Identity,
                    body: whole.into(),
                    ..received
                },
                None => received,
            };
            Ok((inspected.outcome, received))
        };
        let turn = self.checks.acquire().await;
        let (outcome, received) = tokio::task::spawn_blocking(checked)
            .await
            .map_err(|error| Failure::internal(format!("the check stopped: {error}")))??;
        drop(turn);
        self.counters.rejected.fetch_add(outcome.rejected, Ordering::Relaxed);
        for (reason, count) in &outcome.reasons {
            self.counters.rejected_by.add(reason, *count);
        }
        let dropped = outcome.dropped_attributes;
        self.counters.dropped_attributes.fetch_add(dropped, Ordering::Relaxed);
        if outcome.accepted > 0 && (signal != Signal::Metrics || self.keep_metrics) {
            let entry = Entry {
                received_at_unix_nano: now_unix_nano(),
                signal,
                encoding: received.encoding,
                compression: received.compression,
                tenant: received.tenant,
                body: received.body,
            };
            let logged = self.log.append(entry).await;
            logged.map_err(|error| Failure::out_of_room(error.to_string()))?;
            if signal != Signal::Metrics {
                self.counters.acknowledged.fetch_add(outcome.accepted, Ordering::Relaxed);
            }
        }
        Ok(outcome)
    }
}

fn now_unix_nano() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX))
}
