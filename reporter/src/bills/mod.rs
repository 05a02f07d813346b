//! Bills in: what the providers of everything else ask for (vector database, hosting, review) -> days -> one currency -> pools
//! that `allocate` shares out over the calls.
//!
//! Reads FOCUS files (1.0 to 1.4) and a generic CSV, and takes fixed amounts from the configuration. Each row belongs to the
//! first `[[bill]]` that matches it, so that no cost counts twice; what no bill takes is left out and said.

mod amount;
mod config;
mod days;
mod file;
mod over;
mod report;
mod row;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

pub use config::{BillConfig, BillError, Every, FocusCost, Over};
pub use days::{BillDays, bill_batch};
pub use report::BillReport;

use crate::allocate::cost::{CostClass, CostSource};
use crate::marts::Spread;
use crate::revenue::Loaded;
use config::Fixed;
use row::Matcher;

/// A file given on the command line: `FILE`, or `ID=FILE` for the bill of that id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BillFile {
    /// The bill whose file it is; any without one.
    pub id: Option<String>,
    /// The file.
    pub path: PathBuf,
}

impl std::str::FromStr for BillFile {
    type Err = String;

    fn from_str(text: &str) -> Result<BillFile, String> {
        let id = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || "-_.".contains(c));
        match text.split_once('=') {
            Some((name, path)) if id(name) && !path.is_empty() => Ok(BillFile {
                id: Some(name.to_owned()),
                path: path.into(),
            }),
            _ if text.is_empty() => Err("name a file: FILE or ID=FILE".to_owned()),
            _ => Ok(BillFile {
                id: None,
                path: text.into(),
            }),
        }
    }
}

/// A bill whose lines are read.
#[derive(Debug)]
pub(crate) struct Bill {
    id: String,
    class: CostClass,
    spread: Spread,
    cost: FocusCost,
    /// Of files that name none.
    currency: Option<crate::revenue::Currency>,
    matcher: Matcher,
    fixed: Option<Fixed>,
}

/// All bills of a run with what their files say.
#[derive(Debug, Default)]
pub struct Bills {
    bills: Vec<Bill>,
    lines: days::Lines,
    /// What was read and what was not.
    pub report: BillReport,
}

impl Bills {
    /// Compiles the bills, reads and checks every file. `loaded` remembers the files.
    pub fn read(configs: &[BillConfig], files: &[BillFile], loaded: &mut Loaded) -> Result<Bills, crate::report::ReportError> {
        let mut bills = Bills::default();
        for config in configs {
            if bills.bills.iter().any(|bill| bill.id == config.id) {
                return Err(config.wrong("stands twice: each bill has an id of its own").into());
            }
            bills.bills.push(config.compile()?);
        }
        let mut jobs = Vec::new();
        for (at, config) in configs.iter().enumerate() {
            if let Some(path) = &config.file {
                jobs.push((path.clone(), Some(at)));
            }
        }
        for file in files {
            let at = match &file.id {
                Some(id) => Some(bills.place(id)?),
                None => None,
            };
            jobs.push((file.path.clone(), at));
        }
        // One file may have several bills, and is read once.
        let mut of_file: Vec<(PathBuf, Vec<usize>)> = Vec::new();
        for (path, at) in jobs {
            let takers = match at {
                Some(at) => vec![at],
                None => bills.takers(configs, &path)?,
            };
            match of_file.iter_mut().find(|(known, _)| *known == path) {
                Some((_, known)) => known.extend(takers),
                None => of_file.push((path, takers)),
            }
        }
        for (path, takers) in of_file {
            file::read(&path, &takers, &bills.bills, &mut bills.lines, &mut bills.report, loaded)?;
        }
        Ok(bills)
    }

    /// The bill of that id; a new one where the configuration has none.
    fn place(&mut self, id: &str) -> Result<usize, BillError> {
        if let Some(at) = self.bills.iter().position(|bill| bill.id == id) {
            return Ok(at);
        }
        self.bills.push(BillConfig::named(id).compile()?);
        Ok(self.bills.len() - 1)
    }

    /// Who takes the rows of a file that names no bill: the bills of the configuration that have neither file nor amount, or,
    /// where there is none, one named like the file.
    fn takers(&mut self, configs: &[BillConfig], path: &std::path::Path) -> Result<Vec<usize>, BillError> {
        let rules: Vec<usize> = (0..configs.len()).filter(|at| configs[*at].is_rule()).collect();
        if !rules.is_empty() {
            return Ok(rules);
        }
        let stem = path.file_stem().map_or_else(|| "bill".into(), |stem| stem.to_string_lossy());
        Ok(vec![self.place(&stem)?])
    }

    /// How each bill is spread, by its place.
    pub fn spreads(&self) -> Vec<Spread> {
        self.bills.iter().map(|bill| bill.spread.clone()).collect()
    }
}

impl Bill {
    fn source(&self, class: CostClass) -> CostSource {
        CostSource {
            name: self.id.clone(),
            class,
        }
    }
}
