//! A trace as a tree for people: what was billed, what was not, and why.
//!
//! Text for a terminal, pure: the rows come from `driver.rs`. Traces that the same component holds (the other half of
//! a call that two services report) follow the one that was asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::call::{Call, Excluded, Key, Settled};
use super::reason::billed::LEAF;
use super::reason::{Reason, remark};
use super::record::{Dimension, Record, Role, Signal, bucket};
use super::tree::Tree;
use super::usage::Totals;

/// The text for the component that holds `trace_id`: `records` are its rows, `settled` the verdict over them.
pub fn explain(mut records: Vec<Record>, settled: &Settled, trace_id: [u8; 16]) -> String {
    let copies = drop_copies(&mut records);
    let verdicts = Verdicts::new(settled);
    let tree = Tree::new(&records);
    let mut traces: Vec<Option<[u8; 16]>> = records.iter().map(|record| record.trace_id).collect();
    // The trace that was asked for first, then the others by id, then what has none.
    traces.sort_by_key(|trace| (*trace != Some(trace_id), trace.is_none(), *trace));
    traces.dedup();

    let silent = silent(&records, &tree, &verdicts);
    let mut text = String::new();
    for trace in traces {
        let heading = match trace {
            Some(id) if id == trace_id => format!("trace {}", hex::encode(id)),
            Some(id) => format!("linked trace {}", hex::encode(id)),
            None => "linked records without a trace".to_owned(),
        };
        let _ = writeln!(text, "{heading}");
        let mut roots: Vec<usize> = (0..records.len())
            .filter(|index| records[*index].trace_id == trace && tree.parent(*index).is_none())
            .collect();
        roots.sort_by_key(|index| (records[*index].start_nano, *index));
        let printer = Printer {
            records: &records,
            tree: &tree,
            verdicts: &verdicts,
            copies: &copies,
            silent: &silent,
        };
        printer.branch(&mut text, &roots);
        text.push('\n');
    }
    summary(&mut text, settled);
    text
}

/// Keeps one copy of each record; says how often each was delivered.
fn drop_copies(records: &mut Vec<Record>) -> BTreeMap<FullKey, usize> {
    let mut copies = BTreeMap::new();
    records.sort();
    records.retain(|record| {
        let seen = copies.entry(full_key(record)).or_insert(0usize);
        *seen += 1;
        *seen == 1
    });
    copies
}

type FullKey = (Option<[u8; 16]>, Option<[u8; 8]>, Option<String>, Option<i64>);

fn full_key(record: &Record) -> FullKey {
    let log_time = record.start_time.filter(|_| record.signal == Signal::Log);
    (
        record.trace_id,
        record.span_id,
        record.event_key.as_deref().map(str::to_owned),
        log_time,
    )
}

/// What was decided about each record.
struct Verdicts<'a> {
    calls: BTreeMap<FullKey, &'a Call>,
    excluded: BTreeMap<FullKey, &'a Excluded>,
    /// Calls by the key that exclusions name.
    billed: BTreeMap<(Option<[u8; 8]>, Option<String>), &'a Call>,
}

impl<'a> Verdicts<'a> {
    fn new(settled: &'a Settled) -> Verdicts<'a> {
        let own = |row: &&Excluded| row.reason != Reason::Redelivered;
        Verdicts {
            calls: settled.calls.iter().map(|call| (full_key(&call.record), call)).collect(),
            excluded: settled
                .excluded
                .iter()
                .filter(own)
                .map(|row| (full_key(&row.record), row))
                .collect(),
            billed: settled
                .calls
                .iter()
                .map(|call| (short_key(&Key::of(&call.record)), call))
                .collect(),
        }
    }

    /// The lines about a record; none for those that nobody would bill.
    fn of(&self, record: &Record) -> Vec<String> {
        let key = full_key(record);
        if let Some(call) = self.calls.get(&key) {
            return [billed(call), remarks(&call.record)].concat();
        }
        self.excluded.get(&key).map_or_else(Vec::new, |row| self.not_billed(row))
    }

    /// Why, then what is billed in its place, then what it said itself: a line each.
    fn not_billed(&self, row: &Excluded) -> Vec<String> {
        let mut lines = vec![format!("not billed [{}]: {}", row.reason.as_str(), row.reason.explain())];
        if let Some(stands) = &row.stands {
            let name = self
                .billed
                .get(&short_key(stands))
                .and_then(|call| call.record.name.as_deref());
            let id = stands
                .span_id
                .map(hex::encode)
                .or_else(|| stands.event_key.as_deref().map(str::to_owned));
            let relation = match row.reason {
                Reason::Aggregate => "billed are those calls, the first of them",
                _ => "billed in its place:",
            };
            let mut line = format!("{relation} {} {}", name.unwrap_or("record"), id.unwrap_or_default());
            if let Some(trace) = stands.trace_id.filter(|trace| Some(*trace) != row.record.trace_id) {
                let _ = write!(line, " of trace {}", hex::encode(trace));
            }
            lines.push(line);
        }
        if let Some(tokens) = tokens(&row.record) {
            let mut line = format!("it said {tokens}");
            if let Some((input, output)) = row.gap {
                let _ = write!(
                    line,
                    "; of that {input} in and {output} out are in no call: a gap, not a cost"
                );
            }
            lines.push(line);
        }
        lines
    }
}

fn short_key(key: &Key) -> (Option<[u8; 8]>, Option<String>) {
    (key.span_id, key.event_key.as_deref().map(str::to_owned))
}

/// What it costs, then whom it was for.
fn billed(call: &Call) -> Vec<String> {
    let record = &call.record;
    let cost = match record.price.cost_usd {
        Some(cost) => format!("{} USD", decimal(cost)),
        None => "cost unknown".to_owned(),
    };
    let status = match record.price.status.as_deref() {
        None => "not priced",
        Some("no_usage") => "no_usage: nothing to price",
        Some("unpriced") => "unpriced: no price is known for this model",
        Some(status) => status,
    };
    let usage = shares(record).unwrap_or_else(|| "no usage told".to_owned());
    let mut lines = vec![format!("BILLED {cost} ({status}), {usage}")];
    let mut whom = Vec::new();
    for dimension in [Dimension::Customer, Dimension::User, Dimension::Feature] {
        if let Some(found) = record.attributed(dimension) {
            whom.push(format!("{} {} (from {})", dimension.column(), found.value, found.source));
        }
    }
    if !whom.is_empty() {
        lines.push(format!("for {}", whom.join(", ")));
    }
    lines
}

/// What was assumed or doubted about a billed record, a sentence each.
fn remarks(record: &Record) -> Vec<String> {
    let of = |flag: &str| match remark(flag) {
        _ if flag == LEAF => None,
        Some(sentence) => Some(format!("note [{flag}]: {sentence}")),
        None => Some(format!("note [{flag}]")),
    };
    record.flags.iter().filter_map(|flag| of(flag)).collect()
}

/// The tokens of a billed record, with the parts that have prices of their own.
fn shares(record: &Record) -> Option<String> {
    let totals = Totals::of(record);
    if totals == Totals::default() {
        return None;
    }
    let part = |buckets: &[usize], word: &str| {
        let sum: i64 = buckets
            .iter()
            .filter_map(|at| record.buckets[*at])
            .fold(0, i64::saturating_add);
        (sum > 0).then(|| format!("{sum} {word}"))
    };
    let side = |count: Option<i64>, word: &str, parts: [Option<String>; 2]| {
        let count = count.map_or_else(|| "?".to_owned(), |count| count.to_string());
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        match parts.is_empty() {
            true => format!("{count} {word}"),
            false => format!("{count} {word} ({})", parts.join(", ")),
        }
    };
    let read = part(&[bucket::CACHE_READ], "from the cache");
    let written = part(&[bucket::CACHE_WRITE_5M, bucket::CACHE_WRITE_1H], "into it");
    let reasoning = part(&[bucket::OUTPUT_REASONING], "reasoning");
    Some(format!(
        "{}, {}",
        side(totals.input, "in", [read, written]),
        side(totals.output, "out", [reasoning, None])
    ))
}

fn tokens(record: &Record) -> Option<String> {
    let totals = Totals::of(record);
    if totals == Totals::default() {
        return None;
    }
    let side = |count: Option<i64>| count.map_or_else(|| "?".to_owned(), |count| count.to_string());
    Some(format!("{} in, {} out", side(totals.input), side(totals.output)))
}

/// USD at scale 12 without trailing zeros.
fn decimal(value: i128) -> String {
    const SCALE: u128 = 1_000_000_000_000;
    let sign = if value < 0 { "-" } else { "" };
    let (whole, fraction) = (value.unsigned_abs() / SCALE, value.unsigned_abs() % SCALE);
    let fraction = format!("{fraction:012}");
    match fraction.trim_end_matches('0') {
        "" => format!("{sign}{whole}"),
        fraction => format!("{sign}{whole}.{fraction}"),
    }
}

struct Printer<'a> {
    records: &'a [Record],
    tree: &'a Tree,
    verdicts: &'a Verdicts<'a>,
    copies: &'a BTreeMap<FullKey, usize>,
    /// Records in whose branches nothing is a call, an agent or a tool, and nothing was decided.
    silent: &'a [bool],
}

/// A line of the tree.
enum Line {
    Record(usize),
    /// So many records that say nothing of money.
    Silent(usize),
}

/// Which records have nothing to say, nor any below them.
fn silent(records: &[Record], tree: &Tree, verdicts: &Verdicts<'_>) -> Vec<bool> {
    let mut silent = vec![true; records.len()];
    for (index, record) in records.iter().enumerate() {
        if record.role == Role::Other && verdicts.of(record).is_empty() {
            continue;
        }
        let mut next = Some(index);
        while let Some(at) = next.filter(|at| silent[*at]) {
            silent[at] = false;
            next = tree.parent(at);
        }
    }
    silent
}

impl Printer<'_> {
    /// Draws `roots` and what stands below them, without recursing: depth is the sender's choice.
    fn branch(&self, text: &mut String, roots: &[usize]) {
        let mut stack: Vec<(Line, String, bool)> = Vec::new();
        let push = |stack: &mut Vec<(Line, String, bool)>, indexes: &[usize], prefix: &str| {
            let lines = self.lines(indexes);
            let last = lines.len();
            for (position, line) in lines.into_iter().enumerate().rev() {
                stack.push((line, prefix.to_owned(), position + 1 == last));
            }
        };
        push(&mut stack, roots, "");
        while let Some((line, prefix, is_last)) = stack.pop() {
            let (joint, rail) = if is_last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            let index = match line {
                Line::Record(index) => index,
                Line::Silent(count) => {
                    let _ = writeln!(text, "{prefix}{joint}… {count} more that are no calls");
                    continue;
                }
            };
            let _ = writeln!(text, "{prefix}{joint}{}", self.title(index));
            let mut children = self.tree.children(index).to_vec();
            children.sort_by_key(|child| (self.records[*child].start_nano, *child));
            // Beyond this the tree is wider than any screen; the order still tells the path.
            const DEEPEST: usize = 200;
            let inner = if prefix.len() < DEEPEST {
                format!("{prefix}{rail}")
            } else {
                prefix
            };
            let stem = if children.is_empty() { "   " } else { "│  " };
            for line in self.verdicts.of(&self.records[index]) {
                let _ = writeln!(text, "{inner}{stem}{line}");
            }
            push(&mut stack, &children, &inner);
        }
    }

    /// Records one by one, but for long runs of those that say nothing of money.
    fn lines(&self, indexes: &[usize]) -> Vec<Line> {
        const FEW: usize = 3;
        let mut lines = Vec::new();
        for run in indexes.chunk_by(|a, b| self.silent[*a] && self.silent[*b]) {
            if run.len() > FEW && self.silent[run[0]] {
                lines.push(Line::Silent(self.below(run)));
            } else {
                lines.extend(run.iter().map(|index| Line::Record(*index)));
            }
        }
        lines
    }

    /// How many records stand in these branches.
    fn below(&self, roots: &[usize]) -> usize {
        let mut rest = roots.to_vec();
        let mut count = 0;
        while let Some(index) = rest.pop() {
            count += 1;
            rest.extend_from_slice(self.tree.children(index));
        }
        count
    }

    fn title(&self, index: usize) -> String {
        let record = &self.records[index];
        let name = record.name.as_deref().or(record.event_key.as_deref()).unwrap_or("unnamed");
        let mut title = format!("{} {name}", record.role.as_str());
        if record.signal == Signal::Log {
            title.insert_str(0, "log: ");
        }
        let model = record.response_model.as_deref().or(record.request_model.as_deref());
        if let Some(model) = model.filter(|model| !name.contains(model)) {
            let _ = write!(title, " {model}");
        }
        if let Some(id) = record.span_id.filter(|_| record.signal == Signal::Span) {
            let _ = write!(title, " {}", hex::encode(id));
        }
        if let Some(scope) = &record.scope_name {
            let _ = write!(title, " ({scope})");
        }
        if record.failed() {
            let _ = write!(title, " failed: {}", record.error_type.as_deref().unwrap_or("error"));
        }
        if let Some(times) = self.copies.get(&full_key(record)).filter(|times| **times > 1) {
            let _ = write!(title, " delivered {times} times");
        }
        if self.tree.parent(index).is_none() && record.parent_span_id.is_some() && record.signal == Signal::Span {
            title.push_str(" below a span that has not arrived");
        }
        title
    }
}

fn summary(text: &mut String, settled: &Settled) {
    let known: i128 = settled.calls.iter().filter_map(|call| call.record.price.cost_usd).sum();
    let unknown = settled
        .calls
        .iter()
        .filter(|call| call.record.price.cost_usd.is_none())
        .count();
    let _ = write!(text, "{} billed, {} USD", settled.calls.len(), decimal(known));
    if unknown > 0 {
        let _ = write!(text, " and {unknown} of unknown cost");
    }
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for row in &settled.excluded {
        *reasons.entry(row.reason.as_str()).or_default() += 1;
    }
    let reasons: Vec<String> = reasons
        .into_iter()
        .map(|(reason, count)| format!("{count} {reason}"))
        .collect();
    let _ = match reasons.is_empty() {
        true => writeln!(text, "; nothing was left out"),
        false => writeln!(text, "; not billed: {}", reasons.join(", ")),
    };
    let services: BTreeSet<&str> = settled
        .calls
        .iter()
        .filter_map(|call| call.record.service_name.as_deref())
        .collect();
    if services.len() > 1 {
        let _ = writeln!(text, "services: {}", services.into_iter().collect::<Vec<_>>().join(", "));
    }
}
