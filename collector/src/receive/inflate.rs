//! Taking the compression off a body, up to a limit that is kept while inflating.

use std::borrow::Cow;
use std::io::Read;

use bytes::Bytes;

use super::answer::{Failure, Kind};
use crate::wal::Compression;

/// The largest window that a zstd frame may ask for: 64 MiB, more than any level below "ultra" uses.
const ZSTD_WINDOW_LOG: u32 = 26;

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
