//! Rows on their way into data files: one open file per day, so that rows wait as Parquet and not as Arrow.
//!
//! A local file is written under a temporary name, synced, renamed, and its folders synced, so that a name in the Delta
//! log always means bytes on the disk. On an object store the put is that promise.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Date32Type, Schema, SchemaRef};
use chrono::NaiveDate;
use deltalake::kernel::Add;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::statistics::Statistics;

use crate::append::Staged;
use crate::data_file::{log_entry, new_name, split_by_date};
use crate::open::LakeTable;
use crate::pages::ParquetWriter;
use crate::schema::DATE;
use crate::{LakeError, durable, failpoint};

/// Days that are written at a time; the one that waited longest for a row is closed when another comes. Each open file
/// holds the pages of all its columns.
const OPEN_DAYS: usize = 16;

/// Takes rows of any day, batch by batch. What is dropped unfinished leaves nothing behind.
#[derive(Debug)]
pub struct FileWriter {
    target: Target,
    is_partitioned: bool,
    open: BTreeMap<Option<NaiveDate>, OpenFile>,
    closed: Vec<Closed>,
    /// Counts batches: which file was written last.
    turn: u64,
}

/// Where files go.
#[derive(Debug, Clone)]
struct Target {
    table: String,
    /// The table's folder on a local lake.
    root: Option<PathBuf>,
    store: Arc<dyn ObjectStore>,
}

#[derive(Debug)]
struct OpenFile {
    name: String,
    rows: usize,
    turn: u64,
    writer: ParquetWriter<Sink>,
}

/// Bytes on their way: to a local file that has no name yet, or kept for one put.
#[derive(Debug)]
pub(crate) enum Sink {
    Local { file: File, temporary: PathBuf },
    Memory(Vec<u8>),
}

/// A file with all its rows.
#[derive(Debug)]
struct Closed {
    add: Add,
    rows: usize,
    /// On an object store: what is still to be put.
    bytes: Option<Vec<u8>>,
}

impl LakeTable {
    /// A writer of data files that no reader sees until a commit names them.
    pub fn writer(&self) -> Result<FileWriter, LakeError> {
        let partitions = self.state()?.metadata().partition_columns();
        Ok(FileWriter {
            target: Target {
                table: self.name.clone(),
                root: self.local.clone(),
                store: self.inner.object_store(),
            },
            is_partitioned: partitions.iter().any(|column| column == DATE),
            open: BTreeMap::new(),
            closed: Vec::new(),
            turn: 0,
        })
    }
}

impl FileWriter {
    /// Encodes rows. Takes processor time and may wait for the disk: not for a thread that serves others.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), LakeError> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        self.turn += 1;
        if !self.is_partitioned {
            return self.write_day(None, batch);
        }
        let parts = split_by_date(batch).map_err(|reason| LakeError::Schema {
            table: self.target.table.clone(),
            reason,
        })?;
        parts.iter().try_for_each(|(date, part)| self.write_day(Some(*date), part))
    }

    /// Takes the rows of a Parquet file as they are encoded there. The file is one that a
    /// [`ParquetWriter`] made; where the table is partitioned, its first column is [`DATE`] and the statistics
    /// of each row group show that it is of one day.
    pub fn copy(&mut self, path: &Path) -> Result<(), LakeError> {
        let file = File::open(path).map_err(io("open", path))?;
        let read = ArrowReaderMetadata::load(&file, ArrowReaderOptions::default());
        let read = read.map_err(|source| self.target.parquet(source))?;
        let whole = Arc::clone(read.schema());
        let schema = match self.is_partitioned {
            true => Arc::new(Schema::new(whole.fields().iter().skip(1).cloned().collect::<Vec<_>>())),
            false => Arc::clone(&whole),
        };
        for group in read.metadata().row_groups() {
            self.turn += 1;
            let date = match self.is_partitioned {
                false => None,
                true => Some(day_of(&whole, group).ok_or_else(|| LakeError::Schema {
                    table: self.target.table.clone(),
                    reason: format!("row groups of {} are not of one day each", path.display()),
                })?),
            };
            let rows = usize::try_from(group.num_rows()).unwrap_or(0);
            let open = self.open_day(date, &schema)?;
            open.rows += rows;
            let copied = open.writer.copy_group(&file, group);
            copied.map_err(|source| self.target.parquet(source))?;
        }
        Ok(())
    }

    /// Rows so far.
    pub fn rows(&self) -> usize {
        self.open.values().map(|open| open.rows).sum::<usize>() + self.closed.iter().map(|closed| closed.rows).sum::<usize>()
    }

    fn write_day(&mut self, date: Option<NaiveDate>, batch: &RecordBatch) -> Result<(), LakeError> {
        let open = self.open_day(date, &batch.schema())?;
        open.rows += batch.num_rows();
        let written = open.writer.write(batch);
        written.map_err(|source| self.target.parquet(source))
    }

    /// The file of a day.
    fn open_day(&mut self, date: Option<NaiveDate>, schema: &SchemaRef) -> Result<&mut OpenFile, LakeError> {
        if !self.open.contains_key(&date)
            && self.open.len() >= OPEN_DAYS
            && let Some(idle) = self.open.iter().min_by_key(|(_, open)| open.turn).map(|(date, _)| *date)
        {
            self.close(idle)?;
        }
        let open = match self.open.entry(date) {
            Entry::Occupied(open) => open.into_mut(),
            Entry::Vacant(place) => place.insert(self.target.create(date, schema)?),
        };
        open.turn = self.turn;
        Ok(open)
    }

    fn close(&mut self, date: Option<NaiveDate>) -> Result<(), LakeError> {
        if let Some(open) = self.open.remove(&date) {
            self.closed.push(self.target.finish(date, open)?);
        }
        Ok(())
    }

    /// Gives the files their names, durably. Nothing is visible to readers yet.
    pub async fn finish(mut self) -> Result<Staged, LakeError> {
        let stopped = self.target.table.clone();
        let mut writer = tokio::task::spawn_blocking(move || {
            let days: Vec<_> = self.open.keys().copied().collect();
            days.into_iter().try_for_each(|date| self.close(date)).map(|()| self)
        })
        .await
        .map_err(|error| LakeError::Schema {
            table: stopped,
            reason: format!("the writer stopped: {error}"),
        })??;
        for closed in &mut writer.closed {
            if let Some(bytes) = closed.bytes.take() {
                writer.target.put(&closed.add.path, bytes).await?;
            }
        }
        let closed = std::mem::take(&mut writer.closed);
        Ok(Staged(closed.into_iter().map(|closed| closed.add).collect()))
    }
}

impl Target {
    fn create(&self, date: Option<NaiveDate>, schema: &SchemaRef) -> Result<OpenFile, LakeError> {
        let name = new_name(date);
        let sink = match &self.root {
            None => Sink::Memory(Vec::new()),
            Some(root) => {
                let path = root.join(&name);
                let folder = path.parent().unwrap_or(root);
                if folder != root {
                    // In a table that is not there (moved away, not mounted) nothing is made.
                    durable::create_folder(folder).map_err(io("create", folder))?;
                }
                let temporary = folder.join(format!("_{}.tmp", uuid::Uuid::new_v4()));
                failpoint::io("data.before_write").map_err(io("write", &temporary))?;
                let file = durable::create(&temporary).map_err(io("create", &temporary))?;
                Sink::Local { file, temporary }
            }
        };
        let writer = ParquetWriter::new(sink, schema);
        Ok(OpenFile {
            name,
            rows: 0,
            turn: 0,
            writer: writer.map_err(|source| self.parquet(source))?,
        })
    }

    fn finish(&self, date: Option<NaiveDate>, mut open: OpenFile) -> Result<Closed, LakeError> {
        open.writer.finish().map_err(|source| self.parquet(source))?;
        let size = open.writer.bytes_written();
        let bytes = match (open.writer.inner_mut(), &self.root) {
            (Sink::Memory(bytes), _) => Some(std::mem::take(bytes)),
            (Sink::Local { file, temporary }, root) => {
                let path = root.as_deref().unwrap_or(Path::new("")).join(&open.name);
                failpoint::io("data.before_sync")
                    .and_then(|()| durable::sync_file(file, temporary))
                    .map_err(io("sync", temporary))?;
                failpoint::io("data.before_rename")
                    .and_then(|()| durable::rename(temporary, &path))
                    .map_err(io("rename", temporary))?;
                failpoint::at("data.after_rename");
                path.parent().map_or(Ok(()), durable::sync)?;
                None
            }
        };
        let add = log_entry(date, std::mem::take(&mut open.name), size, open.rows);
        Ok(Closed {
            add,
            rows: open.rows,
            bytes,
        })
    }

    async fn put(&self, name: &str, bytes: Vec<u8>) -> Result<(), LakeError> {
        let put = self.store.put(&object_store::path::Path::from(name), bytes.into()).await;
        put.map(drop).map_err(|source| LakeError::Store {
            action: "write",
            path: name.to_owned(),
            source,
        })
    }

    fn parquet(&self, source: parquet::errors::ParquetError) -> LakeError {
        LakeError::Parquet {
            table: self.table.clone(),
            source,
        }
    }
}

impl Drop for FileWriter {
    /// Files that were closed and never handed out: nobody can have named them.
    fn drop(&mut self) {
        let Some(root) = &self.target.root else { return };
        for closed in &self.closed {
            let _ = durable::remove_file(&root.join(&closed.add.path));
        }
    }
}

impl Drop for OpenFile {
    /// What was begun and not finished has no reader; what was finished has another name by now.
    fn drop(&mut self) {
        if let Sink::Local { temporary, .. } = self.writer.inner() {
            let _ = durable::remove_file(temporary);
        }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Sink::Local { file, .. } => file.write(bytes),
            Sink::Memory(buffer) => buffer.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Sink::Local { file, .. } => file.flush(),
            Sink::Memory(_) => Ok(()),
        }
    }
}

/// The day of a row group's first column, where its statistics show that there is only one.
fn day_of(schema: &Schema, group: &RowGroupMetaData) -> Option<NaiveDate> {
    let is_date = schema.fields().first().is_some_and(|field| field.name() == DATE);
    match group.columns().first().filter(|_| is_date)?.statistics()? {
        Statistics::Int32(days) if days.min_opt() == days.max_opt() && days.null_count_opt() == Some(0) => {
            Date32Type::to_naive_date_opt(*days.min_opt()?)
        }
        _ => None,
    }
}

fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> LakeError {
    let path = path.display().to_string();
    move |source| LakeError::Io { action, path, source }
}
