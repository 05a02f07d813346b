//! Reads and checks every revenue file of a run, before anything is written.
//!
//! Either all files are good and every line comes back, or nothing does and the complaints say where.

mod once;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rustc_hash::FxHashMap;
use sha2::{Digest, Sha256};

use super::detect::{because, detect};
use super::line::{Kind, RevenueLine, Text};
use super::load_report::{FileReport, LoadReport};
use super::mapping::{Joins, Mapping, Plan, Reading, Texts, spread_documents};
use super::policy::{Policies, StoreFees};
use super::presets;
use super::refusal::{Refusal, Refusals, RevenueError};
use super::table::{Layout, TextFile, read_bytes};
use once::Once;

/// What the user passed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RevenueInputs {
    /// Exports, in the order given.
    pub files: Vec<PathBuf>,
    /// Second files by key (`invoices`, `customers`).
    pub joins: BTreeMap<String, PathBuf>,
    /// Mapping files of the user's own, or names of presets, asked before the presets.
    pub mappings: Vec<PathBuf>,
    /// How revenue is recognised.
    pub policies: Policies,
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
    /// Revenue, in the order of the files.
    pub lines: Vec<RevenueLine>,
    /// Costs of selling and of being paid, positive, in the order of the files: variable costs.
    pub costs: Vec<RevenueLine>,
    /// Rows, sums and reasons for people.
    pub report: LoadReport,
    /// Every file that was read.
    pub inputs: Vec<InputFile>,
    /// How the lines are to be recognised.
    pub policies: Policies,
}

/// Reads all files; refuses them together.
pub fn load(inputs: &RevenueInputs) -> Result<Loaded, RevenueError> {
    let mut loaded = Loaded {
        policies: inputs.policies.clone(),
        ..Loaded::default()
    };
    let own = own_mappings(&mut loaded, &inputs.mappings)?;
    let mut joins = Joins::default();
    let mut known: Vec<&str> = Vec::new();
    own.iter().chain(presets::all()).flat_map(Mapping::join_keys).for_each(|key| {
        if !known.contains(&key) {
            known.push(key);
        }
    });
    for (key, path) in &inputs.joins {
        if !known.contains(&key.as_str()) {
            return Err(RevenueError::UnknownJoin {
                key: key.clone(),
                known: known.join(", "),
            });
        }
        joins.add(key, loaded.open(path)?);
    }
    let mut refusals = Refusals::default();
    let mut once = Once::default();
    let mut texts = Texts::default();
    for path in &inputs.files {
        let file = loaded.open(path)?;
        read_file(
            &file,
            &own,
            &mut joins,
            &mut texts,
            &mut once,
            &mut loaded.report,
            &mut refusals,
        )?;
    }
    refusals.into_result()?;
    let lines = once.finish(&mut loaded.report)?;
    let fee_is_cost = loaded.policies.store_fees == StoreFees::Principal;
    for mut line in lines {
        match line.meaning() {
            Kind::Cost => loaded.costs.push(line),
            Kind::StoreFee if fee_is_cost => loaded.costs.push(line),
            Kind::StoreFee => {
                line.amount = -line.amount;
                loaded.lines.push(line);
            }
            _ => loaded.lines.push(line),
        }
    }
    loaded.report.finish(&loaded.lines, &loaded.costs);
    Ok(loaded)
}

/// The user's own mappings: files, or presets by their name.
fn own_mappings(loaded: &mut Loaded, paths: &[PathBuf]) -> Result<Vec<Mapping>, RevenueError> {
    let mut own = Vec::new();
    for path in paths {
        if let Some(preset) = presets::all().iter().find(|preset| path.as_os_str() == preset.name.as_str()) {
            own.push(preset.clone());
            continue;
        }
        let shown = path.display().to_string();
        let bytes = std::fs::read(path).map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => {
                let names: Vec<&str> = presets::names().map(|(name, _)| name).collect();
                RevenueError::Mapping(format!(
                    "--revenue-mapping {shown}: there is no such file, and no preset of that name; presets are {}",
                    names.join(", ")
                ))
            }
            _ => RevenueError::Read {
                path: path.clone(),
                source,
            },
        })?;
        let text = String::from_utf8(bytes).map_err(|_| RevenueError::Mapping(format!("{shown}: is not UTF-8")))?;
        own.push(Mapping::parse(&shown, &text).map_err(|error| RevenueError::Mapping(error.to_string()))?);
        loaded.note_input("mapping", path)?;
    }
    Ok(own)
}

impl Loaded {
    /// Remembers a file that is not revenue (rates, mapping) under `role:name`.
    pub fn note_input(&mut self, role: &str, path: &Path) -> Result<(), RevenueError> {
        self.inputs.push(InputFile {
            name: format!("{role}:{}", base_name(path)),
            sha256: hex::encode(Sha256::digest(read_bytes(path)?)),
        });
        Ok(())
    }

    fn open(&mut self, path: &Path) -> Result<TextFile, RevenueError> {
        let bytes = read_bytes(path)?;
        let base = base_name(path);
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
}

fn base_name(path: &Path) -> String {
    path.file_name()
        .map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}

fn read_file(
    file: &TextFile,
    own: &[Mapping],
    joins: &mut Joins,
    texts: &mut Texts,
    once: &mut Once,
    report: &mut LoadReport,
    refusals: &mut Refusals,
) -> Result<(), RevenueError> {
    let (mapping, header) = choose(file, own)?;
    joins.prepare(mapping, &file.name)?;
    let plan = Plan::bind(mapping, &file.name, &header, joins)?;
    texts.start_file(&file.name);
    let mut file_report = FileReport::new(&file.name);
    file_report.source = mapping.name.clone();
    file_report.title = mapping.title.clone();
    file_report.because = because(mapping, &header);
    let mut lines: Vec<RevenueLine> = Vec::new();
    let mut spread: BTreeMap<Text, super::Amount> = BTreeMap::new();
    // Where the lines of each row start: rows of JSON may share a line of the file.
    let mut starts: Vec<usize> = Vec::new();
    let (mut line_before, mut nth) = (0, 1);
    let refused = RefCell::new(refusals);
    let on_row = |row: super::table::Row<'_>| {
        file_report.rows += 1;
        let before = lines.len();
        nth = if row.line == line_before { nth + 1 } else { 1 };
        line_before = row.line;
        match plan.read(row, texts, &mut lines) {
            Ok(Reading::Lines(amount)) => {
                starts.push(before);
                if nth > 1 {
                    number(&mut lines[before..], &file.name, row.line, nth);
                }
                if let (Some(amount), Some(document)) = (amount, &lines[before].document) {
                    spread.insert(document.clone(), amount);
                }
            }
            Ok(Reading::Excluded(reason)) => *file_report.excluded.entry(reason).or_default() += 1,
            Err(refusal) => {
                lines.truncate(before);
                refused.borrow_mut().push(refusal);
            }
        }
    };
    file.rows(&mapping.layout(), &header, on_row, |refusal| {
        refused.borrow_mut().push(refusal)
    })?;
    file_report.unspread = spread_documents(&mut lines, &spread) as u64;
    report.files.push(file_report);
    once.add(mapping, &plan, lines, &starts, report, refused.into_inner());
    Ok(())
}

/// Tells rows of one line of a file apart where they have no id but file and line.
fn number(lines: &mut [RevenueLine], file: &str, line: u64, nth: u64) {
    let without_id = format!("{file}:{line}");
    for line in lines.iter_mut().filter(|line| line.line_id.starts_with(&without_id)) {
        line.line_id = format!("{}#{nth}", line.line_id).into();
    }
}

/// The mapping of a file and the header as that mapping cuts it.
fn choose<'a>(file: &TextFile, own: &'a [Mapping]) -> Result<(&'a Mapping, super::table::Header), RevenueError> {
    // A mapping of the user's own may cut the file in its own way, and must be asked with the header that this makes.
    let usual = file.header(&Layout::default())?;
    for mapping in own.iter().filter(|mapping| mapping.layout() != Layout::default()) {
        let header = file.header(&mapping.layout())?;
        if mapping.detect.missing(&header).is_empty() && mapping.layout().delimiter.is_some() {
            return Ok((mapping, header));
        }
    }
    let mapping = detect(&file.name, &usual, own, presets::all())?;
    let layout = mapping.layout();
    let header = if layout == Layout::default() {
        usual
    } else {
        file.header(&layout)?
    };
    Ok((mapping, header))
}

/// By source and id.
type ByLine = FxHashMap<(Text, Text), usize>;

#[cfg(test)]
mod tests;
