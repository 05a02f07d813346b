//! Where to forward, checked: nothing is left open here.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper::Uri;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper_rustls::ConfigBuilderExt;
use tokio_rustls::rustls;

use crate::receive::{SecurityError, tls};
use crate::wal::Signal;

/// A backend that gets everything received.
#[derive(Debug, Clone)]
pub struct Forward {
    pub(super) protocol: Protocol,
    /// Scheme, host and port.
    pub(super) origin: String,
    /// What stands before `/v1/traces` for OTLP/HTTP.
    pub(super) base_path: String,
    pub(super) headers: HeaderMap,
    pub(super) gzip: bool,
    pub(super) tls: Option<rustls::ClientConfig>,
    pub(super) timeout: Duration,
    pub(super) queue_bytes: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Grpc,
    Http,
}

/// Files of a TLS client, all PEM.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ForwardFiles {
    /// Authorities in place of the system's.
    pub authorities: Option<PathBuf>,
    /// The certificate chain that is shown to the backend.
    pub certificate: Option<PathBuf>,
    /// Its private key.
    pub private_key: Option<PathBuf>,
}

/// What is wrong with the settings of a backend.
#[derive(Debug, thiserror::Error)]
pub enum ForwardError {
    /// The address is not one that OTLP can be sent to.
    #[error("forward: {url:?} {reason}: write http:// or https://, a host, and a port where it is not the usual one")]
    Url {
        /// What was given.
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A word that is not one of those accepted.
    #[error("{key}: {value:?} is neither {accepted}")]
    Choice {
        /// The key of the configuration.
        key: &'static str,
        /// What was given.
        value: String,
        /// The two words that are accepted.
        accepted: &'static str,
    },
    /// A header that HTTP does not allow, or that is ours to set.
    #[error("forward_headers: the header {name:?} cannot be sent")]
    Header {
        /// Its name; its value may be a secret.
        name: String,
    },
    /// A certificate and its key come together.
    #[error("forward_cert and forward_key go together")]
    HalfAPair,
    /// A file cannot be used.
    #[error(transparent)]
    Files(#[from] SecurityError),
    /// The system's certificate authorities cannot be read.
    #[error("cannot read the certificate authorities of this system: name a file in forward_ca")]
    SystemAuthorities(#[source] std::io::Error),
    /// TLS itself cannot be set up.
    #[error("cannot set up TLS")]
    Tls(#[source] rustls::Error),
}

/// Headers that our own framing sets.
const OURS: [&str; 6] = [
    "content-type",
    "content-encoding",
    "content-length",
    "te",
    "grpc-encoding",
    "host",
];

impl Forward {
    /// Checks everything that can be checked before anything is sent.
    pub fn new(
        url: &str,
        protocol: Option<&str>,
        headers: &[(String, String)],
        compression: &str,
        files: &ForwardFiles,
    ) -> Result<Self, ForwardError> {
        let refuse = |reason| ForwardError::Url {
            url: url.to_owned(),
            reason,
        };
        // What may be a password is not repeated.
        if url.contains('@') {
            let url = "…@…".to_owned();
            let reason = "has a user or password in it, which belongs into forward_headers";
            return Err(ForwardError::Url { url, reason });
        }
        let uri: Uri = url.trim().parse().map_err(|_| refuse("is not a URL"))?;
        let (Some(scheme @ ("http" | "https")), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(refuse("is not a URL of OTLP"));
        };
        let protocol = match protocol {
            Some("grpc") => Protocol::Grpc,
            Some("http" | "http/protobuf") => Protocol::Http,
            None if authority.port_u16() == Some(4317) => Protocol::Grpc,
            None => Protocol::Http,
            Some(other) => {
                return Err(ForwardError::Choice {
                    key: "forward_protocol",
                    value: other.to_owned(),
                    accepted: "grpc nor http",
                });
            }
        };
        let gzip = match compression {
            "gzip" => true,
            "none" => false,
            other => {
                return Err(ForwardError::Choice {
                    key: "forward_compression",
                    value: other.to_owned(),
                    accepted: "gzip nor none",
                });
            }
        };
        let base = uri.path().trim_end_matches('/');
        let base = ["/v1/traces", "/v1/logs", "/v1/metrics"]
            .into_iter()
            .find_map(|end| base.strip_suffix(end))
            .unwrap_or(base);
        Ok(Self {
            protocol,
            origin: format!("{scheme}://{authority}"),
            base_path: base.to_owned(),
            headers: header_map(headers)?,
            gzip,
            tls: (scheme == "https").then(|| client_tls(files)).transpose()?,
            timeout: Duration::from_secs(10),
            queue_bytes: 1 << 30,
        })
    }

    /// How long one try may take.
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How much of the log is kept for the backend beyond what the lake needs.
    pub fn with_queue_bytes(mut self, bytes: u64) -> Self {
        self.queue_bytes = bytes;
        self
    }

    /// Where requests of a signal go.
    pub(super) fn target(&self, signal: Signal) -> String {
        let path = match (self.protocol, signal) {
            (Protocol::Grpc, Signal::Traces) => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            (Protocol::Grpc, Signal::Logs) => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
            (Protocol::Grpc, Signal::Metrics) => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
            (Protocol::Http, Signal::Traces) => "/v1/traces",
            (Protocol::Http, Signal::Logs) => "/v1/logs",
            (Protocol::Http, Signal::Metrics) => "/v1/metrics",
        };
        let base = if self.protocol == Protocol::Http {
            self.base_path.as_str()
        } else {
            ""
        };
        format!("{}{base}{path}", self.origin)
    }
}

fn header_map(headers: &[(String, String)]) -> Result<HeaderMap, ForwardError> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let refuse = || ForwardError::Header { name: name.clone() };
        let parsed: HeaderName = name.parse().map_err(|_| refuse())?;
        let mut value: HeaderValue = value.parse().map_err(|_| refuse())?;
        if OURS.contains(&parsed.as_str()) {
            return Err(refuse());
        }
        value.set_sensitive(true);
        map.append(parsed, value);
    }
    Ok(map)
}

fn client_tls(files: &ForwardFiles) -> Result<rustls::ClientConfig, ForwardError> {
    let builder = rustls::ClientConfig::builder_with_provider(tls::provider())
        .with_safe_default_protocol_versions()
        .map_err(ForwardError::Tls)?;
    let builder = match &files.authorities {
        Some(path) => builder.with_root_certificates(tls::authorities(path, &read(path)?)?),
        None => builder.with_native_roots().map_err(ForwardError::SystemAuthorities)?,
    };
    match (&files.certificate, &files.private_key) {
        (None, None) => Ok(builder.with_no_client_auth()),
        (Some(certificate), Some(key)) => {
            let chain = tls::certificates(certificate, &read(certificate)?)?;
            let private_key = tls::private_key(key, &read(key)?)?;
            builder.with_client_auth_cert(chain, private_key).map_err(ForwardError::Tls)
        }
        _ => Err(ForwardError::HalfAPair),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, SecurityError> {
    std::fs::read(path).map_err(|source| SecurityError::Read {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forward(url: &str, protocol: Option<&str>) -> Result<Forward, ForwardError> {
        Forward::new(url, protocol, &[], "gzip", &ForwardFiles::default())
    }

    #[test]
    fn urls_are_read_as_exporters_read_them() {
        for (url, protocol, target) in [
            ("http://b:4318", None, "http://b:4318/v1/traces"),
            ("http://b/otlp/", None, "http://b/otlp/v1/traces"),
            ("http://b/otlp/v1/traces", None, "http://b/otlp/v1/traces"),
            (
                "http://b:4318",
                Some("grpc"),
                "http://b:4318/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            ),
            (
                "http://[::1]:4317",
                None,
                "http://[::1]:4317/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            ),
            ("http://b:4317", Some("http"), "http://b:4317/v1/traces"),
        ] {
            let forward = forward(url, protocol).unwrap_or_else(|error| panic!("{url}: {error}"));
            assert_eq!(forward.target(Signal::Traces), target);
        }
    }

    #[test]
    fn what_cannot_work_is_refused_before_anything_is_sent() {
        for (url, protocol) in [
            ("b:4318", None),
            ("ftp://b", None),
            ("", None),
            ("http://b", Some("udp")),
            ("http://user:secret@b", None),
        ] {
            let error = forward(url, protocol).expect_err(url).to_string();
            assert!(!error.contains("secret"), "{error}");
        }
        let header = |name: &str, value: &str| {
            let headers = [(name.to_owned(), value.to_owned())];
            Forward::new("http://b", None, &headers, "gzip", &ForwardFiles::default())
        };
        assert!(header("authorization", "Bearer x").is_ok());
        for (name, value) in [("content-type", "x"), ("two words", "x"), ("x", "line\nbreak-secret")] {
            let error = header(name, value).expect_err(name).to_string();
            assert!(!error.contains("secret"), "{error}");
        }
        let half = ForwardFiles {
            certificate: Some("cert.pem".into()),
            ..ForwardFiles::default()
        };
        assert!(Forward::new("https://b", None, &[], "gzip", &half).is_err());
    }
}
