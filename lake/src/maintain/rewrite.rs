//! Rewriting the rows of several data files into few, one row group in memory at a time.

use std::fs::File;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use chrono::NaiveDate;
use datafusion::prelude::{SessionConfig, SessionContext};
use deltalake::kernel::Add;
use futures::TryStreamExt;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::TARGET_BYTES;
use super::tally::Tally;
use crate::data_file::{log_entry, new_name, properties};
use crate::file_writer::Sink;
use crate::pages::ParquetWriter;
use crate::schema::DATE;
use crate::{DataFile, LakeError, LakeTable, durable, failpoint};

/// New files with the rows of `files`, and what those rows were. Nothing is visible to readers yet.
pub(super) async fn rewrite(
    table: &LakeTable,
    date: Option<NaiveDate>,
    files: &[DataFile],
) -> Result<(Vec<Add>, Tally), LakeError> {
    let schema = columns_of_files(table)?;
    let mut tally = Tally::default();
    let mut output = Output {
        table,
        date,
        schema: Arc::clone(&schema),
        open: None,
        done: Vec::new(),
    };
    let config = SessionConfig::new()
        .with_target_partitions(1)
        .set_bool("datafusion.execution.parquet.schema_force_view_types", false);
    let failed = |error| query(table, error);
    let frame = SessionContext::new_with_config(config)
        .read_table(table.provider_of(files).await?)
        .map_err(failed)?;
    let mut rows = frame.execute_stream().await.map_err(failed)?;
    while let Some(batch) = rows.try_next().await.map_err(failed)? {
        let batch = fit(table, &batch, &schema)?;
        tally.add(&batch).map_err(failed)?;
        output.write(&batch).await?;
    }
    output.close().await?;
    Ok((std::mem::take(&mut output.done), tally))
}

/// What the new files hold, read back from where they were written.
pub(super) async fn read_back(table: &LakeTable, files: &[Add]) -> Result<Tally, LakeError> {
    let schema = columns_of_files(table)?;
    let mut tally = Tally::default();
    let parquet = |source| LakeError::Parquet {
        table: table.name.clone(),
        source,
    };
    for file in files {
        let reader = match &table.local {
            Some(root) => {
                let path = root.join(&file.path);
                let opened = File::open(&path).map_err(|source| LakeError::Io {
                    action: "read",
                    path: path.display().to_string(),
                    source,
                })?;
                ParquetRecordBatchReaderBuilder::try_new(opened).and_then(|builder| builder.build())
            }
            None => {
                let store = table.inner.object_store();
                let failed = |source| LakeError::Store {
                    action: "read",
                    path: file.path.clone(),
                    source,
                };
                let found = store.get(&Path::from(file.path.as_str())).await.map_err(failed)?;
                let bytes = found.bytes().await.map_err(failed)?;
                ParquetRecordBatchReaderBuilder::try_new(bytes).and_then(|builder| builder.build())
            }
        };
        for batch in reader.map_err(parquet)? {
            let batch = batch.map_err(|error| query(table, error.into()))?;
            let batch = fit(table, &batch, &schema)?;
            tally.add(&batch).map_err(|error| query(table, error))?;
        }
    }
    Ok(tally)
}

fn size_of(path: &std::path::Path) -> Result<usize, LakeError> {
    let metadata = std::fs::metadata(path).map_err(|source| LakeError::Io {
        action: "read",
        path: path.display().to_string(),
        source,
    })?;
    Ok(usize::try_from(metadata.len()).unwrap_or(usize::MAX))
}

/// Takes back files that never became part of the table.
pub(super) async fn discard(table: &LakeTable, files: &[Add]) {
    let store = table.inner.object_store();
    for file in files {
        if let Err(error) = store.delete(&Path::from(file.path.as_str())).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                path = file.path,
                "cannot delete an unused file; a later vacuum will"
            );
        }
    }
}

/// All columns but those that the folders' names hold.
fn columns_of_files(table: &LakeTable) -> Result<SchemaRef, LakeError> {
    let partitions = table.state()?.metadata().partition_columns().to_vec();
    let schema = table.schema()?;
    let fields = schema.fields().iter().filter(|field| !partitions.contains(field.name()));
    Ok(Arc::new(Schema::new(fields.cloned().collect::<Vec<_>>())))
}

/// The columns of `schema` in its order and types.
fn fit(table: &LakeTable, batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, LakeError> {
    let misfit = |reason: String| LakeError::Schema {
        table: table.name.clone(),
        reason,
    };
    let mut columns = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        let column = batch
            .column_by_name(field.name())
            .ok_or_else(|| misfit(format!("column {} is missing", field.name())))?;
        let fitting = match column.data_type() == field.data_type() {
            true => Arc::clone(column),
            false => arrow::compute::cast(column, field.data_type()).map_err(|error| misfit(error.to_string()))?,
        };
        columns.push(fitting);
    }
    RecordBatch::try_new(Arc::clone(schema), columns).map_err(|error| misfit(error.to_string()))
}

fn query(table: &LakeTable, error: datafusion::error::DataFusionError) -> LakeError {
    LakeError::Query {
        table: table.name.clone(),
        source: Box::new(error),
    }
}

struct Output<'a> {
    table: &'a LakeTable,
    date: Option<NaiveDate>,
    schema: SchemaRef,
    open: Option<Open>,
    done: Vec<Add>,
}

struct Open {
    name: String,
    rows: usize,
    writer: ParquetWriter<Sink>,
}

impl Output<'_> {
    async fn write(&mut self, batch: &RecordBatch) -> Result<(), LakeError> {
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.start()?,
        };
        open.rows += batch.num_rows();
        let written = open.writer.write(batch);
        let full = open.writer.bytes_written() as u64 >= TARGET_BYTES;
        self.open = Some(open);
        written.map_err(|source| self.parquet(source))?;
        if full {
            self.close().await?;
        }
        Ok(())
    }

    fn start(&self) -> Result<Open, LakeError> {
        let name = new_name(self.date);
        let sink = match &self.table.local {
            Some(root) => {
                let folder = self
                    .date
                    .map_or_else(|| root.clone(), |date| root.join(format!("{DATE}={date}")));
                let temporary = folder.join(format!("_{}.tmp", uuid::Uuid::new_v4()));
                let file = durable::create(&temporary).map_err(|source| LakeError::Io {
                    action: "create",
                    path: temporary.display().to_string(),
                    source,
                })?;
                Sink::Local { file, temporary }
            }
            None => Sink::Memory(Vec::new()),
        };
        let writer = ParquetWriter::try_new(sink, Arc::clone(&self.schema), properties(&self.schema));
        Ok(Open {
            name,
            rows: 0,
            writer: writer.map_err(|source| self.parquet(source))?,
        })
    }

    /// Gives the file that is being written its name.
    async fn close(&mut self) -> Result<(), LakeError> {
        let Some(open) = self.open.take() else { return Ok(()) };
        let bytes = match open.writer.into_inner().map_err(|source| self.parquet(source))? {
            Sink::Local { file, temporary } => {
                let path = self
                    .table
                    .local
                    .as_ref()
                    .map(|root| root.join(&open.name))
                    .unwrap_or_default();
                let named = failpoint::io("compact.before_sync")
                    .and_then(|()| durable::sync_file(&file, &temporary))
                    .and_then(|()| failpoint::io("compact.before_rename"))
                    .and_then(|()| durable::rename(&temporary, &path));
                named.map_err(|source| LakeError::Io {
                    action: "write",
                    path: path.display().to_string(),
                    source,
                })?;
                path.parent().map_or(Ok(()), durable::sync)?;
                size_of(&path)?
            }
            Sink::Memory(buffer) => {
                let bytes = buffer.len();
                let put = self
                    .table
                    .inner
                    .object_store()
                    .put(&Path::from(open.name.as_str()), buffer.into())
                    .await;
                put.map_err(|source| LakeError::Store {
                    action: "write",
                    path: open.name.clone(),
                    source,
                })?;
                bytes
            }
        };
        let mut add = log_entry(self.date, open.name, bytes, open.rows);
        add.data_change = false;
        self.done.push(add);
        Ok(())
    }

    fn parquet(&self, source: parquet::errors::ParquetError) -> LakeError {
        LakeError::Parquet {
            table: self.table.name.clone(),
            source,
        }
    }
}

impl Drop for Output<'_> {
    /// What was begun and not finished has no reader.
    fn drop(&mut self) {
        if let Some(Open { writer, .. }) = self.open.take()
            && let Sink::Local { temporary, .. } = writer.inner()
        {
            let _ = durable::remove_file(temporary);
        }
    }
}
