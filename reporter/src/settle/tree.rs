//! The span tree of a component: who stands above whom.
//!
//! A log record stands below the span that it was written in. Parent links may be missing, may name a span that never
//! arrived, and may form loops: a loop is cut at its first record in canonical order. Nothing here recurses, since
//! depth is the sender's choice.

use std::collections::HashMap;

use super::record::{Record, Signal};

/// Parents, children and positions of records, by their index in the component.
pub(super) struct Tree {
    parent: Vec<Option<usize>>,
    children: Vec<Vec<usize>>,
    /// The record names a parent that is not here.
    dangling: Vec<bool>,
    /// Position in a walk that visits parents before children; a subtree is `enter..leave`.
    enter: Vec<usize>,
    leave: Vec<usize>,
    walk: Vec<usize>,
    root: Vec<usize>,
    depth: Vec<usize>,
}

impl Tree {
    pub(super) fn new(records: &[Record]) -> Tree {
        let spans: HashMap<_, usize> = records
            .iter()
            .enumerate()
            .filter(|(_, record)| record.signal == Signal::Span)
            .filter_map(|(index, record)| Some(((record.tenant.as_deref(), record.trace_id?, record.span_id?), index)))
            .collect();
        let named = |record: &Record| match record.signal {
            Signal::Span => record.parent_span_id,
            Signal::Log => record.span_id,
        };
        let mut parent: Vec<Option<usize>> = records
            .iter()
            .enumerate()
            .map(|(index, record)| {
                let key = (record.tenant.as_deref(), record.trace_id?, named(record)?);
                spans.get(&key).copied().filter(|parent| *parent != index)
            })
            .collect();
        cut_loops(&mut parent);
        let dangling = records
            .iter()
            .zip(&parent)
            .map(|(record, parent)| named(record).is_some() && parent.is_none());
        let dangling = dangling.collect();
        let mut children = vec![Vec::new(); records.len()];
        for (index, parent) in parent.iter().enumerate() {
            if let Some(parent) = parent {
                children[*parent].push(index);
            }
        }
        let mut tree = Tree {
            dangling,
            enter: vec![0; records.len()],
            leave: vec![0; records.len()],
            walk: Vec::with_capacity(records.len()),
            root: (0..records.len()).collect(),
            depth: vec![0; records.len()],
            parent,
            children,
        };
        tree.number();
        tree
    }

    fn number(&mut self) {
        let mut stack: Vec<(usize, bool)> = Vec::new();
        for start in (0..self.parent.len()).filter(|index| self.parent[*index].is_none()) {
            stack.push((start, false));
            while let Some((index, done)) = stack.pop() {
                if done {
                    self.leave[index] = self.walk.len();
                    continue;
                }
                if let Some(parent) = self.parent[index] {
                    self.root[index] = self.root[parent];
                    self.depth[index] = self.depth[parent] + 1;
                }
                self.enter[index] = self.walk.len();
                self.walk.push(index);
                stack.push((index, true));
                stack.extend(self.children[index].iter().rev().map(|child| (*child, false)));
            }
        }
    }

    pub(super) fn parent(&self, index: usize) -> Option<usize> {
        self.parent[index]
    }

    pub(super) fn children(&self, index: usize) -> &[usize] {
        &self.children[index]
    }

    /// The topmost known record above `index`, or itself.
    pub(super) fn root(&self, index: usize) -> usize {
        self.root[index]
    }

    /// Whether the topmost known record above `index` names a parent that has not arrived.
    pub(super) fn is_detached(&self, index: usize) -> bool {
        self.dangling[self.root[index]]
    }

    pub(super) fn depth(&self, index: usize) -> usize {
        self.depth[index]
    }

    /// Whether `above` stands strictly above `below`.
    pub(super) fn is_above(&self, above: usize, below: usize) -> bool {
        above != below && self.enter[above] <= self.enter[below] && self.enter[below] < self.leave[above]
    }

    /// All records strictly below `index`, parents before children.
    pub(super) fn below(&self, index: usize) -> &[usize] {
        &self.walk[self.enter[index] + 1..self.leave[index]]
    }

    /// Every record, children before parents.
    pub(super) fn bottom_up(&self) -> impl Iterator<Item = usize> + '_ {
        self.walk.iter().rev().copied()
    }

    /// Every record, parents before children.
    pub(super) fn top_down(&self) -> impl Iterator<Item = usize> + '_ {
        self.walk.iter().copied()
    }
}

fn cut_loops(parent: &mut [Option<usize>]) {
    // 0 is not seen, otherwise the number of the walk that saw the record first.
    let mut seen = vec![0usize; parent.len()];
    for start in 0..parent.len() {
        let mut index = start;
        while seen[index] == 0 {
            seen[index] = start + 1;
            match parent[index] {
                Some(above) => index = above,
                None => break,
            }
        }
        if seen[index] == start + 1 && parent[index].is_some() {
            let mut first = index;
            let mut next = parent[index];
            while let Some(member) = next.filter(|member| *member != index) {
                first = first.min(member);
                next = parent[member];
            }
            if next == Some(index) {
                parent[first] = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use marginlake_lake::schema::Role;

    fn span(id: u8, parent: u8) -> Record {
        let mut record = Record::empty(Signal::Span, Role::Other);
        record.trace_id = Some([1; 16]);
        record.span_id = Some([id; 8]);
        record.parent_span_id = (parent != 0).then_some([parent; 8]);
        record
    }

    #[test]
    fn a_subtree_is_what_stands_below() {
        let tree = Tree::new(&[span(1, 0), span(2, 1), span(3, 2), span(4, 1), span(5, 9)]);
        assert_eq!(tree.below(0), [1, 2, 3]);
        assert!(tree.is_above(0, 2));
        assert!(!tree.is_above(1, 3));
        assert!(tree.is_detached(4));
        assert_eq!(tree.top_down().take(3).collect::<Vec<_>>(), [0, 1, 2]);
    }

    #[test]
    fn loops_of_parents_are_cut_once() {
        let tree = Tree::new(&[span(1, 3), span(2, 1), span(3, 2), span(4, 4)]);
        assert_eq!(tree.bottom_up().count(), 4);
        assert_eq!(tree.root(2), 0);
    }

    #[test]
    fn a_chain_of_a_hundred_thousand_spans_is_walked() {
        let records: Vec<_> = (0..100_000u64)
            .map(|index| {
                let mut record = span(0, 0);
                record.span_id = Some((index + 1).to_be_bytes());
                record.parent_span_id = (index > 0).then(|| index.to_be_bytes());
                record
            })
            .collect();
        assert_eq!(Tree::new(&records).below(0).len(), 99_999);
    }
}
