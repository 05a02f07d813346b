//! Segment headers and records as bytes. The format is drawn in the module's header.

use std::path::Path;

use bytes::Bytes;

use super::WalError;

/// What every version begins with; the eighth byte is the version.
const MAGIC: [u8; 7] = *b"MLWAL\0\0";
pub(super) const VERSION: u8 = 1;
pub(super) const HEADER_BYTES: usize = 36;
pub(super) const RECORD_HEADER_BYTES: usize = 8;
pub(super) const PAYLOAD_FIXED_BYTES: usize = 8 + 8 + 3 + 2;

/// What a request body holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// `ExportTraceServiceRequest`.
    Traces,
    /// `ExportLogsServiceRequest`.
    Logs,
    /// `ExportMetricsServiceRequest`: logged only to be forwarded, never a row.
    Metrics,
}

/// How a request body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// Binary protobuf.
    Protobuf,
    /// The OTLP mapping of JSON.
    Json,
}

/// How a request body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    /// Not at all.
    Identity,
    /// gzip, one or several members (RFC 1952).
    Gzip,
    /// Zstandard frames (RFC 8878).
    Zstd,
}

/// One acknowledged request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// When the request arrived, nanoseconds since the epoch.
    pub received_at_unix_nano: u64,
    /// Which signal.
    pub signal: Signal,
    /// Protobuf or JSON.
    pub encoding: Encoding,
    /// As sent.
    pub compression: Compression,
    /// The tenant of the key that the request came with.
    pub tenant: Option<String>,
    /// The body as it came.
    pub body: Bytes,
}

impl Entry {
    pub(super) fn encoded_len(&self) -> usize {
        let tenant = self.tenant.as_ref().map_or(0, String::len).min(usize::from(u16::MAX));
        RECORD_HEADER_BYTES + PAYLOAD_FIXED_BYTES + tenant + self.body.len()
    }

    /// Appends what stands before the body to `into`: the body itself is written from where it is.
    pub(super) fn encode_head(&self, sequence: u64, into: &mut Vec<u8>) {
        let tenant = self.tenant.as_deref().unwrap_or("").as_bytes();
        let tenant_length = u16::try_from(tenant.len()).unwrap_or(u16::MAX);
        let start = into.len();
        into.extend([0; RECORD_HEADER_BYTES]);
        into.extend(sequence.to_le_bytes());
        into.extend(self.received_at_unix_nano.to_le_bytes());
        into.push(match self.signal {
            Signal::Traces => 1,
            Signal::Logs => 2,
            Signal::Metrics => 3,
        });
        into.push(match self.encoding {
            Encoding::Protobuf => 1,
            Encoding::Json => 2,
        });
        into.push(match self.compression {
            Compression::Identity => 0,
            Compression::Gzip => 1,
            Compression::Zstd => 2,
        });
        into.extend(tenant_length.to_le_bytes());
        into.extend(&tenant[..usize::from(tenant_length)]);
        let payload = start + RECORD_HEADER_BYTES;
        let length = u32::try_from(into.len() - payload + self.body.len()).unwrap_or(u32::MAX);
        let mut checksum = crc32fast::Hasher::new();
        checksum.update(&into[payload..]);
        checksum.update(&self.body);
        into[start..start + 4].copy_from_slice(&length.to_le_bytes());
        into[start + 4..payload].copy_from_slice(&checksum.finalize().to_le_bytes());
    }

    /// Reads a payload whose checksum was right; `None` where it is not one of this version.
    pub(super) fn decode(payload: Bytes) -> Option<(u64, Self)> {
        let fixed = payload.get(..PAYLOAD_FIXED_BYTES)?;
        let sequence = u64::from_le_bytes(fixed[..8].try_into().ok()?);
        let received_at_unix_nano = u64::from_le_bytes(fixed[8..16].try_into().ok()?);
        let signal = match fixed[16] {
            1 => Signal::Traces,
            2 => Signal::Logs,
            3 => Signal::Metrics,
            _ => return None,
        };
        let encoding = match fixed[17] {
            1 => Encoding::Protobuf,
            2 => Encoding::Json,
            _ => return None,
        };
        let compression = match fixed[18] {
            0 => Compression::Identity,
            1 => Compression::Gzip,
            2 => Compression::Zstd,
            _ => return None,
        };
        let body = PAYLOAD_FIXED_BYTES + usize::from(u16::from_le_bytes(fixed[19..21].try_into().ok()?));
        let tenant = std::str::from_utf8(payload.get(PAYLOAD_FIXED_BYTES..body)?).ok()?;
        let tenant = (!tenant.is_empty()).then(|| tenant.to_owned());
        let body = payload.slice(body..);
        Some((
            sequence,
            Self {
                received_at_unix_nano,
                signal,
                encoding,
                compression,
                tenant,
                body,
            },
        ))
    }
}

/// The first bytes of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) epoch: [u8; 16],
    pub(super) first_sequence: u64,
}

impl Header {
    pub(super) fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..7].copy_from_slice(&MAGIC);
        bytes[7] = VERSION;
        bytes[8..24].copy_from_slice(&self.epoch);
        bytes[24..32].copy_from_slice(&self.first_sequence.to_le_bytes());
        let checksum = crc32fast::hash(&bytes[..32]);
        bytes[32..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Reads the first bytes of the segment at `path`.
    pub(super) fn decode(bytes: &[u8; HEADER_BYTES], path: &Path) -> Result<Self, WalError> {
        let damaged = || WalError::Damaged { path: path.to_owned() };
        let field = |range: std::ops::Range<usize>| &bytes[range];
        let checksum = field(32..36).try_into().map(u32::from_le_bytes).map_err(|_| damaged())?;
        if bytes[..7] != MAGIC || checksum != crc32fast::hash(&bytes[..32]) {
            return Err(damaged());
        }
        if bytes[7] != VERSION {
            return Err(WalError::Version {
                path: path.to_owned(),
                version: bytes[7],
            });
        }
        Ok(Self {
            epoch: field(8..24).try_into().map_err(|_| damaged())?,
            first_sequence: field(24..32).try_into().map(u64::from_le_bytes).map_err(|_| damaged())?,
        })
    }
}
