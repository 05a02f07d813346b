//! A column of the table on its way into pages: by our own encoder, or by the library's where that one knows more.

use std::io::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, FieldRef};
use parquet::arrow::arrow_writer::{ArrowColumnWriter, compute_leaves};
use parquet::errors::Result;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedRowGroupWriter;
use parquet::schema::types::ColumnDescPtr;

use super::chunk::Compressor;
use super::hybrid::Hybrid;
use super::leaf::{Leaf, Piece};

/// Rows between two looks at the size of the page.
const STEP: usize = 512;

#[derive(Debug)]
pub(super) enum Column {
    Ours(Ours),
    Library(FieldRef, Vec<ArrowColumnWriter>),
}

/// A flat column, or a list or map of flat ones.
#[derive(Debug)]
pub(super) struct Ours {
    leaves: Vec<Leaf>,
    /// The levels that say where a row begins: in lists and maps.
    repetitions: Option<Hybrid>,
    /// The definition level of a list or map without entries.
    empty: u32,
    page_rows: usize,
    rows_in_page: usize,
    rows: usize,
    /// Kept for its memory.
    pieces: Vec<Piece>,
}

impl Column {
    /// Takes the library's `writers` where the field is not one of ours.
    pub(super) fn new(
        field: &FieldRef,
        leaves: &[ColumnDescPtr],
        writers: Vec<ArrowColumnWriter>,
        properties: &WriterProperties,
        compressor: Option<&Compressor>,
    ) -> Self {
        compressor
            .and_then(|compressor| Ours::new(field, leaves, properties, compressor))
            .map_or_else(|| Column::Library(Arc::clone(field), writers), Column::Ours)
    }

    pub(super) fn write(&mut self, array: &ArrayRef, compressor: Option<&mut Compressor>) -> Result<()> {
        match (self, compressor) {
            (Column::Ours(column), Some(compressor)) => {
                for start in (0..array.len()).step_by(STEP) {
                    column.write(&array.slice(start, STEP.min(array.len() - start)), compressor)?;
                }
                Ok(())
            }
            (Column::Library(field, writers), _) => {
                let leaves = compute_leaves(field, array)?;
                leaves.iter().zip(writers).try_for_each(|(leaf, writer)| writer.write(leaf))
            }
            (Column::Ours(_), None) => unreachable!("ours are compressed"),
        }
    }

    /// Bytes so far, about.
    pub(super) fn size(&self) -> usize {
        match self {
            Column::Ours(column) => column.leaves.iter().map(Leaf::size).sum(),
            Column::Library(_, writers) => writers.iter().map(ArrowColumnWriter::get_estimated_total_bytes).sum(),
        }
    }

    pub(super) fn finish<W: Write + Send>(
        self,
        group: &mut SerializedRowGroupWriter<'_, W>,
        compressor: Option<&mut Compressor>,
    ) -> Result<()> {
        match (self, compressor) {
            (Column::Ours(mut column), Some(compressor)) => {
                column.cut(compressor)?;
                for leaf in column.leaves {
                    let (bytes, close) = leaf.finish(column.rows, compressor)?;
                    group.append_column(&bytes, close)?;
                }
                Ok(())
            }
            (Column::Library(_, writers), _) => writers
                .into_iter()
                .try_for_each(|writer| writer.close()?.append_to_row_group(group)),
            (Column::Ours(_), None) => unreachable!("ours are compressed"),
        }
    }
}

impl Ours {
    fn new(field: &FieldRef, leaves: &[ColumnDescPtr], properties: &WriterProperties, compressor: &Compressor) -> Option<Self> {
        let elements: Vec<&FieldRef> = match field.data_type() {
            DataType::List(element) => vec![element],
            DataType::Map(entries, _) => match entries.data_type() {
                DataType::Struct(fields) => fields.iter().collect(),
                _ => return None,
            },
            _ => vec![field],
        };
        let repeats = field.data_type().is_nested();
        let ours = leaves.iter().zip(&elements);
        let ours: Option<Vec<_>> = ours
            .map(|(leaf, element)| Leaf::new(leaf, element.data_type(), properties, compressor))
            .collect();
        Some(Self {
            leaves: ours.filter(|ours| ours.len() == elements.len())?,
            repetitions: repeats.then(Hybrid::default),
            empty: u32::from(field.is_nullable()),
            page_rows: properties.data_page_row_count_limit(),
            rows_in_page: 0,
            rows: 0,
            pieces: Vec::new(),
        })
    }

    fn write(&mut self, array: &ArrayRef, compressor: &mut Compressor) -> Result<()> {
        let mut pieces = std::mem::take(&mut self.pieces);
        pieces.clear();
        match array.data_type() {
            DataType::List(_) => {
                let list = array.as_list::<i32>();
                self.rows_of(list.value_offsets(), list.nulls(), &mut pieces);
                self.leaves[0].write(list.values(), &pieces);
            }
            DataType::Map(..) => {
                let map = array.as_map();
                self.rows_of(map.value_offsets(), map.nulls(), &mut pieces);
                self.leaves[0].write(map.keys(), &pieces);
                self.leaves[1].write(map.values(), &pieces);
            }
            _ => {
                pieces.push(Piece::Entries(0..array.len()));
                self.leaves[0].write(array, &pieces);
            }
        }
        self.pieces = pieces;
        self.rows += array.len();
        self.rows_in_page += array.len();
        if self.rows_in_page >= self.page_rows || self.leaves.iter().any(Leaf::is_full) {
            self.cut(compressor)?;
        }
        Ok(())
    }

    /// The rows of a list or map: where each begins, and which elements it has.
    fn rows_of(&mut self, offsets: &[i32], nulls: Option<&NullBuffer>, pieces: &mut Vec<Piece>) {
        let Some(repetitions) = &mut self.repetitions else { return };
        for (row, pair) in offsets.windows(2).enumerate() {
            let entries = pair[0] as usize..pair[1] as usize;
            repetitions.put(0, 1);
            if nulls.is_some_and(|nulls| nulls.is_null(row)) {
                absent(pieces, 0);
            } else if entries.is_empty() {
                absent(pieces, self.empty);
            } else {
                repetitions.put(1, entries.len() - 1);
                match pieces.last_mut() {
                    Some(Piece::Entries(before)) if before.end == entries.start => before.end = entries.end,
                    _ => pieces.push(Piece::Entries(entries)),
                }
            }
        }
    }

    /// Ends the page of every leaf: a row must not stand in two pages.
    fn cut(&mut self, compressor: &mut Compressor) -> Result<()> {
        self.rows_in_page = 0;
        let repetitions = self.repetitions.as_mut().map(|repetitions| {
            let mut bytes = Vec::new();
            repetitions.finish(1, &mut bytes);
            bytes
        });
        self.leaves
            .iter_mut()
            .try_for_each(|leaf| leaf.cut(repetitions.as_deref(), compressor))
    }
}

fn absent(pieces: &mut Vec<Piece>, level: u32) {
    match pieces.last_mut() {
        Some(Piece::Absent { level: before, count }) if *before == level => *count += 1,
        _ => pieces.push(Piece::Absent { level, count: 1 }),
    }
}
