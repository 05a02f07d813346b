//! Parquet as rows of text: decimals keep their digits, times are written as RFC 3339, structs become columns joined by
//! dots and lists JSON text. Values are read from memory batch by batch.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use bytes::Bytes;
use csv::StringRecord;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::super::refusal::Refusal;

const MAGIC: &[u8] = b"PAR1";

/// True if the bytes are a Parquet file.
pub(super) fn is_parquet(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// Column names, structs flattened.
pub(super) fn header(file: &str, bytes: &Bytes) -> Result<Vec<String>, Refusal> {
    let reader = open(file, bytes)?;
    let empty = RecordBatch::new_empty(Arc::clone(reader.schema()));
    Ok(columns(&empty).into_iter().map(|(name, _)| name).collect())
}

/// Calls `take` for each row with its number from 1.
pub(super) fn visit(file: &str, bytes: &Bytes, mut take: impl FnMut(u64, &StringRecord)) -> Result<(), Refusal> {
    let reader = open(file, bytes)?.build().map_err(|error| damaged(file, error))?;
    let mut number = 0;
    for batch in reader {
        let batch = batch.map_err(|error| damaged(file, error))?;
        let texts: Vec<Column> = columns(&batch).into_iter().map(|(_, column)| Column::new(&column)).collect();
        for row in 0..batch.num_rows() {
            number += 1;
            let record: StringRecord = texts.iter().map(|column| column.text(row)).collect();
            take(number, &record);
        }
    }
    Ok(())
}

fn open(file: &str, bytes: &Bytes) -> Result<ParquetRecordBatchReaderBuilder<Bytes>, Refusal> {
    ParquetRecordBatchReaderBuilder::try_new(bytes.clone()).map_err(|error| damaged(file, error))
}

fn damaged(file: &str, error: impl std::fmt::Display) -> Refusal {
    Refusal {
        file: file.to_owned(),
        line: 1,
        column: None,
        value: None,
        reason: format!("is a torn or damaged Parquet file: {error}"),
    }
}

fn columns(batch: &RecordBatch) -> Vec<(String, ArrayRef)> {
    let mut all = Vec::new();
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        flatten(field.name().clone(), column, &mut all);
    }
    all
}

fn flatten(name: String, column: &ArrayRef, all: &mut Vec<(String, ArrayRef)>) {
    let Some(parts) = column.as_struct_opt() else {
        return all.push((name, Arc::clone(column)));
    };
    for (field, part) in parts.fields().iter().zip(parts.columns()) {
        flatten(format!("{name}.{}", field.name()), part, all);
    }
}

/// A column as text.
enum Column {
    Texts(ArrayRef),
    /// Elements as text, to be written as a JSON list.
    Lists(ArrayRef),
    /// Nothing that could be written as text.
    Absent,
}

impl Column {
    fn new(column: &ArrayRef) -> Column {
        let column = match column.data_type() {
            // Without its zone a timestamp is text that our dates understand.
            DataType::Timestamp(unit, Some(_)) => cast(column, &DataType::Timestamp(*unit, Some("+00:00".into()))),
            _ => Ok(Arc::clone(column)),
        };
        let text = |column: &ArrayRef| cast(column, &DataType::Utf8);
        match column {
            Ok(column) => match column.as_list_opt::<i32>() {
                Some(_) => Column::Lists(column),
                None => text(&column).map_or(Column::Absent, Column::Texts),
            },
            Err(_) => Column::Absent,
        }
    }

    fn text(&self, row: usize) -> String {
        match self {
            Column::Texts(column) if column.is_valid(row) => column.as_string::<i32>().value(row).to_owned(),
            Column::Lists(column) if column.is_valid(row) => {
                let elements = column.as_list::<i32>().value(row);
                let texts = cast(&elements, &DataType::Utf8).ok();
                let texts: Vec<Option<String>> = texts
                    .map(|texts| texts.as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect())
                    .unwrap_or_default();
                serde_json::to_string(&texts).unwrap_or_default()
            }
            _ => String::new(),
        }
    }
}
