//! The rows of a month as Parquet files: the same rows give the same bytes.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int64Type, SchemaRef};
use chrono::NaiveDate;
use datafusion::prelude::SessionContext;
use marginlake_lake::{Lake, Table, next_day};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};

use super::revision::{ExportedFile, Totals, sha256};
use super::{CloseError, Month};
use crate::session::{SessionError, published_versions, query};

/// Tables that are not of one month, or that stand for themselves.
const NOT_EXPORTED: [Table; 6] = [
    Table::Spans,
    Table::RevenueLines,
    Table::RunManifest,
    Table::Restatements,
    Table::ClosedPeriods,
    Table::CallsLate,
];

/// Where the files of a revision go.
pub(super) fn folder(month: Month, revision: i64) -> String {
    format!("closed/{month}/r{revision}")
}

/// Exports the month below `folder` and says which files that were.
pub(super) async fn export(
    lake: &Lake,
    session: &SessionContext,
    month: Month,
    folder: &str,
) -> Result<Vec<ExportedFile>, CloseError> {
    let mut files = Vec::new();
    for table in [Table::Calls, Table::CallsExcluded] {
        // One file a day bounds memory, and is what a reader of one day wants.
        let mut day = month.first();
        while day <= month.last() {
            let path = format!("{}/{day}.parquet", table.name());
            files.extend(export_rows(lake, session, table.name(), (day, day), folder, &path).await?);
            day = next_day(day);
        }
    }
    for name in published_versions(lake).await?.into_keys() {
        let is_other = NOT_EXPORTED.iter().any(|table| table.name() == name)
            || [Table::Calls, Table::CallsExcluded].iter().any(|table| table.name() == name);
        if !is_other {
            let days = (month.first(), month.last());
            files.extend(export_rows(lake, session, &name, days, folder, &format!("{name}.parquet")).await?);
        }
    }
    files.sort_by(|left, right| left.path.cmp(&right.path));
    Ok(files)
}

/// Exports some days of a table; `None` where it has no rows of them, or no days.
async fn export_rows(
    lake: &Lake,
    session: &SessionContext,
    table: &str,
    (first, last): (NaiveDate, NaiveDate),
    folder: &str,
    path: &str,
) -> Result<Option<ExportedFile>, CloseError> {
    let Ok(provider) = session.table_provider(table).await else {
        return Ok(None);
    };
    let schema = provider.schema();
    if schema.field_with_name("date").is_err() {
        return Ok(None);
    }
    let sql = format!(
        "SELECT * FROM \"{table}\" WHERE \"date\" BETWEEN DATE '{first}' AND DATE '{last}' ORDER BY {}",
        order(&schema)
    );
    let batches = query(session, &sql).await?;
    let rows = batches.iter().map(RecordBatch::num_rows).sum();
    if rows == 0 {
        return Ok(None);
    }
    let bytes = parquet(&batches)?;
    let file = ExportedFile {
        path: path.to_owned(),
        rows,
        bytes: bytes.len(),
        sha256: sha256(&bytes),
    };
    put(lake, &format!("{folder}/{path}"), bytes).await?;
    Ok(Some(file))
}

/// Every column that can be compared, days first: the same rows are in the same order.
fn order(schema: &SchemaRef) -> String {
    let nested = |data_type: &DataType| data_type.is_nested() || data_type.is_floating();
    let columns = schema.fields().iter().filter(|field| !nested(field.data_type()));
    let names: Vec<String> = columns.map(|field| format!("\"{}\"", field.name())).collect();
    names.join(", ")
}

fn parquet(batches: &[RecordBatch]) -> Result<Vec<u8>, CloseError> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        // Readers take decimal statistics through floats: none are written.
        .set_statistics_enabled(EnabledStatistics::None)
        .set_created_by("marginlake".to_owned())
        .build();
    let mut bytes = Vec::new();
    let schema = batches
        .first()
        .map(RecordBatch::schema)
        .expect("a query has at least one batch");
    let mut writer = ArrowWriter::try_new(&mut bytes, schema, Some(properties))?;
    for batch in batches {
        writer.write(batch)?;
    }
    writer.close()?;
    Ok(bytes)
}

/// Writes a file that must not be there yet. One that is there with the same bytes is from a try that did not finish.
pub(super) async fn put(lake: &Lake, path: &str, bytes: Vec<u8>) -> Result<(), CloseError> {
    let hash = sha256(&bytes);
    if lake.put_new(path, bytes).await? {
        return Ok(());
    }
    match lake.read_file(path).await? {
        Some(there) if sha256(&there) == hash => Ok(()),
        _ => Err(CloseError::Taken { path: path.to_owned() }),
    }
}

/// The figures of the month, and the catalogues behind them.
pub(super) async fn totals(session: &SessionContext, month: Month) -> Result<(Totals, Vec<String>), CloseError> {
    let of_month = format!("WHERE \"date\" BETWEEN DATE '{}' AND DATE '{}'", month.first(), month.last());
    let mut totals = Totals::default();
    let by_class = format!(
        "SELECT cost_class, CAST(sum(cost_usd) AS VARCHAR), count(*), count(*) FILTER (WHERE cost_usd IS NULL) \
         FROM calls {of_month} GROUP BY cost_class ORDER BY cost_class"
    );
    for batch in query(session, &by_class).await? {
        let (classes, costs) = (text(&batch, 0)?, text(&batch, 1)?);
        let count = |column: usize, row: usize| {
            let counts = batch.column(column).as_primitive::<Int64Type>();
            usize::try_from(counts.value(row)).unwrap_or(0)
        };
        for row in 0..batch.num_rows() {
            totals.calls += count(2, row);
            totals.calls_without_cost += count(3, row);
            if costs.is_valid(row) {
                totals
                    .cost_usd
                    .insert(classes.value(row).to_owned(), costs.value(row).to_owned());
            }
        }
    }
    let hashes = format!("SELECT DISTINCT catalogue_hash FROM calls {of_month} AND catalogue_hash IS NOT NULL ORDER BY 1");
    let mut catalogues = Vec::new();
    for batch in query(session, &hashes).await? {
        let hashes = text(&batch, 0)?;
        catalogues.extend((0..batch.num_rows()).map(|row| hashes.value(row).to_owned()));
    }
    if session.table_exist("margin_daily").map_err(SessionError::from)? {
        const COLUMNS: [&str; 4] = ["revenue", "model_cost", "other_cogs", "gross_margin"];
        let sums: Vec<String> = COLUMNS.iter().map(|name| format!("CAST(sum({name}) AS VARCHAR)")).collect();
        let sql = format!(
            "SELECT currency, {} FROM margin_daily {of_month} GROUP BY currency ORDER BY currency",
            sums.join(", ")
        );
        for batch in query(session, &sql).await? {
            let currencies = text(&batch, 0)?;
            for row in 0..batch.num_rows() {
                let sums = totals.margin.entry(currencies.value(row).to_owned()).or_default();
                for (index, name) in COLUMNS.iter().enumerate() {
                    let column = text(&batch, index + 1)?;
                    if column.is_valid(row) {
                        sums.insert((*name).to_owned(), column.value(row).to_owned());
                    }
                }
            }
        }
    }
    Ok((totals, catalogues))
}

fn text(batch: &RecordBatch, column: usize) -> Result<arrow::array::StringArray, CloseError> {
    let column = arrow::compute::cast(batch.column(column), &DataType::Utf8)?;
    Ok(column.as_string::<i32>().clone())
}
