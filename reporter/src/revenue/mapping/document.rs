//! A mapping file as it is written. `docs/revenue.md` teaches it; the presets are its examples.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::amount::{TermDocument, Unit};
use super::condition::ConditionDocument;
use super::dates::Dates;
use crate::revenue::refusal::Refusal;
use crate::revenue::table::{Header, Layout};

/// One export's meaning.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mapping {
    /// Name in `revenue_lines.source`.
    pub(crate) name: String,
    /// Name for people.
    pub(crate) title: String,
    /// Where the format is described, and what the file cannot say.
    #[serde(default)]
    #[expect(dead_code, reason = "for who reads the mapping")]
    pub(crate) note: String,
    /// The system that several exports come from, so that one sale is not counted by two of them.
    #[serde(default)]
    pub(crate) family: Option<String>,
    /// How fine the export is, within its family.
    #[serde(default)]
    pub(crate) grain: Grain,
    #[serde(default)]
    pub(super) format: FormatDocument,
    #[serde(default)]
    pub(crate) detect: Detect,
    /// Second files, in the order in which they are looked up.
    #[serde(default)]
    pub(super) join: Vec<JoinDocument>,
    #[serde(default)]
    pub(super) fields: Fields,
    /// What amounts count, where a term does not say it.
    #[serde(default)]
    pub(super) unit: Unit,
    /// Net amount of a line that does not say its own.
    #[serde(default)]
    pub(super) amount: Vec<TermDocument>,
    /// Rows that are no revenue; the first that matches counts it.
    #[serde(default)]
    pub(super) exclude: Vec<ExcludeDocument>,
    /// Values that must be known ones.
    #[serde(default)]
    pub(super) expect: Vec<ExpectDocument>,
    /// Lines made from each row; one when none is given.
    #[serde(default)]
    pub(super) line: Vec<LineDocument>,
    /// An amount of the whole document that is taken off its lines, in proportion.
    #[serde(default)]
    pub(super) spread: Option<SpreadDocument>,
}

/// How fine an export is: a finer one counts what a coarser one repeats.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Grain {
    /// Lines of documents.
    #[default]
    Line,
    /// Invoices or orders.
    Document,
    /// Money that moved.
    Payment,
}

/// How cells are written.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct FormatDocument {
    /// Between fields; a comma or a tab when absent.
    pub(super) delimiter: Option<char>,
    /// `.`, `,` or `auto`: either, where a comma has one or two digits behind it.
    pub(super) decimal: Option<String>,
    /// Allowed between groups of three digits; nothing when absent.
    pub(super) thousands: Option<String>,
    /// Texts that mean nothing stands there.
    pub(super) null: Vec<String>,
    /// Zone of times that name none; UTC when absent. Dates have no zone.
    pub(super) timezone: Option<String>,
    /// `iso`, `epoch`, `epoch_ms`, or a pattern such as `%m/%d/%y`; `iso` when absent.
    pub(super) dates: Vec<String>,
    /// The list inside each JSON object whose elements are the rows; the rest stands under `parent.`.
    pub(super) explode: Option<String>,
    /// Cells left blank because the row above has them.
    pub(super) carry: Option<CarryDocument>,
}

/// Blank cells of a row are those of the row above while `key` stays the same.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CarryDocument {
    pub(super) key: String,
    pub(super) columns: Vec<String>,
}

/// How a header tells that a file is one of these.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Detect {
    /// Columns that must be there, each by any of its spellings, separated by `|`.
    pub(crate) required: Vec<String>,
    /// Columns whose presence says that the file is something else, or that its amounts mean something else.
    pub(crate) foreign: Vec<String>,
    /// Why such a file cannot be read as revenue, and what to export instead.
    pub(crate) refuse: Option<String>,
}

/// A second file, given by `--revenue-join KEY=FILE`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct JoinDocument {
    /// Key of `--revenue-join`, and prefix of its columns in values: `invoices:status`.
    pub(super) key: String,
    /// The id as a row says it.
    pub(super) on: String,
    /// The id's column in the second file.
    pub(super) id: String,
    /// Columns that the second file must have.
    #[serde(default)]
    pub(super) required: Vec<String>,
    /// The newest by this column wins where an id stands twice.
    #[serde(default)]
    pub(super) version: Option<String>,
    /// Columns that hold JSON where they hold anything.
    #[serde(default)]
    pub(super) json: Vec<String>,
    /// Values of the second file that must be known ones.
    #[serde(default)]
    pub(super) expect: Vec<ExpectDocument>,
    /// The rows mean nothing without it.
    #[serde(default)]
    pub(super) needed: bool,
}

/// Where each part of a line stands. `a|b` is the first that says something, `=text` is that text, `invoices:status` is
/// of a second file, `metadata.external_id` is inside JSON.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Fields {
    /// Unique within the source; several are joined by `:`. File and line when nothing stands there.
    pub(super) line_id: Option<OneOrMore>,
    /// The newest version of a line wins.
    pub(super) version: Option<String>,
    pub(super) customer: Option<String>,
    /// The seller's own id, as the billing system keeps it.
    pub(super) external_customer: Option<String>,
    /// Further ids of the customer: texts, or JSON lists of texts.
    pub(super) aliases: Option<OneOrMore>,
    pub(super) email: Option<String>,
    pub(super) user: Option<String>,
    pub(super) feature: Option<String>,
    pub(super) plan: Option<String>,
    pub(super) subscription: Option<String>,
    pub(super) seats: Option<String>,
    pub(super) kind: Option<String>,
    pub(super) status: Option<String>,
    pub(super) description: Option<String>,
    pub(super) currency: Option<String>,
    pub(super) start: Option<String>,
    pub(super) end: Option<String>,
    /// Service period that a refund takes back.
    pub(super) original_start: Option<String>,
    pub(super) original_end: Option<String>,
    pub(super) booked_at: Option<String>,
    pub(super) settled_at: Option<String>,
    /// Invoice or order that the line belongs to.
    pub(super) document: Option<String>,
    /// `true`: the end is the last day of the period, not the first one after it.
    pub(super) end_inclusive: Option<bool>,
    /// `true`: a period that ends before it starts is its first day.
    pub(super) reversed_is_start: Option<bool>,
}

/// A text, or several.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrMore {
    One(String),
    More(Vec<String>),
}

/// A row that is no revenue.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExcludeDocument {
    /// Name in the load report.
    pub(super) reason: String,
    pub(super) when: Conditions,
}

/// A column whose values are known.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExpectDocument {
    pub(super) column: String,
    pub(super) one_of: Vec<String>,
    /// Completes "is not ...".
    pub(super) what: String,
}

/// A line made from a row.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct LineDocument {
    /// Only where all of these hold.
    pub(super) when: Option<Conditions>,
    /// The first rule that matches names the kind; else `fields.kind`.
    pub(super) kinds: Vec<KindDocument>,
    pub(super) fields: Fields,
    pub(super) amount: Option<Vec<TermDocument>>,
    /// Added to the line's id.
    pub(super) suffix: String,
    /// Nothing is made of an amount of zero.
    pub(super) skip_zero: bool,
}

/// A kind and when it applies.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KindDocument {
    pub(super) kind: String,
    pub(super) when: Conditions,
}

/// One condition, or several that must all hold.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum Conditions {
    One(ConditionDocument),
    All(Vec<ConditionDocument>),
}

/// An amount of a whole document.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SpreadDocument {
    pub(super) amount: Vec<TermDocument>,
}

/// Why a mapping is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {reason}")]
pub(crate) struct MappingError {
    file: String,
    reason: String,
}

impl Mapping {
    /// Reads and checks a mapping file.
    pub(crate) fn parse(file: &str, text: &str) -> Result<Mapping, MappingError> {
        let wrong = |reason: String| MappingError {
            file: file.to_owned(),
            reason,
        };
        let mapping: Mapping = toml::from_str(text).map_err(|error| wrong(error.to_string()))?;
        mapping.check().map_err(wrong)?;
        Ok(mapping)
    }

    fn check(&self) -> Result<(), String> {
        if self.name.is_empty()
            || !self
                .name
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        {
            return Err(format!("name {:?}: use lower-case letters, digits and _", self.name));
        }
        self.dates()?;
        self.decimal()?;
        if self.detect.refuse.is_some() {
            return Ok(());
        }
        let keys: Vec<&str> = self.join.iter().map(|join| join.key.as_str()).collect();
        if keys.iter().collect::<BTreeSet<_>>().len() < keys.len() {
            return Err("join: a key stands twice".to_owned());
        }
        if self.fields.currency.is_none() {
            return Err("fields.currency is missing: name a column, or write \"=USD\"".to_owned());
        }
        if self.fields.start.is_none() && (self.line.is_empty() || self.line.iter().any(|line| line.fields.start.is_none())) {
            return Err("fields.start is missing: name the column of the period's start or of the day".to_owned());
        }
        let amounts = self.line.iter().map(|line| line.amount.as_ref().unwrap_or(&self.amount));
        if amounts.clone().count() == 0 && self.amount.is_empty() || amounts.clone().any(Vec::is_empty) {
            return Err("amount is missing: list the columns that make the net amount, such as [\"total\", \"-tax\"]".to_owned());
        }
        self.amount.iter().chain(amounts.flatten()).try_for_each(TermDocument::check)
    }

    /// How dates are written.
    pub(super) fn dates(&self) -> Result<Dates, String> {
        Dates::new(&self.format.dates, self.format.timezone.as_deref())
    }

    /// How numbers are written.
    pub(super) fn decimal(&self) -> Result<super::amount::Decimal, String> {
        super::amount::Decimal::new(self.format.decimal.as_deref(), self.format.thousands.as_deref())
    }

    /// Keys of `--revenue-join` that it reads.
    pub(crate) fn join_keys(&self) -> impl Iterator<Item = &str> {
        self.join.iter().map(|join| join.key.as_str())
    }

    /// The cut of the file.
    pub(crate) fn layout(&self) -> Layout {
        Layout {
            delimiter: self.format.delimiter.and_then(|delimiter| u8::try_from(delimiter).ok()),
            explode: self.format.explode.clone(),
        }
    }
}

impl Detect {
    /// Columns that are not there, by their first spelling.
    pub(crate) fn missing(&self, header: &Header) -> Vec<String> {
        let spellings = |required: &str| {
            required
                .split('|')
                .map(super::super::table::header::normalise)
                .collect::<Vec<_>>()
        };
        let absent = |required: &&String| !spellings(required).iter().any(|column| header.has(column));
        self.required
            .iter()
            .filter(absent)
            .map(|required| required.split('|').next().unwrap_or(required).to_owned())
            .collect()
    }

    /// Columns that should not be there.
    pub(crate) fn foreign(&self, header: &Header) -> Vec<String> {
        let there = |column: &&String| header.has(&super::super::table::header::normalise(column));
        self.foreign.iter().filter(there).cloned().collect()
    }
}

impl Conditions {
    pub(super) fn all(&self) -> &[ConditionDocument] {
        match self {
            Conditions::One(condition) => std::slice::from_ref(condition),
            Conditions::All(conditions) => conditions,
        }
    }
}

impl OneOrMore {
    pub(super) fn all(&self) -> &[String] {
        match self {
            OneOrMore::One(text) => std::slice::from_ref(text),
            OneOrMore::More(texts) => texts,
        }
    }
}

/// The refusal of a whole file.
pub(crate) fn refuse_file(file: &str, column: Option<&str>, reason: String) -> Refusal {
    Refusal {
        file: file.to_owned(),
        line: 1,
        column: column.map(str::to_owned),
        value: None,
        reason,
    }
}
