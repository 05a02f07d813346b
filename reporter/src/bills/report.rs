//! What is in the bills, for people: rows, sums, what no bill took, and what looks like a mistake.

use std::collections::BTreeMap;

use super::row::Line;
use crate::revenue::{Amount, Currency};

/// All files of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BillReport {
    /// One a file, in their order.
    pub(super) files: Vec<FileRows>,
}

/// One file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct FileRows {
    name: String,
    /// Rows and sum by bill and currency.
    taken: BTreeMap<(String, Currency), (u64, Amount)>,
    pub(super) left_out: u64,
    /// Rows of services that are models: their calls may be counted already.
    pub(super) model_services: BTreeMap<Currency, Amount>,
    /// Usage that is billed and has no effective cost.
    pub(super) unused_billed_rows: u64,
    pub(super) unused_billed: BTreeMap<Currency, Amount>,
}

impl BillReport {
    pub(super) fn of_file(&self, name: &str) -> FileRows {
        FileRows {
            name: name.to_owned(),
            ..FileRows::default()
        }
    }

    /// What was read, a line a file and bill.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for file in &self.files {
            for ((bill, currency), (rows, sum)) in &file.taken {
                lines.push(format!("{}: bill {bill}, {rows} rows, {sum} {currency}", file.name));
            }
            if file.left_out > 0 {
                lines.push(format!(
                    "{}: {} rows are left out, no bill matches them",
                    file.name, file.left_out
                ));
            }
        }
        lines
    }

    /// What a reader must know before the figures.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        for file in &self.files {
            if let Some(sum) = sums(&file.model_services) {
                warnings.push(format!(
                    "{}: {sum} is for services of \"AI and Machine Learning\": if these are model calls that are counted already, leave them out by `match` in [[bill]].",
                    file.name
                ));
            }
            if let Some(sum) = sums(&file.unused_billed) {
                warnings.push(format!(
                    "{}: {} rows of usage are billed with {sum} and have an EffectiveCost of 0: if your provider does not fill it in, set cost = \"billed\" in [[bill]].",
                    file.name, file.unused_billed_rows
                ));
            }
        }
        warnings
    }
}

impl FileRows {
    pub(super) fn took(&mut self, bill: &str, line: &Line) {
        let entry = self.taken.entry((bill.to_owned(), line.currency)).or_default();
        entry.0 += 1;
        entry.1 += line.amount;
    }
}

fn sums(amounts: &BTreeMap<Currency, Amount>) -> Option<String> {
    let parts: Vec<String> = amounts
        .iter()
        .filter(|(_, amount)| !amount.is_zero())
        .map(|(currency, amount)| format!("{amount} {currency}"))
        .collect();
    (!parts.is_empty()).then(|| parts.join(" and "))
}
