//! `ExportLogsServiceRequest` (`opentelemetry.proto.collector.logs.v1`) as borrowed views.

use super::field::{Fields, WireError};
use super::list::AttributeList;
use super::traces::{ResourceGroup, push_attribute, resource_groups};
use super::value::{Attributes, Value};

/// The `ResourceLogs` of a request body.
pub fn resource_logs(body: &[u8]) -> impl Iterator<Item = Result<ResourceGroup<'_>, WireError>> {
    resource_groups(body)
}

/// One log record. `decode` reuses the buffer.
#[derive(Debug)]
pub struct LogRecord<'a> {
    /// When it happened.
    pub time_unix_nano: u64,
    /// When it was seen.
    pub observed_time_unix_nano: u64,
    /// `event_name`.
    pub event_name: &'a str,
    /// `body`.
    pub body: Value<'a>,
    /// 16 bytes, when valid.
    pub trace_id: &'a [u8],
    /// 8 bytes, when valid.
    pub span_id: &'a [u8],
    attributes: AttributeList<'a>,
}

impl Default for LogRecord<'_> {
    fn default() -> Self {
        Self {
            time_unix_nano: 0,
            observed_time_unix_nano: 0,
            event_name: "",
            body: Value::Empty,
            trace_id: &[],
            span_id: &[],
            attributes: AttributeList::default(),
        }
    }
}

impl<'a> LogRecord<'a> {
    /// Reads a message into this value.
    pub fn decode(&mut self, message: &'a [u8]) -> Result<(), WireError> {
        self.attributes.clear();
        (self.time_unix_nano, self.observed_time_unix_nano) = (0, 0);
        (self.event_name, self.body, self.trace_id, self.span_id) = ("", Value::Empty, &[], &[]);
        for field in Fields::new(message) {
            match field? {
                (1, raw) => self.time_unix_nano = raw.fixed64(1)?,
                (3, raw) => {
                    raw.text(3)?;
                }
                (5, raw) => self.body = Value::decode(raw.bytes(5)?)?,
                (6, raw) => push_attribute(raw.bytes(6)?, &mut self.attributes)?,
                (9, raw) => self.trace_id = raw.bytes(9)?,
                (10, raw) => self.span_id = raw.bytes(10)?,
                (11, raw) => self.observed_time_unix_nano = raw.fixed64(11)?,
                (12, raw) => self.event_name = raw.text(12)?,
                _ => {}
            }
        }
        self.attributes.finish();
        Ok(())
    }

    /// The attributes.
    pub fn attributes(&self) -> Attributes<'_, 'a> {
        Attributes(self.attributes.as_slice())
    }
}
