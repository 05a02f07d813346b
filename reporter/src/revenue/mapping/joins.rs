//! Second files, given by `--revenue-join KEY=FILE`: looked up by the id that a row names.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use csv::StringRecord;

use super::document::{JoinDocument, Mapping, refuse_file};
use crate::revenue::refusal::{Refusal, Refusals, RevenueError};
use crate::revenue::table::header::normalise;
use crate::revenue::table::{Header, Layout, TextFile};

/// Files by key, read when a mapping asks for them.
#[derive(Debug, Default)]
pub(crate) struct Joins {
    files: BTreeMap<String, TextFile>,
    tables: BTreeMap<String, Arc<JoinTable>>,
}

/// A second file by id.
#[derive(Debug)]
pub(crate) struct JoinTable {
    file: String,
    pub(super) header: Header,
    by_id: HashMap<String, usize>,
    records: Vec<(u64, StringRecord)>,
}

impl Joins {
    /// Adds the file of a key.
    pub(crate) fn add(&mut self, key: &str, file: TextFile) {
        self.files.insert(key.to_owned(), file);
    }

    /// Reads the files that `mapping` asks for.
    pub(crate) fn prepare(&mut self, mapping: &Mapping, file: &str) -> Result<(), RevenueError> {
        for join in &mapping.join {
            match self.files.get(&join.key) {
                Some(second) if !self.tables.contains_key(&join.key) => {
                    self.tables.insert(join.key.clone(), Arc::new(JoinTable::read(second, join)?));
                }
                None if join.needed => {
                    let reason = format!("names its {0} by id only: pass them by --revenue-join {0}=FILE", join.key);
                    return Err(refuse_file(file, None, reason).into());
                }
                _ => {}
            }
        }
        Ok(())
    }

    pub(super) fn get(&self, key: &str) -> Option<Arc<JoinTable>> {
        self.tables.get(key).cloned()
    }
}

impl JoinTable {
    /// Reads a file. An id that stands twice with two meanings is refused, unless one is newer.
    fn read(file: &TextFile, join: &JoinDocument) -> Result<JoinTable, RevenueError> {
        let layout = Layout::default();
        let header = file.header(&layout)?;
        let position = |written: &str| written.split('|').find_map(|name| header.position(&normalise(name)));
        let id = join.required.iter().chain([&join.id]).try_fold(0, |_, required| {
            position(required).ok_or_else(|| {
                let first = required.split('|').next().unwrap_or(required);
                let reason = format!(
                    "is missing from the header of a file given by --revenue-join; it has {}",
                    header.names().join(", ")
                );
                refuse_file(&file.name, Some(first), reason)
            })
        })?;
        let version = join.version.as_deref().and_then(position);
        let json: Vec<usize> = join.json.iter().filter_map(|column| position(column)).collect();
        let expect: Vec<_> = join
            .expect
            .iter()
            .filter_map(|expect| Some((position(&expect.column)?, expect)))
            .collect();
        let refusals = std::cell::RefCell::new(Refusals::default());
        let mut by_id: HashMap<String, usize> = HashMap::new();
        let mut records: Vec<(u64, StringRecord)> = Vec::new();
        let on_row = |row: crate::revenue::table::Row<'_>| {
            let cell = |position: usize| row.record.get(position).unwrap_or("").trim();
            let complain = |position: usize, reason: &str| refusals.borrow_mut().push(row.refuse_at(Some(position), reason));
            for (position, expect) in &expect {
                let value = cell(*position);
                if !value.is_empty() && !expect.one_of.iter().any(|known| known.eq_ignore_ascii_case(value)) {
                    complain(*position, &format!("is not {}", expect.what));
                }
            }
            for position in &json {
                let value = cell(*position);
                if !value.is_empty() && serde_json::from_str::<serde::de::IgnoredAny>(value).is_err() {
                    complain(*position, "is not JSON: a metadata object is expected");
                }
            }
            if cell(id).is_empty() {
                return complain(id, "is empty: an id is required");
            }
            match by_id.get(cell(id)).copied() {
                None => {
                    by_id.insert(cell(id).to_owned(), records.len());
                    records.push((row.line, row.record.clone()));
                }
                Some(earlier) if records[earlier].1 == *row.record => {}
                Some(earlier) => match version.map(|at| (cell(at), records[earlier].1.get(at).unwrap_or("").trim())) {
                    Some((now, before)) if now > before => records[earlier] = (row.line, row.record.clone()),
                    Some((now, before)) if now < before => {}
                    _ => complain(id, "stands twice with different content"),
                },
            }
        };
        file.rows(&layout, &header, on_row, |refusal| refusals.borrow_mut().push(refusal))?;
        refusals.into_inner().into_result()?;
        Ok(JoinTable {
            file: file.name.clone(),
            header,
            by_id,
            records,
        })
    }

    pub(super) fn find(&self, id: &str) -> Option<usize> {
        self.by_id.get(id).copied()
    }

    pub(super) fn record(&self, index: usize) -> &StringRecord {
        &self.records[index].1
    }

    pub(super) fn refuse(&self, index: usize, position: usize, reason: impl ToString) -> Refusal {
        Refusal {
            file: self.file.clone(),
            line: self.records[index].0,
            column: self.header.all().get(position).cloned(),
            value: self.records[index].1.get(position).map(|value| value.trim().to_owned()),
            reason: reason.to_string(),
        }
    }
}
