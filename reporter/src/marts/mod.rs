//! The marts: SQL files that a user can read and copy, over the facts of a report; and what they need from us to run: their
//! inputs as tables, and the functions that SQL cannot do exactly.

mod cells;
mod estimates;
mod facts;
mod functions;
mod groups;
mod inputs;
mod key_days;
mod key_sums;
mod margin_rows;
mod margins;
mod plans;
mod share_interval;
mod spool;
#[cfg(test)]
mod tests;
mod weights;

use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch, StringArray};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use futures::StreamExt;
use marginlake_lake::schema;

use crate::allocate::Dimension;

pub use estimates::estimates;
pub use facts::{Facts, ReportCalls, register_calls, register_outcomes, register_payments};
pub(crate) use facts::{add_up, register, register_again};
pub use functions::{percent_of_udf, register_functions};
pub use inputs::{Window, customers_with_usage, daily_usage, usage_days};
pub(crate) use inputs::{cost_rows, counts, revenue_rows};
pub(crate) use key_sums::{KeySums, key_sums};
pub(crate) use margins::{MarginWriters, margins};
pub(crate) use spool::{Purpose, Spool, SpoolWriter};
pub use weights::{Spread, customer_weights, month_weights};

/// A mart: its table's name, its key columns and its SQL.
#[derive(Debug, Clone, Copy)]
pub struct Mart {
    /// Table in the lake and file under `<out>/marts`.
    pub name: &'static str,
    /// Key columns beside `date` and `currency`.
    pub keys: &'static [&'static str],
    /// The query.
    pub sql: &'static str,
    columns: fn(&[&str]) -> SchemaRef,
}

macro_rules! margin {
    ($name:literal, $keys:expr) => {
        Mart {
            name: $name,
            keys: $keys,
            sql: include_str!(concat!($name, ".sql")),
            columns: schema::margin_mart,
        }
    };
}

macro_rules! finding {
    ($name:ident, $keys:expr) => {
        Mart {
            name: stringify!($name),
            keys: $keys,
            sql: include_str!(concat!(stringify!($name), ".sql")),
            columns: |_| schema::$name(),
        }
    };
}

/// All margin marts. A new one is a file beside these and an entry here.
pub const MARGIN_MARTS: [Mart; 10] = [
    margin!("margin_by_customer", &["customer_id"]),
    margin!("margin_by_feature", &["feature"]),
    margin!("margin_by_model", &["model"]),
    margin!("margin_by_user", &["user_id"]),
    margin!("margin_by_conversation", &["conversation_id"]),
    margin!("margin_by_task", &["task_id"]),
    margin!("margin_by_agent", &["agent_name"]),
    margin!("margin_by_prompt", &["prompt"]),
    margin!("margin_by_plan", &["plan"]),
    margin!("margin_daily", &[]),
];

/// What is found in the margin marts and the calls behind them, in the order in which they need each other.
pub const FINDING_MARTS: [Mart; 9] = [
    finding!(unmatched_customers, &["side", "customer_id"]),
    finding!(pnl_daily, &[]),
    finding!(unit_costs, &["unit"]),
    finding!(plan_economics, &["plan"]),
    finding!(seat_economics, &["customer_id", "plan"]),
    finding!(customer_segments, &["segment"]),
    finding!(tradeoffs, &["feature", "model"]),
    finding!(outcome_costs, &["unit", "feature", "model"]),
    finding!(outliers, &["kind"]),
];

impl Mart {
    /// The dimension whose revenue and costs a margin mart reads; days are those of customers. None for the others.
    pub fn dimension(&self) -> Option<Dimension> {
        let named = |dimension: &Dimension| self.name.strip_prefix("margin_by_") == Some(dimension.name());
        match self.name {
            "margin_daily" => Some(Dimension::Customer),
            _ => Dimension::ALL.into_iter().find(named),
        }
    }

    /// True of a finding that asks for single days of a margin mart; the others ask for sums over days, see [`key_sums`].
    pub(crate) fn asks_for_days(&self) -> bool {
        self.name == "pnl_daily"
    }

    /// Columns of its table.
    pub fn schema(&self) -> SchemaRef {
        (self.columns)(self.keys)
    }
}

/// Runs a mart over what is registered now and adds its rows.
pub(crate) async fn add_rows(session: &SessionContext, mart: &Mart, rows: &mut SpoolWriter) -> Result<(), DataFusionError> {
    let schema = mart.schema();
    let mut batches = session.sql(mart.sql).await?.execute_stream().await?;
    while let Some(batch) = batches.next().await {
        rows.push(fitted(&batch?, &schema)?)?;
    }
    Ok(())
}

/// Runs a query and returns its rows as one batch of exactly `schema`.
pub(crate) async fn rows(session: &SessionContext, sql: &str, schema: &SchemaRef) -> Result<RecordBatch, DataFusionError> {
    let batches = session.sql(sql).await?.collect().await?;
    let fitted: Vec<RecordBatch> = batches.iter().map(|batch| fitted(batch, schema)).collect::<Result<_, _>>()?;
    Ok(concat_batches(schema, &fitted)?)
}

fn fitted(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, DataFusionError> {
    let columns = batch.columns().iter().zip(schema.fields());
    let columns = columns.map(|(column, field)| cast(column, field.data_type()));
    Ok(RecordBatch::try_new(Arc::clone(schema), columns.collect::<Result<_, _>>()?)?)
}

/// Puts rows under a name, whatever stood there before.
pub(crate) fn replace_table(
    session: &SessionContext,
    name: &str,
    rows: Vec<RecordBatch>,
    schema: SchemaRef,
) -> Result<(), DataFusionError> {
    facts::register(session, name, Arc::new(MemTable::try_new(schema, vec![rows])?))
}

/// A column of text, however the engine keeps it.
pub(crate) fn texts(batch: &RecordBatch, column: usize) -> Result<StringArray, DataFusionError> {
    let plain = cast(batch.column(column), &DataType::Utf8)?;
    Ok(plain.as_string::<i32>().clone())
}
