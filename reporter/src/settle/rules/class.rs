//! `cost_class` by rule, and its defaults.
//!
//! Without a rule that matches, evaluators and what stands below them are not cost of goods, and neither is what says
//! that it ran in development, in a test or in an evaluation. Staging, CI and everything else count until a rule
//! says otherwise: a margin that is too good is the worse mistake.

use serde::{Deserialize, Serialize};

use super::RulesError;
use super::predicate::{Matcher, Predicate};
use crate::settle::call::{Call, CostClass};
use crate::settle::record::Dimension;

/// Environments whose calls nobody is served by, unless a rule says otherwise.
const NOT_COGS: [&str; 7] = ["dev", "development", "local", "test", "testing", "eval", "evaluation"];

/// `[[cost_class]]`: the class of the rows that match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassRule {
    /// model, other_cogs, variable or not_cogs.
    pub class: CostClass,
    /// Which rows.
    #[serde(rename = "match")]
    pub predicate: Predicate,
}

#[derive(Debug)]
pub(super) struct CompiledClass {
    class: CostClass,
    matcher: Matcher,
}

impl CompiledClass {
    pub(super) fn new(at: usize, rule: &ClassRule) -> Result<CompiledClass, RulesError> {
        let name = format!("[[cost_class]] number {}", at + 1);
        Ok(CompiledClass {
            class: rule.class,
            matcher: Matcher::new(&name, &rule.predicate)?,
        })
    }
}

/// The class of a row: the first rule that matches, else the defaults, else the class that it has.
pub(super) fn of(rules: &[CompiledClass], call: &Call, is_evaluation: bool) -> CostClass {
    if let Some(rule) = rules.iter().find(|rule| rule.matcher.matches(&call.record)) {
        return rule.class;
    }
    let environment = call.record.attributed(Dimension::Environment);
    let idle = environment.is_some_and(|found| NOT_COGS.contains(&found.value.trim().to_ascii_lowercase().as_str()));
    match is_evaluation || idle {
        true => CostClass::NotCogs,
        false => call.cost_class,
    }
}
