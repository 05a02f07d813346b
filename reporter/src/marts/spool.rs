//! Rows that are made once and read several times: in memory while they are few, in a Parquet file of the machine's temporary
//! folder once they are many. What a report needs of its memory does not grow with the lake.
//!
//! The file of a mart is encoded once, as the lake encodes: `--out` gets it under another name, and the mart's table gets
//! its row groups, each of one day, as they are. Rows come out in blocks of one size however they went in: the same rows are
//! the same bytes, whatever ran beside them.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::{BatchCoalescer, concat_batches};
use arrow::datatypes::{Date32Type, SchemaRef};
use arrow::error::ArrowError;
use datafusion::catalog::TableProvider;
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::prelude::{ParquetReadOptions, SessionContext};
use marginlake_lake::ParquetWriter;
use marginlake_lake::schema::DATE;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::{ArrowWriter, ProjectionMask};
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use tempfile::TempDir;

/// Rows that stay in memory.
const ROWS_IN_MEMORY: usize = 65_536;
/// Rows of a block.
const BLOCK_ROWS: usize = 32_768;
/// Blocks that wait for the thread that encodes them.
const BLOCKS_AHEAD: usize = 4;
/// Blocks that wait for who reads them.
const BLOCKS_READ_AHEAD: usize = 2;
/// Rows of a row group: a reader of some days skips the groups of others.
const ROW_GROUP_ROWS: usize = 131_072;

/// Who reads the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// This run alone.
    Scratch,
    /// The lake and whoever reads `--out`.
    Publish,
}

/// Kept rows. The file goes when this does.
#[derive(Debug)]
pub(crate) struct Spool {
    schema: SchemaRef,
    rows: usize,
    kept: Kept,
}

#[derive(Debug)]
enum Kept {
    Memory(Vec<RecordBatch>),
    File { path: PathBuf, _folder: TempDir },
}

/// Rows on their way into a [`Spool`].
pub(crate) struct SpoolWriter {
    purpose: Purpose,
    limit: usize,
    rows: usize,
    blocks: BatchCoalescer,
    held: Vec<RecordBatch>,
    file: Option<SpoolFile>,
}

/// A file that a thread of its own encodes: rows are made while those before them are written.
struct SpoolFile {
    /// Gone when the last block is sent.
    blocks: Option<SyncSender<RecordBatch>>,
    writing: JoinHandle<Result<(), ParquetError>>,
    path: PathBuf,
    folder: TempDir,
}

impl SpoolFile {
    fn create(schema: SchemaRef, purpose: Purpose) -> Result<SpoolFile, DataFusionError> {
        let folder = TempDir::with_prefix("marginlake-")?;
        let path = folder.path().join("rows.parquet");
        let file = File::create(&path)?;
        let (blocks, sent) = sync_channel::<RecordBatch>(BLOCKS_AHEAD);
        let writing = std::thread::spawn(move || match purpose {
            Purpose::Scratch => write_scratch(file, schema, sent),
            Purpose::Publish => write_days(file, &schema, sent),
        });
        Ok(SpoolFile {
            blocks: Some(blocks),
            writing,
            path,
            folder,
        })
    }

    /// Waits while the thread is some blocks behind. A thread that has stopped says why in [`SpoolFile::close`].
    fn write(&mut self, block: RecordBatch) {
        if self.blocks.as_ref().is_some_and(|blocks| blocks.send(block).is_err()) {
            self.blocks = None;
        }
    }

    fn close(self) -> Result<Kept, DataFusionError> {
        drop(self.blocks);
        let stopped = |_| DataFusionError::Execution("the thread that writes rows has stopped".to_owned());
        self.writing.join().map_err(stopped)?.map_err(failed)?;
        Ok(Kept::File {
            path: self.path,
            _folder: self.folder,
        })
    }
}

impl SpoolWriter {
    /// For rows of `schema`.
    pub(crate) fn new(schema: SchemaRef, purpose: Purpose) -> SpoolWriter {
        SpoolWriter::with_limit(schema, purpose, ROWS_IN_MEMORY)
    }

    fn with_limit(schema: SchemaRef, purpose: Purpose, limit: usize) -> SpoolWriter {
        SpoolWriter {
            purpose,
            limit,
            rows: 0,
            blocks: BatchCoalescer::new(schema, BLOCK_ROWS),
            held: Vec::new(),
            file: None,
        }
    }

    /// Columns.
    pub(crate) fn schema(&self) -> SchemaRef {
        self.blocks.schema()
    }

    /// Adds rows behind those before.
    pub(crate) fn push(&mut self, batch: RecordBatch) -> Result<(), DataFusionError> {
        self.rows += batch.num_rows();
        self.blocks.push_batch(batch)?;
        self.settle()
    }

    /// Moves blocks that are full to where they belong.
    fn settle(&mut self) -> Result<(), DataFusionError> {
        if self.rows > self.limit && self.file.is_none() {
            self.file = Some(SpoolFile::create(self.blocks.schema(), self.purpose)?);
        }
        while let Some(block) = self.blocks.next_completed_batch() {
            self.held.push(block);
        }
        if let Some(file) = &mut self.file {
            self.held.drain(..).for_each(|block| file.write(block));
        }
        Ok(())
    }

    /// All of them.
    pub(crate) fn finish(mut self) -> Result<Spool, DataFusionError> {
        self.blocks.finish_buffered_batch()?;
        self.settle()?;
        let kept = match self.file {
            None => Kept::Memory(self.held),
            Some(file) => file.close()?,
        };
        Ok(Spool {
            schema: self.blocks.schema(),
            rows: self.rows,
            kept,
        })
    }
}

/// Rows, block by block.
type Blocks<'a> = Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>> + Send + 'a>;

impl Spool {
    /// Rows for the lake and whoever reads `--out`.
    pub(crate) fn published(
        schema: SchemaRef,
        batches: impl Iterator<Item = Result<RecordBatch, ArrowError>>,
    ) -> Result<Spool, DataFusionError> {
        let mut rows = SpoolWriter::new(schema, Purpose::Publish);
        for batch in batches {
            rows.push(batch?)?;
        }
        rows.finish()
    }

    /// The rows of a batch.
    pub(crate) fn of_batch(batch: RecordBatch) -> Spool {
        Spool {
            schema: batch.schema(),
            rows: batch.num_rows(),
            kept: Kept::Memory(vec![batch]),
        }
    }

    /// Columns.
    pub(crate) fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// How many rows.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// The rows as a table of `session`.
    pub(crate) async fn table(&self, session: &SessionContext) -> Result<Arc<dyn TableProvider>, DataFusionError> {
        Ok(match &self.kept {
            Kept::Memory(batches) => Arc::new(MemTable::try_new(self.schema(), vec![batches.clone()])?),
            Kept::File { path, .. } => {
                let path = path.to_string_lossy().into_owned();
                session.read_parquet(path, ParquetReadOptions::default()).await?.into_view()
            }
        })
    }

    /// The rows, block by block.
    pub(crate) fn batches(&self) -> Result<Blocks<'_>, ArrowError> {
        Ok(match &self.kept {
            Kept::Memory(batches) => Box::new(batches.iter().cloned().map(Ok)),
            Kept::File { path, .. } => {
                let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path)?)?;
                Box::new(reader.with_batch_size(BLOCK_ROWS).build()?)
            }
        })
    }

    /// Some columns of the rows, in the order in which they are named, block by block. A thread decodes the next ones.
    pub(crate) fn columns(&self, names: &[&str]) -> Result<Blocks<'_>, ArrowError> {
        let places: Vec<usize> = names
            .iter()
            .map(|name| self.schema.index_of(name))
            .collect::<Result<_, _>>()?;
        let path = match &self.kept {
            Kept::Memory(batches) => return Ok(Box::new(batches.iter().map(move |batch| batch.project(&places)))),
            Kept::File { path, .. } => path,
        };
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path)?)?;
        let these = ProjectionMask::roots(reader.parquet_schema(), places.iter().copied());
        let batches = Ahead::new(reader.with_projection(these).with_batch_size(BLOCK_ROWS).build()?);
        // The file gives them in its own order.
        let in_file = |place: &usize| places.iter().filter(|other| *other < place).count();
        let order: Vec<usize> = places.iter().map(in_file).collect();
        Ok(Box::new(batches.map(move |batch| batch?.project(&order))))
    }

    /// The rows, where they are in memory.
    pub(crate) fn in_memory(&self) -> Option<&[RecordBatch]> {
        match &self.kept {
            Kept::Memory(batches) => Some(batches),
            Kept::File { .. } => None,
        }
    }

    /// The file, where they are in one.
    pub(crate) fn file(&self) -> Option<&Path> {
        match &self.kept {
            Kept::Memory(_) => None,
            Kept::File { path, .. } => Some(path),
        }
    }

    /// The rows day by day, of rows that are in the order of their first column, `date`.
    pub(crate) fn days(&self) -> Result<impl Iterator<Item = Result<Vec<RecordBatch>, ArrowError>> + Send + '_, ArrowError> {
        let mut batches = self.batches()?;
        let mut left: Option<RecordBatch> = None;
        Ok(std::iter::from_fn(move || {
            let mut of_day: Vec<RecordBatch> = Vec::new();
            loop {
                let batch = match left.take().map(Ok).or_else(|| batches.next()) {
                    None => return (!of_day.is_empty()).then_some(Ok(of_day)),
                    Some(Err(error)) => return Some(Err(error)),
                    Some(Ok(batch)) if batch.num_rows() == 0 => continue,
                    Some(Ok(batch)) => batch,
                };
                let dates = batch.column(0).as_primitive::<Date32Type>().values();
                let day = of_day
                    .first()
                    .map_or(dates[0], |first| first.column(0).as_primitive::<Date32Type>().value(0));
                let same = dates.partition_point(|date| *date == day);
                let rest = batch.num_rows() - same;
                if same > 0 {
                    of_day.push(batch.slice(0, same));
                }
                if rest > 0 {
                    left = Some(batch.slice(same, rest));
                    return Some(Ok(of_day));
                }
            }
        }))
    }

    /// All rows as one batch: for marts that are known to be short.
    pub(crate) fn whole(&self) -> Result<RecordBatch, ArrowError> {
        let batches: Vec<RecordBatch> = self.batches()?.collect::<Result<_, _>>()?;
        concat_batches(&self.schema, &batches)
    }

    /// Writes the rows as a Parquet file.
    pub(crate) fn write_parquet(&self, path: &Path) -> Result<(), ArrowError> {
        let batches = match &self.kept {
            // Another name for the same bytes where both are on one file system.
            Kept::File { path: kept, .. } if std::fs::hard_link(kept, path).is_ok() => return Ok(()),
            Kept::File { path: kept, .. } => return Ok(std::fs::copy(kept, path).map(drop)?),
            Kept::Memory(batches) => batches,
        };
        Ok(write_days(File::create(path)?, &self.schema, batches.iter().cloned())?)
    }
}

/// Blocks that a thread reads while the one before is worked on.
struct Ahead {
    blocks: Receiver<Result<RecordBatch, ArrowError>>,
    reading: Option<JoinHandle<()>>,
}

impl Ahead {
    fn new(blocks: impl Iterator<Item = Result<RecordBatch, ArrowError>> + Send + 'static) -> Ahead {
        let (read, waiting) = sync_channel(BLOCKS_READ_AHEAD);
        let reading = std::thread::spawn(move || {
            for block in blocks {
                if read.send(block).is_err() {
                    // Nobody wants the rest.
                    return;
                }
            }
        });
        Ahead {
            blocks: waiting,
            reading: Some(reading),
        }
    }
}

impl Iterator for Ahead {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let block = self.blocks.recv().ok();
        if block.is_none()
            && let Some(Err(panic)) = self.reading.take().map(JoinHandle::join)
        {
            // Else rows would be missing, and nobody knew.
            std::panic::resume_unwind(panic);
        }
        block
    }
}

/// For this run alone: nobody waits for the last byte, and a day is looked for.
fn write_scratch(file: File, schema: SchemaRef, blocks: impl IntoIterator<Item = RecordBatch>) -> Result<(), ParquetError> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::UNCOMPRESSED)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .build();
    let mut writer = ArrowWriter::try_new(file, schema, Some(properties))?;
    blocks.into_iter().try_for_each(|block| writer.write(&block))?;
    writer.close().map(drop)
}

/// As the lake encodes, no row group of more than one day where the first column is the day.
fn write_days(file: File, schema: &SchemaRef, blocks: impl IntoIterator<Item = RecordBatch>) -> Result<(), ParquetError> {
    let mut writer = ParquetWriter::new(file, schema)?;
    let has_days = schema.fields().first().is_some_and(|field| field.name() == DATE);
    let mut last = None;
    for block in blocks {
        if !has_days {
            writer.write(&block)?;
            continue;
        }
        let mut at = 0;
        for of_day in block.column(0).as_primitive::<Date32Type>().values().chunk_by(|a, b| a == b) {
            if last.is_some_and(|last| last != of_day[0]) {
                writer.close_group()?;
            }
            writer.write(&block.slice(at, of_day.len()))?;
            last = Some(of_day[0]);
            at += of_day.len();
        }
    }
    writer.finish()
}

fn failed(error: ParquetError) -> DataFusionError {
    DataFusionError::ParquetError(Box::new(error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::empty_session;

    async fn spool(session: &SessionContext, limit: usize, parts: usize) -> Spool {
        let sql = "SELECT value, CAST(value AS VARCHAR) AS text, CAST(value AS DECIMAL(38, 12)) AS amount FROM range(0, 70000) ORDER BY value";
        let rows = session.sql(sql).await.unwrap().collect().await.unwrap();
        let rows = concat_batches(&rows[0].schema(), &rows).unwrap();
        let mut writer = SpoolWriter::with_limit(rows.schema(), Purpose::Publish, limit);
        let length = rows.num_rows() / parts;
        for part in 0..parts {
            writer.push(rows.slice(part * length, length)).unwrap();
        }
        writer.finish().unwrap()
    }

    #[tokio::test]
    async fn rows_are_the_same_from_memory_and_from_disk() {
        let session = empty_session();
        for (limit, on_disk) in [(69_999, true), (70_000, false)] {
            let spool = spool(&session, limit, 7).await;
            assert_eq!((matches!(spool.kept, Kept::File { .. }), spool.rows()), (on_disk, 70_000));
            session.deregister_table("kept").unwrap();
            session.register_table("kept", spool.table(&session).await.unwrap()).unwrap();
            let sums = "SELECT count(*) AS n, sum(amount) AS a, max(text) AS t FROM kept";
            let rows = session.sql(sums).await.unwrap().collect().await.unwrap();
            let text = arrow::util::pretty::pretty_format_batches(&rows).unwrap().to_string();
            assert!(text.contains("| 70000 | 2449965000.000000000000 | 9999 |"), "{text}");
            let whole = spool.whole().unwrap();
            assert_eq!((whole.num_rows(), whole.schema()), (70_000, spool.schema()));
        }
    }

    #[tokio::test]
    async fn columns_come_as_they_are_named_from_memory_and_from_disk() {
        let session = empty_session();
        for limit in [69_999, 70_000] {
            let spool = spool(&session, limit, 7).await;
            let rows: Vec<RecordBatch> = spool.columns(&["amount", "value"]).unwrap().map(Result::unwrap).collect();
            let rows = concat_batches(&rows[0].schema(), &rows).unwrap();
            assert_eq!(rows, spool.whole().unwrap().project(&[2, 0]).unwrap());
        }
    }

    #[test]
    #[should_panic(expected = "a torn block")]
    fn a_reader_that_stops_is_no_end_of_rows() {
        let rows = RecordBatch::new_empty(Arc::new(arrow::datatypes::Schema::empty()));
        let blocks = std::iter::once(rows)
            .map(Ok)
            .chain(std::iter::from_fn(|| panic!("a torn block")));
        Ahead::new(blocks).for_each(drop);
    }

    #[test]
    fn days_come_whole_whatever_the_blocks() {
        let dates: Vec<i32> = (0..100_000).map(|row| row / 1_777).collect();
        let rows = |dates: &[i32]| {
            let column = Arc::new(arrow::array::Date32Array::from(dates.to_vec())) as arrow::array::ArrayRef;
            RecordBatch::try_from_iter([("date", column)]).unwrap()
        };
        let mut writer = SpoolWriter::with_limit(rows(&[]).schema(), Purpose::Scratch, 0);
        dates.chunks(1_000).for_each(|part| writer.push(rows(part)).unwrap());
        let spool = writer.finish().unwrap();
        let days = spool.days().unwrap().map(|day| {
            let day = concat_batches(&spool.schema(), &day.unwrap()).unwrap();
            day.column(0).as_primitive::<Date32Type>().values().to_vec()
        });
        let days: Vec<Vec<i32>> = days.collect();
        assert!(days.iter().all(|day| day.iter().all(|date| *date == day[0])));
        assert_eq!((days.len(), days.concat()), (57, dates));
    }

    #[test]
    fn each_row_group_of_a_file_is_of_one_day() {
        let dates: Vec<i32> = (0..200_000).map(|row| row / 70_000).collect();
        let column = Arc::new(arrow::array::Date32Array::from(dates)) as arrow::array::ArrayRef;
        let rows = RecordBatch::try_from_iter([("date", column)]).unwrap();
        let mut writer = SpoolWriter::with_limit(rows.schema(), Purpose::Publish, 0);
        writer.push(rows).unwrap();
        let spool = writer.finish().unwrap();
        let file = File::open(spool.file().expect("it is in a file")).unwrap();
        let file = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        let groups: Vec<i64> = file.metadata().row_groups().iter().map(|group| group.num_rows()).collect();
        assert_eq!(groups, [70_000, 70_000, 60_000]);
    }

    #[tokio::test]
    async fn a_file_has_the_same_bytes_however_its_rows_came_and_were_kept() {
        let session = empty_session();
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("rows.parquet");
        let mut files = Vec::new();
        for (limit, parts) in [(0, 1), (0, 7), (65_536, 1_000), (70_000, 1), (70_000, 70)] {
            spool(&session, limit, parts).await.write_parquet(&path).unwrap();
            files.push(std::fs::read(&path).unwrap());
        }
        assert!(files.iter().all(|file| *file == files[0]));
        // One write of everything, as any other program would do it, makes the same file.
        let whole = spool(&session, 70_000, 1).await.whole().unwrap();
        Spool::of_batch(whole).write_parquet(&path).unwrap();
        assert!(std::fs::read(&path).unwrap() == files[0]);
    }
}
