//! What finance and support keep beside telemetry and revenue: a configuration, a bill, and what became of conversations.

use std::path::{Path, PathBuf};

use anyhow::Context;
use chrono::{DateTime, SecondsFormat};

use super::ledger::Ledger;
use super::revenue;

/// Prices of what is no token, and how the bill is spread.
pub(super) const CONFIG: &str = include_str!("helpdesk.toml");

/// The month's bill for what runs beside the models.
const BILL: &str = "\
service,description,amount,currency,period_start,period_end
Vector database,Standard plan,58.00,USD,2026-10-01,2026-11-01
Machines,Two small ones,34.00,USD,2026-10-01,2026-11-01
";

/// The files, as names in a folder.
pub(super) const REVENUE: &str = "revenue.csv";
pub(super) const OUTCOMES: &str = "outcomes.csv";
pub(super) const BILLS: &str = "bill.csv";
pub(super) const SETTINGS: &str = "marginlake.toml";

/// The files of the month in a folder.
#[derive(Debug)]
pub(super) struct Books {
    pub(super) revenue: PathBuf,
    pub(super) outcomes: PathBuf,
    pub(super) bill: PathBuf,
    settings: PathBuf,
    /// Lines of the revenue file.
    pub(super) revenue_lines: usize,
}

impl Books {
    /// Writes all of them.
    pub(super) fn write(folder: &Path, ledger: &Ledger) -> anyhow::Result<Books> {
        let path = |name: &str| folder.join(name);
        let books = Books {
            revenue: path(REVENUE),
            outcomes: path(OUTCOMES),
            bill: path(BILLS),
            settings: path(SETTINGS),
            revenue_lines: revenue::write(&path(REVENUE), ledger)?,
        };
        write(&books.bill, BILL)?;
        write(&books.settings, CONFIG)?;
        write(&books.outcomes, &outcomes(ledger))?;
        Ok(books)
    }

    /// Puts copies beside a report.
    pub(super) fn copy(&self, folder: &Path) -> anyhow::Result<()> {
        for path in [&self.revenue, &self.outcomes, &self.bill, &self.settings] {
            let target = folder.join(path.file_name().context("the files have names")?);
            std::fs::copy(path, &target).with_context(|| format!("cannot write {}", target.display()))?;
        }
        Ok(())
    }
}

fn outcomes(ledger: &Ledger) -> String {
    let mut text = String::from("conversation_id,outcome,at\n");
    for (conversation, outcome, at) in &ledger.outcomes {
        let at = DateTime::from_timestamp_nanos(*at as i64).to_rfc3339_opts(SecondsFormat::Secs, true);
        text.push_str(&format!("{conversation},{},{at}\n", outcome.label()));
    }
    text
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
