//! What a collector is told, checked: nothing is left open here.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use marginlake_pricing::Catalogue;

use crate::forward::Forward;
use crate::receive::{Limits, Security};
use crate::recognise::AttributionConfig;
use crate::telemetry::SelfTelemetry;
use crate::wal::Durability;

/// One collector.
#[derive(Debug, Clone)]
pub struct Config {
    /// Directory or object-store URL of the lake.
    pub lake: String,
    /// Folder of the write-ahead log; `<lake>/_collector/<id>` where the lake is local and none is given.
    pub state_dir: Option<PathBuf>,
    /// Unique among all collectors of the lake.
    pub collector_id: String,
    /// Where OTLP/gRPC is served.
    pub grpc_address: SocketAddr,
    /// Where OTLP/HTTP is served.
    pub http_address: SocketAddr,
    /// Who may send.
    pub security: Security,
    /// How long rows wait for a commit: shorter shows data sooner, longer makes fewer and larger files.
    pub commit_interval: Duration,
    /// When a request is acknowledged.
    pub durability: Durability,
    /// Bounds on requests.
    pub limits: Limits,
    /// Bytes that the write-ahead log may hold while the lake cannot be written; then clients are asked to retry.
    pub log_limit_bytes: u64,
    /// Attributes that name customers, users, features..., before the defaults.
    pub attribution: AttributionConfig,
    /// A backend that gets everything received, with costs added.
    pub forward: Option<Forward>,
    /// Where the collector reports about itself.
    pub telemetry: Option<SelfTelemetry>,
    /// Prices, with the user's own layered over the built-in ones.
    pub catalogue: &'static Catalogue,
}
