//! `ExportTraceServiceRequest` (`opentelemetry.proto.collector.trace.v1`) as borrowed views.

use super::field::{Fields, WireError};
use super::list::AttributeList;
use super::names::Names;
use super::value::{Attributes, KeyValue};

/// The `ResourceSpans` of a request body.
pub fn resource_spans(body: &[u8]) -> impl Iterator<Item = Result<ResourceGroup<'_>, WireError>> {
    resource_groups(body)
}

/// The top-level groups of a request: `ResourceSpans` and `ResourceLogs` have the same shape.
pub(crate) fn resource_groups(body: &[u8]) -> impl Iterator<Item = Result<ResourceGroup<'_>, WireError>> {
    Fields::new(body).filter_map(|field| match field {
        Ok((1, raw)) => Some(raw.bytes(1).and_then(ResourceGroup::decode)),
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    })
}

/// One resource with the scopes below it, still on the wire.
#[derive(Debug)]
pub struct ResourceGroup<'a> {
    resource: AttributeList<'a>,
    scopes: Vec<&'a [u8]>,
}

impl<'a> ResourceGroup<'a> {
    fn decode(message: &'a [u8]) -> Result<Self, WireError> {
        let mut group = Self {
            resource: AttributeList::default(),
            scopes: Vec::new(),
        };
        for field in Fields::new(message) {
            match field? {
                (1, raw) => attributes_of(raw.bytes(1)?, 1, &mut group.resource)?,
                (2, raw) => group.scopes.push(raw.bytes(2)?),
                (3, raw) => {
                    raw.text(3)?;
                }
                _ => {}
            }
        }
        group.resource.finish();
        Ok(group)
    }

    /// The resource's attributes.
    pub fn resource(&self) -> Attributes<'_, 'a> {
        Attributes(self.resource.as_slice())
    }

    /// The scopes, decoded one by one.
    pub fn scopes(&self) -> impl Iterator<Item = Result<ScopeGroup<'a>, WireError>> {
        self.scopes.iter().map(|message| ScopeGroup::decode(message))
    }
}

/// One instrumentation scope with its records, still on the wire.
#[derive(Debug)]
pub struct ScopeGroup<'a> {
    /// The name.
    pub name: &'a str,
    /// The version.
    pub version: &'a str,
    attributes: AttributeList<'a>,
    /// `Span` or `LogRecord` messages.
    pub records: Vec<&'a [u8]>,
}

impl<'a> ScopeGroup<'a> {
    fn decode(message: &'a [u8]) -> Result<Self, WireError> {
        let mut group = Self {
            name: "",
            version: "",
            attributes: AttributeList::default(),
            records: Vec::new(),
        };
        for field in Fields::new(message) {
            match field? {
                (1, raw) => group.scope(raw.bytes(1)?)?,
                (2, raw) => group.records.push(raw.bytes(2)?),
                (3, raw) => {
                    raw.text(3)?;
                }
                _ => {}
            }
        }
        group.attributes.finish();
        Ok(group)
    }

    fn scope(&mut self, message: &'a [u8]) -> Result<(), WireError> {
        for field in Fields::new(message) {
            match field? {
                (1, raw) => self.name = raw.text(1)?,
                (2, raw) => self.version = raw.text(2)?,
                (3, raw) => push_attribute(raw.bytes(3)?, &mut self.attributes)?,
                _ => {}
            }
        }
        Ok(())
    }

    pub fn attributes(&self) -> Attributes<'_, 'a> {
        Attributes(self.attributes.as_slice())
    }
}

/// Tag of `Span.attributes`.
pub(super) const ATTRIBUTE: u8 = 9 << 3 | 2;

/// One span. `decode` reuses the buffers, so that a batch of spans costs two allocations and not two per span.
#[derive(Debug, Default)]
pub struct Span<'a> {
    /// 16 bytes, when valid.
    pub trace_id: &'a [u8],
    /// 8 bytes, when valid.
    pub span_id: &'a [u8],
    /// 8 bytes, or none.
    pub parent_span_id: &'a [u8],
    /// The name.
    pub name: &'a str,
    /// `SpanKind`.
    pub kind: i32,
    /// Start.
    pub start_unix_nano: u64,
    /// End.
    pub end_unix_nano: u64,
    /// 0 unset, 1 ok, 2 error.
    pub status_code: i32,
    attributes: AttributeList<'a>,
    events: Vec<&'a [u8]>,
}

impl<'a> Span<'a> {
    /// A span with these attributes and nothing else.
    #[cfg(test)]
    pub(crate) fn with_attributes(attributes: impl IntoIterator<Item = (&'a str, super::Value<'a>)>) -> Self {
        let mut span = Self::default();
        for (key, value) in attributes {
            span.attributes.push(KeyValue::new(key, value));
        }
        span
    }

    /// Reads a message into this value.
    pub fn decode(&mut self, message: &'a [u8]) -> Result<(), WireError> {
        self.decode_with(message, |attribute| KeyValue::decode(attribute).map(Some))
    }

    /// The same, with the keys of its attributes known by `names`.
    pub(crate) fn decode_named(&mut self, message: &'a [u8], names: &'a Names) -> Result<(), WireError> {
        self.decode_with(message, |attribute| KeyValue::decode_named(attribute, names))
    }

    #[inline(always)]
    fn decode_with(
        &mut self,
        message: &'a [u8],
        attribute: impl Fn(&'a [u8]) -> Result<Option<KeyValue<'a>>, WireError>,
    ) -> Result<(), WireError> {
        self.attributes.clear();
        self.events.clear();
        (self.trace_id, self.span_id, self.parent_span_id, self.name) = (&[], &[], &[], "");
        (self.kind, self.start_unix_nano, self.end_unix_nano, self.status_code) = (0, 0, 0, 0);
        let mut fields = Fields::new(message);
        loop {
            while let Some(message) = fields.next_plain(ATTRIBUTE) {
                if let Some(attribute) = attribute(message)? {
                    self.attributes.push(attribute);
                }
            }
            let Some(field) = fields.next() else { break };
            match field? {
                (1, raw) => self.trace_id = raw.bytes(1)?,
                (2, raw) => self.span_id = raw.bytes(2)?,
                (4, raw) => self.parent_span_id = raw.bytes(4)?,
                (5, raw) => self.name = raw.text(5)?,
                (6, raw) => self.kind = raw.varint(6)? as i32,
                (7, raw) => self.start_unix_nano = raw.fixed64(7)?,
                (8, raw) => self.end_unix_nano = raw.fixed64(8)?,
                (9, raw) => {
                    if let Some(attribute) = attribute(raw.bytes(9)?)? {
                        self.attributes.push(attribute);
                    }
                }
                (11, raw) => self.events.push(raw.bytes(11)?),
                (15, raw) => self.status(raw.bytes(15)?)?,
                _ => {}
            }
        }
        self.attributes.finish();
        Ok(())
    }

    fn status(&mut self, message: &'a [u8]) -> Result<(), WireError> {
        for field in Fields::new(message) {
            match field? {
                (2, raw) => {
                    raw.text(2)?;
                }
                (3, raw) => self.status_code = raw.varint(3)? as i32,
                _ => {}
            }
        }
        Ok(())
    }

    /// The attributes.
    pub fn attributes(&self) -> Attributes<'_, 'a> {
        Attributes(self.attributes.as_slice())
    }

    /// The span's events, decoded one by one; ends early at a malformed one (never, after validation).
    pub fn events(&self) -> impl Iterator<Item = Event<'a>> {
        self.events.iter().map_while(|message| Event::decode(message).ok())
    }
}

/// One event of a span.
#[derive(Debug)]
pub struct Event<'a> {
    /// The name.
    pub name: &'a str,
    attributes: AttributeList<'a>,
}

impl<'a> Event<'a> {
    fn decode(message: &'a [u8]) -> Result<Self, WireError> {
        let mut event = Self {
            name: "",
            attributes: AttributeList::default(),
        };
        for field in Fields::new(message) {
            match field? {
                (2, raw) => event.name = raw.text(2)?,
                (3, raw) => push_attribute(raw.bytes(3)?, &mut event.attributes)?,
                _ => {}
            }
        }
        event.attributes.finish();
        Ok(event)
    }

    /// The attributes.
    pub fn attributes(&self) -> Attributes<'_, 'a> {
        Attributes(self.attributes.as_slice())
    }
}

pub(super) fn attributes_of<'a>(message: &'a [u8], field: u32, into: &mut AttributeList<'a>) -> Result<(), WireError> {
    for entry in Fields::new(message) {
        let (number, raw) = entry?;
        if number == field {
            push_attribute(raw.bytes(field)?, into)?;
        }
    }
    Ok(())
}

pub(super) fn push_attribute<'a>(message: &'a [u8], into: &mut AttributeList<'a>) -> Result<(), WireError> {
    into.push(KeyValue::decode(message)?);
    Ok(())
}
