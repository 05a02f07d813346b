//! Outcomes in: what became of conversations and tasks, from files and from an attribute of spans.
//!
//! The last word about each counts, so that a customer who comes back takes a resolution back. What nobody told is unknown,
//! which is not a failure.

mod attribute;
mod file;
mod label;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::error::ArrowError;
use marginlake_lake::schema;

pub use attribute::of_attribute;
pub use label::{LabelError, OutcomeLabels};

use crate::revenue::time::{Day, Moment};
use crate::revenue::{Loaded, RevenueError};

/// What became of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// Resolved, done.
    Success,
    /// Not resolved, failed.
    Failure,
    /// Left by the user, cancelled.
    Abandoned,
    /// Nobody can say.
    Unknown,
}

impl Outcome {
    /// The text in `outcomes.outcome`.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Success => "success",
            Outcome::Failure => "failure",
            Outcome::Abandoned => "abandoned",
            Outcome::Unknown => "unknown",
        }
    }
}

/// Of what something became.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unit {
    /// A conversation.
    Conversation,
    /// A task.
    Task,
}

impl Unit {
    /// The text in `outcomes.unit`.
    pub fn name(self) -> &'static str {
        match self {
            Unit::Conversation => "conversation",
            Unit::Task => "task",
        }
    }
}

/// Somebody's word about one conversation or task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// What became of it.
    pub outcome: Outcome,
    /// As it was written.
    pub label: String,
    /// When; a word without a time is older than any with one.
    pub at: Option<Moment>,
    /// File or attribute.
    pub source: Arc<str>,
    /// Line of the file.
    pub row: Option<u64>,
}

/// The last word about each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcomes(BTreeMap<(Unit, String), Word>);

impl Outcomes {
    /// Reads files of `conversation_id,task_id,outcome,at`; `loaded` remembers them.
    pub fn read(files: &[PathBuf], labels: &OutcomeLabels, loaded: &mut Loaded) -> Result<Outcomes, RevenueError> {
        let mut outcomes = Outcomes::default();
        for path in files {
            loaded.note_input("outcomes", path)?;
            file::read(path, labels, &mut outcomes)?;
        }
        Ok(outcomes)
    }

    /// Hears a word; of two of the same time the later heard counts.
    pub fn hear(&mut self, unit: Unit, key: &str, word: Word) {
        let known = self.0.get(&(unit, key.to_owned()));
        if known.is_none_or(|known| known.at <= word.at) {
            self.0.insert((unit, key.to_owned()), word);
        }
    }

    /// Lays the words of files over those of an attribute.
    pub fn over(self, mut attribute: Outcomes) -> Outcomes {
        for ((unit, key), word) in self.0 {
            attribute.hear(unit, &key, word);
        }
        attribute
    }

    /// How many are known.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True if nobody said anything.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The rows of `outcomes`, dated by `day`, the report's last.
    pub fn rows(&self, day: Day) -> Result<RecordBatch, ArrowError> {
        let words = || self.0.values();
        let texts = |values: Vec<&str>| -> ArrayRef { Arc::new(StringArray::from(values)) };
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Date32Array::from_value(day, self.0.len())),
            texts(self.0.keys().map(|(unit, _)| unit.name()).collect()),
            texts(self.0.keys().map(|(_, key)| key.as_str()).collect()),
            texts(words().map(|word| word.outcome.name()).collect()),
            texts(words().map(|word| word.label.as_str()).collect()),
            Arc::new(
                words()
                    .map(|word| word.at.map(|at| at.0))
                    .collect::<TimestampMicrosecondArray>()
                    .with_timezone("UTC"),
            ),
            texts(words().map(|word| &*word.source).collect()),
            Arc::new(words().map(|word| word.row.map(|row| row as i64)).collect::<Int64Array>()),
        ];
        RecordBatch::try_new(schema::outcomes(), columns)
    }
}
