//! Data files: one Parquet file per partition, complete under its final name or not there at all.
//!
//! A local file is written under a temporary name, synced, renamed, and its folders synced, so that a name in the Delta
//! log always means bytes on the disk. On an object store the put is that promise.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Date32Type, SchemaRef};
use chrono::{Days, NaiveDate};
use deltalake::kernel::Add;
use object_store::ObjectStoreExt;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use crate::open::LakeTable;
use crate::schema::DATE;
use crate::{LakeError, durable, failpoint};

/// Columns whose values hardly repeat: a dictionary of them costs time and space and helps nobody, and the least and the
/// greatest of random ids exclude nothing (measured: docs/performance.md).
const UNIQUE: [&str; 8] = [
    "trace_id",
    "span_id",
    "parent_span_id",
    "response_id",
    "conversation_id",
    "event_key",
    "line_id",
    "receipt_quantities",
];

/// Rows of one file at the most in one row group: small enough to skip, large enough to compress.
const ROW_GROUP_ROWS: usize = 131_072;

impl LakeTable {
    /// Writes `batches` as data files, one per day, and returns the log entries that would make them part of the table.
    /// Nothing is visible to readers yet.
    pub(crate) async fn write_files(&self, batches: &[RecordBatch]) -> Result<Vec<Add>, LakeError> {
        let mut adds = Vec::new();
        for (date, batches) in self.by_date(batches)? {
            adds.push(self.write_file(date, batches).await?);
        }
        Ok(adds)
    }

    fn by_date(&self, batches: &[RecordBatch]) -> Result<BTreeMap<Option<NaiveDate>, Vec<RecordBatch>>, LakeError> {
        let mut parts: BTreeMap<Option<NaiveDate>, Vec<RecordBatch>> = BTreeMap::new();
        let partitioned = self
            .state()?
            .metadata()
            .partition_columns()
            .iter()
            .any(|column| column == DATE);
        for batch in batches.iter().filter(|batch| batch.num_rows() > 0) {
            if !partitioned {
                parts.entry(None).or_default().push(batch.clone());
                continue;
            }
            for (date, part) in split_by_date(batch).map_err(|reason| self.misfit(reason))? {
                parts.entry(Some(date)).or_default().push(part);
            }
        }
        Ok(parts)
    }

    fn misfit(&self, reason: String) -> LakeError {
        LakeError::Schema {
            table: self.name.clone(),
            reason,
        }
    }

    async fn write_file(&self, date: Option<NaiveDate>, batches: Vec<RecordBatch>) -> Result<Add, LakeError> {
        let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        let name = new_name(date);
        let size = match self.local.clone() {
            Some(root) => {
                let (table, relative) = (self.name.clone(), name.clone());
                tokio::task::spawn_blocking(move || write_local(&table, &root, &relative, &batches))
                    .await
                    .map_err(|error| self.misfit(format!("the writer stopped: {error}")))??
            }
            None => {
                let mut bytes = Vec::new();
                encode(&mut bytes, &batches).map_err(|source| LakeError::Parquet {
                    table: self.name.clone(),
                    source,
                })?;
                let size = bytes.len();
                let path = object_store::path::Path::from(name.as_str());
                let store = self.inner.object_store();
                let put = store.put(&path, bytes.into()).await;
                put.map_err(|source| LakeError::Store {
                    action: "write",
                    path: name.clone(),
                    source,
                })?;
                size
            }
        };
        Ok(log_entry(date, name, size, rows))
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

fn split_by_date(batch: &RecordBatch) -> Result<Vec<(NaiveDate, RecordBatch)>, String> {
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

fn write_local(table: &str, root: &Path, relative: &str, batches: &[RecordBatch]) -> Result<usize, LakeError> {
    let path = root.join(relative);
    let folder = path.parent().unwrap_or(root).to_path_buf();
    let failed = |action: &'static str, path: &Path| {
        let path = path.display().to_string();
        move |source| LakeError::Io { action, path, source }
    };
    if folder != root {
        // In a table that is not there (moved away, not mounted) nothing is made.
        durable::create_folder(&folder).map_err(failed("create", &folder))?;
    }
    let temporary = folder.join(format!("_{}.tmp", uuid::Uuid::new_v4()));
    let written = (|| {
        failpoint::io("data.before_write").map_err(failed("write", &temporary))?;
        let mut file = durable::create(&temporary).map_err(failed("create", &temporary))?;
        let size = encode(&mut file, batches).map_err(|source| LakeError::Parquet {
            table: table.to_owned(),
            source,
        })?;
        failpoint::io("data.before_sync")
            .and_then(|()| file.flush())
            .and_then(|()| durable::sync_file(&file, &temporary))
            .map_err(failed("sync", &temporary))?;
        failpoint::io("data.before_rename")
            .and_then(|()| durable::rename(&temporary, &path))
            .map_err(failed("rename", &temporary))?;
        failpoint::at("data.after_rename");
        Ok(size)
    })();
    if written.is_err() {
        // The error is what matters; a leftover has no reader.
        let _ = durable::remove_file(&temporary);
    }
    let size = written?;
    durable::sync(&folder)?;
    Ok(size)
}

/// Writes one Parquet file and returns its size in bytes.
pub(crate) fn encode(into: impl Write + Send, batches: &[RecordBatch]) -> Result<usize, parquet::errors::ParquetError> {
    let Some(first) = batches.first() else { return Ok(0) };
    let schema = first.schema();
    let mut writer = ArrowWriter::try_new(into, Arc::clone(&schema), Some(properties(&schema)))?;
    for batch in batches {
        writer.write(batch)?;
    }
    writer.finish()?;
    Ok(writer.bytes_written())
}

pub(crate) fn properties(schema: &SchemaRef) -> WriterProperties {
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true)
        .set_created_by("marginlake".to_owned());
    for field in schema.fields() {
        let column = ColumnPath::from(field.name().as_str());
        match field.data_type() {
            DataType::Timestamp(..) | DataType::Int64 if field.name().contains("time") || field.name().ends_with("unix_nano") => {
                properties = properties
                    .set_column_dictionary_enabled(column.clone(), false)
                    .set_column_encoding(column, Encoding::DELTA_BINARY_PACKED);
            }
            _ if UNIQUE.contains(&field.name().as_str()) => {
                properties = properties
                    .set_column_dictionary_enabled(column.clone(), false)
                    .set_column_statistics_enabled(column.clone(), EnabledStatistics::None)
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
