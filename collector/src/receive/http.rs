//! OTLP/HTTP: paths, methods, content types and encodings.

use axum::body::Body;
use http_body_util::Full;
use hyper::header::{ALLOW, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::{Method, Request, Response};

use super::answer::{self, Failure, Kind, Outcome};
use super::{Received, Receiver, Service, body};
use crate::wal::{Compression, Encoding};

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

/// Answers one OTLP/HTTP request.
pub(super) async fn serve(receiver: &Receiver, request: Request<Body>) -> Response<Body> {
    // A refusal is written as the request was, and as protobuf where that cannot be known.
    let encoding = encoding(request.headers()).unwrap_or(Encoding::Protobuf);
    let service = service(request.uri().path());
    match export(receiver, service, request).await {
        Ok((service, outcome)) => respond(200, encoding, answer::success(&outcome, service, encoding)),
        Err(failure) => {
            receiver.counters.refused_by.add(failure.kind.as_str(), 1);
            let mut response = respond(failure.http_status(), encoding, answer::status(&failure, encoding));
            let headers = response.headers_mut();
            if let Some(seconds) = failure.retry_after_seconds {
                headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
            }
            match failure.kind {
                Kind::WrongMethod => headers.insert(ALLOW, HeaderValue::from_static("POST")),
                Kind::Unauthenticated => headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")),
                _ => None,
            };
            response
        }
    }
}

async fn export(receiver: &Receiver, service: Option<Service>, request: Request<Body>) -> Result<(Service, Outcome), Failure> {
    let path = request.uri().path();
    let service = service.ok_or_else(|| {
        Failure::new(
            Kind::UnknownPath,
            format!("{path:?} is not an OTLP path: use /v1/traces, /v1/logs or /v1/metrics"),
        )
    })?;
    if request.method() != Method::POST {
        return Err(Failure::new(Kind::WrongMethod, "OTLP is sent with POST"));
    }
    let tenant = receiver.authenticate(request.headers())?;
    let encoding = encoding(request.headers())?;
    let compression = compression(request.headers(), CONTENT_ENCODING.as_str())?;
    let (body, _place) = body::read(receiver, request, receiver.limits.body_bytes).await?;
    let outcome = receiver
        .accept(Received {
            service,
            encoding,
            compression,
            tenant,
            body,
        })
        .await?;
    Ok((service, outcome))
}

fn respond(status: u16, encoding: Encoding, body: Vec<u8>) -> Response<Body> {
    let content_type = match encoding {
        Encoding::Protobuf => PROTOBUF,
        Encoding::Json => JSON,
    };
    let mut response = Response::new(Body::new(Full::from(body)));
    *response.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or(hyper::StatusCode::SERVICE_UNAVAILABLE);
    response
        .headers_mut()
        .insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(content_type));
    response
}

/// Some exporters post below a prefix of their own (`/api/public/otel/v1/traces`): the end decides.
fn service(path: &str) -> Option<Service> {
    let path = path.trim_end_matches('/');
    [
        ("/v1/traces", Service::Traces),
        ("/v1/logs", Service::Logs),
        ("/v1/metrics", Service::Metrics),
    ]
    .into_iter()
    .find_map(|(end, service)| path.ends_with(end).then_some(service))
}

fn encoding(headers: &HeaderMap) -> Result<Encoding, Failure> {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let media_type = value.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    match media_type.as_str() {
        PROTOBUF | "application/protobuf" => Ok(Encoding::Protobuf),
        JSON => Ok(Encoding::Json),
        _ => Err(Failure::new(
            Kind::UnsupportedMediaType,
            format!("content type {value:?} is not OTLP: use {PROTOBUF} or {JSON}"),
        )),
    }
}

/// The compression that the header `name` names; gRPC has a header of its own.
pub(super) fn compression(headers: &HeaderMap, name: &str) -> Result<Compression, Failure> {
    let value = headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("identity");
    match value.trim().to_ascii_lowercase().as_str() {
        "" | "identity" | "none" => Ok(Compression::Identity),
        "gzip" | "x-gzip" => Ok(Compression::Gzip),
        "zstd" => Ok(Compression::Zstd),
        _ => Err(Failure::new(
            Kind::UnsupportedMediaType,
            format!("compression {value:?} is not supported: use gzip or zstd"),
        )),
    }
}
