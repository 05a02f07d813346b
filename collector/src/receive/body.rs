//! Reading bodies up to a limit.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::Request;
use hyper::header::{CONTENT_LENGTH, HeaderMap};
use tokio::sync::SemaphorePermit;

use super::Receiver;
use super::answer::{Failure, Kind};

/// How long a body may take: a client that trickles holds room that others need.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);

/// Reads a body of at most `limit` bytes. Room among the requests in flight is taken as the bytes come, whether or not
/// the client said how many there are (gRPC clients do not), and is free again when the place is dropped.
pub(super) async fn read(
    receiver: &Receiver,
    request: Request<axum::body::Body>,
    limit: usize,
) -> Result<(Bytes, SemaphorePermit<'_>), Failure> {
    let too_large = || Failure::new(Kind::TooLarge, format!("the body is larger than {limit} bytes"));
    let declared = declared_length(request.headers()).unwrap_or(0);
    if declared > limit as u64 {
        return Err(too_large());
    }
    let mut place = receiver.admit(declared as usize)?;
    let mut body = request.into_body();
    let all = async {
        let mut parts = Parts::default();
        let mut length = 0;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| Failure::bad_data(format!("the body could not be read: {error}")))?;
            let Ok(data) = frame.into_data() else { continue };
            length += data.len();
            if length > limit {
                return Err(too_large());
            }
            if length > place.num_permits() {
                place.merge(receiver.admit(length - place.num_permits())?);
            }
            parts.push(data, declared as usize);
        }
        Ok(parts.whole())
    };
    let timed_out = |_| Failure::overloaded(format!("the body did not arrive within {} s", BODY_TIMEOUT.as_secs()));
    let body = tokio::time::timeout(BODY_TIMEOUT, all).await.map_err(timed_out)??;
    Ok((body, place))
}

/// A body as it comes: the first part stays where it is, and where more come they are copied together at once, so that the
/// connection can use its own buffer again.
#[derive(Default)]
struct Parts {
    first: Bytes,
    gathered: BytesMut,
}

impl Parts {
    fn push(&mut self, data: Bytes, declared: usize) {
        if self.first.is_empty() && self.gathered.is_empty() {
            self.first = data;
            return;
        }
        if self.gathered.is_empty() {
            self.gathered.reserve(declared.max(self.first.len() + data.len()));
            self.gathered.extend_from_slice(&std::mem::take(&mut self.first));
        }
        self.gathered.extend_from_slice(&data);
    }

    fn whole(self) -> Bytes {
        if self.gathered.is_empty() {
            self.first
        } else {
            self.gathered.freeze()
        }
    }
}

fn declared_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
