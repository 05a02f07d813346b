//! A restatement for the person who has to stand by it: how much in all, why, and for whom.
//!
//! Every figure is exact and every table adds up to the first one. What is unknown before or after is told apart and
//! never part of a difference.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};

use super::figures::{at_least, count, decimals, percent};
use super::statement::{Restated, Statement};

/// How much to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Totals, causes, and one table each by model, customer and day.
    Summary,
    /// The same, and every line by day, customer and model.
    Lines,
}

/// More rows than this of a table by customer are one row of the rest.
const MOST_ROWS: usize = 30;

/// Sums of some lines.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    calls: usize,
    before: i128,
    after: i128,
    /// Calls whose cost was not known, and what it is now.
    became_known: (usize, i128),
    /// Calls whose cost is not known any more, and what it was.
    became_unknown: (usize, i128),
}

impl Sums {
    fn add(&mut self, line: &Restated) {
        match (line.before, line.after) {
            (Some(before), Some(after)) => {
                self.calls += line.calls;
                self.before += before;
                self.after += after;
            }
            (None, Some(after)) => self.became_known = (self.became_known.0 + line.calls, self.became_known.1 + after),
            (Some(before), None) => {
                self.became_unknown = (self.became_unknown.0 + line.calls, self.became_unknown.1 + before);
            }
            (None, None) => {}
        }
    }

    fn all_calls(&self) -> usize {
        self.calls + self.became_known.0 + self.became_unknown.0
    }
}

impl Statement {
    /// The whole statement, `width` columns wide. Ends in a line break; empty where no cost moved.
    pub fn text(&self, width: u16, detail: Detail) -> String {
        text(&self.lines(), width, detail)
    }
}

/// Restated lines, however they were found, `width` columns wide. Ends in a line break; empty without lines.
pub fn text(lines: &[Restated], width: u16, detail: Detail) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let page = Page::new(lines, width);
    let mut text = page.totals(lines);
    let mut reasons: Vec<&str> = lines.iter().map(|line| line.reason.as_str()).collect();
    reasons.sort_unstable();
    reasons.dedup();
    let number = |line: &Restated| reasons.binary_search(&line.reason.as_str()).map_or(0, |index| index + 1);
    let name = |name: &Option<crate::settle::record::Text>| name.as_deref().unwrap_or("(none)").to_owned();
    text.push_str("\nWhy\n");
    text.push_str(&page.by("#", lines, |line| format!("{:>3}", number(line)), Some(&reasons)));
    text.push_str("\nBy model\n");
    text.push_str(&page.by("model", lines, |line| name(&line.model), None));
    text.push_str("\nBy customer\n");
    text.push_str(&page.by("customer", lines, |line| name(&line.customer_id), None));
    text.push_str("\nBy day\n");
    text.push_str(&page.by("day", lines, |line| day(line.date), None));
    if detail == Detail::Lines {
        text.push_str("\nEvery line\n");
        text.push_str(&page.lines(lines, number));
    }
    text
}

struct Page {
    width: u16,
    decimals: usize,
}

impl Page {
    fn new(lines: &[Restated], width: u16) -> Page {
        let figures = lines.iter().flat_map(|line| [line.before, line.after]).flatten();
        Page {
            width,
            decimals: figures.map(decimals).max().unwrap_or(0),
        }
    }

    fn money(&self, value: i128) -> String {
        at_least(value, self.decimals)
    }

    fn signed(&self, value: i128) -> String {
        let sign = if value > 0 { "+" } else { "" };
        format!("{sign}{}", self.money(value))
    }

    fn totals(&self, lines: &[Restated]) -> String {
        let mut all = Sums::default();
        lines.iter().for_each(|line| all.add(line));
        let mut table = self.table(&["", "calls", "before USD", "after USD", "difference", ""]);
        table.add_row(row(
            ["known before and after".to_owned()],
            [
                count(all.calls),
                self.money(all.before),
                self.money(all.after),
                self.signed(all.after - all.before),
                percent(all.before, all.after).unwrap_or_default(),
            ],
        ));
        let (calls, cost) = all.became_known;
        if calls > 0 {
            table.add_row(row(
                ["unknown before, known now".to_owned()],
                [count(calls), "unknown".to_owned(), self.money(cost)],
            ));
        }
        let (calls, cost) = all.became_unknown;
        if calls > 0 {
            table.add_row(row(
                ["known before, unknown now".to_owned()],
                [count(calls), self.money(cost), "unknown".to_owned()],
            ));
        }
        format!("{table}\n")
    }

    /// One row a key, in the order of the keys; a long table keeps what moved most and the rest.
    fn by(&self, title: &str, lines: &[Restated], key: impl Fn(&Restated) -> String, reasons: Option<&[&str]>) -> String {
        let mut groups: BTreeMap<String, Sums> = BTreeMap::new();
        for line in lines {
            groups.entry(key(line)).or_default().add(line);
        }
        let has_unknown = groups.values().any(|sums| sums.all_calls() > sums.calls);
        let mut header = vec![title, "calls", "before USD", "after USD", "difference"];
        if has_unknown {
            header.push("and calls with an unknown cost");
        }
        if reasons.is_some() {
            header.push("price and rates");
        }
        let mut table = self.table(&header);
        let mut shown: Vec<(String, Sums)> = groups.into_iter().collect();
        let mut rest: Option<(usize, Sums)> = None;
        if shown.len() > MOST_ROWS + 1 && reasons.is_none() {
            shown.sort_by_key(|(key, sums)| (std::cmp::Reverse((sums.after - sums.before).unsigned_abs()), key.clone()));
            let mut sums = Sums::default();
            for (_, other) in shown.drain(MOST_ROWS..).collect::<Vec<_>>() {
                sums = sums.plus(other);
                rest = Some((rest.map_or(1, |(count, _)| count + 1), sums));
            }
        }
        let cells = |key: String, sums: Sums, reason: Option<&str>| {
            let mut figures = vec![count(sums.calls)];
            figures.extend(match sums.calls {
                0 => [const { String::new() }; 3],
                _ => [
                    self.money(sums.before),
                    self.money(sums.after),
                    self.signed(sums.after - sums.before),
                ],
            });
            if has_unknown {
                figures.push(count(sums.all_calls() - sums.calls));
            }
            let mut cells = row([key], figures);
            cells.extend(reason.map(Cell::new));
            cells
        };
        for (index, (key, sums)) in shown.into_iter().enumerate() {
            let reason = reasons.and_then(|reasons| reasons.get(index).copied());
            table.add_row(cells(key, sums, reason));
        }
        if let Some((others, sums)) = rest {
            table.add_row(cells(format!("({others} others)"), sums, None));
        }
        format!("{table}\n")
    }

    fn lines(&self, lines: &[Restated], number: impl Fn(&Restated) -> usize) -> String {
        let mut table = self.table(&[
            "day",
            "customer",
            "model",
            "calls",
            "before USD",
            "after USD",
            "difference",
            "why",
        ]);
        let known = |figure: Option<i128>| figure.map_or("unknown".to_owned(), |figure| self.money(figure));
        for line in lines {
            let moved = line.before.zip(line.after).map(|(before, after)| after - before);
            let name = |name: &Option<crate::settle::record::Text>| name.as_deref().unwrap_or("(none)").to_owned();
            table.add_row(row(
                [day(line.date), name(&line.customer_id), name(&line.model)],
                [
                    count(line.calls),
                    known(line.before),
                    known(line.after),
                    moved.map_or("unknown".to_owned(), |moved| self.signed(moved)),
                    number(line).to_string(),
                ],
            ));
        }
        format!("{table}\n")
    }

    fn table(&self, header: &[&str]) -> Table {
        let mut table = Table::new();
        table
            .load_preset(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(self.width)
            .set_header(header.iter().enumerate().map(|(index, title)| {
                let cell = Cell::new(title);
                let left = index == 0 || ["customer", "model", "price and rates"].contains(title);
                if left {
                    cell
                } else {
                    cell.set_alignment(CellAlignment::Right)
                }
            }));
        table
    }
}

impl Sums {
    fn plus(self, other: Sums) -> Sums {
        let both = |left: (usize, i128), right: (usize, i128)| (left.0 + right.0, left.1 + right.1);
        Sums {
            calls: self.calls + other.calls,
            before: self.before + other.before,
            after: self.after + other.after,
            became_known: both(self.became_known, other.became_known),
            became_unknown: both(self.became_unknown, other.became_unknown),
        }
    }
}

fn row(names: impl IntoIterator<Item = String>, figures: impl IntoIterator<Item = String>) -> Vec<Cell> {
    let names = names.into_iter().map(Cell::new);
    let figures = figures
        .into_iter()
        .map(|figure| Cell::new(figure).set_alignment(CellAlignment::Right));
    names.chain(figures).collect()
}

fn day(date: i32) -> String {
    NaiveDate::from_epoch_days(date).map_or("?".to_owned(), |day| day.to_string())
}
