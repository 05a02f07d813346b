//! Rows of a result in the format that was asked for.

use std::io::{self, Write};

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use comfy_table::{Cell, CellAlignment, Table, presets};
use parquet::arrow::ArrowWriter;
use serde_json::Value;

use super::cell;
use super::column::{Column, csv_text};

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// Aligned columns for people.
    #[default]
    Table,
    /// RFC 4180 with a header; NULL is empty.
    Csv,
    /// One JSON array of objects.
    Json,
    /// One JSON object a line.
    Ndjson,
    /// A Parquet file.
    Parquet,
}

impl Format {
    /// What `--format` calls it and its files end with.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Format::Table => "table",
            Format::Csv => "csv",
            Format::Json => "json",
            Format::Ndjson => "ndjson",
            Format::Parquet => "parquet",
        }
    }
}

impl std::str::FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "table" => Ok(Format::Table),
            "csv" => Ok(Format::Csv),
            "json" => Ok(Format::Json),
            "ndjson" | "jsonl" => Ok(Format::Ndjson),
            "parquet" => Ok(Format::Parquet),
            other => Err(format!("{other:?} is not a format: use table, csv, json, ndjson or parquet")),
        }
    }
}

/// Writes `batches` (at least one, maybe without rows) to `into`.
pub fn write_rows(batches: &[RecordBatch], format: Format, into: &mut (impl Write + Send)) -> io::Result<()> {
    match format {
        Format::Table => table(batches, into),
        Format::Parquet => parquet(batches, into),
        Format::Csv | Format::Json | Format::Ndjson => match batches.first() {
            Some(first) => {
                let mut rows = LongWriter::new(into, &first.schema(), format);
                for batch in batches {
                    write_batch(batch, std::iter::once(&mut rows))?;
                }
                rows.finish().map(drop)
            }
            None => Ok(()),
        },
    }
}

/// Bytes that are gathered before they are written.
const BUFFER_BYTES: usize = 1 << 18;

/// Writes rows as they come, in a format that needs to know none but the one that it writes: CSV, JSON or one object a line.
/// Rows are gathered: `into` needs no buffer of its own.
pub(crate) struct LongWriter<W> {
    format: Format,
    /// What stands in front of the cell of each column.
    heads: Vec<String>,
    /// Each column's head and cell of the row before: most are those of the next row too.
    cells: Vec<Vec<u8>>,
    is_first: bool,
    buffer: Vec<u8>,
    into: W,
}

/// Rows behind those before, into all of some writers. Each cell is made to text once.
pub(crate) fn write_batch<'w, W: Write + 'w>(
    batch: &RecordBatch,
    writers: impl Iterator<Item = &'w mut LongWriter<W>>,
) -> io::Result<()> {
    let mut writers: Vec<&mut LongWriter<W>> = writers.collect();
    let mut columns: Vec<Column<'_>> = batch.columns().iter().map(Column::new).collect();
    for row in 0..batch.num_rows() {
        columns.iter_mut().for_each(|column| column.go_to(row));
        for writer in &mut writers {
            writer.row(&columns)?;
        }
    }
    Ok(())
}

impl<W: Write> LongWriter<W> {
    /// For rows of `schema`.
    pub(crate) fn new(into: W, schema: &Schema, format: Format) -> LongWriter<W> {
        let mut buffer = Vec::with_capacity(BUFFER_BYTES + (BUFFER_BYTES >> 2));
        match format {
            Format::Csv => csv_header(schema, &mut buffer),
            Format::Json => buffer.push(b'['),
            _ => {}
        }
        LongWriter {
            format,
            heads: heads(schema, format),
            cells: vec![Vec::new(); schema.fields().len()],
            is_first: true,
            buffer,
            into,
        }
    }

    /// Writes the row that `columns` stand at.
    fn row(&mut self, columns: &[Column<'_>]) -> io::Result<()> {
        let is_csv = self.format == Format::Csv;
        if self.format == Format::Json {
            self.buffer.extend_from_slice(if self.is_first { b"\n" } else { b",\n" });
        }
        self.is_first = false;
        let before = self.buffer.len();
        for ((column, head), cell) in columns.iter().zip(&self.heads).zip(&mut self.cells) {
            if column.is_changed() {
                cell.clear();
                cell.extend_from_slice(head.as_bytes());
                if is_csv { column.csv(cell) } else { column.json(cell) }
            }
            self.buffer.extend_from_slice(cell);
        }
        match self.format {
            // A line without anything would be no record.
            Format::Csv if self.buffer.len() == before => self.buffer.extend_from_slice(b"\"\"\n"),
            Format::Csv => self.buffer.push(b'\n'),
            _ => {
                self.buffer.extend_from_slice(if columns.is_empty() { b"{}" } else { b"}" });
                if self.format == Format::Ndjson {
                    self.buffer.push(b'\n');
                }
            }
        }
        if self.buffer.len() >= BUFFER_BYTES {
            self.into.write_all(&self.buffer)?;
            self.buffer.clear();
        }
        Ok(())
    }

    /// Writes what is left, and gives back where it went.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        if self.format == Format::Json {
            self.buffer.extend_from_slice(b"\n]\n");
        }
        self.into.write_all(&self.buffer)?;
        self.into.flush()?;
        Ok(self.into)
    }
}

/// Commas of a record; of an object the names of its members too.
fn heads(schema: &Schema, format: Format) -> Vec<String> {
    let heads = schema.fields().iter().enumerate().map(|(at, field)| {
        if format == Format::Csv {
            return if at == 0 { String::new() } else { ",".to_owned() };
        }
        let name = Value::from(field.name().as_str());
        format!("{}{name}:", if at == 0 { '{' } else { ',' })
    });
    heads.collect()
}

fn csv_header(schema: &Schema, into: &mut Vec<u8>) {
    for (at, field) in schema.fields().iter().enumerate() {
        if at > 0 {
            into.push(b',');
        }
        csv_text(field.name(), into);
    }
    into.push(b'\n');
}

fn table(batches: &[RecordBatch], into: &mut impl Write) -> io::Result<()> {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_FULL_CONDENSED);
    let mut rows = 0;
    if let Some(first) = batches.first() {
        table.set_header(first.schema().fields().iter().map(|field| field.name().clone()));
    }
    for batch in batches {
        for row in 0..batch.num_rows() {
            table.add_row(batch.columns().iter().map(|column| {
                let alignment = if cell::is_number(column.data_type()) {
                    CellAlignment::Right
                } else {
                    CellAlignment::Left
                };
                Cell::new(cell::text(column, row)).set_alignment(alignment)
            }));
        }
        rows += batch.num_rows();
    }
    writeln!(into, "{table}")?;
    writeln!(into, "{rows} {}", if rows == 1 { "row" } else { "rows" })
}

fn parquet(batches: &[RecordBatch], into: &mut (impl Write + Send)) -> io::Result<()> {
    let Some(first) = batches.first() else { return Ok(()) };
    let mut writer = ArrowWriter::try_new(into, first.schema(), None).map_err(io::Error::other)?;
    for batch in batches {
        writer.write(batch).map_err(io::Error::other)?;
    }
    writer.close().map(|_| ()).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, BinaryArray, Decimal128Array, Int64Array, StringArray, TimestampMicrosecondArray};

    use super::*;

    fn batch() -> RecordBatch {
        let cost = Decimal128Array::from(vec![Some(1_234_500_000_000), None])
            .with_precision_and_scale(38, 12)
            .expect("scale");
        let time = TimestampMicrosecondArray::from(vec![1_700_000_000_000_001, 0]).with_timezone("UTC");
        RecordBatch::try_from_iter([
            ("name", Arc::new(StringArray::from(vec!["a \"b\"", "c,d"])) as ArrayRef),
            ("calls", Arc::new(Int64Array::from(vec![1, 2]))),
            ("cost_usd", Arc::new(cost)),
            ("at", Arc::new(time)),
            ("id", Arc::new(BinaryArray::from(vec![&[0xab, 0x01][..], &[0][..]]))),
        ])
        .expect("a batch")
    }

    fn written(format: Format) -> String {
        let mut into = Vec::new();
        write_rows(&[batch()], format, &mut into).expect("a vector takes all");
        String::from_utf8(into).expect("text")
    }

    #[test]
    fn ndjson_keeps_decimals_exact_and_ids_as_hex() {
        assert_eq!(
            written(Format::Ndjson),
            concat!(
                r#"{"name":"a \"b\"","calls":1,"cost_usd":"1.234500000000","at":"2023-11-14T22:13:20.000001Z","id":"ab01"}"#,
                "\n",
                r#"{"name":"c,d","calls":2,"cost_usd":null,"at":"1970-01-01T00:00:00Z","id":"00"}"#,
                "\n"
            )
        );
    }

    #[test]
    fn csv_is_quoted_where_it_must_be() {
        assert_eq!(
            written(Format::Csv),
            "name,calls,cost_usd,at,id\n\"a \"\"b\"\"\",1,1.234500000000,2023-11-14T22:13:20.000001Z,ab01\n\
             \"c,d\",2,,1970-01-01T00:00:00Z,00\n"
        );
    }

    #[test]
    fn a_record_of_nothing_is_a_record() {
        let batch = RecordBatch::try_from_iter([("name", Arc::new(StringArray::from(vec![None, Some("a")])) as ArrayRef)]);
        let mut into = Vec::new();
        write_rows(&[batch.expect("a batch")], Format::Csv, &mut into).expect("a vector takes all");
        assert_eq!(into, b"name\n\"\"\na\n");
    }

    #[test]
    fn json_of_no_rows_is_an_empty_array() {
        let mut into = Vec::new();
        write_rows(&[batch().slice(0, 0)], Format::Json, &mut into).expect("a vector takes all");
        assert_eq!(into, b"[\n]\n");
    }

    #[test]
    fn a_table_counts_its_rows() {
        assert!(written(Format::Table).ends_with("2 rows\n"));
    }

    #[test]
    fn json_is_one_array() {
        let value: Value = serde_json::from_str(&written(Format::Json)).expect("JSON");
        assert_eq!(value.as_array().map(Vec::len), Some(2));
    }
}
