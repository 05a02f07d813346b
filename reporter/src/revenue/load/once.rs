//! Each sale once: the newest version of a line, no line of two exports twice, and of several exports of one billing
//! system the finest.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::super::line::{Exclusion, Kind, RevenueLine, Text};
use super::super::load_report::LoadReport;
use super::super::mapping::{Grain, Mapping, Plan};
use super::super::refusal::{Refusal, Refusals, RevenueError};
use super::ByLine;

/// All lines so far.
#[derive(Debug, Default)]
pub(super) struct Once {
    lines: Vec<Option<RevenueLine>>,
    /// Which row each of them was made from, over all files.
    rows: Vec<usize>,
    by_id: ByLine,
    sources: BTreeMap<Text, Family>,
}

#[derive(Debug)]
struct Family {
    name: Option<String>,
    grain: Grain,
    title: String,
    /// A file of it that does not say which document a row belongs to.
    blind: Option<String>,
}

/// What a row is to the rows before it.
enum Verdict {
    New,
    /// Takes the place of these lines.
    Newer(Vec<usize>),
    Known(&'static str),
    Conflict(usize, usize),
}

impl Once {
    /// Adds the lines of a file.
    pub(super) fn add(
        &mut self,
        mapping: &Mapping,
        plan: &Plan,
        lines: Vec<RevenueLine>,
        starts: &[usize],
        report: &mut LoadReport,
        refusals: &mut Refusals,
    ) {
        let Some(first) = lines.first() else { return };
        let family = self.sources.entry(first.source.clone()).or_insert_with(|| Family {
            name: mapping.family.clone(),
            grain: mapping.grain,
            title: mapping.title.clone(),
            blind: None,
        });
        if !plan.names_documents {
            family.blind = Some(first.source_file.to_string());
        }
        let ends = starts.iter().skip(1).copied().chain([lines.len()]);
        let sizes: Vec<usize> = starts.iter().zip(ends).map(|(start, end)| end - start).collect();
        self.lines.reserve(lines.len());
        self.rows.reserve(lines.len());
        self.by_id.reserve(lines.len());
        let mut lines = lines.into_iter();
        for size in sizes {
            let mut row: Vec<RevenueLine> = lines.by_ref().take(size).collect();
            self.add_row(&mut row, report, refusals);
        }
    }

    fn add_row(&mut self, row: &mut Vec<RevenueLine>, report: &mut LoadReport, refusals: &mut Refusals) {
        match self.verdict(row) {
            Verdict::New => {}
            Verdict::Newer(old) => {
                report.exclude(&self.line(old[0]).source_file.clone(), Exclusion::SUPERSEDED);
                old.iter().for_each(|index| self.lines[*index] = None);
            }
            Verdict::Known(reason) => {
                report.exclude(&row[0].source_file, reason);
                return row.clear();
            }
            Verdict::Conflict(earlier, at) => {
                refusals.push(self.conflict(&row[at], earlier));
                return row.clear();
            }
        }
        let of_row = self.rows.last().map_or(0, |row| row + 1);
        for line in row.drain(..) {
            self.rows.push(of_row);
            let (index, key) = (self.lines.len(), (line.source.clone(), line.line_id.clone()));
            // Two lines of one row may have one id; the row's place tells them apart.
            if let Some(earlier) = self.by_id.insert(key, index).filter(|earlier| self.lines[*earlier].is_some()) {
                refusals.push(self.conflict(&line, earlier));
            }
            self.lines.push(Some(line));
        }
    }

    fn verdict(&self, row: &[RevenueLine]) -> Verdict {
        let earlier = |line: &RevenueLine| {
            let index = *self.by_id.get(&(line.source.clone(), line.line_id.clone()))?;
            self.lines[index].as_ref().map(|_| index)
        };
        let Some((at, index)) = row.iter().enumerate().find_map(|(at, line)| Some((at, earlier(line)?))) else {
            return Verdict::New;
        };
        let (old, new) = (self.line(index), &row[at]);
        let whole_row = || {
            let of_row = |at: &usize| self.rows.get(*at) == self.rows.get(index);
            let first = (0..=index).rev().take_while(of_row).last().unwrap_or(index);
            (first..).take_while(of_row).collect::<Vec<usize>>()
        };
        let same = |old: &RevenueLine, new: &RevenueLine| {
            let moved = RevenueLine {
                source_file: old.source_file.clone(),
                source_row: old.source_row,
                ..new.clone()
            };
            moved == *old
        };
        match (&old.version, &new.version) {
            (Some(before), Some(now)) if is_later(now, before) => Verdict::Newer(whole_row()),
            (Some(before), Some(now)) if is_later(before, now) => Verdict::Known(Exclusion::SUPERSEDED),
            (Some(_), Some(_)) if same(old, new) => Verdict::Known(Exclusion::REPEATED),
            _ if same(old, new) && old.source_file != new.source_file => Verdict::Known(Exclusion::REPEATED),
            _ => Verdict::Conflict(index, at),
        }
    }

    fn line(&self, index: usize) -> &RevenueLine {
        self.lines[index].as_ref().expect("only lines that are there have an index")
    }

    fn conflict(&self, line: &RevenueLine, earlier: usize) -> Refusal {
        let earlier = self.line(earlier);
        let reason = format!(
            "is also the id of line {} of {}: ids must be unique",
            earlier.source_row, earlier.source_file
        );
        let column = if &*line.source == "generic" { "line_id" } else { "id" };
        Refusal {
            file: line.source_file.to_string(),
            line: line.source_row,
            column: Some(column.to_owned()),
            value: Some(line.line_id.to_string()),
            reason,
        }
    }

    /// All lines that count, in the order of the files.
    pub(super) fn finish(mut self, report: &mut LoadReport) -> Result<Vec<RevenueLine>, RevenueError> {
        let families: HashSet<String> = self.sources.values().filter_map(|source| source.name.clone()).collect();
        let mut families: Vec<String> = families.into_iter().collect();
        families.sort();
        for family in families {
            self.finest(&family, report)?;
        }
        Ok(self.lines.into_iter().flatten().collect())
    }

    /// Of one billing system's exports a coarser one repeats what a finer one says: its rows count where their document
    /// is not in the finer one. What a payment says beyond its document (refunds, disputes, fees) counts, but for
    /// refunds that a credit note says too.
    fn finest(&mut self, family: &str, report: &mut LoadReport) -> Result<(), RevenueError> {
        let of_family: HashMap<Text, Grain> = self
            .sources
            .iter()
            .filter(|(_, source)| source.name.as_deref() == Some(family))
            .map(|(name, source)| (name.clone(), source.grain))
            .collect();
        let Some(finest) = of_family
            .values()
            .min()
            .copied()
            .filter(|finest| of_family.values().any(|grain| grain > finest))
        else {
            return Ok(());
        };
        for source in self
            .sources
            .values()
            .filter(|source| source.name.as_deref() == Some(family) && source.grain > finest)
        {
            if let Some(file) = &source.blind {
                let reason = format!(
                    "has no column that says which invoice a row belongs to, and a finer export of the same billing system is \
                     given too: what both say would count twice. Export the {} with its invoice id, or give one of the two",
                    source.title
                );
                return Err(super::super::mapping::refuse_file(file, None, reason).into());
            }
        }
        let mut documents: HashMap<Grain, [HashSet<Text>; 2]> = HashMap::new();
        for line in self.lines.iter().flatten() {
            if let (Some(grain), Some(document)) = (of_family.get(&line.source), &line.document) {
                let refund = usize::from(line.meaning() == Kind::Refund);
                documents.entry(*grain).or_default()[refund].insert(document.clone());
            }
        }
        for slot in &mut self.lines {
            let Some(line) = slot else { continue };
            let (Some(grain), Some(document)) = (of_family.get(&line.source), &line.document) else {
                continue;
            };
            let finer = |refund: usize| {
                documents
                    .iter()
                    .any(|(other, sets)| other < grain && sets[refund].contains(document))
            };
            let beyond = matches!(line.kind.as_deref(), Some("chargeback" | "dispute_reversal")) || line.meaning() == Kind::Cost;
            let repeats = match (grain, line.meaning()) {
                _ if *grain == Grain::Payment && beyond => false,
                (Grain::Payment, Kind::Refund) => finer(1),
                _ => finer(0),
            };
            if repeats {
                report.exclude(&line.source_file, Exclusion::COUNTED_BY_LINES);
                *slot = None;
            }
        }
        Ok(())
    }
}

/// Versions are times or numbers: numbers by their value, all else as text.
fn is_later(left: &str, right: &str) -> bool {
    let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty();
    match number(left) && number(right) {
        true => (left.len(), left) > (right.len(), right),
        false => left > right,
    }
}
