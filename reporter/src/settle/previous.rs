//! What earlier runs wrote about the components that are settled again.
//!
//! Rows of other components on the same days are kept as they are. A call that comes out the same keeps the price it
//! was settled with, whatever a newer catalogue says. A cost that moves is a restatement.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use datafusion::prelude::{SessionConfig, SessionContext};
use marginlake_lake::LakeTable;

use super::call::Call;
use super::decode::Decoder;
use super::driver::SettleError;
use super::plan::{Plan, files_of};
use super::reason::billed::COST_RULE;
use super::record::{Dimension, Record, Signal, Text};

/// Rows to keep, by nothing but their batches, and the old calls of touched components.
#[derive(Default)]
pub(super) struct Previous {
    pub(super) kept: Vec<RecordBatch>,
    calls: HashMap<u32, Vec<Record>>,
}

/// A cost of a day, customer and model that moved.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Restatement {
    pub(super) date: i32,
    pub(super) customer_id: Option<Text>,
    pub(super) model: Option<Text>,
    pub(super) before: Option<i128>,
    pub(super) after: Option<i128>,
    pub(super) reason: &'static str,
}

impl Previous {
    /// Reads the rows of `table` on `days`, split into kept and touched.
    pub(super) async fn read(table: &LakeTable, days: &BTreeSet<i32>, plan: &mut Plan) -> Result<Previous, SettleError> {
        let files = files_of(table, days)?;
        let mut previous = Previous::default();
        if files.is_empty() {
            return Ok(previous);
        }
        let config = SessionConfig::new().set_bool("datafusion.execution.parquet.schema_force_view_types", false);
        let frame = SessionContext::new_with_config(config).read_table(table.provider_of(&files).await?)?;
        let mut decoder = Decoder::default();
        for batch in frame.collect().await? {
            let mut keep = Vec::with_capacity(batch.num_rows());
            for record in decoder.decode(&batch)? {
                let touched = plan.touched(&record);
                keep.push(touched.is_none());
                if let Some(component) = touched {
                    previous.calls.entry(component).or_default().push(record);
                }
            }
            let kept = filter_record_batch(&batch, &BooleanArray::from(keep))?;
            if kept.num_rows() > 0 {
                previous.kept.push(kept);
            }
        }
        Ok(previous)
    }

    /// The rows that earlier runs wrote for touched components on days that must not change. None is kept: their files
    /// stay as they are.
    pub(super) async fn read_frozen(
        &mut self,
        table: &LakeTable,
        days: &BTreeSet<i32>,
        plan: &mut Plan,
    ) -> Result<(), SettleError> {
        let frozen = Previous::read(table, days, plan).await?;
        for (component, rows) in frozen.calls {
            self.calls.entry(component).or_default().extend(rows);
        }
        Ok(())
    }

    /// Takes out of `calls` what belongs to closed days, with what stands in for rows there: those rows stay as they
    /// are. Returns what differs from them: it waits until its month is reopened.
    pub(super) fn hold(&mut self, component: u32, calls: &mut Vec<Call>, is_closed: impl Fn(i32) -> bool) -> Vec<Call> {
        let Some(rows) = self.calls.get_mut(&component) else {
            let (late, open) = std::mem::take(calls)
                .into_iter()
                .partition(|call| is_closed(call.record.date));
            *calls = open;
            return late;
        };
        let known: BTreeSet<RecordKey> = rows.iter().map(key).collect();
        let (frozen, open): (Vec<Record>, Vec<Record>) = std::mem::take(rows).into_iter().partition(|old| is_closed(old.date));
        *rows = open;
        let now: BTreeSet<RecordKey> = calls.iter().map(|call| key(&call.record)).collect();
        // A closed row that nothing stands for any more still counts; what took its place must not count beside it.
        let gone = frozen.iter().filter(|old| !now.contains(&key(old)));
        let gone: BTreeMap<Option<[u8; 16]>, i32> = gone.map(|old| (old.trace_id, old.date)).collect();
        let frozen: BTreeMap<RecordKey, &Record> = frozen.iter().map(|old| (key(old), old)).collect();
        let mut late = Vec::new();
        calls.retain_mut(|call| {
            let key = key(&call.record);
            let took_the_place_of = gone.get(&call.record.trace_id).filter(|_| !known.contains(&key));
            if !is_closed(call.record.date) {
                if let Some(day) = took_the_place_of {
                    // It waits for the month of the row whose place it takes.
                    call.record.date = *day;
                    late.push(call.clone());
                }
                return took_the_place_of.is_none();
            }
            if !frozen.get(&key).is_some_and(|old| is_the_same(old, &call.record)) {
                late.push(call.clone());
            }
            false
        });
        late
    }

    /// Gives unchanged calls their old price and says which costs moved.
    pub(super) fn reconcile(&mut self, component: u32, calls: &mut [Call]) -> Vec<Restatement> {
        let Some(old) = self.calls.remove(&component) else {
            return Vec::new();
        };
        let mut old: BTreeMap<_, Record> = old.into_iter().map(|record| (key(&record), record)).collect();
        let mut moved: BTreeMap<Group, (Option<i128>, Option<i128>)> = BTreeMap::new();
        let mut fresh: Vec<&Call> = Vec::new();
        for call in calls {
            let Some(before) = old.remove(&key(&call.record)) else {
                fresh.push(call);
                continue;
            };
            // A rule's price follows the rule.
            let by_rule = before.has_flag(COST_RULE) || call.record.has_flag(COST_RULE);
            if !by_rule && is_same_consumption(&before, &call.record) {
                call.record.price = before.price.clone();
            }
            if (group(&before), before.price.cost_usd) != (group(&call.record), call.record.price.cost_usd) {
                add(&mut moved.entry(group(&before)).or_default().0, before.price.cost_usd);
                add(
                    &mut moved.entry(group(&call.record)).or_default().1,
                    call.record.price.cost_usd,
                );
            }
        }
        let replaced = !old.is_empty();
        for before in old.into_values() {
            add(&mut moved.entry(group(&before)).or_default().0, before.price.cost_usd);
        }
        if moved.is_empty() {
            return Vec::new();
        }
        for call in fresh {
            add(
                &mut moved.entry(group(&call.record)).or_default().1,
                call.record.price.cost_usd,
            );
        }
        let reason = if replaced {
            "replaced_by_later_records"
        } else {
            "changed_by_later_records"
        };
        moved
            .into_iter()
            .filter(|(_, (before, after))| before != after)
            .map(|((date, customer_id, model), (before, after))| Restatement {
                date,
                customer_id,
                model,
                before,
                after,
                reason,
            })
            .collect()
    }
}

type Group = (i32, Option<Text>, Option<Text>);
type RecordKey = (
    Option<Text>,
    Option<[u8; 16]>,
    Option<[u8; 8]>,
    Signal,
    Option<Text>,
    Option<i64>,
);

fn key(record: &Record) -> RecordKey {
    (
        record.tenant.clone(),
        record.trace_id,
        record.span_id,
        record.signal,
        record.event_key.clone(),
        record.start_time,
    )
}

fn group(record: &Record) -> Group {
    let customer = record.attributed(Dimension::Customer).map(|found| found.value.clone());
    (
        record.date,
        customer,
        record.response_model.clone().or_else(|| record.request_model.clone()),
    )
}

/// Everything that a price depends on but the catalogue.
fn is_same_consumption(a: &Record, b: &Record) -> bool {
    let consumption = |record: &Record| {
        (
            record.buckets,
            record.usage.clone(),
            record.price_context.clone(),
            record.priced_at_nano,
            record.reported_cost_usd,
        )
    };
    let model = |record: &Record| {
        (
            record.provider.clone(),
            record.request_model.clone(),
            record.response_model.clone(),
            record.server_address.clone(),
        )
    };
    a.price.status.is_some() && consumption(a) == consumption(b) && model(a) == model(b)
}

/// Whether a closed row says all that the call says now; its price is the row's own.
fn is_the_same(old: &Record, now: &Record) -> bool {
    let values = |record: &Record| -> Vec<Option<Text>> {
        let dimensions = Dimension::ALL.into_iter();
        dimensions
            .map(|dimension| record.attributed(dimension).map(|found| found.value.clone()))
            .collect()
    };
    is_same_consumption(old, now) && old.date == now.date && values(old) == values(now)
}

fn add(sum: &mut Option<i128>, cost: Option<i128>) {
    if let Some(cost) = cost {
        *sum = Some(sum.unwrap_or(0) + cost);
    }
}
