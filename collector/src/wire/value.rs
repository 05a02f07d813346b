//! `AnyValue` and attributes (`opentelemetry.proto.common.v1`) as borrowed views.
//!
//! Nested arrays and maps stay on the wire until somebody walks them: most attributes are never looked at.

use super::field::{Fields, WireError, plain, plain_varint};
use super::names::{Found, Name, Names};

/// Tags: `AnyValue.string_value` and `.int_value`, `KeyValue.key` and `.value`.
const TEXT: u8 = 1 << 3 | 2;
const INT: u8 = 3 << 3;
const KEY: u8 = 1 << 3 | 2;
const VALUE: u8 = 2 << 3 | 2;

/// What most values are.
pub(super) enum Plain<T> {
    Text(T),
    Int(u64),
}

/// A value that is one text or one integer and nothing else.
#[inline(always)]
pub(super) fn plain_value<'a, T>(message: &'a [u8], text: impl FnOnce(&'a [u8]) -> T) -> Option<Plain<T>> {
    match message {
        [TEXT, ..] => match plain(message, TEXT)? {
            (bytes, []) => Some(Plain::Text(text(bytes))),
            _ => None,
        },
        [INT, number @ ..] => plain_varint(number).map(Plain::Int),
        _ => None,
    }
}

/// Key and value of an attribute that has one of each in this order, as every SDK writes it.
#[inline(always)]
pub(super) fn plain_attribute(message: &[u8]) -> Option<(&[u8], &[u8])> {
    let (key, rest) = plain(message, KEY)?;
    match plain(rest, VALUE)? {
        (value, []) => Some((key, value)),
        _ => None,
    }
}

fn checked(text: &[u8], field: u32) -> Result<&str, WireError> {
    std::str::from_utf8(text).map_err(|_| WireError::Utf8(field))
}

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

    #[inline]
    pub(crate) fn decode(message: &'a [u8]) -> Result<Self, WireError> {
        match plain_value(message, |text| std::str::from_utf8(text).ok()) {
            Some(Plain::Text(Some(text))) => Ok(Value::Text(text)),
            Some(Plain::Int(number)) => Ok(Value::Int(number as i64)),
            _ => Self::decode_any(message),
        }
    }

    /// A value in whatever form.
    #[inline(never)]
    fn decode_any(message: &'a [u8]) -> Result<Self, WireError> {
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
    /// What the reader knows of the key.
    pub(crate) name: Name,
}

impl<'a> KeyValue<'a> {
    pub(crate) fn new(key: &'a str, value: Value<'a>) -> Self {
        let name = Name::NotAsked;
        Self { key, value, name }
    }

    /// Reads an attribute whose key may be one of `names`; `None` where those say that nobody reads it.
    #[inline]
    pub(crate) fn decode_named(message: &'a [u8], names: &'a Names) -> Result<Option<Self>, WireError> {
        let Some((key, value)) = plain_attribute(message) else {
            return Self::decode(message).map(Some);
        };
        let (key, name) = match names.get(key) {
            Found::Known(key, place) => (key, Name::Known(place)),
            Found::Nothing => (checked(key, 1)?, Name::Unknown),
            // It was checked with the body.
            Found::PassedOver => return Ok(None),
        };
        let value = Value::decode(value)?;
        Ok(Some(Self { key, value, name }))
    }

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
        Ok(Self::new(key, value))
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
