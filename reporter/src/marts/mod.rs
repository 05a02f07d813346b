//! The marts: SQL files over `revenue_by_key` and `report_calls`, which a user can read and copy, and what they need
//! from us to run: their inputs as tables and the one function that SQL cannot do exactly.

mod inputs;
mod percent_of;

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::SchemaRef;
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use marginlake_lake::schema::margin_mart;

pub(crate) use inputs::counts;
pub use inputs::{
    ReportCalls, Window, cost_shares, customers_with_usage, daily_usage, register_calls, register_revenue, usage_days,
};
pub use percent_of::percent_of_udf;

/// A mart: its table's name, its key columns and its SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mart {
    /// Table in the lake and file under `<out>/marts`.
    pub name: &'static str,
    /// Key columns beside `date` and `currency`.
    pub keys: &'static [&'static str],
    /// The query.
    pub sql: &'static str,
}

/// All margin marts. A new one is a file beside these and an entry here.
pub const MARGIN_MARTS: [Mart; 8] = [
    Mart {
        name: "margin_by_customer",
        keys: &["customer_id"],
        sql: include_str!("margin_by_customer.sql"),
    },
    Mart {
        name: "margin_by_feature",
        keys: &["feature"],
        sql: include_str!("margin_by_feature.sql"),
    },
    Mart {
        name: "margin_by_model",
        keys: &["model"],
        sql: include_str!("margin_by_model.sql"),
    },
    Mart {
        name: "margin_by_user",
        keys: &["user_id"],
        sql: include_str!("margin_by_user.sql"),
    },
    Mart {
        name: "margin_by_conversation",
        keys: &["conversation_id"],
        sql: include_str!("margin_by_conversation.sql"),
    },
    Mart {
        name: "margin_by_task",
        keys: &["task_id"],
        sql: include_str!("margin_by_task.sql"),
    },
    Mart {
        name: "margin_by_agent",
        keys: &["agent_name"],
        sql: include_str!("margin_by_agent.sql"),
    },
    Mart {
        name: "margin_daily",
        keys: &[],
        sql: include_str!("margin_daily.sql"),
    },
];

impl Mart {
    /// Columns of its table.
    pub fn schema(&self) -> SchemaRef {
        margin_mart(self.keys)
    }
}

/// Runs a mart and registers its rows under its name in place of what the lake held, so that the outputs read them.
pub async fn build(session: &SessionContext, mart: &Mart) -> Result<RecordBatch, DataFusionError> {
    let rows = rows(session, mart.sql, &mart.schema()).await?;
    replace_table(session, mart.name, vec![rows.clone()], mart.schema())?;
    Ok(rows)
}

/// Runs a query and returns its rows as one batch of exactly `schema`.
pub(crate) async fn rows(session: &SessionContext, sql: &str, schema: &SchemaRef) -> Result<RecordBatch, DataFusionError> {
    let batches = session.sql(sql).await?.collect().await?;
    let fitted = batches.iter().map(|batch| {
        let columns = batch
            .columns()
            .iter()
            .zip(schema.fields())
            .map(|(column, field)| cast(column, field.data_type()));
        RecordBatch::try_new(Arc::clone(schema), columns.collect::<Result<_, _>>()?)
    });
    let fitted: Vec<RecordBatch> = fitted.collect::<Result<_, _>>()?;
    Ok(concat_batches(schema, &fitted)?)
}

/// Puts rows under a name, whatever stood there before.
pub(crate) fn replace_table(
    session: &SessionContext,
    name: &str,
    rows: Vec<RecordBatch>,
    schema: SchemaRef,
) -> Result<(), DataFusionError> {
    session.deregister_table(name)?;
    session.register_table(name, Arc::new(MemTable::try_new(schema, vec![rows])?))?;
    Ok(())
}
