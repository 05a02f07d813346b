//! An OTLP client for bytes: one request, one answer, and what the specification says about trying again.
//!
//! Both protocols over the same HTTP client, since what is sent is already encoded.

use std::io::Write;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use bytes::{BufMut, Bytes, BytesMut};
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, RETRY_AFTER, TE};
use hyper::{Request, Response};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use prost::Message;
use tokio_rustls::rustls;

use super::config::{Forward, Protocol};
use crate::messages::{ExportResponse, RetryInfo, RpcStatus};
use crate::receive::tls;
use crate::wal::Signal;

/// Bytes of an answer that are read.
const ANSWER_BYTES: usize = 64 << 10;
/// Messages of a backend end up in our log: this much of them.
const MESSAGE_CHARS: usize = 300;

/// What became of one try.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// The backend has it, but for records that it rejected.
    Taken { rejected: u64, message: String },
    /// It must not be sent again.
    Refused { reason: String },
    /// It may be sent again, after a while.
    Retry { after: Option<Duration>, reason: String },
}

/// Connections to one backend.
pub(super) struct Client {
    settings: Forward,
    http: HttpClient<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl Client {
    pub(super) fn new(settings: &Forward) -> Self {
        let tls = settings.tls.clone().unwrap_or_else(|| {
            // Never used: the URL is a plain one.
            rustls::ClientConfig::builder_with_provider(tls::provider())
                .with_safe_default_protocol_versions()
                .expect("the provider has the default versions")
                .with_root_certificates(rustls::RootCertStore::empty())
                .with_no_client_auth()
        });
        let builder = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
        let is_grpc = settings.protocol == Protocol::Grpc;
        let connector = if is_grpc {
            builder.enable_http2().build()
        } else {
            builder.enable_all_versions().build()
        };
        let http = HttpClient::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .http2_only(is_grpc)
            .build(connector);
        Self {
            settings: settings.clone(),
            http,
        }
    }

    /// The bytes that go over the wire: compressed, and framed for gRPC. Made once for all tries.
    pub(super) fn prepare(&self, body: &[u8]) -> Bytes {
        let compressed = if self.settings.gzip { gzip(body) } else { body.to_vec() };
        match self.settings.protocol {
            Protocol::Http => compressed.into(),
            Protocol::Grpc => {
                let mut frame = BytesMut::with_capacity(5 + compressed.len());
                frame.put_u8(u8::from(self.settings.gzip));
                frame.put_u32(u32::try_from(compressed.len()).unwrap_or(u32::MAX));
                frame.put_slice(&compressed);
                frame.freeze()
            }
        }
    }

    /// One try. Nothing that the backend or the network does is an error of ours.
    pub(super) async fn send(&self, signal: Signal, body: Bytes) -> Sent {
        let retry = |reason: String| Sent::Retry { after: None, reason };
        let request = match self.request(signal, body) {
            Ok(request) => request,
            Err(error) => {
                return Sent::Refused {
                    reason: error.to_string(),
                };
            }
        };
        let exchange = async {
            let response = self.http.request(request).await.map_err(|error| chain(&error))?;
            let (head, body) = response.into_parts();
            let collected = Limited::new(body, ANSWER_BYTES)
                .collect()
                .await
                .map_err(|error| error.to_string())?;
            let trailers = collected.trailers().cloned().unwrap_or_default();
            Ok::<_, String>((Response::from_parts(head, collected.to_bytes()), trailers))
        };
        match tokio::time::timeout(self.settings.timeout, exchange).await {
            Err(_) => retry(format!("no answer within {} ms", self.settings.timeout.as_millis())),
            Ok(Err(reason)) => retry(reason),
            Ok(Ok((response, trailers))) => match self.settings.protocol {
                Protocol::Http => of_http(&response),
                Protocol::Grpc => of_grpc(&response, &trailers),
            },
        }
    }

    fn request(&self, signal: Signal, body: Bytes) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
        let mut request = Request::post(self.settings.target(signal)).body(Full::new(body))?;
        let headers = request.headers_mut();
        headers.extend(self.settings.headers.clone());
        let fixed = |text: &'static str| hyper::header::HeaderValue::from_static(text);
        headers.insert("user-agent", fixed(concat!("marginlake/", env!("CARGO_PKG_VERSION"))));
        match self.settings.protocol {
            Protocol::Http => {
                headers.insert(CONTENT_TYPE, fixed("application/x-protobuf"));
                if self.settings.gzip {
                    headers.insert(CONTENT_ENCODING, fixed("gzip"));
                }
            }
            Protocol::Grpc => {
                headers.insert(CONTENT_TYPE, fixed("application/grpc"));
                headers.insert(TE, fixed("trailers"));
                if self.settings.gzip {
                    headers.insert("grpc-encoding", fixed("gzip"));
                }
            }
        }
        Ok(request)
    }
}

/// OTLP specification, "OTLP/HTTP Response".
fn of_http(response: &Response<Bytes>) -> Sent {
    let status = response.status();
    if status.is_success() {
        return taken(response.body());
    }
    let told = RpcStatus::decode(response.body().clone())
        .map(|status| status.message)
        .unwrap_or_default();
    let reason = format!("HTTP {} {}", status.as_u16(), short(&told));
    match status.as_u16() {
        429 | 502 | 503 | 504 => Sent::Retry {
            after: retry_after(response.headers()),
            reason,
        },
        _ => Sent::Refused { reason },
    }
}

/// OTLP specification, "Failures" and "OTLP/gRPC Throttling".
fn of_grpc(response: &Response<Bytes>, trailers: &HeaderMap) -> Sent {
    let found = |name: &str| {
        let value = trailers.get(name).or_else(|| response.headers().get(name))?;
        Some(value.to_str().ok()?.to_owned())
    };
    let Some(code) = found("grpc-status").and_then(|code| code.parse::<i32>().ok()) else {
        // A proxy answered, or the answer was cut short (gRPC, "HTTP to gRPC Status Code Mapping").
        let reason = format!("HTTP {} without a gRPC status", response.status().as_u16());
        return match response.status().as_u16() {
            200 | 429 | 502 | 503 | 504 => Sent::Retry { after: None, reason },
            _ => Sent::Refused { reason },
        };
    };
    if code == 0 {
        return taken(response.body().get(5..).unwrap_or_default());
    }
    let after = found("grpc-status-details-bin").and_then(|details| retry_info(&details));
    let reason = format!("gRPC status {code} {}", short(&found("grpc-message").unwrap_or_default()));
    match code {
        // CANCELLED, DEADLINE_EXCEEDED, ABORTED, OUT_OF_RANGE, UNAVAILABLE, DATA_LOSS
        1 | 4 | 10 | 11 | 14 | 15 => Sent::Retry { after, reason },
        // RESOURCE_EXHAUSTED only where the server says that it can recover.
        8 if after.is_some() => Sent::Retry { after, reason },
        _ => Sent::Refused { reason },
    }
}

/// An answer that is no `Export*ServiceResponse` is a success all the same: the status decides.
fn taken(body: &[u8]) -> Sent {
    let partial = ExportResponse::decode(body)
        .ok()
        .and_then(|response| response.partial_success);
    let partial = partial.unwrap_or_default();
    Sent::Taken {
        rejected: u64::try_from(partial.rejected).unwrap_or(0),
        message: short(&partial.error_message),
    }
}

/// Seconds, or a date (RFC 9110, 10.2.3).
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = chrono::DateTime::parse_from_rfc2822(text).ok()?;
    (date.with_timezone(&chrono::Utc) - chrono::Utc::now()).to_std().ok()
}

fn retry_info(details: &str) -> Option<Duration> {
    let bytes = STANDARD_NO_PAD.decode(details).or_else(|_| STANDARD.decode(details)).ok()?;
    let status = RpcStatus::decode(&bytes[..]).ok()?;
    let detail = status.details.iter().find(|detail| detail.type_url == RetryInfo::TYPE_URL)?;
    let delay = RetryInfo::decode(&detail.value[..]).ok()?.retry_delay.unwrap_or_default();
    let nanos = u32::try_from(delay.nanos).ok().filter(|nanos| *nanos < 1_000_000_000)?;
    Some(Duration::new(u64::try_from(delay.seconds).ok()?, nanos))
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::with_capacity(body.len() / 4), flate2::Compression::fast());
    let written = encoder.write_all(body).and_then(|()| encoder.finish());
    written.expect("a vector takes all")
}

/// What a person gets to read of a backend's message: no control characters, and not much.
fn short(message: &str) -> String {
    message.chars().filter(|c| !c.is_control()).take(MESSAGE_CHARS).collect()
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::{Any, Delay, PartialSuccess};

    fn http(status: u16, headers: &[(&'static str, &str)], body: Vec<u8>) -> Sent {
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = hyper::StatusCode::from_u16(status).expect("a status");
        for (name, value) in headers {
            response.headers_mut().insert(*name, value.parse().expect("a header"));
        }
        of_http(&response)
    }

    fn grpc(code: &str, details: Option<Vec<u8>>) -> Sent {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", code.parse().expect("a header"));
        if let Some(details) = details {
            let encoded = STANDARD_NO_PAD.encode(details);
            trailers.insert("grpc-status-details-bin", encoded.parse().expect("a header"));
        }
        of_grpc(&Response::new(Bytes::new()), &trailers)
    }

    fn with_retry_info(seconds: i64, nanos: i32) -> Vec<u8> {
        let info = RetryInfo {
            retry_delay: Some(Delay { seconds, nanos }),
        };
        let details = vec![Any {
            type_url: RetryInfo::TYPE_URL.into(),
            value: info.encode_to_vec(),
        }];
        RpcStatus {
            code: 8,
            message: String::new(),
            details,
        }
        .encode_to_vec()
    }

    fn is_retry(sent: &Sent) -> bool {
        matches!(sent, Sent::Retry { .. })
    }

    #[test]
    fn http_codes_are_retried_as_the_specification_says() {
        for status in [429, 502, 503, 504] {
            assert!(is_retry(&http(status, &[], Vec::new())), "{status}");
        }
        for status in [301, 400, 401, 403, 404, 405, 413, 415, 500, 501] {
            assert!(matches!(http(status, &[], Vec::new()), Sent::Refused { .. }), "{status}");
        }
        let Sent::Retry { after, .. } = http(503, &[("retry-after", "7")], Vec::new()) else {
            panic!("retried")
        };
        assert_eq!(after, Some(Duration::from_secs(7)));
        let later = (chrono::Utc::now() + chrono::TimeDelta::seconds(100)).to_rfc2822();
        let Sent::Retry { after, .. } = http(429, &[("retry-after", &later)], Vec::new()) else {
            panic!("retried")
        };
        assert!(
            after.is_some_and(|after| after.as_secs() > 90 && after.as_secs() <= 100),
            "{after:?}"
        );
    }

    #[test]
    fn grpc_codes_are_retried_as_the_specification_says() {
        for code in 1..=16 {
            let retried = is_retry(&grpc(&code.to_string(), None));
            assert_eq!(retried, matches!(code, 1 | 4 | 10 | 11 | 14 | 15), "{code}");
        }
        let exhausted = grpc("8", Some(with_retry_info(2, 500_000_000)));
        assert!(matches!(exhausted, Sent::Retry { after: Some(after), .. } if after == Duration::from_millis(2500)));
        assert!(
            !is_retry(&grpc("8", Some(with_retry_info(-1, 0)))),
            "a delay before now is none"
        );
        assert!(
            is_retry(&of_grpc(&Response::new(Bytes::new()), &HeaderMap::new())),
            "an answer cut short"
        );
    }

    #[test]
    fn what_the_backend_rejected_is_counted() {
        let answer = ExportResponse {
            partial_success: Some(PartialSuccess {
                rejected: 3,
                error_message: "too\nold".into(),
            }),
        };
        let expected = Sent::Taken {
            rejected: 3,
            message: "tooold".into(),
        };
        assert_eq!(http(200, &[], answer.encode_to_vec()), expected);
        let nothing = Sent::Taken {
            rejected: 0,
            message: String::new(),
        };
        assert_eq!(http(200, &[("content-type", "text/html")], b"<html>".to_vec()), nothing);
    }
}
