//! A delimited text file as rows that know where they stand.
//!
//! Reads CSV with byte order mark, CRLF, quoted fields and gzip. A line with too few or too many fields, an open
//! quote or a byte that is not UTF-8 refuses the file: half of a line is half of the money.

use std::io::Read;
use std::path::Path;

use csv::{ReaderBuilder, StringRecord};

use super::currency::Currency;
use super::header::Header;
use super::money::Amount;
use super::refusal::{Refusal, RevenueError};
use super::time::{Moment, TimeFormat};

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The text of one file, checked for what concerns the whole of it.
#[derive(Debug)]
pub(crate) struct TextFile {
    /// Name for messages and for `source_file`.
    pub(crate) name: String,
    text: String,
}

/// One line of a file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row<'a> {
    pub(crate) file: &'a str,
    pub(crate) line: u64,
    header: &'a Header,
    record: &'a StringRecord,
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
            let read = flate2::read::MultiGzDecoder::new(bytes).read_to_end(&mut unpacked);
            read.map_err(|_| refuse(1, "is a torn or damaged gzip file: export it again"))?;
            unpacked
        } else {
            bytes.to_vec()
        };
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
        Ok(TextFile {
            name: name.to_owned(),
            text,
        })
    }

    /// The header and a way to visit each row. `visit` is called for rows with the right number of fields only;
    /// the others are complained about by `refuse`.
    pub(crate) fn visit(
        &self,
        mut on_header: impl FnMut(&Header) -> Result<(), RevenueError>,
        mut on_row: impl FnMut(Row<'_>),
        mut on_refusal: impl FnMut(Refusal),
    ) -> Result<(), RevenueError> {
        let at = |line: u64, reason: String| Refusal {
            file: self.name.clone(),
            line,
            column: None,
            value: None,
            reason,
        };
        let mut reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .from_reader(self.text.as_bytes());
        let mut record = StringRecord::new();
        let mut read = |record: &mut StringRecord| {
            reader
                .read_record(record)
                .map_err(|error| at(1, format!("cannot be read as CSV: {error}")))
        };
        if !read(&mut record)? {
            return Err(at(1, "is empty: a header line is required".to_owned()).into());
        }
        let header = Header::new(&self.name, record.iter())?;
        on_header(&header)?;
        let open_quote = self.text.bytes().filter(|byte| *byte == b'"').count() % 2 == 1;
        let mut last_line = 1;
        while read(&mut record)? {
            let line = self.line_of(&record);
            last_line = line;
            if record.len() == header.width() {
                on_row(Row {
                    file: &self.name,
                    line,
                    header: &header,
                    record: &record,
                });
                continue;
            }
            let is_last = record
                .position()
                .is_some_and(|start| !self.text[start.byte() as usize..].trim_end().contains('\n'));
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
                ..at(line, reason)
            });
        }
        if open_quote {
            on_refusal(at(
                last_line,
                "a quote is opened and never closed: the file is torn or badly quoted".to_owned(),
            ));
        } else if self.ends_in_an_open_period(&header) {
            let column = header.names().last().map(|name| header.written(name));
            let reason =
                "the file ends without a line break in an empty field, which looks torn: end the last line with a line break";
            on_refusal(Refusal {
                column,
                ..at(last_line, reason.to_owned())
            });
        }
        Ok(())
    }

    /// The line on which a record starts. The reader counts blank lines before a record as part of it.
    fn line_of(&self, record: &StringRecord) -> u64 {
        let Some(start) = record.position() else { return 1 };
        let skipped = self.text[start.byte() as usize..]
            .bytes()
            .take_while(|byte| matches!(byte, b'\n' | b'\r'));
        start.line() + skipped.filter(|byte| *byte == b'\n').count() as u64
    }

    /// A last line like `c1,10,USD,2026-01-01,` without a line break may have lost the end of its period, which would
    /// make a day of a year. In other columns an empty last field means nothing, and whole files end so.
    fn ends_in_an_open_period(&self, header: &Header) -> bool {
        header.names().last() == Some(&"period_end") && self.text.ends_with(',')
    }
}

impl<'a> Row<'a> {
    /// The field, trimmed; `None` if the file has no such column or nothing stands there.
    pub(crate) fn text(&self, column: &str) -> Option<&'a str> {
        let field = self.record.get(self.header.position(column)?)?.trim();
        (!field.is_empty()).then_some(field)
    }

    /// The first of several spellings of one column that this file has.
    pub(crate) fn any<'b>(&self, columns: &[&'b str]) -> &'b str {
        columns.iter().find(|column| self.header.has(column)).unwrap_or(&columns[0])
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

    pub(crate) fn major(&self, column: &str) -> Result<Amount, Refusal> {
        Amount::parse_major(self.text(column).unwrap_or("")).map_err(|error| self.refuse(column, error))
    }

    pub(crate) fn currency(&self, column: &str) -> Result<Currency, Refusal> {
        self.text(column)
            .unwrap_or("")
            .parse()
            .map_err(|error| self.refuse(column, error))
    }

    pub(crate) fn moment(&self, column: &str, format: TimeFormat) -> Result<Moment, Refusal> {
        Moment::parse(self.text(column).unwrap_or(""), format).map_err(|error| self.refuse(column, error))
    }

    pub(crate) fn optional_moment(&self, column: &str, format: TimeFormat) -> Result<Option<Moment>, Refusal> {
        self.text(column).map(|_| self.moment(column, format)).transpose()
    }

    /// `TRUE`, `true`, `t`, `1`; absent is `None`.
    pub(crate) fn flag(&self, column: &str) -> Result<Option<bool>, Refusal> {
        let Some(text) = self.text(column) else { return Ok(None) };
        match text.to_ascii_lowercase().as_str() {
            "true" | "t" | "1" | "yes" => Ok(Some(true)),
            "false" | "f" | "0" | "no" => Ok(Some(false)),
            _ => Err(self.refuse(column, "is neither true nor false")),
        }
    }
}
