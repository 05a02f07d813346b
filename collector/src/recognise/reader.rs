//! One span or log record into what is recognised of it, field by field.

use std::borrow::Cow;

use marginlake_lake::schema::{Dimension, Role, Signal};

use super::attribution::{self, Attribution};
use super::call_event;
use super::cost;
use super::count::NotACount;
use super::event;
use super::facts::{Recognised, ReportedCost, UsageAttribute};
use super::field::Field;
use super::flag::Flag;
use super::gather::{Gathered, words};
use super::keys::Keys;
use super::log;
use super::payload::response::Response;
use super::payload::scan::{Scalar, scan};
use super::profile::{CostKind, Profile};
use super::provider;
use super::reported::{self, RawAttributes};
use crate::wire::Value;
use crate::wire::traces::Span;

/// What a record is read from.
pub(super) struct Reader<'x, 's, 'a> {
    pub(super) keys: &'x Keys,
    pub(super) profile: &'static Profile,
    pub(super) gathered: &'x mut Gathered<'s, 'a>,
    pub(super) resource: &'x Attribution<'a>,
}

impl<'s, 'a> Reader<'_, 's, 'a> {
    pub(super) fn span(&mut self, span: &Span<'a>, role: Option<Role>, operation: Option<&'a str>, record: &mut Recognised<'a>) {
        let habits = self.profile.habits;
        let has_counts = self.has_counts();
        let mut raw = RawAttributes::default();
        let mut flags = self.gathered.flags;
        let mut role = role.unwrap_or_else(|| self.role_by_usage(has_counts, &mut flags));
        if habits.raw_provider_keys && span.name == "raw_gen_ai_request" {
            raw = reported::raw_attributes(self.gathered);
            role = if raw.usage.is_some() { Role::Llm } else { Role::Step };
        }
        if habits.events_tell_calls
            && let Some((told, events)) = call_event::read(span)
        {
            (role, raw) = (told, events);
        }
        self.gathered.flags = flags;
        if !role.is_leaf() && !has_counts && !self.gathered.has_aggregated && !self.gathered.has(Field::OutputPayload) {
            return self.plain(span, role, operation, record);
        }
        self.record(Signal::Span, role, operation, &raw, record);
        let has_usage = !record.reported.is_empty();
        (record.failed, record.error_type) = event::failure(self.gathered, span, has_usage);
        record.time_to_first_token_ms = event::first_token_ms(self.gathered, self.profile, span.start_unix_nano);
        if role == Role::Llm && !has_usage && !record.failed {
            let private = habits.private_methods_are_steps && is_private_method(span.name);
            let announced = habits.usage_follows && record.response_id.is_none();
            if announced {
                record.flags.set(Flag::UsageFollows);
            }
            let view = habits.silent_calls_are_steps && operation.is_none();
            // Below a span settle finds what follows; above none it stands in a trace of its own, and is the call.
            if private || view || announced && span.parent_span_id.is_empty() {
                record.role = Role::Step;
            }
        }
        if record.streaming.is_none()
            && (span.name.ends_with(".doStream") || operation.is_some_and(|op| op.ends_with(".doStream")))
        {
            record.streaming = Some(true);
        }
    }

    /// A span that is no call and carries no usage: its attribution and its failure are all there is to read.
    fn plain(&self, span: &Span<'a>, role: Role, operation: Option<&'a str>, record: &mut Recognised<'a>) {
        self.begin(Signal::Span, role, operation, record);
        self.keep_unrecognised(record);
        (record.failed, record.error_type) = event::failure(self.gathered, span, true);
        record.server_address = self.gathered.text(Field::ServerAddress);
        record.response_id = self.gathered.words(Field::ResponseId);
        record.run_id = self.run_id(&record.attribution);
        if role != Role::Other {
            record.request_model = self.gathered.words(Field::RequestModel);
            record.response_model = self.gathered.words(Field::ResponseModel);
            record.provider = self.provider(None, record.request_model.as_deref(), record.response_model.as_deref(), None);
        }
    }

    /// Keeps what a person needs to see to teach us an emitter, and what is needed to price the past once it is known.
    fn keep_unrecognised(&self, record: &mut Recognised<'a>) {
        if record.flags.has(Flag::UnrecognisedUsage) {
            let unknown = self.gathered.unknown().map(|attribute| UsageAttribute {
                key: attribute.key,
                inner: None,
                value: attribute.value,
            });
            record.usage_raw.extend(unknown);
        }
    }

    pub(super) fn log(&mut self, event: log::Event<'a>, record: &mut Recognised<'a>) {
        let operation = self.gathered.text(Field::OperationName).or(Some(event.name));
        self.record(Signal::Log, event.role, operation, &RawAttributes::default(), record);
        record.failed = event.failed || self.gathered.has(Field::ErrorType);
        record.error_type = self
            .gathered
            .words(Field::ErrorType)
            .or(record.failed.then_some(Cow::Borrowed("_OTHER")));
        record.time_to_first_token_ms = event::first_token_ms(self.gathered, self.profile, 0);
        if record.response_id.is_none() {
            record.response_id = self.gathered.words(Field::RequestId).filter(|id| id.starts_with("req_"));
        }
        let key = [Field::RequestId, Field::ResponseId, Field::Sequence]
            .into_iter()
            .find_map(|field| self.gathered.words(field));
        record.event_key = Some(match key {
            Some(key) => format!("{}:{key}", event.name),
            None => event.name.to_owned(),
        });
    }

    fn has_counts(&self) -> bool {
        [
            Field::Input,
            Field::Output,
            Field::Total,
            Field::Uncached,
            Field::CacheRead,
            Field::Embedding,
            Field::UsageDetails,
            Field::RawUsage,
            Field::WebSearches,
            Field::RerankSearches,
            Field::AudioSeconds,
            Field::Pages,
        ]
        .into_iter()
        .any(|field| self.gathered.has(field))
    }

    /// No kind and no known operation: usage with a model is a call, usage without one a sum.
    fn role_by_usage(&self, has_counts: bool, flags: &mut super::flag::Flags) -> Role {
        if !has_counts {
            if self.gathered.unknown_usage {
                flags.set(Flag::UnrecognisedUsage);
            }
            return Role::Other;
        }
        let names_a_model = [Field::RequestModel, Field::ResponseModel, Field::RoutedModel]
            .into_iter()
            .any(|field| self.gathered.has(field));
        if self.profile.habits.usage_without_operation_is_step {
            return Role::Step;
        }
        if !names_a_model {
            return Role::Chain;
        }
        flags.set(Flag::UnknownOperation);
        Role::Llm
    }

    /// Puts what every record has in the place of whatever was there.
    fn begin(&self, signal: Signal, role: Role, operation: Option<&'a str>, record: &mut Recognised<'a>) {
        record.clear();
        (record.signal, record.role, record.operation) = (signal, role, operation);
        record.profile = self.profile;
        record.flags = self.gathered.flags;
        attribution::read(self.gathered, self.resource, self.profile.habits, &mut record.attribution);
        self.tags(&mut record.tags);
    }

    fn record(
        &mut self,
        signal: Signal,
        role: Role,
        operation: Option<&'a str>,
        raw: &RawAttributes<'a>,
        record: &mut Recognised<'a>,
    ) {
        let no_own_usage = !self.gathered.has(Field::Input) && !self.gathered.has(Field::Output);
        if role.is_aggregate() && no_own_usage && self.gathered.has_aggregated {
            self.gathered.read_aggregated(self.keys);
            self.gathered.flags.set(Flag::AggregatedKeys);
        }
        self.begin(signal, role, operation, record);
        let gathered = &*self.gathered;
        // What a response says of itself is a call's; a result of an agent quotes the responses of others.
        let response = if role.is_leaf() || role.is_aggregate() && no_own_usage {
            reported::response(gathered, role, &mut record.flags)
        } else {
            Response::default()
        };
        record.reported = reported::read(
            gathered,
            self.profile,
            role,
            raw,
            &response,
            &mut record.usage_raw,
            &mut record.flags,
        );
        if record.reported.is_empty() && gathered.unknown_usage {
            record.flags.set(Flag::UnrecognisedUsage);
            self.keep_unrecognised(record);
        }
        let leaf = role.is_leaf();
        record.request_model = gathered
            .words(Field::RequestModel)
            .or(raw.request_model.map(Cow::Borrowed))
            .or_else(|| self.requested_model(role));
        record.response_model = self.response_model(raw, &response, leaf);
        record.response_id = gathered
            .words(Field::ResponseId)
            .or(raw.id.map(Cow::Borrowed))
            .or(response.id.filter(|_| leaf).map(Cow::Borrowed));
        record.server_address = gathered.text(Field::ServerAddress);
        record.run_id = self.run_id(&record.attribution);
        let routed = gathered.text(Field::RoutedModel);
        record.provider = self.provider(
            raw.provider,
            record.request_model.as_deref(),
            record.response_model.as_deref(),
            routed,
        );
        record.streaming = gathered.value(Field::Streaming).and_then(boolean);
        record.reported.zero_cache_is_unknown = self.profile.habits.streams_zero_the_cache && record.streaming == Some(true);
        if let Some(value) = gathered.value(Field::FinishReasons) {
            finish_reasons(value, &mut record.finish_reasons);
        }
        record.cache_hit = gathered.value(Field::CacheHit).and_then(boolean) == Some(true);
        if record.cache_hit {
            record.flags.set(Flag::CacheHit);
        }
        self.price_context(raw, &response, record.reported.service_tier, &mut record.price_context);
        record.reported_cost = self.cost(record);
        if self.profile.habits.cumulative && role == Role::Llm {
            record.flags.set(Flag::PossibleCumulative);
        }
    }

    /// The model that a recorded request or an action's name tells, where no attribute does.
    fn requested_model(&self, role: Role) -> Option<Cow<'a, str>> {
        if !role.is_leaf() {
            return None;
        }
        let Some(text) = self.gathered.text(Field::RequestPayload) else {
            return self.gathered.words(Field::ActionName);
        };
        let mut model = None;
        let _ = scan(text, |path, scalar| {
            if let (["model"], Scalar::Text(word)) = (path, scalar)
                && word.len() <= 256
            {
                model.get_or_insert(word);
            }
        });
        model.map(Cow::Borrowed)
    }

    /// The model that answered. A gateway's route says more than an alias, but less than the dated name of the same
    /// model.
    fn response_model(&self, raw: &RawAttributes<'a>, response: &Response<'a>, leaf: bool) -> Option<Cow<'a, str>> {
        let answered = self
            .gathered
            .words(Field::ResponseModel)
            .or(raw.model.map(Cow::Borrowed))
            .or(if leaf { response.model } else { response.messages_model }
                .filter(|model| model.len() <= 256)
                .map(Cow::Borrowed));
        let Some(routed) = self.gathered.text(Field::RoutedModel) else {
            return answered;
        };
        let bare = routed.rsplit_once('/').map_or(routed, |(_, model)| model);
        match answered {
            Some(answered) if answered.starts_with(bare) => Some(answered),
            _ => Some(Cow::Borrowed(bare)),
        }
    }

    fn provider(
        &self,
        told: Option<&'a str>,
        request: Option<&str>,
        response: Option<&str>,
        routed: Option<&str>,
    ) -> Option<Cow<'a, str>> {
        let gathered = &*self.gathered;
        let names = [
            Field::GenAiProvider,
            Field::GenAiSystem,
            Field::LlmProvider,
            Field::LlmSystem,
            Field::ModelProvider,
            Field::CloudflareProvider,
            Field::LsProvider,
        ];
        let names = names.into_iter().filter_map(|field| {
            let text = gathered.text(field)?;
            Some(text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text))
        });
        let names = names.chain(told);
        let address = gathered.text(Field::ServerAddress).or_else(|| gathered.text(Field::BaseUrl));
        let models = [routed, response, request].into_iter().flatten();
        provider::resolve(names, address, models)
    }

    fn run_id(&self, attribution: &Attribution<'a>) -> Option<Cow<'a, str>> {
        self.gathered.words(Field::RunId).or_else(|| {
            let session = attribution.get(Dimension::Conversation)?;
            self.profile.habits.session_is_run.then(|| session.value.clone())
        })
    }

    fn price_context(
        &self,
        raw: &RawAttributes<'a>,
        response: &Response<'a>,
        counted: Option<&'static str>,
        context: &mut Vec<(&'static str, Cow<'a, str>)>,
    ) {
        let gathered = &*self.gathered;
        // `auto` asks for what the response then names.
        let requested = gathered.words(Field::RequestServiceTier).filter(|tier| tier != "auto");
        let tier = gathered
            .words(Field::ServiceTier)
            .or(raw.service_tier.map(Cow::Borrowed))
            .or(response.service_tier.map(Cow::Borrowed))
            .or(self.metadata_tier())
            .or(counted.map(Cow::Borrowed))
            .or(requested);
        let batch = gathered.value(Field::Batch).and_then(boolean) == Some(true) || tier.as_deref() == Some("batch");
        if batch {
            context.push(("processing", Cow::Borrowed("batch")));
        }
        if let Some(tier) = tier.filter(|tier| tier != "batch") {
            context.push(("service_tier", tier));
        }
        if let Some(speed) = gathered.words(Field::Speed) {
            context.push(("speed", speed));
        }
        if let Some(geo) = gathered.words(Field::InferenceGeo) {
            context.push(("inference_geo", geo));
        }
        if let Some(region) = gathered.words(Field::CloudRegion) {
            context.push(("region", region));
        }
    }

    /// The service tier that the AI SDK hides in its provider metadata.
    fn metadata_tier(&self) -> Option<Cow<'a, str>> {
        let mut tier = None;
        let text = self.gathered.text(Field::ProviderMetadata)?;
        let _ = scan(text, |path, scalar| {
            if let (["openai" | "azure", "serviceTier"] | [_, "usage", "service_tier"], Scalar::Text(word)) = (path, scalar) {
                tier.get_or_insert(word);
            }
        });
        tier.map(Cow::Borrowed)
    }

    fn cost(&self, record: &mut Recognised<'a>) -> Option<ReportedCost> {
        let gathered = &*self.gathered;
        let charge = self.profile.cost;
        let (amount, kind) = if let Some(value) = gathered.value(Field::CostCharge) {
            (cost::amount(value), charge)
        } else if let Some(value) = gathered.value(Field::CostAmount) {
            if gathered
                .text(Field::CostCurrency)
                .is_some_and(|currency| !currency.eq_ignore_ascii_case("USD"))
            {
                record.flags.set(Flag::ForeignCost);
                return None;
            }
            (cost::amount(value), charge)
        } else if let Some(Value::Int(micros)) = gathered
            .value(Field::CostMicros)
            .filter(|_| !gathered.has(Field::CostEstimate))
        {
            (cost::decimal(&format!("{micros}e-6")), CostKind::Estimate)
        } else if let Some(value) = gathered.value(Field::CostEstimate) {
            (cost::amount(value), CostKind::Estimate)
        } else if let Some(text) = gathered.text(Field::CostJson) {
            (cost::object(text), CostKind::Estimate)
        } else {
            (cost::amount(gathered.value(Field::CostAggregate)?), CostKind::Aggregate)
        };
        let kind = if record.role.is_leaf() { kind } else { CostKind::Aggregate };
        match amount {
            // Libraries without a price write zero; so does a gateway for a call without usage.
            Ok(0) if kind != CostKind::Charge || record.reported.input.unwrap_or(0) == 0 => {
                record.flags.set(Flag::ZeroCost);
                None
            }
            Ok(usd_e12) => Some(ReportedCost { usd_e12, kind }),
            Err(NotACount::Absent) => None,
            Err(NotACount::Invalid) => {
                record.flags.set(Flag::InvalidCost);
                None
            }
        }
    }

    fn tags(&self, tags: &mut Vec<(&'a str, Cow<'a, str>)>) {
        for index in &self.gathered.kept {
            let attribute = self.gathered.attribute(*index);
            let value = match &attribute.value {
                Value::Double(number) => Some(Cow::Owned(number.to_string())),
                Value::Array(list) => {
                    let items: Vec<_> = list.iter().take(64).filter_map(|item| words(&item)).collect();
                    Some(Cow::Owned(items.join(",")))
                }
                other => self.gathered.words_of(other),
            };
            if let Some(value) = value {
                tags.push((attribute.key, value));
            }
        }
        tags.sort_by(|a, b| a.0.cmp(b.0));
        // Later duplicates win.
        tags.dedup_by(|later, earlier| {
            let same = later.0 == earlier.0;
            if same {
                std::mem::swap(later, earlier);
            }
            same
        });
    }
}

/// `OpenAI._prepare_chat_with_tools`: the method after the last dot is private.
fn is_private_method(name: &str) -> bool {
    name.rsplit('.').next().is_some_and(|method| method.starts_with('_'))
}

fn boolean(value: &Value<'_>) -> Option<bool> {
    match value {
        Value::Bool(bit) => Some(*bit),
        Value::Text(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Value::Text(text) if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// Finish reasons from an array, a JSON array as text, or one or more words separated by commas.
fn finish_reasons<'a>(value: &Value<'a>, reasons: &mut Vec<Cow<'a, str>>) {
    const MOST: usize = 16;
    match value {
        Value::Array(list) => reasons.extend(list.iter().take(MOST).filter_map(|item| words(&item))),
        Value::Text(text) if text.starts_with('[') => {
            let _ = scan(text, |_, scalar| {
                if let (Scalar::Text(word), true) = (scalar, reasons.len() < MOST) {
                    reasons.push(Cow::Borrowed(word));
                }
            });
        }
        Value::Text(text) if text.len() <= 256 => {
            let words = text.trim_matches('"').split(',').map(str::trim);
            let words = words.filter(|word| !word.is_empty()).take(MOST);
            reasons.extend(words.map(Cow::Borrowed));
        }
        _ => {}
    }
}
