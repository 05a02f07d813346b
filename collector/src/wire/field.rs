//! The protobuf wire format: tags, varints, fixed and length-delimited fields of one message.

/// Nesting of messages that is accepted, as prost and most protobuf libraries do.
pub(crate) const MAX_DEPTH: usize = 100;

/// Why bytes are not a protobuf message of the expected type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The buffer ends inside a field.
    #[error("message ends inside a field")]
    Truncated,
    /// A varint has more than ten bytes or more than 64 bits.
    #[error("varint is longer than 64 bits")]
    Varint,
    /// Field number 0 or above 2^29-1.
    #[error("field number {0} is out of range")]
    FieldNumber(u64),
    /// An unknown wire type, or the end of a group that did not begin.
    #[error("wire type {0} is not supported")]
    WireType(u8),
    /// A known field came with another wire type than its own.
    #[error("field {0} has the wrong wire type")]
    Mismatch(u32),
    /// A string is not UTF-8.
    #[error("string field {0} is not UTF-8")]
    Utf8(u32),
    /// Values are nested deeper than [`MAX_DEPTH`].
    #[error("values are nested deeper than 100")]
    Depth,
}

/// The value of one field as it stands on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Raw<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32(u32),
    /// A deprecated kind of message that is only ever skipped, with how many levels it has below its own.
    Group(u8),
}

impl<'a> Raw<'a> {
    pub(crate) fn varint(self, field: u32) -> Result<u64, WireError> {
        match self {
            Raw::Varint(value) => Ok(value),
            _ => Err(WireError::Mismatch(field)),
        }
    }

    pub(crate) fn fixed64(self, field: u32) -> Result<u64, WireError> {
        match self {
            Raw::Fixed64(value) => Ok(value),
            _ => Err(WireError::Mismatch(field)),
        }
    }

    pub(crate) fn fixed32(self, field: u32) -> Result<u32, WireError> {
        match self {
            Raw::Fixed32(value) => Ok(value),
            _ => Err(WireError::Mismatch(field)),
        }
    }

    /// How many levels of groups are in this field.
    pub(super) fn levels(self) -> usize {
        match self {
            Raw::Group(levels) => usize::from(levels),
            _ => 0,
        }
    }

    pub(crate) fn bytes(self, field: u32) -> Result<&'a [u8], WireError> {
        match self {
            Raw::Bytes(value) => Ok(value),
            _ => Err(WireError::Mismatch(field)),
        }
    }

    pub(crate) fn text(self, field: u32) -> Result<&'a str, WireError> {
        std::str::from_utf8(self.bytes(field)?).map_err(|_| WireError::Utf8(field))
    }
}

/// The bytes of the first field and what stands behind it, where its tag is the given one and its length is below 16 KiB:
/// nearly every field is written so. Whatever else there is, [`Fields`] reads.
#[inline(always)]
pub(super) fn plain(message: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let [found, length, rest @ ..] = message else { return None };
    if *found != tag {
        return None;
    }
    if *length < 0x80 {
        return rest.split_at_checked(usize::from(*length));
    }
    let [high, rest @ ..] = rest else { return None };
    if *high >= 0x80 {
        return None;
    }
    rest.split_at_checked(usize::from(*length & 0x7f) | usize::from(*high) << 7)
}

/// The number, where the bytes are one varint of at most nine bytes and nothing else.
#[inline(always)]
pub(super) fn plain_varint(bytes: &[u8]) -> Option<u64> {
    let (last, before) = bytes.split_last()?;
    if *last >= 0x80 || before.len() > 8 {
        return None;
    }
    let mut value = u64::from(*last);
    for byte in before.iter().rev() {
        if *byte < 0x80 {
            return None;
        }
        value = value << 7 | u64::from(byte & 0x7f);
    }
    Some(value)
}

/// The fields of one message in the order of the wire.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(crate) fn new(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    /// The bytes of the next field, where it is [`plain`]: for what a message repeats most.
    #[inline(always)]
    pub(super) fn next_plain(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (bytes, rest) = plain(self.rest, tag)?;
        self.rest = rest;
        Some(bytes)
    }

    /// Bytes that are not read yet: who copies fields as they are finds them by it.
    pub(crate) fn remaining(&self) -> usize {
        self.rest.len()
    }

    #[inline(always)]
    fn varint(&mut self) -> Result<u64, WireError> {
        match self.rest {
            [byte, rest @ ..] if *byte < 0x80 => {
                self.rest = rest;
                Ok(u64::from(*byte))
            }
            _ => self.long_varint(),
        }
    }

    #[inline(never)]
    fn long_varint(&mut self) -> Result<u64, WireError> {
        let mut value = 0u64;
        for (index, byte) in self.rest.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 == 0 {
                if index == 9 && *byte > 1 {
                    return Err(WireError::Varint);
                }
                self.rest = &self.rest[index + 1..];
                return Ok(value);
            }
        }
        Err(if self.rest.len() < 10 {
            WireError::Truncated
        } else {
            WireError::Varint
        })
    }

    #[inline(always)]
    fn take(&mut self, length: usize) -> Result<&'a [u8], WireError> {
        let (head, rest) = self.rest.split_at_checked(length).ok_or(WireError::Truncated)?;
        self.rest = rest;
        Ok(head)
    }

    #[inline(always)]
    fn read(&mut self) -> Result<(u32, Raw<'a>), WireError> {
        let tag = self.varint()?;
        let number = tag >> 3;
        if number == 0 || number > 0x1fff_ffff || tag > u64::from(u32::MAX) {
            return Err(WireError::FieldNumber(number));
        }
        let raw = match (tag & 7) as u8 {
            0 => Raw::Varint(self.varint()?),
            1 => Raw::Fixed64(u64::from_le_bytes(
                self.take(8)?.try_into().map_err(|_| WireError::Truncated)?,
            )),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| WireError::Truncated)?;
                Raw::Bytes(self.take(length)?)
            }
            5 => Raw::Fixed32(u32::from_le_bytes(
                self.take(4)?.try_into().map_err(|_| WireError::Truncated)?,
            )),
            3 => Raw::Group(self.skip_group(number as u32)?),
            other => return Err(WireError::WireType(other)),
        };
        Ok((number as u32, raw))
    }

    /// Goes to the end of the group `number`. Returns the levels of fields in it: none where it is empty.
    #[cold]
    #[inline(never)]
    fn skip_group(&mut self, number: u32) -> Result<u8, WireError> {
        let mut open = vec![number];
        let mut levels = 0;
        while let Some(innermost) = open.last() {
            let before = self.rest;
            let tag = self.varint()?;
            match (tag & 7) as u8 {
                4 if tag >> 3 == u64::from(*innermost) => drop(open.pop()),
                4 => return Err(WireError::WireType(4)),
                3 if open.len() >= MAX_DEPTH => return Err(WireError::Depth),
                3 if tag >> 3 == 0 || tag > u64::from(u32::MAX) => return Err(WireError::FieldNumber(tag >> 3)),
                3 => {
                    levels = levels.max(open.len());
                    open.push((tag >> 3) as u32);
                }
                _ => {
                    levels = levels.max(open.len());
                    self.rest = before;
                    self.read()?;
                }
            }
        }
        Ok(levels as u8)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Raw<'a>), WireError>;

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.read();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truncated_and_overlong_fields_are_errors() {
        for (bytes, expected) in [
            (&[0x0a, 0x05, b'a'][..], WireError::Truncated),
            (&[0x08], WireError::Truncated),
            (
                &[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02],
                WireError::Varint,
            ),
            (&[0x00, 0x01], WireError::FieldNumber(0)),
            (&[0x0b], WireError::Truncated),
            (&[0x0c], WireError::WireType(4)),
            (&[0x0b, 0x14], WireError::WireType(4)),
        ] {
            assert_eq!(Fields::new(bytes).next(), Some(Err(expected)), "{bytes:?}");
        }
    }

    #[test]
    fn a_plain_varint_is_the_varint() {
        for value in [0, 1, 127, 128, 300, 1 << 20, (1 << 62) - 1, (1 << 63) - 1] {
            let mut bytes = Vec::new();
            prost::encoding::encode_varint(value, &mut bytes);
            assert_eq!(plain_varint(&bytes), Some(value));
            bytes.push(1);
            assert_eq!(plain_varint(&bytes), None, "two of them");
        }
        assert_eq!(plain_varint(&[]), None);
        assert_eq!(plain_varint(&[0x80]), None);
    }

    #[test]
    fn the_largest_varint_is_read() {
        let bytes = [0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(Fields::new(&bytes).next(), Some(Ok((1, Raw::Varint(u64::MAX)))));
    }
}
