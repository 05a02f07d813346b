//! A file of outcomes: `conversation_id` or `task_id` or both, `outcome`, and the time in `at` or `time`.

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;

use super::{OutcomeLabels, Outcomes, Unit, Word};
use crate::revenue::refusal::Refusals;
use crate::revenue::table::{Header, Row, TextFile, read_bytes};
use crate::revenue::time::TimeFormat;
use crate::revenue::{Refusal, RevenueError};

pub(super) fn read(path: &Path, labels: &OutcomeLabels, outcomes: &mut Outcomes) -> Result<(), RevenueError> {
    let name = path
        .file_name()
        .map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned());
    parse(&TextFile::new(&name, &read_bytes(path)?)?, labels, outcomes)
}

pub(super) fn parse(file: &TextFile, labels: &OutcomeLabels, outcomes: &mut Outcomes) -> Result<(), RevenueError> {
    let source: Arc<str> = file.name.as_str().into();
    let refusals = RefCell::new(Refusals::default());
    file.visit(
        |header| check(&file.name, header),
        |row| {
            if let Err(refusal) = take(&row, &source, labels, outcomes) {
                refusals.borrow_mut().push(refusal);
            }
        },
        |refusal| refusals.borrow_mut().push(refusal),
    )?;
    refusals.into_inner().into_result()
}

fn check(file: &str, header: &Header) -> Result<(), RevenueError> {
    let missing = |column: &str, reason: &str| {
        Err(Refusal {
            file: file.to_owned(),
            line: 1,
            column: Some(column.to_owned()),
            value: None,
            reason: reason.to_owned(),
        }
        .into())
    };
    if !header.has("outcome") {
        return missing(
            "outcome",
            "is missing: a file of outcomes has conversation_id or task_id, outcome, and at",
        );
    }
    if !header.has("conversation_id") && !header.has("task_id") {
        return missing(
            "conversation_id",
            "is missing, and so is task_id: one of them says what the outcome is of",
        );
    }
    Ok(())
}

/// The one of two columns that the file has.
fn any<'a>(row: &Row<'_>, columns: [&'a str; 2]) -> &'a str {
    columns
        .into_iter()
        .find(|column| row.header.has(column))
        .unwrap_or(columns[0])
}

fn take(row: &Row<'_>, source: &Arc<str>, labels: &OutcomeLabels, outcomes: &mut Outcomes) -> Result<(), Refusal> {
    let label = row.text("outcome").unwrap_or("");
    let outcome = labels.outcome(label).map_err(|error| row.refuse("outcome", error))?;
    let at = row.optional_moment(any(row, ["at", "time"]), TimeFormat::IsoOrEpochSeconds)?;
    let units = [(Unit::Conversation, "conversation_id"), (Unit::Task, "task_id")];
    let named: Vec<(Unit, &str)> = units
        .into_iter()
        .filter_map(|(unit, column)| Some((unit, row.text(column)?)))
        .collect();
    if named.is_empty() {
        return Err(row.refuse(
            any(row, ["conversation_id", "task_id"]),
            "is empty: an outcome is of a conversation or a task",
        ));
    }
    for (unit, key) in named {
        let word = Word {
            outcome,
            label: label.to_owned(),
            at,
            source: Arc::clone(source),
            row: Some(row.line),
        };
        outcomes.hear(unit, key, word);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::Outcome;
    use super::*;

    fn parsed(text: &str) -> Result<Outcomes, RevenueError> {
        let mut outcomes = Outcomes::default();
        parse(
            &TextFile::new("outcomes.csv", text.as_bytes())?,
            &OutcomeLabels::default(),
            &mut outcomes,
        )?;
        Ok(outcomes)
    }

    fn outcome(outcomes: &Outcomes, unit: Unit, key: &str) -> Option<Outcome> {
        outcomes.0.get(&(unit, key.to_owned())).map(|word| word.outcome)
    }

    #[test]
    fn the_last_word_counts_whatever_the_order_of_the_lines() {
        let text = "conversation_id,task_id,outcome,at\n\
                    c1,,unresolved,2026-01-03T10:00:00Z\n\
                    c1,,resolved,2026-01-02T10:00:00Z\n\
                    c2,,escalated,\n\
                    c2,t2,resolved,2026-01-02\n\
                    ,t1,done,2026-01-02\n";
        let outcomes = parsed(text).unwrap();
        assert_eq!(outcome(&outcomes, Unit::Conversation, "c1"), Some(Outcome::Failure));
        assert_eq!(outcome(&outcomes, Unit::Conversation, "c2"), Some(Outcome::Success));
        assert_eq!(outcome(&outcomes, Unit::Task, "t1"), Some(Outcome::Success));
        assert_eq!(
            (outcome(&outcomes, Unit::Task, "t2"), outcomes.len()),
            (Some(Outcome::Success), 4)
        );
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_its_line() {
        for (text, expected) in [
            (
                "conversation_id,outcome\nc1,meh\n",
                "outcomes.csv:2: column outcome: \"meh\" is no known outcome",
            ),
            (
                "conversation_id,outcome\n,resolved\n",
                "outcomes.csv:2: column conversation_id: \"\" is empty",
            ),
            (
                "conversation_id,outcome,at\nc1,resolved,soon\n",
                "outcomes.csv:2: column at: \"soon\"",
            ),
            (
                "customer,outcome\nc1,resolved\n",
                "outcomes.csv:1: column conversation_id: is missing",
            ),
            (
                "conversation_id,result\nc1,resolved\n",
                "outcomes.csv:1: column outcome: is missing",
            ),
            (
                "conversation_id,outcome,at\nc1,resolved,2026-01-01\nc2,res",
                "outcomes.csv:3: column at: the file ends in a torn line",
            ),
        ] {
            let error = parsed(text).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
