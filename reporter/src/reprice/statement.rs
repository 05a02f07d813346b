//! The restatement as data: what moved by day, customer, model and cause, exactly. `text.rs` shows it.

use std::collections::BTreeMap;

use super::cause::{CauseKey, RateChanges, note_changes};
use super::figures::plain;
use crate::settle::record::{Dimension, Price, Record, Text};

/// One line: calls of one day, customer and model whose cost moved for one cause. Money at scale 12.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restated {
    /// Days since 1970-01-01.
    pub date: i32,
    /// The customer; `None` where no call said.
    pub customer_id: Option<Text>,
    /// The model that answered, else the one asked for.
    pub model: Option<Text>,
    /// Their cost before, USD; `None` where it was not known.
    pub before: Option<i128>,
    /// Their cost now, USD; `None` where it is not known.
    pub after: Option<i128>,
    /// Which rate of which price.
    pub reason: String,
    /// How many calls.
    pub calls: usize,
}

/// Whose cost moved and why. Calls of known and of unknown cost are never on one line: a sum of both would hide that
/// something is missing.
type Line = (i32, Option<Text>, Option<Text>, CauseKey, bool, bool);

/// All that a run moved.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Statement {
    lines: BTreeMap<Line, (i128, i128, usize)>,
    causes: BTreeMap<CauseKey, RateChanges>,
}

impl Statement {
    /// Notes a call whose price moved. Where only the list price or the status did, no money moved: no line.
    /// `because` names the contracts and sources behind the new price.
    pub(super) fn add(&mut self, record: &Record, after: &Price, because: impl FnOnce() -> Vec<String>) {
        let before = &record.price;
        if before.cost_usd == after.cost_usd {
            return;
        }
        let cause = CauseKey::new(before, after, because());
        note_changes(self.causes.entry(cause.clone()).or_default(), before, after);
        let line = (
            record.date,
            record.attributed(Dimension::Customer).map(|found| found.value.clone()),
            record.response_model.clone().or_else(|| record.request_model.clone()),
            cause,
            before.cost_usd.is_some(),
            after.cost_usd.is_some(),
        );
        let (old, new, calls) = self.lines.entry(line).or_default();
        *old += before.cost_usd.unwrap_or(0);
        *new += after.cost_usd.unwrap_or(0);
        *calls += 1;
    }

    /// Adds the lines of other days.
    pub(super) fn extend(&mut self, other: Statement) {
        self.lines.extend(other.lines);
        for (cause, changes) in other.causes {
            let known = self.causes.entry(cause).or_default();
            for (unit, pairs) in changes {
                known.entry(unit).or_default().extend(pairs);
            }
        }
    }

    /// The lines in the order of day, customer, model, cause.
    pub fn lines(&self) -> Vec<Restated> {
        let reasons: BTreeMap<&CauseKey, String> = self
            .causes
            .iter()
            .map(|(cause, changes)| (cause, cause.reason(changes)))
            .collect();
        self.lines
            .iter()
            .map(
                |((date, customer_id, model, cause, was_known, is_known), (before, after, calls))| Restated {
                    date: *date,
                    customer_id: customer_id.clone(),
                    model: model.clone(),
                    before: was_known.then_some(*before),
                    after: is_known.then_some(*after),
                    reason: reasons.get(cause).cloned().unwrap_or_default(),
                    calls: *calls,
                },
            )
            .collect()
    }

    /// The lines as CSV with a header; an unknown cost is an empty field.
    pub fn csv(&self) -> String {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let header = [
            "date",
            "customer_id",
            "model",
            "calls",
            "before_usd",
            "after_usd",
            "difference_usd",
            "reason",
        ];
        let known = |figure: Option<i128>| figure.map(plain).unwrap_or_default();
        let mut written = writer.write_record(header);
        for line in self.lines() {
            let date = chrono::NaiveDate::from_epoch_days(line.date).map_or(String::new(), |day| day.to_string());
            let moved = line.before.zip(line.after).map(|(before, after)| after - before);
            let name = |name: &Option<Text>| name.as_deref().unwrap_or_default().to_owned();
            written = written.and_then(|()| {
                writer.write_record([
                    date,
                    name(&line.customer_id),
                    name(&line.model),
                    line.calls.to_string(),
                    known(line.before),
                    known(line.after),
                    known(moved),
                    line.reason.clone(),
                ])
            });
        }
        let bytes = written.ok().and_then(|()| writer.into_inner().ok());
        String::from_utf8(bytes.unwrap_or_default()).expect("text fields make text, and memory does not fail")
    }

    /// Whether no cost moved.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }
}
