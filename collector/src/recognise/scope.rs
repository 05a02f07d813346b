//! The way in: a recogniser for a configuration, a context per scope, a record per span or log record.

use super::attribution::{self, Attribution, AttributionConfig};
use super::flag::Flag;
use super::gather::{Gathered, Reading};
use super::keys::Keys;
use super::log;
use super::profile::{self, Profile};
use super::reader::Reader;
use super::role;
use crate::normalise::{Normalised, normalise};
use crate::wire::logs::LogRecord;
use crate::wire::traces::Span;
use crate::wire::{Attributes, Names};

/// The tables of keys for one configuration. Built once, shared by all threads.
#[derive(Debug)]
pub struct Recogniser {
    keys: Keys,
}

impl Recogniser {
    /// A recogniser that knows the defaults and what the configuration adds.
    pub fn new(config: &AttributionConfig) -> Self {
        Self { keys: Keys::new(config) }
    }

    /// The keys that it looks for, by which attributes are best read.
    pub(crate) fn names(&self) -> &Names {
        self.keys.names()
    }
}

/// What all records of one scope share: the emitter and the resource.
#[derive(Debug)]
pub struct ScopeContext<'r, 'a> {
    keys: &'r Keys,
    profile: Option<&'static Profile>,
    resource: Attribution<'a>,
    resource_too_long: bool,
    service: Option<&'a str>,
}

impl<'r, 'a> ScopeContext<'r, 'a> {
    /// Resolves the emitter of a scope under a resource.
    pub fn new(recogniser: &'r Recogniser, resource: Attributes<'_, 'a>, scope_name: &str, scope_version: &str) -> Self {
        let keys = &recogniser.keys;
        let service = resource.text("service.name");
        let gathered = Gathered::new(keys, resource, Reading::Namespaced);
        Self {
            keys,
            profile: profile::of_scope(scope_name, scope_version, service.unwrap_or("")),
            resource: attribution::of_resource(&gathered),
            resource_too_long: gathered.too_long(),
            service,
        }
    }

    /// The resource's `service.name`.
    pub fn service_name(&self) -> Option<&'a str> {
        self.service
    }

    /// Reads a span. Every span gives a record.
    pub fn span(&self, span: &Span<'a>) -> Normalised<'a> {
        let mut normalised = Normalised::default();
        self.read_span(span, &mut normalised);
        normalised
    }

    /// Reads a log record; `None` for those that report no call.
    pub fn log(&self, record: &LogRecord<'a>) -> Option<Normalised<'a>> {
        let mut normalised = Normalised::default();
        self.read_log(record, &mut normalised).then_some(normalised)
    }

    /// Reads a span into a value that is used again: records are large, and copying them costs as much as reading them.
    pub(crate) fn read_span(&self, span: &Span<'a>, into: &mut Normalised<'a>) {
        let mut gathered = Gathered::new(self.keys, span.attributes(), self.reading());
        let profile = profile::of_span(self.profile, span.name, &gathered);
        let (role, operation) = role::decide(profile, span.name, &gathered);
        let mut reader = Reader {
            keys: self.keys,
            profile,
            gathered: &mut gathered,
            resource: &self.resource,
        };
        reader.span(span, role, operation, &mut into.record);
        self.note_length(&gathered, into);
        normalise(into);
    }

    /// As [`ScopeContext::read_span`]; `false`, with what was there before, for records that report no call.
    pub(crate) fn read_log(&self, record: &LogRecord<'a>, into: &mut Normalised<'a>) -> bool {
        let mut gathered = Gathered::new(self.keys, record.attributes(), self.reading());
        let Some(event) = log::event(&gathered, record, self.reading()) else {
            return false;
        };
        let profile = profile::of_span(self.profile, event.name, &gathered);
        let mut reader = Reader {
            keys: self.keys,
            profile,
            gathered: &mut gathered,
            resource: &self.resource,
        };
        reader.log(event, &mut into.record);
        self.note_length(&gathered, into);
        normalise(into);
        true
    }

    fn note_length(&self, gathered: &Gathered<'_, 'a>, into: &mut Normalised<'a>) {
        if self.resource_too_long || gathered.too_long() {
            into.record.flags.set(Flag::ValueTooLong);
        }
    }

    fn reading(&self) -> Reading {
        match self.profile {
            Some(profile) if profile.habits.bare_keys => Reading::WithBare,
            _ => Reading::Namespaced,
        }
    }
}
