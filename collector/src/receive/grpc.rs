//! OTLP/gRPC: the three unary Export methods with our own framing, so that a compressed message is logged as it came.
//!
//! Protocol: "gRPC over HTTP2" (grpc/doc/PROTOCOL-HTTP2.md): each message is one byte of flags, four of length, and the
//! message; the status travels in trailers.

use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::{BufMut, Bytes, BytesMut};
use futures::stream;
use http_body::Frame;
use http_body_util::StreamBody;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Request, Response};

use super::answer::{self, Failure, Kind, Outcome};
use super::{Received, Receiver, Service, body, http};
use crate::wal::{Compression, Encoding};

const FRAME_HEADER_BYTES: usize = 5;

/// Whether a request is gRPC at all.
pub(super) fn is_grpc(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.to_ascii_lowercase().starts_with("application/grpc"))
}

/// Answers one gRPC request.
pub(super) async fn serve(receiver: &Receiver, request: Request<Body>) -> Response<Body> {
    match export(receiver, request).await {
        Ok((service, outcome)) => {
            let message = answer::success(&outcome, service, Encoding::Protobuf);
            let mut frame = BytesMut::with_capacity(FRAME_HEADER_BYTES + message.len());
            frame.put_u8(0);
            frame.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
            frame.put_slice(&message);
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", HeaderValue::from_static("0"));
            respond([Frame::data(frame.freeze()), Frame::trailers(trailers)].into())
        }
        Err(failure) => {
            receiver.counters.refused_by.add(failure.kind.as_str(), 1);
            let mut response = respond(Vec::new());
            let headers = response.headers_mut();
            headers.insert("grpc-status", HeaderValue::from(failure.grpc_code()));
            if let Ok(message) = HeaderValue::from_str(&percent_encoded(&failure.message)) {
                headers.insert("grpc-message", message);
            }
            if let Some(details) = answer::status_with_retry_info(&failure)
                && let Ok(details) = HeaderValue::from_str(&STANDARD_NO_PAD.encode(details))
            {
                headers.insert("grpc-status-details-bin", details);
            }
            response
        }
    }
}

fn respond(frames: Vec<Frame<Bytes>>) -> Response<Body> {
    let frames = stream::iter(frames.into_iter().map(Ok::<_, std::convert::Infallible>));
    let mut response = Response::new(Body::new(StreamBody::new(frames)));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}

async fn export(receiver: &Receiver, request: Request<Body>) -> Result<(Service, Outcome), Failure> {
    let service = match request.uri().path() {
        "/opentelemetry.proto.collector.trace.v1.TraceService/Export" => Service::Traces,
        "/opentelemetry.proto.collector.logs.v1.LogsService/Export" => Service::Logs,
        "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export" => Service::Metrics,
        path => return Err(Failure::new(Kind::UnknownPath, format!("{path:?} is not a method of OTLP"))),
    };
    let tenant = receiver.authenticate(request.headers())?;
    let compression = http::compression(request.headers(), "grpc-encoding")?;
    let limit = receiver.limits.body_bytes + FRAME_HEADER_BYTES;
    let (framed, _place) = body::read(receiver, request, limit).await?;
    let (compressed, body) = unframe(framed)?;
    let compression = if compressed { compression } else { Compression::Identity };
    let received = Received {
        service,
        encoding: Encoding::Protobuf,
        compression,
        tenant,
        body,
    };
    Ok((service, receiver.accept(received).await?))
}

/// The one message of a unary call, and whether it is compressed.
fn unframe(framed: Bytes) -> Result<(bool, Bytes), Failure> {
    let header = framed
        .get(..FRAME_HEADER_BYTES)
        .ok_or_else(|| Failure::bad_data("the message has no frame"))?;
    let compressed = match header[0] {
        0 => false,
        1 => true,
        flag => return Err(Failure::bad_data(format!("frame flag {flag} is not 0 or 1"))),
    };
    let length = u32::from_be_bytes([header[1], header[2], header[3], header[4]]) as usize;
    if framed.len() - FRAME_HEADER_BYTES != length {
        let found = framed.len() - FRAME_HEADER_BYTES;
        return Err(Failure::bad_data(format!("the frame says {length} bytes, {found} came")));
    }
    Ok((compressed, framed.slice(FRAME_HEADER_BYTES..)))
}

/// `grpc-message` carries percent-encoded ASCII.
fn percent_encoded(message: &str) -> String {
    let mut encoded = String::with_capacity(message.len());
    for byte in message.bytes() {
        match byte {
            b' '..=b'$' | b'&'..=b'~' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_must_hold_exactly_its_message() {
        for (framed, ok) in [
            (&b"\0\0\0\0\x02ab"[..], true),
            (b"\x01\0\0\0\x00", true),
            (b"\0\0\0\0\x03ab", false),
            (b"\0\0\0\0\x01ab", false),
            (b"\x02\0\0\0\x02ab", false),
            (b"\0\0", false),
        ] {
            assert_eq!(unframe(Bytes::from_static(framed)).is_ok(), ok, "{framed:?}");
        }
    }

    #[test]
    fn messages_survive_as_ascii() {
        assert_eq!(percent_encoded("100 % zu groß\n"), "100 %25 zu gro%C3%9F%0A");
    }
}
