//! The billing systems we can read, one file each, and how a file's header tells which one it is.
//!
//! Detection never guesses: a header that fits no source or two sources is refused, and so is one that looks like a
//! source but has columns which could change what its amounts mean.

mod generic;
mod json;
mod stripe_invoice_line_items;
mod stripe_joins;

use super::header::Header;
use super::line::{Exclusion, RevenueLine};
use super::refusal::Refusal;
use super::rows::Row;

pub(crate) use stripe_joins::{JOIN_KEYS, Joins};

/// A billing system's export.
#[derive(Debug)]
pub(crate) struct Source {
    /// Name in `revenue_lines.source`.
    pub(crate) name: &'static str,
    /// Name for people.
    pub(crate) title: &'static str,
    /// Columns that must be there, each by any of its spellings.
    required: &'static [&'static [&'static str]],
    /// Columns whose presence says that the file is something else, or that its amounts mean something else.
    foreign: &'static [&'static str],
    /// Reads one row.
    pub(crate) read: fn(&Row<'_>, &Joins) -> Result<Reading, Refusal>,
}

/// What a row is.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every row is a line, and it is moved into a vector at once"
)]
pub(crate) enum Reading {
    Line(RevenueLine),
    Excluded(Exclusion),
}

/// All sources. A new one is a file beside this one and an entry here.
const SOURCES: [&Source; 2] = [&generic::SOURCE, &stripe_invoice_line_items::SOURCE];

/// Finds the source of a file by its header.
pub(crate) fn detect(file: &str, header: &Header) -> Result<&'static Source, Refusal> {
    let refuse = |column: Option<String>, reason: String| Refusal {
        file: file.to_owned(),
        line: 1,
        column,
        value: None,
        reason,
    };
    let fitting: Vec<&Source> = SOURCES
        .into_iter()
        .filter(|source| source.missing(header).is_empty())
        .collect();
    let clean: Vec<&&Source> = fitting.iter().filter(|source| source.foreign(header).is_empty()).collect();
    match (clean.as_slice(), fitting.as_slice()) {
        ([source], _) => Ok(source),
        ([], [source, ..]) => {
            let foreign = source.foreign(header);
            let reason = format!(
                "the header has the columns of the {} and also {}, which could change what an amount means: \
                 export the file in one of the known shapes, or remove what does not belong to it",
                source.title,
                foreign.join(", ")
            );
            Err(refuse(Some(header.written(foreign[0])), reason))
        }
        ([], []) => Err(refuse(nearest(header).1.first().cloned(), unknown(header))),
        (several, _) => {
            let titles: Vec<&str> = several.iter().map(|source| source.title).collect();
            Err(refuse(
                None,
                format!(
                    "the header fits more than one source ({}): remove the columns that do not belong",
                    titles.join(" and ")
                ),
            ))
        }
    }
}

fn nearest(header: &Header) -> (&'static Source, Vec<String>) {
    let score = |source: &&'static Source| source.required.len() - source.missing(header).len();
    let nearest = SOURCES
        .into_iter()
        .max_by_key(|source| (score(source), std::cmp::Reverse(source.name)));
    let source = nearest.expect("there is at least one source");
    (source, source.missing(header))
}

fn unknown(header: &Header) -> String {
    let (source, missing) = nearest(header);
    let one_column = header.width() == 1;
    let hint = if one_column {
        "; fields must be separated by commas"
    } else {
        ""
    };
    let word = if missing.len() == 1 { "is" } else { "are" };
    format!(
        "the header fits no known source; nearest is the {}, of which {} {word} missing{hint}",
        source.title,
        missing.join(", ")
    )
}

impl Source {
    fn missing(&self, header: &Header) -> Vec<String> {
        let absent = |spellings: &&&[&str]| !spellings.iter().any(|column| header.has(column));
        self.required
            .iter()
            .filter(absent)
            .map(|spellings| spellings[0].to_owned())
            .collect()
    }

    fn foreign(&self, header: &Header) -> Vec<&'static str> {
        self.foreign.iter().copied().filter(|column| header.has(column)).collect()
    }
}
