//! The header of a file: column names as sources know them, and where they stand.
//!
//! Names are compared without case, spaces, brackets and time zone notes, so that `Period Start (UTC)`,
//! `period_start` and `period.start` are one column.

use std::collections::HashMap;

use super::super::refusal::Refusal;

/// Columns of one file by normalised name.
#[derive(Debug)]
pub(crate) struct Header {
    at: HashMap<String, usize>,
    written: Vec<String>,
}

impl Header {
    /// Reads the first record of a file. A name that stands twice is refused: nobody could say which one counts.
    pub(crate) fn new<'a>(file: &str, names: impl Iterator<Item = &'a str>) -> Result<Header, Refusal> {
        let mut header = Header {
            at: HashMap::new(),
            written: Vec::new(),
        };
        for (index, name) in names.enumerate() {
            header.written.push(name.trim().to_owned());
            let normalised = normalise(name);
            if normalised.is_empty() {
                continue;
            }
            if header.at.insert(normalised, index).is_some() {
                let reason = "stands twice in the header: remove one of the two columns".to_owned();
                return Err(Refusal {
                    file: file.to_owned(),
                    line: 1,
                    column: Some(name.trim().to_owned()),
                    value: None,
                    reason,
                });
            }
        }
        Ok(header)
    }

    pub(crate) fn position(&self, column: &str) -> Option<usize> {
        self.at.get(column).copied()
    }

    pub(crate) fn has(&self, column: &str) -> bool {
        self.at.contains_key(column)
    }

    /// How many fields each line must have.
    pub(crate) fn width(&self) -> usize {
        self.written.len()
    }

    /// Names as the file writes them, in its order.
    pub(crate) fn all(&self) -> &[String] {
        &self.written
    }

    /// Normalised names in the order of the file.
    pub(crate) fn names(&self) -> Vec<&str> {
        let mut names: Vec<(&usize, &str)> = self.at.iter().map(|(name, index)| (index, name.as_str())).collect();
        names.sort();
        names.into_iter().map(|(_, name)| name).collect()
    }

    /// The name as the file writes it, for messages.
    pub(crate) fn written(&self, column: &str) -> String {
        self.position(column)
            .map_or_else(|| column.to_owned(), |index| self.written[index].clone())
    }
}

/// The name as columns are compared: lower case, words joined by `_`, without a note of the time zone.
pub(crate) fn normalise(name: &str) -> String {
    let lower = name.trim().to_lowercase();
    let bare = lower.strip_suffix("(utc)").unwrap_or(&lower).trim();
    let spelled: String = bare.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
    spelled
        .split('_')
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_without_their_dress() {
        for (name, normalised) in [
            ("Period Start (UTC)", "period_start"),
            ("period.start", "period_start"),
            ("external_id (metadata)", "external_id_metadata"),
            ("payment_metadata[external_id]", "payment_metadata_external_id"),
            ("_fivetran_synced", "fivetran_synced"),
            (" amount ", "amount"),
        ] {
            assert_eq!(normalise(name), normalised, "{name}");
        }
    }

    #[test]
    fn a_doubled_column_is_refused() {
        let refusal = Header::new("a.csv", ["amount", "Amount"].into_iter()).unwrap_err();
        assert_eq!(
            refusal.to_string(),
            "a.csv:1: column Amount: stands twice in the header: remove one of the two columns"
        );
    }
}
