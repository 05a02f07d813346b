//! The SQL session over a lake: the same tables and views stand behind `sql`, the report and every server.
//!
//! Settled tables are read at their newest version; marts and revenue at the versions that the last finished report run
//! names in `run_manifest`, so that a reader never sees half a night.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::catalog::TableProvider;
use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::functions::encoding::expr_fn::encode;
use datafusion::logical_expr::{Expr, cast, col, lit};
use datafusion::prelude::{SQLOptions, SessionConfig, SessionContext};
use marginlake_lake::{Lake, LakeError, Table};

use crate::spans_view;

/// Opening a session or running a query failed.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// A table could not be opened.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// The query is wrong or failed while running.
    #[error("{}", readable(.0))]
    Query(Box<DataFusionError>),
}

impl From<DataFusionError> for SessionError {
    /// The error is told whole by [`SessionError`]'s own text, so it is no source that would be told again.
    fn from(error: DataFusionError) -> Self {
        SessionError::Query(Box::new(error))
    }
}

/// DataFusion wraps its errors in layers of location; people want the innermost sentence, and what to do.
fn readable(error: &DataFusionError) -> String {
    let mut text = error.find_root().strip_backtrace().replace("datafusion.public.", "");
    if let Some(sentence) = text.strip_prefix("Error during planning: ") {
        text = sentence.to_owned();
    }
    if text.contains("' not found") && text.contains("table '") {
        text.push_str(
            "; `SHOW TABLES` lists what is there: `spans` comes from `marginlake collect`, `calls` and `calls_excluded` from \
             `marginlake settle`, revenue and margins from `marginlake report`",
        );
    }
    text
}

/// A session without tables, set up so that no number becomes a float on its way.
pub fn empty_session() -> SessionContext {
    let config = SessionConfig::new()
        .with_information_schema(true)
        // `0.4` in a query is a decimal: money never meets a float.
        .set_bool("datafusion.sql_parser.parse_float_as_decimal", true)
        .set_bool("datafusion.sql_parser.map_string_types_to_utf8view", false)
        .set_str("datafusion.execution.time_zone", "+00:00");
    SessionContext::new_with_config(config)
}

/// [`empty_session`] whose queries hold about `bytes` in memory: what is beyond goes to files of the machine's temporary folder.
pub(crate) fn bounded_session(bytes: usize) -> Result<SessionContext, DataFusionError> {
    let memory = Arc::new(FairSpillPool::new(bytes));
    let runtime = RuntimeEnvBuilder::new().with_memory_pool(memory).build_arc()?;
    Ok(SessionContext::new_with_config_rt(empty_session().copied_config(), runtime))
}

/// A session with every table of the lake, ready for queries.
pub async fn open_session(lake: &Lake) -> Result<SessionContext, SessionError> {
    let session = empty_session();
    let published = published_versions(lake).await?;
    for table in Table::ALL {
        let version = match table {
            Table::RevenueLines | Table::RevenueDaily => published.get(table.name()).copied(),
            _ => None,
        };
        register(&session, lake, table.name(), version).await?;
    }
    for (name, version) in &published {
        if Table::ALL.iter().all(|table| table.name() != name) {
            register(&session, lake, name, Some(*version)).await?;
        }
    }
    crate::prices_sql::register(&session)?;
    Ok(session)
}

/// Runs one read-only query.
pub async fn query(session: &SessionContext, sql: &str) -> Result<Vec<RecordBatch>, SessionError> {
    let options = SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(false)
        .with_allow_statements(true);
    let frame = session.sql_with_options(sql, options).await?;
    let schema = Arc::clone(frame.schema().inner());
    let batches = frame.collect().await?;
    // An empty answer still has columns.
    Ok(if batches.is_empty() {
        vec![RecordBatch::new_empty(schema)]
    } else {
        batches
    })
}

async fn register(session: &SessionContext, lake: &Lake, name: &str, version: Option<i64>) -> Result<(), SessionError> {
    let table = match version {
        Some(version) => lake.table_at(name, version).await?,
        None => lake.table(name).await?,
    };
    if let Some(table) = table {
        session.register_table(name, with_hex_ids(session, table.provider().await?)?)?;
    }
    Ok(())
}

/// Ids are bytes in `spans`; people read, write and compare them as lower-case hex. What `spans` leave out is put back.
fn with_hex_ids(session: &SessionContext, table: Arc<dyn TableProvider>) -> Result<Arc<dyn TableProvider>, DataFusionError> {
    let schema = table.schema();
    let is_id = |data_type: &DataType| matches!(data_type, DataType::Binary | DataType::BinaryView | DataType::LargeBinary);
    if !schema.fields().iter().any(|field| is_id(field.data_type())) {
        return Ok(table);
    }
    // Only collectors leave out what follows from other columns.
    let is_spans = schema.field_with_name("received_at").is_ok();
    let columns: Vec<Expr> = schema
        .fields()
        .iter()
        .map(|field| match is_id(field.data_type()) {
            true => encode(cast(col(field.name()), DataType::Binary), lit("hex")).alias(field.name()),
            false => spans_view::whole(field.name(), &schema)
                .filter(|_| is_spans)
                .unwrap_or_else(|| col(field.name())),
        })
        .collect();
    Ok(session.read_table(table)?.select(columns)?.into_view())
}

/// Table -> version of the newest finished run; empty before the first.
pub async fn published_versions(lake: &Lake) -> Result<BTreeMap<String, i64>, SessionError> {
    let mut versions = BTreeMap::new();
    let Some(manifest) = lake.table(Table::RunManifest.name()).await? else {
        return Ok(versions);
    };
    // Rows are only appended, one file per run: the newest run is in the newest file.
    let session = empty_session();
    let batches = session.read_table(manifest.provider().await?)?.collect().await?;
    for batch in &batches {
        for row in 0..batch.num_rows() {
            for (name, version) in map_entries(batch, "table_versions", row) {
                let newest = versions.entry(name).or_insert(version);
                *newest = version.max(*newest);
            }
        }
    }
    Ok(versions)
}

fn map_entries(batch: &RecordBatch, column: &str, row: usize) -> Vec<(String, i64)> {
    let Some(map) = batch.column_by_name(column).and_then(|column| column.as_map_opt()) else {
        return Vec::new();
    };
    if map.is_null(row) {
        return Vec::new();
    }
    let entries = map.value(row);
    let Ok(keys) = arrow::compute::cast(entries.column(0), &DataType::Utf8) else {
        return Vec::new();
    };
    let (keys, values) = (
        keys.as_string::<i32>().clone(),
        entries.column(1).as_primitive_opt::<Int64Type>().cloned(),
    );
    let Some(values) = values else { return Vec::new() };
    (0..keys.len())
        .filter(|at| values.is_valid(*at))
        .map(|at| (keys.value(at).to_owned(), values.value(at)))
        .collect()
}
