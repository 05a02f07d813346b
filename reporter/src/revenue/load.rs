//! Reads and checks every revenue file of a run, before anything is written.
//!
//! Either all files are good and every line comes back, or nothing does and the complaints say where.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::line::{Exclusion, RevenueLine};
use super::load_report::{FileReport, LoadReport};
use super::refusal::{Refusal, Refusals, RevenueError};
use super::rows::{TextFile, read_bytes};
use super::source::{self, JOIN_KEYS, Joins, Reading, Source};

/// What the user passed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RevenueInputs {
    /// Exports, in the order given.
    pub files: Vec<PathBuf>,
    /// Second files by key (`invoices`, `customers`).
    pub joins: BTreeMap<String, PathBuf>,
}

/// A file that took part in the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputFile {
    /// Name without its folder, so that the same inputs are the same run on any machine.
    pub name: String,
    /// Lower-case hex of its bytes as they are on disk.
    pub sha256: String,
}

/// What the files say.
#[derive(Debug, Default)]
pub struct Loaded {
    /// Lines in the order of the files.
    pub lines: Vec<RevenueLine>,
    /// Rows, sums and reasons for people.
    pub report: LoadReport,
    /// Every file that was read.
    pub inputs: Vec<InputFile>,
}

/// Reads all files; refuses them together.
pub fn load(inputs: &RevenueInputs) -> Result<Loaded, RevenueError> {
    if let Some(key) = inputs.joins.keys().find(|key| !JOIN_KEYS.contains(&key.as_str())) {
        return Err(RevenueError::UnknownJoin {
            key: key.clone(),
            known: JOIN_KEYS.join(", "),
        });
    }
    let mut loaded = Loaded::default();
    let mut joins = Joins::default();
    for (key, path) in &inputs.joins {
        let file = loaded.open(path)?;
        joins.add(key, &file)?;
    }
    let mut refusals = Refusals::default();
    let mut seen = HashMap::new();
    for path in &inputs.files {
        let file = loaded.open(path)?;
        let lines = read_file(&file, &joins, &mut loaded.report, &mut refusals)?;
        for line in lines {
            loaded.take(line, &mut seen, &mut refusals);
        }
    }
    refusals.into_result()?;
    loaded.report.finish(&loaded.lines);
    Ok(loaded)
}

impl Loaded {
    /// Remembers a file that is not revenue (rates, mapping) under `role:name`.
    pub fn note_input(&mut self, role: &str, path: &Path) -> Result<(), RevenueError> {
        let name = path
            .file_name()
            .map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned());
        self.inputs.push(InputFile {
            name: format!("{role}:{name}"),
            sha256: hex::encode(Sha256::digest(read_bytes(path)?)),
        });
        Ok(())
    }

    fn open(&mut self, path: &Path) -> Result<TextFile, RevenueError> {
        let bytes = read_bytes(path)?;
        let base = path
            .file_name()
            .map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned());
        let sha256 = hex::encode(Sha256::digest(&bytes));
        if let Some(twin) = self.inputs.iter().find(|input| input.sha256 == sha256 && !bytes.is_empty()) {
            let reason = format!("has the same content as {}: each file is given once", twin.name);
            return Err(Refusal {
                file: base,
                line: 1,
                column: None,
                value: None,
                reason,
            }
            .into());
        }
        // Two folders may hold files of one name.
        let twins = self
            .inputs
            .iter()
            .filter(|input| input.name == base || input.name.starts_with(&format!("{base}#")))
            .count();
        let name = if twins == 0 { base } else { format!("{base}#{}", twins + 1) };
        let file = TextFile::new(&name, &bytes)?;
        self.inputs.push(InputFile { name, sha256 });
        Ok(file)
    }

    /// Keeps a line unless an earlier one has its id: an equal line of another file is the same line exported twice,
    /// a different one is a question that only the user can answer.
    fn take(&mut self, line: RevenueLine, seen: &mut HashMap<(&'static str, String), usize>, refusals: &mut Refusals) {
        let key = (line.source, line.line_id.clone());
        let Some(earlier) = seen.get(&key).map(|index| &self.lines[*index]) else {
            seen.insert(key, self.lines.len());
            self.lines.push(line);
            return;
        };
        let relocated = RevenueLine {
            source_file: earlier.source_file.clone(),
            source_row: earlier.source_row,
            ..line.clone()
        };
        if relocated == *earlier && earlier.source_file != line.source_file {
            self.report.exclude(&line.source_file, Exclusion::Repeated);
            return;
        }
        let reason = format!(
            "is also the id of line {} of {}: ids must be unique",
            earlier.source_row, earlier.source_file
        );
        let column = if line.source == "generic" { "line_id" } else { "id" };
        refusals.push(Refusal {
            file: line.source_file.to_string(),
            line: line.source_row,
            column: Some(column.to_owned()),
            value: Some(line.line_id),
            reason,
        });
    }
}

fn read_file(
    file: &TextFile,
    joins: &Joins,
    report: &mut LoadReport,
    refusals: &mut Refusals,
) -> Result<Vec<RevenueLine>, RevenueError> {
    let mut lines = Vec::new();
    let mut file_report = FileReport::new(&file.name);
    let refused = std::cell::RefCell::new(refusals);
    let detected: std::cell::Cell<Option<&'static Source>> = std::cell::Cell::new(None);
    file.visit(
        |header| {
            detected.set(Some(source::detect(&file.name, header)?));
            Ok(())
        },
        |row| {
            let Some(source) = detected.get() else { return };
            file_report.rows += 1;
            match (source.read)(&row, joins) {
                Ok(Reading::Line(line)) => lines.push(line),
                Ok(Reading::Excluded(reason)) => *file_report.excluded.entry(reason).or_default() += 1,
                Err(refusal) => refused.borrow_mut().push(refusal),
            }
        },
        |refusal| refused.borrow_mut().push(refusal),
    )?;
    file_report.source = detected.get().map_or("", |source| source.name);
    file_report.title = detected.get().map_or("", |source| source.title);
    report.files.push(file_report);
    Ok(lines)
}

#[cfg(test)]
mod tests;
