//! What a report is asked for.

use std::path::PathBuf;
use std::str::FromStr;

use chrono::{DateTime, NaiveDate, Utc};

use super::ReportError;
use crate::revenue::{Currency, RevenueInputs};

/// A report's inputs, days and outputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportOptions {
    /// Revenue files and their second files.
    pub revenue: RevenueInputs,
    /// `--customer-map`.
    pub customer_map: Option<PathBuf>,
    /// `--fx`.
    pub fx: Option<PathBuf>,
    /// First day; `None` is the first day that has calls or revenue.
    pub from: Option<NaiveDate>,
    /// Last day, inclusive; `None` is the last day that has calls or revenue.
    pub to: Option<NaiveDate>,
    /// Folder of the files; `None` writes none.
    pub out: Option<PathBuf>,
    /// Which files beside the Parquet ones.
    pub formats: Vec<OutputFormat>,
    /// Currency of the report.
    pub currency: Currency,
    /// The only clock: what the outputs name as their time. It selects nothing.
    pub as_of: Option<DateTime<Utc>>,
}

impl Default for ReportOptions {
    fn default() -> ReportOptions {
        ReportOptions {
            revenue: RevenueInputs::default(),
            customer_map: None,
            fx: None,
            from: None,
            to: None,
            out: None,
            formats: OutputFormat::DEFAULT.to_vec(),
            currency: Currency::USD,
            as_of: None,
        }
    }
}

impl ReportOptions {
    pub(super) fn check(&self) -> Result<(), ReportError> {
        match (self.from, self.to) {
            (Some(from), Some(to)) if to < from => Err(ReportError::ReversedDays { from, to }),
            _ => self.out.as_deref().map_or(Ok(()), crate::output::check_ours),
        }
    }
}

/// A kind of file under `--out`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OutputFormat {
    /// `report.html`, one self-contained page.
    Html,
    /// `<mart>.csv`, one file a mart.
    Csv,
    /// `report.json`, what the page says, and `<mart>.json`.
    Json,
    /// `report.md`, for a chat or a pull request.
    Md,
    /// `report.xlsx`, a workbook with one sheet a mart.
    Xlsx,
}

impl OutputFormat {
    /// What is written when nothing is said.
    pub const DEFAULT: [OutputFormat; 5] = [
        OutputFormat::Html,
        OutputFormat::Csv,
        OutputFormat::Json,
        OutputFormat::Md,
        OutputFormat::Xlsx,
    ];
}

/// A text that names no format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a report format: use html, csv, json, md or xlsx, separated by commas")]
pub struct UnknownFormat(String);

impl FromStr for OutputFormat {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<OutputFormat, UnknownFormat> {
        match text.trim() {
            "html" => Ok(OutputFormat::Html),
            "csv" => Ok(OutputFormat::Csv),
            "json" => Ok(OutputFormat::Json),
            "md" | "markdown" => Ok(OutputFormat::Md),
            "xlsx" => Ok(OutputFormat::Xlsx),
            other => Err(UnknownFormat(other.to_owned())),
        }
    }
}
