//! One record of either signal on its way into a row: what it is called and when it was, beside what was recognised.

use crate::clock::{self, Times};
use crate::normalise::Normalised;
use crate::receive::id_fault;
use crate::recognise::ScopeContext;
use crate::wire::logs::LogRecord;
use crate::wire::traces::Span;
use crate::wire::{Names, WireError};

/// The longest span name that is kept, in bytes.
const LONGEST_NAME: usize = 512;

/// What all records of one scope share.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Origin<'x> {
    pub(crate) scope_name: Option<&'x str>,
    pub(crate) scope_version: Option<&'x str>,
    pub(crate) service_name: Option<&'x str>,
    pub(crate) tenant: Option<&'x str>,
    pub(crate) received_at_unix_nano: u64,
}

/// The identity of one record: ids only where they are ids.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Identity<'a> {
    pub(crate) trace_id: Option<&'a [u8]>,
    pub(crate) span_id: Option<&'a [u8]>,
    pub(crate) parent_span_id: Option<&'a [u8]>,
    pub(crate) name: Option<&'a str>,
    /// `SpanKind` in the words of the column.
    pub(crate) kind: Option<&'static str>,
    /// `Status.StatusCode` in the words of the column.
    pub(crate) status: Option<&'static str>,
    pub(crate) times: Times,
}

/// A span or a log record, read where it lies. One value is used again for all records of a request.
pub(crate) trait Record<'a>: Default {
    /// Reads a message into this value; keys that are among `names` are known by them.
    fn decode(&mut self, message: &'a [u8], names: &'a Names) -> Result<(), WireError>;

    /// What it means; `false` where it gives no row.
    fn normalise(&self, scope: &ScopeContext<'_, 'a>, into: &mut Normalised<'a>) -> bool;

    /// Its ids, name and times, judged by when it was received.
    fn identity(&self, received_at_unix_nano: u64) -> Identity<'a>;
}

impl<'a> Record<'a> for Span<'a> {
    fn decode(&mut self, message: &'a [u8], names: &'a Names) -> Result<(), WireError> {
        self.decode_named(message, names)
    }

    fn normalise(&self, scope: &ScopeContext<'_, 'a>, into: &mut Normalised<'a>) -> bool {
        // Rejected by partial success when it was received.
        if id_fault(self.trace_id, self.span_id, self.parent_span_id).is_some() {
            return false;
        }
        scope.read_span(self, into);
        true
    }

    fn identity(&self, received_at_unix_nano: u64) -> Identity<'a> {
        Identity {
            trace_id: id(self.trace_id, 16),
            span_id: id(self.span_id, 8),
            parent_span_id: id(self.parent_span_id, 8),
            name: name(self.name),
            kind: kind(self.kind),
            status: Some(status(self.status_code)),
            times: clock::judge(self.start_unix_nano, self.end_unix_nano, received_at_unix_nano),
        }
    }
}

impl<'a> Record<'a> for LogRecord<'a> {
    fn decode(&mut self, message: &'a [u8], _: &'a Names) -> Result<(), WireError> {
        LogRecord::decode(self, message)
    }

    fn normalise(&self, scope: &ScopeContext<'_, 'a>, into: &mut Normalised<'a>) -> bool {
        scope.read_log(self, into)
    }

    fn identity(&self, received_at_unix_nano: u64) -> Identity<'a> {
        let time = match self.time_unix_nano {
            0 => self.observed_time_unix_nano,
            time => time,
        };
        Identity {
            trace_id: id(self.trace_id, 16),
            span_id: id(self.span_id, 8),
            parent_span_id: None,
            name: name(self.event_name),
            kind: None,
            status: None,
            times: clock::judge(time, time, received_at_unix_nano),
        }
    }
}

/// An id of the right length that is not all zero.
fn id(bytes: &[u8], length: usize) -> Option<&[u8]> {
    (bytes.len() == length && bytes.iter().any(|byte| *byte != 0)).then_some(bytes)
}

fn name(name: &str) -> Option<&str> {
    let mut end = name.len().min(LONGEST_NAME);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    Some(&name[..end]).filter(|name| !name.is_empty())
}

/// `SpanKind` of the OTLP protocol.
fn kind(kind: i32) -> Option<&'static str> {
    match kind {
        1 => Some("internal"),
        2 => Some("server"),
        3 => Some("client"),
        4 => Some("producer"),
        5 => Some("consumer"),
        _ => None,
    }
}

/// `Status.StatusCode` of the OTLP protocol.
fn status(code: i32) -> &'static str {
    match code {
        1 => "ok",
        2 => "error",
        _ => "unset",
    }
}
