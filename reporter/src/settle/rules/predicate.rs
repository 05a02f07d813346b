//! Which rows a rule is about: globs over what a row says about itself.
//!
//! Only what the lake keeps can be asked for: attributes are those that the collector puts into `tags`: what `[attribution] keep` names
//! and what the rules of its own configuration ask for.

use std::collections::BTreeMap;

use regex::Regex;
use serde::{Deserialize, Serialize};

use super::RulesError;
use crate::settle::record::{Dimension, Record};

/// One pattern or several, of which one must match. `*` stands for any text; case counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Patterns {
    /// One.
    One(String),
    /// Any of these.
    Any(Vec<String>),
}

/// What must hold of a row; everything that is given must. Values are those after inheritance.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Predicate {
    /// `role`: tool, retriever, rerank, llm…
    pub role: Option<Patterns>,
    /// Name of the span.
    pub name: Option<Patterns>,
    /// `service_name`.
    pub service: Option<Patterns>,
    /// Name of the instrumentation scope.
    pub scope: Option<Patterns>,
    /// `environment`.
    pub environment: Option<Patterns>,
    /// `customer_id`.
    pub customer: Option<Patterns>,
    /// `user_id`.
    pub user: Option<Patterns>,
    /// `feature`.
    pub feature: Option<Patterns>,
    /// `agent_name`.
    pub agent: Option<Patterns>,
    /// Attributes in `tags`.
    pub attributes: BTreeMap<String, Patterns>,
}

#[derive(Debug, Clone)]
enum Field {
    Role,
    Name,
    Service,
    Scope,
    Of(Dimension),
    Tag(String),
}

/// A predicate that can be asked.
#[derive(Debug, Default)]
pub(super) struct Matcher(Vec<(Field, Regex)>);

impl Matcher {
    /// Refuses a predicate that says nothing: it would take everything.
    pub(super) fn new(rule: &str, predicate: &Predicate) -> Result<Matcher, RulesError> {
        let fields = [
            (Field::Role, &predicate.role),
            (Field::Name, &predicate.name),
            (Field::Service, &predicate.service),
            (Field::Scope, &predicate.scope),
            (Field::Of(Dimension::Environment), &predicate.environment),
            (Field::Of(Dimension::Customer), &predicate.customer),
            (Field::Of(Dimension::User), &predicate.user),
            (Field::Of(Dimension::Feature), &predicate.feature),
            (Field::Of(Dimension::Agent), &predicate.agent),
        ];
        let tags = predicate
            .attributes
            .iter()
            .map(|(key, patterns)| (Field::Tag(key.clone()), patterns));
        let given = fields
            .into_iter()
            .filter_map(|(field, patterns)| Some((field, patterns.as_ref()?)));
        let wrong = |reason: String| RulesError::Rule {
            rule: rule.to_owned(),
            reason,
        };
        let compiled: Vec<_> = given
            .chain(tags)
            .map(|(field, patterns)| Ok((field, compile(patterns).map_err(|error| wrong(error.to_string()))?)))
            .collect::<Result<_, RulesError>>()?;
        if compiled.is_empty() {
            return Err(wrong(
                "matches everything: give at least one of role, name, service, scope, environment, customer, user, feature, agent, attributes".to_owned(),
            ));
        }
        Ok(Matcher(compiled))
    }

    pub(super) fn matches(&self, record: &Record) -> bool {
        self.0
            .iter()
            .all(|(field, regex)| value(record, field).is_some_and(|value| regex.is_match(value)))
    }
}

fn value<'r>(record: &'r Record, field: &Field) -> Option<&'r str> {
    match field {
        Field::Role => Some(record.role.as_str()),
        Field::Name => record.name.as_deref(),
        Field::Service => record.service_name.as_deref(),
        Field::Scope => record.scope_name.as_deref(),
        Field::Of(dimension) => record.attributed(*dimension).map(|found| &*found.value),
        Field::Tag(key) => tag(record, key),
    }
}

/// The attribute `key` of a record, if the configuration keeps it.
pub(super) fn tag<'r>(record: &'r Record, key: &str) -> Option<&'r str> {
    let found = record.tags.iter().flatten().find(|(name, _)| &**name == key)?;
    found.1.as_deref()
}

/// One pattern for all of `patterns`.
pub(crate) fn compile(patterns: &Patterns) -> Result<Regex, regex::Error> {
    let all = match patterns {
        Patterns::One(pattern) => std::slice::from_ref(pattern),
        Patterns::Any(patterns) => patterns,
    };
    let parts: Vec<String> = all
        .iter()
        .map(|pattern| regex::escape(pattern).replace(r"\*", ".*"))
        .collect();
    Regex::new(&format!("^(?s:{})$", parts.join("|")))
}
