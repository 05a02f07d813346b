//! An export as rows that know where they stand: CSV and its kin, JSON or Parquet, each plain or in gzip.
//!
//! Reads text with byte order mark, CRLF and quoted fields. A line with too few or too many fields, an open quote or a
//! byte that is not UTF-8 refuses the file: half of a line is half of the money.

pub(crate) mod header;
mod json;
mod parquet;

use std::io::Read;
use std::path::Path;

use bytes::Bytes;
use csv::{ReaderBuilder, StringRecord};

use super::refusal::{Refusal, RevenueError};
use super::time::{Moment, TimeFormat};
pub(crate) use header::Header;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Files that unpack to more bytes are refused: a small gzip may hold a very large file.
const LARGEST_FILE: u64 = 8 << 30;

/// One file, checked for what concerns the whole of it.
#[derive(Debug)]
pub(crate) struct TextFile {
    /// Name for messages and for `source_file`.
    pub(crate) name: String,
    content: Content,
}

#[derive(Debug)]
enum Content {
    /// Fields between delimiters.
    Delimited(String),
    Json(String),
    Parquet(Bytes),
}

/// How a file is cut into rows, where the file itself does not say it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Between fields; otherwise a comma, or a tab where the header has tabs and no commas.
    pub(crate) delimiter: Option<u8>,
    /// The list inside each JSON object whose elements are the rows (`lines.data`).
    pub(crate) explode: Option<String>,
}

/// One line of a file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row<'a> {
    pub(crate) file: &'a str,
    pub(crate) line: u64,
    pub(crate) header: &'a Header,
    pub(crate) record: &'a StringRecord,
}

/// Reads the bytes of `path` as they are on disk.
pub(crate) fn read_bytes(path: &Path) -> Result<Vec<u8>, RevenueError> {
    std::fs::read(path).map_err(|source| RevenueError::Read {
        path: path.to_owned(),
        source,
    })
}

impl TextFile {
    /// Unpacks and checks the bytes of a file.
    pub(crate) fn new(name: &str, bytes: &[u8]) -> Result<TextFile, RevenueError> {
        let refuse = |line: u64, reason: &str| {
            RevenueError::from(Refusal {
                file: name.to_owned(),
                line,
                column: None,
                value: None,
                reason: reason.to_owned(),
            })
        };
        let bytes = if bytes.starts_with(&GZIP_MAGIC) {
            let mut unpacked = Vec::new();
            let packed = flate2::read::MultiGzDecoder::new(bytes).take(LARGEST_FILE);
            let read = { packed }.read_to_end(&mut unpacked);
            read.map_err(|_| refuse(1, "is a torn or damaged gzip file: export it again"))?;
            unpacked
        } else {
            bytes.to_vec()
        };
        if bytes.len() as u64 >= LARGEST_FILE {
            return Err(refuse(1, "has more than 8 GiB unpacked: export shorter periods"));
        }
        if parquet::is_parquet(&bytes) {
            return Ok(TextFile {
                name: name.to_owned(),
                content: Content::Parquet(bytes.into()),
            });
        }
        if bytes.starts_with(b"PK\x03\x04") {
            return Err(refuse(1, "is a zip file: unpack it and give the files in it"));
        }
        if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
            return Err(refuse(1, "is UTF-16: save the file as UTF-8"));
        }
        let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).map(<[u8]>::to_vec).unwrap_or(bytes);
        let line_at = |offset: usize| 1 + bytes[..offset].iter().filter(|byte| **byte == b'\n').count() as u64;
        if let Some(offset) = bytes.iter().position(|byte| *byte == 0) {
            return Err(refuse(line_at(offset), "has a zero byte: the file is torn or not text"));
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let offset = error.utf8_error().valid_up_to();
            let line = 1 + error.as_bytes()[..offset].iter().filter(|byte| **byte == b'\n').count() as u64;
            refuse(line, "has a byte that is not UTF-8: save the file as UTF-8")
        })?;
        let content = if json::is_json(&text) {
            Content::Json(text)
        } else {
            Content::Delimited(text)
        };
        Ok(TextFile {
            name: name.to_owned(),
            content,
        })
    }

    /// The columns of the file.
    pub(crate) fn header(&self, layout: &Layout) -> Result<Header, RevenueError> {
        let names = match &self.content {
            Content::Json(text) => json::header(&self.name, text, layout.explode.as_deref())?,
            Content::Parquet(bytes) => parquet::header(&self.name, bytes)?,
            Content::Delimited(text) => {
                let mut record = StringRecord::new();
                if !self
                    .reader(text, layout)
                    .read_record(&mut record)
                    .map_err(|error| self.unreadable(&error))?
                {
                    return Err(self.at(1, "is empty: a header line is required".to_owned()).into());
                }
                return Ok(Header::new(&self.name, record.iter())?);
            }
        };
        Ok(Header::new(&self.name, names.iter().map(String::as_str))?)
    }

    /// Header and rows of a file of the usual layout.
    pub(crate) fn visit(
        &self,
        mut on_header: impl FnMut(&Header) -> Result<(), RevenueError>,
        on_row: impl FnMut(Row<'_>),
        on_refusal: impl FnMut(Refusal),
    ) -> Result<(), RevenueError> {
        let layout = Layout::default();
        let header = self.header(&layout)?;
        on_header(&header)?;
        self.rows(&layout, &header, on_row, on_refusal)
    }

    /// Visits each row. `on_row` is called for rows with the right number of fields only; the others are complained
    /// about by `on_refusal`.
    pub(crate) fn rows(
        &self,
        layout: &Layout,
        header: &Header,
        mut on_row: impl FnMut(Row<'_>),
        on_refusal: impl FnMut(Refusal),
    ) -> Result<(), RevenueError> {
        let mut take = |line: u64, record: &StringRecord| {
            on_row(Row {
                file: &self.name,
                line,
                header,
                record,
            });
        };
        match &self.content {
            Content::Delimited(text) => self.delimited_rows(text, layout, header, take, on_refusal)?,
            Content::Json(text) => json::visit(&self.name, text, header.all(), layout.explode.as_deref(), &mut take)?,
            Content::Parquet(bytes) => parquet::visit(&self.name, bytes, &mut take)?,
        }
        Ok(())
    }

    fn delimited_rows(
        &self,
        text: &str,
        layout: &Layout,
        header: &Header,
        mut take: impl FnMut(u64, &StringRecord),
        mut on_refusal: impl FnMut(Refusal),
    ) -> Result<(), Refusal> {
        let mut reader = self.reader(text, layout);
        let mut record = StringRecord::new();
        let mut read = |record: &mut StringRecord| reader.read_record(record).map_err(|error| self.unreadable(&error));
        read(&mut record)?;
        let open_quote = text.bytes().filter(|byte| *byte == b'"').count() % 2 == 1;
        let mut last_line = 1;
        while read(&mut record)? {
            let line = line_of(text, &record);
            last_line = line;
            if record.len() == header.width() {
                take(line, &record);
                continue;
            }
            let is_last = record
                .position()
                .is_some_and(|start| !text[start.byte() as usize..].trim_end().contains('\n'));
            let torn = if is_last {
                "the file ends in a torn line"
            } else {
                "the line is torn or badly quoted"
            };
            let names = header.names();
            let missing = names.get(record.len()).or(names.last()).map(|name| header.written(name));
            let reason = format!("{torn}: {} fields where the header has {}", record.len(), header.width());
            on_refusal(Refusal {
                column: missing,
                ..self.at(line, reason)
            });
        }
        if open_quote {
            on_refusal(self.at(
                last_line,
                "a quote is opened and never closed: the file is torn or badly quoted".to_owned(),
            ));
        } else if ends_in_an_open_period(text, header) {
            let column = header.names().last().map(|name| header.written(name));
            let reason =
                "the file ends without a line break in an empty field, which looks torn: end the last line with a line break";
            on_refusal(Refusal {
                column,
                ..self.at(last_line, reason.to_owned())
            });
        }
        Ok(())
    }

    fn reader<'a>(&self, text: &'a str, layout: &Layout) -> csv::Reader<&'a [u8]> {
        let first = text.lines().next().unwrap_or("");
        let tabs = first.contains('\t') && !first.contains(',');
        let delimiter = layout.delimiter.unwrap_or(if tabs { b'\t' } else { b',' });
        ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter)
            .from_reader(text.as_bytes())
    }

    fn unreadable(&self, error: &csv::Error) -> Refusal {
        self.at(1, format!("cannot be read as CSV: {error}"))
    }

    fn at(&self, line: u64, reason: String) -> Refusal {
        Refusal {
            file: self.name.clone(),
            line,
            column: None,
            value: None,
            reason,
        }
    }
}

/// The line on which a record starts. The reader counts blank lines before a record as part of it.
fn line_of(text: &str, record: &StringRecord) -> u64 {
    let Some(start) = record.position() else { return 1 };
    let skipped = text[start.byte() as usize..]
        .bytes()
        .take_while(|byte| matches!(byte, b'\n' | b'\r'));
    start.line() + skipped.filter(|byte| *byte == b'\n').count() as u64
}

/// A last line like `c1,10,USD,2026-01-01,` without a line break may have lost the end of its period, which would
/// make a day of a year. In other columns an empty last field means nothing, and whole files end so.
fn ends_in_an_open_period(text: &str, header: &Header) -> bool {
    header.names().last() == Some(&"period_end") && text.ends_with(',')
}

impl<'a> Row<'a> {
    /// A complaint about the cell at `position`, or about the whole row.
    pub(crate) fn refuse_at(&self, position: Option<usize>, reason: impl ToString) -> Refusal {
        Refusal {
            file: self.file.to_owned(),
            line: self.line,
            column: position.and_then(|position| self.header.all().get(position).cloned()),
            value: position
                .and_then(|position| self.record.get(position))
                .map(|value| value.trim().to_owned()),
            reason: reason.to_string(),
        }
    }

    /// The field, trimmed; `None` if the file has no such column or nothing stands there.
    pub(crate) fn text(&self, column: &str) -> Option<&'a str> {
        let field = self.record.get(self.header.position(column)?)?.trim();
        (!field.is_empty()).then_some(field)
    }

    /// A complaint about a field of this row.
    pub(crate) fn refuse(&self, column: &str, reason: impl ToString) -> Refusal {
        let value = self
            .record
            .get(self.header.position(column).unwrap_or(usize::MAX))
            .map(|value| value.trim().to_owned());
        Refusal {
            file: self.file.to_owned(),
            line: self.line,
            column: Some(self.header.written(column)),
            value: value.or_else(|| Some(String::new())),
            reason: reason.to_string(),
        }
    }

    pub(crate) fn moment(&self, column: &str, format: TimeFormat) -> Result<Moment, Refusal> {
        Moment::parse(self.text(column).unwrap_or(""), format).map_err(|error| self.refuse(column, error))
    }

    pub(crate) fn optional_moment(&self, column: &str, format: TimeFormat) -> Result<Option<Moment>, Refusal> {
        self.text(column).map(|_| self.moment(column, format)).transpose()
    }
}
