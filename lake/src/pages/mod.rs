//! Batches into Parquet: the library's file, with pages of our own where values repeat.
//!
//! The library's encoder takes texts value by value and levels number by number; ours takes runs, guesses the next value
//! from the one before, and reads what a block repeats once (`docs/performance.md` has both). What lies in the file is what
//! the library would have put there: the same encodings, dictionaries, limits and compression. Lists and maps of flat
//! values are ours too; what is sorted, unique or deeper stays with the library.

mod chunk;
mod column;
mod dictionary;
mod hybrid;
mod leaf;
#[cfg(test)]
mod tests;

use std::fmt;
use std::fs::File;
use std::io::Write;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowRowGroupWriterFactory;
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnPath;

use self::chunk::Compressor;
use self::column::Column;
use crate::data_file;

/// Writes batches of one schema as a Parquet file, encoded as the lake's data files are.
pub struct ParquetWriter<W: Write> {
    schema: SchemaRef,
    file: SerializedFileWriter<W>,
    factory: ArrowRowGroupWriterFactory,
    compressor: Option<Compressor>,
    group: Option<Group>,
}

/// The row group at work.
struct Group {
    columns: Vec<Column>,
    rows: usize,
}

impl<W: Write + Send> ParquetWriter<W> {
    /// For rows of `schema`.
    pub fn new(sink: W, schema: &SchemaRef) -> Result<Self> {
        Self::try_new(sink, Arc::clone(schema), data_file::properties(schema))
    }

    pub(crate) fn try_new(sink: W, schema: SchemaRef, properties: WriterProperties) -> Result<Self> {
        let compressor = Compressor::new(properties.compression(&ColumnPath::new(Vec::new())))?;
        let (file, factory) = ArrowWriter::try_new(sink, Arc::clone(&schema), Some(properties))?.into_serialized_writer()?;
        Ok(Self {
            schema,
            file,
            factory,
            compressor,
            group: None,
        })
    }

    /// Encodes rows behind those before.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        if batch.schema_ref().fields() != self.schema.fields() {
            return Err(ParquetError::General("a batch of another schema".to_owned()));
        }
        let properties = Arc::clone(self.file.properties());
        let max_rows = properties.max_row_group_row_count().unwrap_or(usize::MAX);
        let max_bytes = properties.max_row_group_bytes().unwrap_or(usize::MAX);
        let mut at = 0;
        while at < batch.num_rows() {
            let mut group = match self.group.take() {
                Some(group) => group,
                None => self.new_group()?,
            };
            let count = (batch.num_rows() - at).min(max_rows - group.rows);
            group.write(&batch.slice(at, count), self.compressor.as_mut())?;
            at += count;
            let is_full = group.rows >= max_rows || group.columns.iter().map(Column::size).sum::<usize>() >= max_bytes;
            self.group = Some(group);
            if is_full {
                self.close_group()?;
            }
        }
        Ok(())
    }

    /// Writes what is left and the footer. Nothing can be written afterwards.
    pub fn finish(&mut self) -> Result<()> {
        self.close_group()?;
        self.file.finish().map(drop)
    }

    /// [`ParquetWriter::finish`], and the sink.
    pub(crate) fn into_inner(mut self) -> Result<W> {
        self.close_group()?;
        self.file.into_inner()
    }

    /// Bytes of the row groups that are complete, and of the footer when it is written.
    pub(crate) fn bytes_written(&self) -> usize {
        self.file.bytes_written()
    }

    pub(crate) fn inner(&self) -> &W {
        self.file.inner()
    }

    pub(crate) fn inner_mut(&mut self) -> &mut W {
        self.file.inner_mut()
    }

    fn new_group(&self) -> Result<Group> {
        let mut writers = self.factory.create_column_writers(self.file.flushed_row_groups().len())?;
        let columns = self.file.schema_descr();
        let mut leaves = columns.columns();
        let mut group = Vec::with_capacity(self.schema.fields().len());
        for (root, field) in self.schema.fields().iter().enumerate() {
            let first = columns.num_columns() - leaves.len();
            let count = (first..columns.num_columns())
                .take_while(|leaf| columns.get_column_root_idx(*leaf) == root)
                .count();
            let (own, rest) = leaves.split_at(count);
            leaves = rest;
            let writers = writers.drain(..count).collect();
            group.push(Column::new(
                field,
                own,
                writers,
                self.file.properties(),
                self.compressor.as_ref(),
            ));
        }
        Ok(Group { columns: group, rows: 0 })
    }

    /// Ends the row group: rows that come later lie in another.
    pub fn close_group(&mut self) -> Result<()> {
        let Some(group) = self.group.take() else { return Ok(()) };
        let mut writer = self.file.next_row_group()?;
        for column in group.columns {
            column.finish(&mut writer, self.compressor.as_mut())?;
        }
        writer.close().map(drop)
    }

    /// Appends a row group of the file `from` as it is encoded there. Its last columns are those of this file; what stands
    /// before them stays behind.
    pub(crate) fn copy_group(&mut self, from: &File, group: &RowGroupMetaData) -> Result<()> {
        self.close_group()?;
        let more = || ParquetError::General("a row group of fewer columns".to_owned());
        let skipped = group.num_columns().checked_sub(self.file.schema_descr().num_columns());
        let mut writer = self.file.next_row_group()?;
        for column in &group.columns()[skipped.ok_or_else(more)?..] {
            let encoded = ColumnCloseResult {
                bytes_written: u64::try_from(column.compressed_size()).unwrap_or(0),
                rows_written: u64::try_from(group.num_rows()).unwrap_or(0),
                metadata: column.clone(),
                bloom_filter: None,
                column_index: None,
                offset_index: None,
            };
            writer.append_column(from, encoded)?;
        }
        writer.close().map(drop)
    }
}

impl Group {
    fn write(&mut self, batch: &RecordBatch, mut compressor: Option<&mut Compressor>) -> Result<()> {
        self.rows += batch.num_rows();
        let mut columns = self.columns.iter_mut().zip(batch.columns());
        columns.try_for_each(|(column, array)| column.write(array, compressor.as_deref_mut()))
    }
}

impl<W: Write> fmt::Debug for ParquetWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = self.group.as_ref().map_or(0, |group| group.rows);
        f.debug_struct("ParquetWriter")
            .field("rows_in_group", &rows)
            .finish_non_exhaustive()
    }
}
