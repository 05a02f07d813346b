//! What a data file is: its name, its entry in the log, and how each column is encoded.

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Date32Type, SchemaRef};
use chrono::{Days, NaiveDate};
use deltalake::kernel::Add;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use crate::LakeError;
use crate::append::Staged;
use crate::file_writer::FileWriter;
use crate::open::LakeTable;
use crate::schema::DATE;

/// Columns whose values hardly repeat: a dictionary of them costs time and space and helps nobody (measured:
/// docs/performance.md).
const UNIQUE: [&str; 7] = [
    "trace_id",
    "parent_span_id",
    "response_id",
    "conversation_id",
    "event_key",
    "line_id",
    "receipt_quantities",
];

/// Random bytes, no two alike: nothing makes them smaller.
const RANDOM: [&str; 1] = ["span_id"];

/// Bytes of one row group, encoded, at the most: rows wait in memory until theirs is complete.
const ROW_GROUP_BYTES: usize = 64 << 20;

/// Rows of one file at the most in one row group: small enough to skip, large enough to compress.
const ROW_GROUP_ROWS: usize = 131_072;

impl LakeTable {
    /// Data files, one per day, of what `fill` gives to a writer. Nothing is visible to readers yet.
    pub(crate) async fn write_files(
        &self,
        fill: impl FnOnce(&mut FileWriter) -> Result<(), LakeError> + Send + 'static,
    ) -> Result<Staged, LakeError> {
        let mut writer = self.writer()?;
        let written = tokio::task::spawn_blocking(move || fill(&mut writer).map(|()| writer));
        let writer = written.await.map_err(|error| LakeError::Schema {
            table: self.name.clone(),
            reason: format!("the writer stopped: {error}"),
        })?;
        writer?.finish().await
    }
}

/// The log entry of a data file. Row counts are its only statistics: decimal ones pass through f64 in Delta readers, and
/// nothing about money may.
pub(crate) fn log_entry(date: Option<NaiveDate>, path: String, bytes: usize, rows: usize) -> Add {
    let partition_values = match date {
        Some(date) => HashMap::from([(DATE.to_owned(), Some(date.to_string()))]),
        None => HashMap::new(),
    };
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_millis());
    Add {
        path,
        partition_values,
        size: i64::try_from(bytes).unwrap_or(i64::MAX),
        modification_time: i64::try_from(now).unwrap_or(i64::MAX),
        data_change: true,
        stats: Some(format!("{{\"numRecords\":{rows}}}")),
        ..Add::default()
    }
}

/// A name that no file had before.
pub(crate) fn new_name(date: Option<NaiveDate>) -> String {
    let folder = date.map(|date| format!("{DATE}={date}/")).unwrap_or_default();
    format!("{folder}part-{}.zstd.parquet", uuid::Uuid::new_v4())
}

pub(crate) fn split_by_date(batch: &RecordBatch) -> Result<Vec<(NaiveDate, RecordBatch)>, String> {
    let index = batch
        .schema()
        .index_of(DATE)
        .map_err(|_| format!("column {DATE} is missing"))?;
    let column = batch.column(index);
    if column.data_type() != &DataType::Date32 || column.null_count() > 0 {
        return Err(format!("column {DATE} must be date32 without nulls"));
    }
    let days = column.as_primitive::<Date32Type>();
    let distinct: std::collections::BTreeSet<i32> = days.values().iter().copied().collect();
    let mut rest = batch.clone();
    rest.remove_column(index);
    distinct
        .iter()
        .map(|day| {
            let date = Date32Type::to_naive_date_opt(*day).ok_or_else(|| format!("{day} is no date"))?;
            if distinct.len() == 1 {
                return Ok((date, rest.clone()));
            }
            let keep = BooleanArray::from_iter(days.values().iter().map(|value| Some(value == day)));
            Ok((date, filter_record_batch(&rest, &keep).map_err(|error| error.to_string())?))
        })
        .collect()
}

/// The number that Arrow keeps for a date: days since 1970-01-01.
pub fn days_since_epoch(date: NaiveDate) -> i32 {
    Date32Type::from_naive_date(date)
}

/// The date after `date`; the calendar's last day stays itself.
pub fn next_day(date: NaiveDate) -> NaiveDate {
    date.checked_add_days(Days::new(1)).unwrap_or(date)
}

pub(crate) fn properties(schema: &SchemaRef) -> WriterProperties {
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
        // The least and the greatest of what is in no order exclude nothing, and each costs a comparison a value.
        .set_statistics_enabled(EnabledStatistics::None)
        .set_offset_index_disabled(true)
        .set_created_by("marginlake".to_owned());
    for field in schema.fields() {
        let column = ColumnPath::from(field.name().as_str());
        match field.data_type() {
            DataType::Timestamp(..) | DataType::Int64 if field.name().contains("time") || field.name().ends_with("unix_nano") => {
                properties = properties
                    .set_column_dictionary_enabled(column.clone(), false)
                    .set_column_statistics_enabled(column.clone(), EnabledStatistics::Chunk)
                    .set_column_encoding(column, Encoding::DELTA_BINARY_PACKED);
            }
            DataType::Timestamp(..) | DataType::Date32 => {
                properties = properties.set_column_statistics_enabled(column, EnabledStatistics::Chunk);
            }
            _ if RANDOM.contains(&field.name().as_str()) => {
                properties = properties
                    .set_column_dictionary_enabled(column.clone(), false)
                    .set_column_compression(column.clone(), Compression::UNCOMPRESSED)
                    .set_column_encoding(column, Encoding::DELTA_LENGTH_BYTE_ARRAY);
            }
            _ if UNIQUE.contains(&field.name().as_str()) => {
                properties = properties
                    .set_column_dictionary_enabled(column.clone(), false)
                    .set_column_encoding(column, Encoding::DELTA_BYTE_ARRAY);
            }
            _ => {}
        }
    }
    // Counts of tokens hardly repeat either, and zstd finds what does.
    for counts in ["usage.key_value.value", "input_uncached"] {
        let path = counts.split('.').map(str::to_owned).collect::<Vec<_>>();
        properties = properties.set_column_dictionary_enabled(ColumnPath::new(path), false);
    }
    properties.build()
}
