//! Which records must be settled together: connected components over everything that a rule may compare.
//!
//! The nodes are traces (a log record without a trace is a node of its own). Two nodes are linked by an id of a
//! response or run; by a session at the same time, where one side is an aggregate that the other may explain or a product's record; by
//! equal usage at the same time from different instrumentations; by standing in time within a call of another
//! instrumentation, where a call tells no usage or half of it. All of it within one tenant. A hash that collides only
//! makes a component larger, which changes no verdict.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};

use super::identity::{is_polled, is_worth};
use super::matching::holds_most;
use super::record::{Record, Signal, bucket};
use super::signals::{WRITING_SLACK_NANOS, is_product};
use super::usage::Totals;

/// A node or a link, hashed. The hash lives within one run only.
pub type NodeId = u64;

/// Sessions are compared within windows of this length: a session may last for ever, a component should not.
const SESSION_WINDOW_NANOS: i64 = 3_600_000_000_000;
/// Records of one call overlap in time, hence share a window of this length.
const CALL_WINDOW_NANOS: i64 = 60_000_000_000;
/// Records longer than this many windows are not linked by time.
const MOST_WINDOWS: i64 = 72;
/// An SDK's call starts at most this long after its framework's.
const START_WINDOW_NANOS: i64 = 2_000_000_000;
/// A silent call that stands beside more calls than this is not compared with any: it stays of unknown cost.
const MOST_BESIDE: usize = 8;
/// In a service that makes more calls at a time than these, time proves nothing.
const MOST_NEAR: usize = 512;

/// The node of a record.
pub fn node(record: &Record) -> NodeId {
    let tenant = record.tenant.as_deref();
    match (record.trace_id, record.signal) {
        (Some(trace), _) => hash((0u8, tenant, trace)),
        (None, Signal::Span) => hash((1u8, tenant, record.span_id)),
        (None, Signal::Log) => hash((2u8, tenant, record.event_key.as_deref(), record.start_time)),
    }
}

fn hash(value: impl Hash) -> NodeId {
    // Without a seed: components are numbered alike in every run.
    let mut hasher = std::hash::DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Collects links and finds components.
#[derive(Default)]
pub struct Linker {
    index: HashMap<NodeId, u32>,
    parent: Vec<u32>,
    /// Link -> a node that has it.
    ids: HashMap<NodeId, u32>,
    /// Session and window, whether the record asks for others of its session, node.
    sessions: Vec<(NodeId, bool, u32)>,
    /// Usage and window, scope, node.
    alike: Vec<(NodeId, NodeId, u32)>,
    /// Calls, by service and start.
    calls: Vec<Timed>,
}

/// When a call was made, and what little it may tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Timed {
    service: NodeId,
    start: i64,
    end: i64,
    scope: NodeId,
    node: u32,
    told: Told,
}

/// How much of its usage a call tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Told {
    Nothing,
    /// Output tokens without input.
    OutputOnly(i64),
    /// Output tokens, and what was read for them.
    All(i64),
}

impl Timed {
    /// Whether the two may be one call of which one tells too little to be found by its usage.
    fn may_be(&self, other: &Timed) -> bool {
        let alike = match (self.told, other.told) {
            (Told::All(_), Told::All(_)) => false,
            (Told::Nothing, _) | (_, Told::Nothing) => true,
            (Told::OutputOnly(a) | Told::All(a), Told::OutputOnly(b) | Told::All(b)) => a == b,
        };
        let (first, second) = if self.start <= other.start {
            (self, other)
        } else {
            (other, self)
        };
        let inside = |outer: &Timed, inner: &Timed| holds_most((outer.start, outer.end), (inner.start, inner.end));
        alike && self.scope != other.scope && (inside(first, second) || inside(second, first))
    }
}

impl Linker {
    /// Takes note of one record.
    pub fn observe(&mut self, record: &Record) {
        let node = self.node_index(node(record));
        let tenant = record.tenant.as_deref();
        let run_id = record.run_id.as_deref().filter(|id| is_worth(id) || is_polled(record));
        for (kind, id) in [(3u8, record.response_id.as_deref().filter(|id| is_worth(id))), (4u8, run_id)] {
            if let Some(id) = id {
                let first = *self.ids.entry(hash((kind, tenant, id))).or_insert(node);
                self.union(first, node);
            }
        }
        let Some((start, end)) = record.interval() else { return };
        let scope = hash(record.scope_name.as_deref());
        let told = record.has_usage();
        let totals = Totals::of(record);
        if record.role.is_leaf() && record.signal == Signal::Span {
            self.calls.push(Timed {
                service: hash((7u8, tenant, record.service_name.as_deref())),
                start,
                end,
                scope,
                node,
                told: match (told, totals.input, totals.output.unwrap_or(0)) {
                    (false, ..) => Told::Nothing,
                    (true, None, output) if output > 0 => Told::OutputOnly(output),
                    (true, _, output) => Told::All(output),
                },
            });
        }
        let lesser = is_product(record) && record.role.is_leaf();
        if !told && !lesser {
            return;
        }
        if let Some(session) = record.conversation_id() {
            let asks = !record.role.is_leaf() || is_product(record);
            let wide = (
                start.saturating_sub(WRITING_SLACK_NANOS),
                end.saturating_add(WRITING_SLACK_NANOS),
            );
            for window in windows(wide, SESSION_WINDOW_NANOS) {
                self.sessions.push((hash((5u8, tenant, session, window)), asks, node));
            }
        }
        // Another record of the call may tell the input without what is cached beside it.
        let uncached = record.buckets[bucket::INPUT_UNCACHED].filter(|tokens| totals.input != Some(*tokens));
        let inputs = [totals.input, uncached].into_iter().flatten();
        for input in inputs.filter(|tokens| record.role.is_leaf() && *tokens > 0) {
            for window in windows((start, end), CALL_WINDOW_NANOS) {
                self.alike
                    .push((hash((6u8, tenant, input, totals.output.unwrap_or(0), window)), scope, node));
            }
        }
    }

    /// Draws the links that need every record to be known. After it, ask [`Linker::component`].
    pub fn finish(&mut self) {
        let mut sessions = std::mem::take(&mut self.sessions);
        sessions.sort_unstable();
        for same in sessions.chunk_by(|a, b| a.0 == b.0) {
            if same.iter().any(|(_, asks, _)| *asks) {
                same.iter().for_each(|(_, _, node)| self.union(same[0].2, *node));
            }
        }
        self.link_reticent();
        let mut alike = std::mem::take(&mut self.alike);
        alike.sort_unstable();
        for same in alike.chunk_by(|a, b| a.0 == b.0) {
            if same.iter().any(|(_, scope, _)| *scope != same[0].1) {
                same.iter().for_each(|(_, _, node)| self.union(same[0].2, *node));
            }
        }
    }

    /// The number of the component of `node`, once everything was observed.
    pub fn component(&mut self, node: NodeId) -> Option<u32> {
        let index = *self.index.get(&node)?;
        Some(self.find(index))
    }

    /// Links each call that tells too little with the calls of other instrumentations that it may be.
    fn link_reticent(&mut self) {
        let mut calls = std::mem::take(&mut self.calls);
        if calls.iter().all(|call| matches!(call.told, Told::All(_))) {
            return;
        }
        calls.sort_unstable();
        for call in calls.iter().filter(|call| !matches!(call.told, Told::All(_))) {
            let earliest = (call.service, call.start.saturating_sub(START_WINDOW_NANOS));
            let first = calls.partition_point(|other| (other.service, other.start) < earliest);
            let beside: Vec<u32> = calls[first..]
                .iter()
                .take_while(|other| other.service == call.service && other.start - call.start <= START_WINDOW_NANOS)
                .take(MOST_NEAR)
                .filter(|other| call.may_be(other))
                .map(|other| other.node)
                .take(MOST_BESIDE + 1)
                .collect();
            if beside.len() <= MOST_BESIDE {
                beside.into_iter().for_each(|other| self.union(other, call.node));
            }
        }
    }

    fn node_index(&mut self, node: NodeId) -> u32 {
        let next = self.parent.len() as u32;
        let index = *self.index.entry(node).or_insert(next);
        if index == next {
            self.parent.push(next);
        }
        index
    }

    fn find(&mut self, mut index: u32) -> u32 {
        while self.parent[index as usize] != index {
            let above = self.parent[self.parent[index as usize] as usize];
            self.parent[index as usize] = above;
            index = above;
        }
        index
    }

    fn union(&mut self, a: u32, b: u32) {
        let (a, b) = (self.find(a), self.find(b));
        self.parent[a.max(b) as usize] = a.min(b);
    }
}

fn windows((start, end): (i64, i64), length: i64) -> impl Iterator<Item = i64> {
    let (first, last) = (start.div_euclid(length), end.div_euclid(length));
    first..=if last - first < MOST_WINDOWS { last } else { first - 1 }
}

/// Splits records into components. Their order follows each component's first record in `records`.
pub(super) fn split(records: Vec<Record>) -> Vec<Vec<Record>> {
    let mut linker = Linker::default();
    records.iter().for_each(|record| linker.observe(record));
    linker.finish();
    let mut position: HashMap<u32, usize> = HashMap::new();
    let mut components: Vec<Vec<Record>> = Vec::new();
    for record in records {
        let component = linker.component(node(&record)).expect("every record was observed");
        let position = *position.entry(component).or_insert_with(|| {
            components.push(Vec::new());
            components.len() - 1
        });
        components[position].push(record);
    }
    components
}
