//! The working set of one component: its records, how they stand, and what has been found out about each.
//!
//! Rules read and write it in the order that `mod.rs` gives. It keeps findings; it draws no conclusions itself.

use super::reason::Reason;
use super::record::Record;
use super::tree::Tree;
use super::usage::Totals;

/// What a record is in the question of billing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// One request to a model.
    Leaf,
    /// Repeats, sums or echoes the usage of others.
    Aggregate,
    /// Carries usage, or re-reads a call, and never costs anything.
    Free,
    /// Takes part as an ancestor only.
    Plain,
}

/// Why a record is not billed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Exclusion {
    pub(super) reason: Reason,
    /// A record of the group that stands for it.
    pub(super) stands: Option<usize>,
    /// Input and output tokens that what stands for it does not explain.
    pub(super) gap: Option<(i64, i64)>,
}

pub(super) struct Case {
    pub(super) records: Vec<Record>,
    pub(super) tree: Tree,
    pub(super) class: Vec<Class>,
    pub(super) excluded: Vec<Option<Exclusion>>,
    /// Notes of settle on a record.
    pub(super) notes: Vec<Vec<&'static str>>,
    /// Aggregates that are billed because nothing below them reports.
    pub(super) orphans: Vec<usize>,
    group: Vec<usize>,
    members: Vec<Vec<usize>>,
}

impl Case {
    pub(super) fn new(records: Vec<Record>) -> Case {
        let count = records.len();
        Case {
            tree: Tree::new(&records),
            class: records.iter().map(classify).collect(),
            records,
            excluded: vec![None; count],
            notes: vec![Vec::new(); count],
            orphans: Vec::new(),
            group: (0..count).collect(),
            members: (0..count).map(|index| vec![index]).collect(),
        }
    }

    pub(super) fn leaves(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.records.len()).filter(|index| self.class[*index] == Class::Leaf)
    }

    /// The group of records that report the same call, named by its first record.
    pub(super) fn group(&self, index: usize) -> usize {
        self.group[index]
    }

    /// All records of the group of `index`, in canonical order.
    pub(super) fn members(&self, index: usize) -> &[usize] {
        &self.members[self.group[index]]
    }

    /// Notes that two records report the same call.
    pub(super) fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.group[a], self.group[b]);
        if a == b {
            return;
        }
        let (keep, gone) = (a.min(b), a.max(b));
        let mut moved = std::mem::take(&mut self.members[gone]);
        for index in &moved {
            self.group[*index] = keep;
        }
        self.members[keep].append(&mut moved);
        self.members[keep].sort_unstable();
    }

    /// The leaf groups that nothing has excluded, named by their first record, in canonical order.
    pub(super) fn standing_groups(&self) -> Vec<usize> {
        self.leaves()
            .filter(|index| self.group[*index] == *index && self.stands(*index))
            .collect()
    }

    /// Whether some record of the group is not excluded.
    pub(super) fn stands(&self, index: usize) -> bool {
        self.members(index).iter().any(|member| self.excluded[*member].is_none())
    }

    pub(super) fn group_has_usage(&self, index: usize) -> bool {
        self.members(index).iter().any(|member| self.records[*member].has_usage())
    }

    /// Whether the group is an attempt that failed and told no usage: nothing was charged.
    pub(super) fn group_failed(&self, index: usize) -> bool {
        !self.group_has_usage(index) && self.members(index).iter().any(|member| self.records[*member].failed())
    }

    /// The totals of a group's best record.
    pub(super) fn group_totals(&self, index: usize) -> Totals {
        Totals::of(&self.records[super::survivor::choose(self, index)])
    }

    pub(super) fn exclude(&mut self, index: usize, reason: Reason, stands: Option<usize>, gap: Option<(i64, i64)>) {
        self.excluded[index] = Some(Exclusion { reason, stands, gap });
    }

    pub(super) fn note(&mut self, index: usize, note: &'static str) {
        if !self.notes[index].contains(&note) {
            self.notes[index].push(note);
        }
    }
}

fn classify(record: &Record) -> Class {
    let role = record.role;
    if role.is_leaf() {
        return Class::Leaf;
    }
    // A total that cannot be divided is usage all the same: it must not vanish because it cannot be priced.
    let claims = record.has_usage() || record.has_charge() || record.has_flag("total_only");
    match (role.is_free(), claims) {
        (true, true) => Class::Free,
        (false, true) => Class::Aggregate,
        (_, false) => Class::Plain,
    }
}
