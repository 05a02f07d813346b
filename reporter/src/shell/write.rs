//! Rows of a result in the format that was asked for.

use std::fmt::Write as _;
use std::io::{self, Write};

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use comfy_table::{Cell, CellAlignment, Table, presets};
use parquet::arrow::ArrowWriter;
use serde_json::Value;

use super::cell;

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
            Some(first) => write_long(&first.schema(), batches.iter().cloned().map(Ok), format, into),
            None => Ok(()),
        },
    }
}

/// Writes rows as they come, in a format that needs to know none but the one that it writes: CSV, JSON or one object a line.
pub(crate) fn write_long(
    schema: &Schema,
    batches: impl Iterator<Item = io::Result<RecordBatch>>,
    format: Format,
    into: &mut impl Write,
) -> io::Result<()> {
    match format {
        Format::Csv => csv(schema, batches, into),
        Format::Ndjson => objects(schema, batches, |_, object| writeln!(into, "{object}")),
        _ => {
            write!(into, "[")?;
            objects(schema, batches, |at, object| {
                write!(into, "{}\n{object}", if at == 0 { "" } else { "," })
            })?;
            writeln!(into, "\n]")
        }
    }
}

/// One JSON object a row, members in the order of the columns; `each` gets them with their place.
fn objects(
    schema: &Schema,
    batches: impl Iterator<Item = io::Result<RecordBatch>>,
    mut each: impl FnMut(usize, &str) -> io::Result<()>,
) -> io::Result<()> {
    let names: Vec<String> = schema
        .fields()
        .iter()
        .map(|field| Value::from(field.name().as_str()).to_string())
        .collect();
    let (mut object, mut at) = (String::new(), 0);
    for batch in batches {
        let batch = batch?;
        for row in 0..batch.num_rows() {
            object.clear();
            for (column, name) in batch.columns().iter().zip(&names) {
                object.push(if object.is_empty() { '{' } else { ',' });
                let _ = write!(object, "{name}:{}", cell::json(column, row));
            }
            object.push('}');
            each(at, &object)?;
            at += 1;
        }
    }
    Ok(())
}

fn csv(schema: &Schema, batches: impl Iterator<Item = io::Result<RecordBatch>>, into: &mut impl Write) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(into);
    writer.write_record(schema.fields().iter().map(|field| field.name()))?;
    for batch in batches {
        let batch = batch?;
        for row in 0..batch.num_rows() {
            writer.write_record(batch.columns().iter().map(|column| cell::text(column, row)))?;
        }
    }
    writer.flush()
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
    fn a_table_counts_its_rows() {
        assert!(written(Format::Table).ends_with("2 rows\n"));
    }

    #[test]
    fn json_is_one_array() {
        let value: Value = serde_json::from_str(&written(Format::Json)).expect("JSON");
        assert_eq!(value.as_array().map(Vec::len), Some(2));
    }
}
