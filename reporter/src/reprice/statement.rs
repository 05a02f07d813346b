//! The restatement: what moved by day, customer, model and reason, with totals, as rows and as a table to read.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};

use super::reason::{plain, reason};
use crate::settle::record::{Dimension, Price, Record, Text};

/// One line: calls of one day, customer and model whose cost moved for one reason. Money at scale 12.
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
type Line = (i32, Option<Text>, Option<Text>, String, bool, bool);

/// All that a run moved.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Statement {
    lines: BTreeMap<Line, (i128, i128, usize)>,
}

impl Statement {
    /// Notes a call whose price moved. Where only the list price or the status did, no money moved: no line.
    pub(super) fn add(&mut self, record: &Record, after: &Price) {
        let before = &record.price;
        if before.cost_usd == after.cost_usd {
            return;
        }
        let line = (
            record.date,
            record.attributed(Dimension::Customer).map(|found| found.value.clone()),
            record.response_model.clone().or_else(|| record.request_model.clone()),
            reason(before, after),
            before.cost_usd.is_some(),
            after.cost_usd.is_some(),
        );
        let (old, new, calls) = self.lines.entry(line).or_default();
        *old += before.cost_usd.unwrap_or(0);
        *new += after.cost_usd.unwrap_or(0);
        *calls += 1;
    }

    /// The lines in the order of day, customer, model, reason.
    pub fn lines(&self) -> Vec<Restated> {
        self.lines
            .iter()
            .map(
                |((date, customer_id, model, reason, was_known, is_known), (before, after, calls))| Restated {
                    date: *date,
                    customer_id: customer_id.clone(),
                    model: model.clone(),
                    before: was_known.then_some(*before),
                    after: is_known.then_some(*after),
                    reason: reason.clone(),
                    calls: *calls,
                },
            )
            .collect()
    }

    /// Whether no cost moved.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The lines as a table `width` columns wide, with totals of what was and is known. Ends in a line break.
    pub fn table(&self, width: u16) -> String {
        let lines = self.lines();
        let mut table = Table::new();
        table
            .load_preset(presets::UTF8_FULL_CONDENSED)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(width)
            .set_header([
                "day",
                "customer",
                "model",
                "calls",
                "before USD",
                "after USD",
                "difference",
                "reason",
            ]);
        let right = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
        for line in &lines {
            table.add_row(vec![
                Cell::new(NaiveDate::from_epoch_days(line.date).map_or("?".to_owned(), |day| day.to_string())),
                Cell::new(line.customer_id.as_deref().unwrap_or("(none)")),
                Cell::new(line.model.as_deref().unwrap_or("(none)")),
                right(line.calls.to_string()),
                right(shown(line.before)),
                right(shown(line.after)),
                right(difference(line.before, line.after)),
                Cell::new(&line.reason),
            ]);
        }
        // Only what was known on both sides has a difference; the rest is told apart.
        let both = || lines.iter().filter_map(|line| Some((line.before?, line.after?)));
        let (before, after) = (
            both().map(|pair| pair.0).sum::<i128>(),
            both().map(|pair| pair.1).sum::<i128>(),
        );
        let mut text = format!("{table}\n");
        text.push_str(&format!(
            "known before and after: {} -> {} USD, difference {}\n",
            plain(before),
            plain(after),
            difference(Some(before), Some(after))
        ));
        let became: i128 = lines
            .iter()
            .filter(|line| line.before.is_none())
            .filter_map(|line| line.after)
            .sum();
        let lost: i128 = lines
            .iter()
            .filter(|line| line.after.is_none())
            .filter_map(|line| line.before)
            .sum();
        if lines.iter().any(|line| line.before.is_none()) {
            text.push_str(&format!("unknown before, known now: {} USD\n", plain(became)));
        }
        if lines.iter().any(|line| line.after.is_none()) {
            text.push_str(&format!("known before, unknown now: {} USD\n", plain(lost)));
        }
        text
    }
}

fn shown(amount: Option<i128>) -> String {
    amount.map_or("unknown".to_owned(), plain)
}

fn difference(before: Option<i128>, after: Option<i128>) -> String {
    match before.zip(after).map(|(before, after)| after - before) {
        Some(moved) if moved > 0 => format!("+{}", plain(moved)),
        Some(moved) => plain(moved),
        None => "unknown".to_owned(),
    }
}
