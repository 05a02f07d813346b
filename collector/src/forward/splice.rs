//! Adds attributes to spans of an encoded request without touching any other byte.

use bytes::BufMut;
use prost::encoding::{WireType, encode_key, encode_varint};

use crate::wire::WireError;
use crate::wire::field::{Fields, Raw};

/// `resource_spans`, `scope_spans`, `spans`: the fields on the way from a request to a span.
const SPANS: &[u32] = &[1, 2, 2];

/// The body with `additions`, one for each span in the order of the wire: encoded fields of that span, or nothing.
pub(super) fn append_to_spans(body: &[u8], additions: &[Vec<u8>]) -> Result<Vec<u8>, WireError> {
    let more: usize = additions.iter().map(|addition| addition.len() + 12).sum();
    let mut out = Vec::with_capacity(body.len() + more);
    append(body, SPANS, &mut additions.iter(), &mut out)?;
    Ok(out)
}

fn append(
    message: &[u8],
    path: &[u32],
    additions: &mut std::slice::Iter<'_, Vec<u8>>,
    out: &mut Vec<u8>,
) -> Result<(), WireError> {
    let Some((step, rest)) = path.split_first() else {
        out.put_slice(message);
        out.put_slice(additions.next().map_or(&[][..], Vec::as_slice));
        return Ok(());
    };
    let mut fields = Fields::new(message);
    let mut unread = message;
    while let Some(field) = fields.next() {
        let (number, raw) = field?;
        let (whole, after) = unread.split_at(unread.len() - fields.remaining());
        unread = after;
        let Raw::Bytes(inner) = raw else {
            out.put_slice(whole);
            continue;
        };
        if number != *step {
            out.put_slice(whole);
            continue;
        }
        let mut rebuilt = Vec::with_capacity(inner.len());
        append(inner, rest, additions, &mut rebuilt)?;
        if rebuilt.len() == inner.len() {
            out.put_slice(whole);
        } else {
            encode_key(number, WireType::LengthDelimited, out);
            encode_varint(rebuilt.len() as u64, out);
            out.put_slice(&rebuilt);
        }
    }
    Ok(())
}
