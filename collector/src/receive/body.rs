//! Bodies: read up to a limit, inflated up to a limit.

use std::borrow::Cow;
use std::io::Read;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::Request;
use hyper::header::{CONTENT_LENGTH, HeaderMap};
use tokio::sync::SemaphorePermit;

use super::Receiver;
use super::answer::{Failure, Kind};
use crate::wal::Compression;

/// The largest window that a zstd frame may ask for: 64 MiB, more than any level below "ultra" uses.
const ZSTD_WINDOW_LOG: u32 = 26;

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

/// The body without its compression; fails before more than `limit` bytes are held.
pub(crate) fn inflate(body: &Bytes, compression: Compression, limit: usize) -> Result<Cow<'_, [u8]>, Failure> {
    let reader: Box<dyn Read + '_> = match compression {
        Compression::Identity => return Ok(Cow::Borrowed(body)),
        // All members: RFC 1952 2.2 lets a sender concatenate them, and some do.
        Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(&body[..])),
        Compression::Zstd => {
            let mut decoder = zstd::stream::Decoder::with_buffer(&body[..]).map_err(bad("zstd"))?;
            decoder.window_log_max(ZSTD_WINDOW_LOG).map_err(bad("zstd"))?;
            Box::new(decoder)
        }
    };
    let name = if compression == Compression::Gzip { "gzip" } else { "zstd" };
    let mut inflated = Vec::with_capacity(body.len().saturating_mul(4).min(limit));
    reader.take(limit as u64 + 1).read_to_end(&mut inflated).map_err(bad(name))?;
    if inflated.len() > limit {
        return Err(Failure::new(
            Kind::TooLarge,
            format!("the body inflates to more than {limit} bytes"),
        ));
    }
    Ok(Cow::Owned(inflated))
}

fn bad(name: &'static str) -> impl FnOnce(std::io::Error) -> Failure {
    move |error| Failure::bad_data(format!("the body is not valid {name}: {error}"))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).expect("a vector takes all");
        encoder.finish().expect("a vector takes all")
    }

    #[test]
    fn every_gzip_member_is_read() {
        let body = Bytes::from([gzip(b"one "), gzip(b"two")].concat());
        assert_eq!(inflate(&body, Compression::Gzip, 100).as_deref(), Ok(&b"one two"[..]));
    }

    #[test]
    fn every_zstd_frame_is_read() {
        let frame = |bytes: &[u8]| zstd::encode_all(bytes, 1).expect("a frame");
        let body = Bytes::from([frame(b"one "), frame(b"two")].concat());
        assert_eq!(inflate(&body, Compression::Zstd, 100).as_deref(), Ok(&b"one two"[..]));
    }

    #[test]
    fn a_bomb_is_refused_at_the_limit() {
        let zeros = vec![0; 10 << 20];
        let zstd = zstd::encode_all(&zeros[..], 1).expect("a frame");
        for (body, compression) in [(gzip(&zeros), Compression::Gzip), (zstd, Compression::Zstd)] {
            let refused = inflate(&Bytes::from(body), compression, 1 << 20).expect_err("refused");
            assert_eq!(refused.kind, Kind::TooLarge);
        }
    }

    #[test]
    fn damaged_and_torn_bodies_are_bad_data() {
        let mut torn = gzip(b"some bytes that matter");
        torn.truncate(torn.len() - 9);
        for (body, compression) in [
            (torn, Compression::Gzip),
            (b"not gzip".to_vec(), Compression::Gzip),
            (b"not zstd".to_vec(), Compression::Zstd),
        ] {
            let refused = inflate(&Bytes::from(body), compression, 1 << 20).expect_err("refused");
            assert_eq!(refused.kind, Kind::BadData);
        }
    }
}
