//! Listening, and handing each request to the protocol it speaks.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Body;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{TlsAcceptor, rustls};
use tokio_util::sync::CancellationToken;

use super::{Receiver, grpc, http};

/// HTTP/2 windows: with the protocol's 64 KiB, bodies of a few hundred KiB crawl.
const STREAM_WINDOW: u32 = 4 << 20;
const CONNECTION_WINDOW: u32 = 16 << 20;
/// Clients that connect and say nothing are cut.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);

/// A listener that is bound but not yet served.
#[derive(Debug)]
pub(crate) struct Server {
    listener: TcpListener,
    address: SocketAddr,
}

impl Server {
    pub(crate) async fn bind(address: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop`, then lets running requests finish.
    pub(crate) async fn serve(self, receiver: Arc<Receiver>, stop: CancellationToken) {
        let mut builder = Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
        builder
            .http2()
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_concurrent_streams(1024)
            .max_header_list_size(64 << 10);
        let graceful = GracefulShutdown::new();
        loop {
            let (stream, _) = tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok(accepted) => accepted,
                    Err(error) => {
                        // Out of file handles, most likely: waiting is all that helps.
                        tracing::warn!(error = &error as &dyn std::error::Error, "cannot accept a connection");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        continue;
                    }
                },
                () = stop.cancelled() => break,
            };
            // Small answers should not wait for more to send.
            let _ = stream.set_nodelay(true);
            let receiver = Arc::clone(&receiver);
            let tls = receiver.credentials.current().tls.clone();
            let service = service_fn(move |request: Request<hyper::body::Incoming>| {
                let receiver = Arc::clone(&receiver);
                async move { Ok::<_, std::convert::Infallible>(route(&receiver, request.map(Body::new)).await) }
            });
            let (builder, watcher) = (builder.clone(), graceful.watcher());
            tokio::spawn(async move {
                let served = match tls {
                    None => watcher.watch(builder.serve_connection(TokioIo::new(stream), service)).await,
                    Some(tls) => match handshake(tls, stream).await {
                        Ok(stream) => watcher.watch(builder.serve_connection(TokioIo::new(stream), service)).await,
                        Err(error) => {
                            tracing::debug!(error = &error as &dyn std::error::Error, "TLS handshake failed");
                            return;
                        }
                    },
                };
                if let Err(error) = served {
                    tracing::debug!(error = error.to_string(), "connection ended with an error");
                }
            });
        }
        // Clients keep connections open for hours: after a while the rest is cut. What was acknowledged is durable.
        let _ = tokio::time::timeout(Duration::from_secs(5), graceful.shutdown()).await;
    }
}

async fn handshake(tls: Arc<rustls::ServerConfig>, stream: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
    let accepted = tokio::time::timeout(HANDSHAKE_TIMEOUT, TlsAcceptor::from(tls).accept(stream));
    accepted.await.unwrap_or_else(|elapsed| Err(elapsed.into()))
}

async fn route(receiver: &Receiver, request: Request<Body>) -> Response<Body> {
    if grpc::is_grpc(request.headers()) {
        return grpc::serve(receiver, request).await;
    }
    if request.method() == Method::GET || request.method() == Method::HEAD {
        let path = request.uri().path();
        let (has_ended, is_ready) = (
            receiver.pipeline_ended.is_cancelled(),
            receiver.lake_ready.load(Ordering::Relaxed),
        );
        if let Some((status, body)) = probe(path, has_ended, is_ready) {
            return text(status, body.into());
        }
        if path == "/metrics" {
            let mut response = text(StatusCode::OK, receiver.counters.prometheus());
            let version = HeaderValue::from_static("text/plain; version=0.0.4");
            response.headers_mut().insert(CONTENT_TYPE, version);
            return response;
        }
    }
    http::serve(receiver, request).await
}

/// What a probe hears: whether a new start would help, and whether commits get through.
fn probe(path: &str, has_ended: bool, is_ready: bool) -> Option<(StatusCode, &'static str)> {
    match path {
        "/healthz" | "/readyz" if has_ended => Some((
            StatusCode::SERVICE_UNAVAILABLE,
            "the pipeline has ended: start the collector again\n",
        )),
        "/healthz" => Some((StatusCode::OK, "ok\n")),
        "/readyz" if is_ready => Some((StatusCode::OK, "ready\n")),
        "/readyz" => Some((StatusCode::SERVICE_UNAVAILABLE, "the lake cannot be written\n")),
        _ => None,
    }
}

fn text(status: StatusCode, body: String) -> Response<Body> {
    let mut response = Response::new(Body::new(Full::from(body)));
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_new_start_would_help_is_unhealthy() {
        let status = |path, has_ended, is_ready| probe(path, has_ended, is_ready).map(|(status, _)| status.as_u16());
        // The lake is away: the process is well, and somebody should look.
        assert_eq!(
            (status("/healthz", false, false), status("/readyz", false, false)),
            (Some(200), Some(503))
        );
        assert_eq!(
            (status("/healthz", false, true), status("/readyz", false, true)),
            (Some(200), Some(200))
        );
        // The pipeline has ended, whatever the lake did last.
        assert_eq!(
            (status("/healthz", true, true), status("/readyz", true, true)),
            (Some(503), Some(503))
        );
        assert_eq!(status("/v1/traces", true, true), None);
    }
}
