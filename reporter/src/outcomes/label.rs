//! What words for outcomes mean: the usual ones, and the user's own.

use std::collections::HashMap;

use serde::Deserialize;

use super::Outcome;

const SUCCESS: [&str; 12] = [
    "success",
    "successful",
    "succeeded",
    "resolved",
    "solved",
    "completed",
    "done",
    "passed",
    "accepted",
    "ok",
    "true",
    "yes",
];
const FAILURE: [&str; 11] = [
    "failure",
    "failed",
    "unresolved",
    "unsolved",
    "escalated",
    "rejected",
    "incomplete",
    "error",
    "handed_off",
    "false",
    "no",
];
const ABANDONED: [&str; 6] = ["abandoned", "cancelled", "canceled", "aborted", "timeout", "timed_out"];
const UNKNOWN: [&str; 6] = ["unknown", "none", "pending", "open", "n_a", "null"];

/// `[outcomes]`: further words, and the attribute that tells outcomes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OutcomeLabels {
    /// Further words for a success.
    pub success: Vec<String>,
    /// Further words for a failure.
    pub failure: Vec<String>,
    /// Further words for what was left.
    pub abandoned: Vec<String>,
    /// Further words that say nothing.
    pub unknown: Vec<String>,
    /// An attribute of spans that tells the outcome; the collector keeps it where it runs with the same file.
    pub attribute: Option<String>,
}

/// A word that nobody knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is no known outcome: write success, failure, abandoned or unknown, or add the word to [outcomes] in the configuration")]
pub struct LabelError;

impl OutcomeLabels {
    /// What a word means; the user's own words come first.
    pub fn outcome(&self, label: &str) -> Result<Outcome, LabelError> {
        let own = [
            (Outcome::Success, &self.success),
            (Outcome::Failure, &self.failure),
            (Outcome::Abandoned, &self.abandoned),
            (Outcome::Unknown, &self.unknown),
        ];
        let word = plain(label);
        if let Some((outcome, _)) = own.iter().find(|(_, words)| words.iter().any(|own| plain(own) == word)) {
            return Ok(*outcome);
        }
        if word.is_empty() {
            return Ok(Outcome::Unknown);
        }
        usual().get(word.as_str()).copied().ok_or(LabelError)
    }
}

fn usual() -> HashMap<&'static str, Outcome> {
    let of = |words: &'static [&'static str], outcome| words.iter().map(move |word| (*word, outcome));
    of(&SUCCESS, Outcome::Success)
        .chain(of(&FAILURE, Outcome::Failure))
        .chain(of(&ABANDONED, Outcome::Abandoned))
        .chain(of(&UNKNOWN, Outcome::Unknown))
        .collect()
}

/// `Timed Out` and `timed-out` are one word.
fn plain(label: &str) -> String {
    let lower = label.trim().to_lowercase();
    lower.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_mean_what_they_say_and_the_users_come_first() {
        let labels = OutcomeLabels {
            success: vec!["Deflected".into(), "escalated".into()],
            ..OutcomeLabels::default()
        };
        for (label, expected) in [
            ("Resolved", Ok(Outcome::Success)),
            ("deflected", Ok(Outcome::Success)),
            ("escalated", Ok(Outcome::Success)),
            ("timed-out", Ok(Outcome::Abandoned)),
            ("false", Ok(Outcome::Failure)),
            ("", Ok(Outcome::Unknown)),
            ("N/A", Ok(Outcome::Unknown)),
            ("meh", Err(LabelError)),
        ] {
            assert_eq!(labels.outcome(label), expected, "{label}");
        }
    }
}
