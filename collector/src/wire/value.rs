//! `AnyValue` and attributes (`opentelemetry.proto.common.v1`) as borrowed views.
//!
//! Nested arrays and maps stay on the wire until somebody walks them: most attributes are never looked at.

use super::field::{Fields, WireError};

/// One attribute value. Arrays and maps are iterated lazily; they were validated when the body was received.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// No value was set.
    Empty,
    /// Text.
    Text(&'a str),
    /// Boolean.
    Bool(bool),
    /// Signed 64-bit integer.
    Int(i64),
    /// IEEE 754 double; may be NaN or infinite.
    Double(f64),
    /// Raw bytes.
    Bytes(&'a [u8]),
    /// Array of values.
    Array(List<'a>),
    /// Map of values.
    Map(Entries<'a>),
}

impl<'a> Value<'a> {
    /// The text, if the value is text.
    pub fn as_text(&self) -> Option<&'a str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn decode(message: &'a [u8]) -> Result<Self, WireError> {
        let mut value = Value::Empty;
        for field in Fields::new(message) {
            value = match field? {
                (1, raw) => Value::Text(raw.text(1)?),
                (2, raw) => Value::Bool(raw.varint(2)? != 0),
                (3, raw) => Value::Int(raw.varint(3)? as i64),
                (4, raw) => Value::Double(f64::from_bits(raw.fixed64(4)?)),
                (5, raw) => Value::Array(List(raw.bytes(5)?)),
                (6, raw) => Value::Map(Entries(raw.bytes(6)?)),
                (7, raw) => Value::Bytes(raw.bytes(7)?),
                // An index into a table that only profiles have.
                (8, raw) => raw.varint(8).map(|_| Value::Empty)?,
                _ => continue,
            };
        }
        Ok(value)
    }
}

/// The elements of an array value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct List<'a>(&'a [u8]);

impl<'a> List<'a> {
    fn decoded(self) -> impl Iterator<Item = Result<Value<'a>, WireError>> {
        Fields::new(self.0).filter_map(|field| match field {
            Ok((1, raw)) => Some(raw.bytes(1).and_then(Value::decode)),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        })
    }

    /// The elements; ends early at the first malformed one (never, after validation).
    pub fn iter(self) -> impl Iterator<Item = Value<'a>> {
        self.decoded().map_while(Result::ok)
    }
}

/// The entries of a map value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entries<'a>(&'a [u8]);

impl<'a> Entries<'a> {
    fn decoded(self) -> impl Iterator<Item = Result<KeyValue<'a>, WireError>> {
        Fields::new(self.0).filter_map(|field| match field {
            Ok((1, raw)) => Some(raw.bytes(1).and_then(KeyValue::decode)),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        })
    }

    /// The entries; ends early at the first malformed one (never, after validation).
    pub fn iter(self) -> impl Iterator<Item = KeyValue<'a>> {
        self.decoded().map_while(Result::ok)
    }
}

/// One attribute.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KeyValue<'a> {
    /// Attribute name.
    pub key: &'a str,
    /// Attribute value.
    pub value: Value<'a>,
}

impl<'a> KeyValue<'a> {
    pub(crate) fn decode(message: &'a [u8]) -> Result<Self, WireError> {
        let mut key = "";
        let mut value = Value::Empty;
        for field in Fields::new(message) {
            match field? {
                (1, raw) => key = raw.text(1)?,
                (2, raw) => value = Value::decode(raw.bytes(2)?)?,
                _ => {}
            }
        }
        Ok(Self { key, value })
    }
}

/// The attributes of a resource, scope, span or log record, in the order of the wire.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Attributes<'s, 'a>(pub &'s [KeyValue<'a>]);

impl<'s, 'a> Attributes<'s, 'a> {
    /// The last value under `key`: later duplicates win, as in the OTel SDKs.
    pub fn get(&self, key: &str) -> Option<Value<'a>> {
        self.0
            .iter()
            .rev()
            .find(|attribute| attribute.key == key)
            .map(|attribute| attribute.value)
    }

    /// The text under `key`, if it is text and not empty.
    pub fn text(&self, key: &str) -> Option<&'a str> {
        self.get(key)
            .and_then(|value| value.as_text())
            .filter(|text| !text.is_empty())
    }

    /// All attributes.
    pub fn iter(&self) -> impl Iterator<Item = &'s KeyValue<'a>> {
        self.0.iter()
    }
}
