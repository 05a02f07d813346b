//! Usage that no rule took: spans with keys that look like counts of tokens, by the emitter that sent them.
//!
//! The collector flags them (`unrecognised_usage`) and keeps the keys in `usage_raw`; nothing of them is billed.

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use datafusion::prelude::SessionContext;
use marginlake_lake::{Lake, Table};
use serde::Serialize;

use super::driver::SettleError;

/// One emitter whose usage is not understood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unrecognised {
    /// The instrumentation scope; empty where it has no name.
    pub scope: String,
    /// Its version; empty where it has none.
    pub version: String,
    /// How many records.
    pub spans: i64,
    /// The keys of one of them, separated by commas.
    pub example_keys: String,
}

const QUERY: &str = "SELECT coalesce(scope_name, ''), coalesce(scope_version, ''), count(*), \
    coalesce(min(array_to_string(map_keys(usage_raw), ', ')), '') FROM spans \
    WHERE array_has(flags, 'unrecognised_usage') AND DAYS GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2";

/// The emitters of a lake whose usage no rule took, the most frequent first.
pub async fn unrecognised(lake: &Lake) -> Result<Vec<Unrecognised>, SettleError> {
    found(lake, "true").await
}

/// The same on some days, both inclusive, as `2026-10-31`.
pub async fn unrecognised_between(lake: &Lake, from: &str, to: &str) -> Result<Vec<Unrecognised>, SettleError> {
    found(lake, &format!("date BETWEEN DATE '{from}' AND DATE '{to}'")).await
}

async fn found(lake: &Lake, days: &str) -> Result<Vec<Unrecognised>, SettleError> {
    let Some(spans) = lake.table(Table::Spans.name()).await? else {
        return Ok(Vec::new());
    };
    let session = SessionContext::new();
    session.register_table("spans", spans.provider().await?)?;
    let mut found = Vec::new();
    for batch in session.sql(&QUERY.replace("DAYS", days)).await?.collect().await? {
        read(&batch, &mut found)?;
    }
    Ok(found)
}

fn read(batch: &RecordBatch, found: &mut Vec<Unrecognised>) -> Result<(), SettleError> {
    let text = |column: usize| cast(batch.column(column), &DataType::Utf8);
    let (scopes, versions, keys) = (text(0)?, text(1)?, text(3)?);
    let counts = cast(batch.column(2), &DataType::Int64)?;
    for row in 0..batch.num_rows() {
        let word = |column: &arrow::array::ArrayRef| column.as_string::<i32>().value(row).to_owned();
        found.push(Unrecognised {
            scope: word(&scopes),
            version: word(&versions),
            spans: counts.as_primitive::<Int64Type>().value(row),
            example_keys: word(&keys),
        });
    }
    Ok(())
}

impl Unrecognised {
    /// What a person should know of it.
    pub fn sentence(&self) -> String {
        let scope = if self.scope.is_empty() { "(no scope)" } else { &self.scope };
        let keys = if self.example_keys.is_empty() {
            "unknown"
        } else {
            &self.example_keys
        };
        format!(
            "{} records of {scope} {} carry usage that no rule takes (keys: {keys}): they are not billed",
            self.spans, self.version
        )
    }
}
