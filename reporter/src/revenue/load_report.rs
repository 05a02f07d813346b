//! What was read, for people: rows, what was left out and why, sums, dates. `marginlake revenue check` prints it.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use super::currency::Currency;
use super::line::{Exclusion, RevenueLine, Text};
use super::money::Amount;
use super::time::{Day, day_text};

/// One file's part.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileReport {
    /// Name without folder.
    pub file: String,
    /// Source that its header named.
    pub source: String,
    /// That source, for people.
    pub title: String,
    /// Why that source was chosen.
    pub because: String,
    /// Data rows, excluded ones included.
    pub rows: u64,
    /// Rows that are no revenue.
    pub excluded: BTreeMap<Exclusion, u64>,
    /// Documents with an amount of their own (a coupon) and no line that it could be taken off.
    pub unspread: u64,
}

/// All files of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// In the order given.
    pub files: Vec<FileReport>,
    /// Lines kept.
    pub lines: u64,
    /// Net amounts by currency and kind.
    pub sums: BTreeMap<(Currency, String), Amount>,
    /// Costs of selling and of being paid, by currency and kind.
    pub costs: BTreeMap<(Currency, String), Amount>,
    /// First and last day that earns anything.
    pub days: Option<(Day, Day)>,
    /// Lines without any customer id.
    pub lines_without_customer: u64,
    /// Distinct customers as the billing systems name them.
    pub customers: u64,
}

impl FileReport {
    pub(super) fn new(file: &str) -> FileReport {
        FileReport {
            file: file.to_owned(),
            ..FileReport::default()
        }
    }
}

impl LoadReport {
    pub(super) fn exclude(&mut self, file: &str, reason: &'static str) {
        if let Some(report) = self.files.iter_mut().find(|report| report.file == file) {
            *report.excluded.entry(Exclusion::new(reason)).or_default() += 1;
        }
    }

    pub(super) fn finish(&mut self, lines: &[RevenueLine], costs: &[RevenueLine]) {
        let sums = |lines: &[RevenueLine]| {
            let mut by_kind: BTreeMap<(Currency, Option<&Text>), Amount> = BTreeMap::new();
            for line in lines {
                *by_kind.entry((line.currency, line.kind.as_ref())).or_default() += line.amount;
            }
            let named = |kind: Option<&Text>| kind.map(|kind| kind.to_string()).unwrap_or_default();
            by_kind
                .into_iter()
                .map(|((currency, kind), sum)| ((currency, named(kind)), sum))
                .collect()
        };
        (self.sums, self.costs) = (sums(lines), sums(costs));
        let mut customers: HashSet<&str> = HashSet::new();
        for line in lines {
            let (first, last) = (
                line.period.first_day(),
                line.period.first_day() + line.period.days() as Day - 1,
            );
            let (earliest, latest) = self.days.unwrap_or((first, last));
            self.days = Some((earliest.min(first), latest.max(last)));
            match line.ids().next() {
                Some(customer) => drop(customers.insert(customer)),
                None => self.lines_without_customer += 1,
            }
        }
        self.lines = lines.len() as u64;
        self.customers = customers.len() as u64;
    }

    /// Rows left out, by reason, over all files.
    pub fn excluded(&self) -> BTreeMap<Exclusion, u64> {
        let mut all = BTreeMap::new();
        for (reason, count) in self.files.iter().flat_map(|file| &file.excluded) {
            *all.entry(reason.clone()).or_default() += count;
        }
        all
    }
}

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for file in &self.files {
            writeln!(f, "{}: read as {}", file.file, file.title)?;
            writeln!(f, "  because   {}", file.because)?;
            writeln!(f, "  rows      {}", file.rows)?;
            for (reason, count) in &file.excluded {
                writeln!(f, "  excluded  {count} {}", reason.name())?;
            }
        }
        for file in self.files.iter().filter(|file| file.unspread > 0) {
            writeln!(
                f,
                "warning     {}: {} documents have a discount and no line that earns anything; it is not taken off",
                file.file, file.unspread
            )?;
        }
        writeln!(f, "lines       {}", self.lines)?;
        for ((currency, kind), sum) in &self.sums {
            let kind = if kind.is_empty() { "(no kind)" } else { kind };
            writeln!(f, "sum         {sum} {currency} {kind}")?;
        }
        for ((currency, kind), sum) in &self.costs {
            writeln!(f, "cost        {sum} {currency} {kind}")?;
        }
        if let Some((first, last)) = self.days {
            writeln!(f, "days        {} to {}", day_text(first), day_text(last))?;
        }
        writeln!(f, "customers   {}", self.customers)?;
        if self.lines_without_customer > 0 {
            writeln!(f, "unmatched   {} lines name no customer", self.lines_without_customer)?;
        }
        Ok(())
    }
}
