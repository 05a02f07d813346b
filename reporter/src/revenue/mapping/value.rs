//! A value of a mapping bound to the columns of one file: `a|b`, `=text`, `invoices:status`, `metadata.external_id`.

use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::Arc;

use csv::StringRecord;
use serde_json::Value as Json;

use super::joins::{JoinTable, Joins};
use crate::revenue::refusal::Refusal;
use crate::revenue::table::header::normalise;
use crate::revenue::table::{Header, Row};

/// The first of several places that says something.
#[derive(Debug, Clone, Default)]
pub(super) struct Value {
    places: Vec<Place>,
    /// As the mapping writes it, for messages about columns that the file lacks.
    written: String,
}

#[derive(Debug, Clone)]
enum Place {
    Text(Arc<str>),
    Cell(Cell),
    Joined { join: usize, cell: Cell },
}

/// A column and the way inside its JSON.
#[derive(Debug, Clone)]
struct Cell {
    position: usize,
    path: Vec<String>,
}

/// What columns there are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Columns<'a> {
    pub(super) header: &'a Header,
    /// Keys of the mapping's joins, in their order, with the file where one was given.
    pub(super) joins: &'a [(String, Option<Arc<JoinTable>>)],
}

/// Join (0 is the row itself) and position of a cell.
type JsonPlace = (usize, usize);

/// A row with the rows of second files that it names.
#[derive(Debug)]
pub(super) struct RowView<'a> {
    pub(super) row: Row<'a>,
    pub(super) null: &'a [String],
    pub(super) joined: Vec<Option<(&'a JoinTable, usize)>>,
    /// JSON of this row that was read already, by join and position.
    parsed: RefCell<Vec<(JsonPlace, Arc<Json>)>>,
}

impl Value {
    /// Binds a value. Columns that the file lacks say nothing.
    pub(super) fn bind(written: &str, columns: &Columns<'_>) -> Value {
        let places = written.split('|').filter_map(|place| Place::bind(place.trim(), columns));
        Value {
            places: places.collect(),
            written: written.split('|').next().unwrap_or(written).to_owned(),
        }
    }

    /// Binds a value that the mapping may not have.
    pub(super) fn bind_optional(written: Option<&str>, columns: &Columns<'_>) -> Value {
        written.map(|written| Value::bind(written, columns)).unwrap_or_default()
    }

    /// True if no column of the file can say it.
    pub(super) fn is_absent(&self) -> bool {
        self.places.is_empty()
    }

    /// What stands there, trimmed; `None` if nothing does.
    pub(super) fn text<'a>(&'a self, row: &RowView<'a>) -> Result<Option<Cow<'a, str>>, Refusal> {
        for place in &self.places {
            if let Some(text) = place.text(row)? {
                return Ok(Some(text));
            }
        }
        Ok(None)
    }

    /// A complaint about what stands there.
    pub(super) fn refuse(&self, row: &RowView<'_>, reason: impl ToString) -> Refusal {
        let says = |place: &&Place| place.text(row).ok().flatten().is_some();
        let place = self.places.iter().find(says).or(self.places.first());
        match place {
            Some(Place::Cell(cell)) => row.row.refuse_at(Some(cell.position), reason),
            Some(Place::Joined { join, cell }) => match row.joined.get(*join).copied().flatten() {
                Some((table, index)) => table.refuse(index, cell.position, reason),
                None => row.row.refuse_at(None, format!("{}: {}", self.written, reason.to_string())),
            },
            Some(Place::Text(text)) => Refusal {
                value: Some(text.to_string()),
                ..row.row.refuse_at(None, reason)
            },
            None => Refusal {
                column: Some(self.written.clone()),
                value: Some(String::new()),
                ..row.row.refuse_at(None, reason)
            },
        }
    }
}

impl Place {
    fn bind(place: &str, columns: &Columns<'_>) -> Option<Place> {
        if let Some(text) = place.strip_prefix('=') {
            return Some(Place::Text(text.into()));
        }
        if let Some((key, column)) = place.split_once(':')
            && let Some(join) = columns.joins.iter().position(|(joined, _)| joined == key)
        {
            let table = columns.joins[join].1.as_ref()?;
            let cell = Cell::bind(column, &table.header)?;
            return Some(Place::Joined { join, cell });
        }
        Cell::bind(place, columns.header).map(Place::Cell)
    }

    fn text<'a>(&'a self, row: &RowView<'a>) -> Result<Option<Cow<'a, str>>, Refusal> {
        match self {
            Place::Text(text) => Ok(Some(Cow::Borrowed(text))),
            Place::Cell(cell) => cell
                .text(row, row.row.record, 0)
                .map_err(|reason| row.row.refuse_at(Some(cell.position), reason)),
            Place::Joined { join, cell } => {
                let Some((table, index)) = row.joined.get(*join).copied().flatten() else {
                    return Ok(None);
                };
                let text = cell.text(row, table.record(index), join + 1);
                text.map_err(|reason| table.refuse(index, cell.position, reason))
            }
        }
    }
}

impl Cell {
    /// The column of that whole name, in whatever dress (`x (metadata)`, `metadata[x]`), else a column with JSON in it.
    fn bind(written: &str, header: &Header) -> Option<Cell> {
        let whole = normalise(written);
        let dashboard = written
            .split_once('.')
            .map(|(object, key)| normalise(&format!("{key} ({object})")));
        let direct = header
            .position(&whole)
            .or_else(|| dashboard.and_then(|name| header.position(&name)));
        if let Some(position) = direct {
            return Some(Cell {
                position,
                path: Vec::new(),
            });
        }
        let parts: Vec<&str> = written.split('.').collect();
        (1..parts.len()).rev().find_map(|at| {
            Some(Cell {
                position: header.position(&normalise(&parts[..at].join(".")))?,
                path: parts[at..].iter().map(|part| (*part).to_owned()).collect(),
            })
        })
    }

    fn text<'a>(&self, row: &RowView<'a>, record: &'a StringRecord, of: usize) -> Result<Option<Cow<'a, str>>, &'static str> {
        let Some(text) = row.cell(record, self.position) else {
            return Ok(None);
        };
        if self.path.is_empty() {
            return Ok(Some(Cow::Borrowed(text)));
        }
        let not_json = "is not JSON: a metadata object is expected";
        if !(text.starts_with(['{', '[']) && text.ends_with(['}', ']']) || text.starts_with('"')) {
            return Err(not_json);
        }
        // Most cells do not have the key at all, and need not be read for that.
        if self.path.last().is_some_and(|key| !text.contains(key.as_str())) {
            return Ok(None);
        }
        let json = row.json((of, self.position), text).ok_or(not_json)?;
        let found = self.path.iter().try_fold(&*json, |value, step| match value {
            Json::Array(elements) => elements.get(step.parse::<usize>().ok()?),
            _ => value.get(step),
        });
        Ok(found.and_then(plain).map(Cow::Owned))
    }
}

impl<'a> RowView<'a> {
    /// A row with the second files' rows that it names.
    pub(super) fn new(row: Row<'a>, null: &'a [String]) -> RowView<'a> {
        RowView {
            row,
            null,
            joined: Vec::new(),
            parsed: RefCell::new(Vec::new()),
        }
    }

    fn cell(&self, record: &'a StringRecord, position: usize) -> Option<&'a str> {
        let text = record.get(position)?.trim();
        (!text.is_empty() && !self.null.iter().any(|null| null == text)).then_some(text)
    }

    fn json(&self, place: JsonPlace, text: &str) -> Option<Arc<Json>> {
        let mut parsed = self.parsed.borrow_mut();
        if let Some((_, json)) = parsed.iter().find(|(known, _)| *known == place) {
            return Some(Arc::clone(json));
        }
        let json: Json = serde_json::from_str(text).ok()?;
        // Some pipelines write the object as a JSON text.
        let json = match json {
            Json::String(inner) => serde_json::from_str(&inner).ok()?,
            json => json,
        };
        let json = Arc::new(json);
        parsed.push((place, Arc::clone(&json)));
        Some(json)
    }
}

/// Texts, numbers and truths as text; numbers are taken as they are written.
pub(super) fn plain(value: &Json) -> Option<String> {
    match value {
        Json::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        Json::Number(number) => Some(number.to_string()),
        Json::Bool(truth) => Some(truth.to_string()),
        Json::Array(_) | Json::Object(_) => Some(value.to_string()),
        _ => None,
    }
}

/// Binds all second files of a mapping, in order: later ones may be found through earlier ones.
pub(super) fn joined_columns(keys: &[&str], joins: &Joins) -> Vec<(String, Option<Arc<JoinTable>>)> {
    keys.iter().map(|key| ((*key).to_owned(), joins.get(key))).collect()
}
