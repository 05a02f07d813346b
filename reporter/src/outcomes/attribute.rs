//! Outcomes that spans tell: an attribute of the span that ends a conversation or a task, kept in `tags`.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Int64Type, TimeUnit};
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;

use super::{Outcome, OutcomeLabels, Outcomes, Unit, Word};
use crate::marts::texts;
use crate::revenue::time::{Day, Moment, day_text};

/// The words of an attribute since `from`. The session must have `spans` and `calls`. A span that names neither conversation
/// nor task speaks of those of the calls of its trace. A word that nobody knows is unknown, and keeps its label.
pub async fn of_attribute(session: &SessionContext, labels: &OutcomeLabels, from: Day) -> Result<Outcomes, DataFusionError> {
    let mut outcomes = Outcomes::default();
    let Some(attribute) = &labels.attribute else {
        return Ok(outcomes);
    };
    let quoted = attribute.replace('\'', "''");
    let sql = format!(
        "WITH said AS (\
           SELECT encode(CAST(trace_id AS BYTEA), 'hex') AS trace_id, nullif(conversation_id, '') AS conversation_id, \
                  nullif(task_id, '') AS task_id, tags['{quoted}'] AS label, end_time \
           FROM spans WHERE date >= DATE '{from}' AND tags['{quoted}'] IS NOT NULL\
         ), \
         of_trace AS (\
           SELECT trace_id, max(nullif(conversation_id, '')) AS conversation_id, max(nullif(task_id, '')) AS task_id \
           FROM calls WHERE trace_id IN (SELECT trace_id FROM said) GROUP BY trace_id\
         ) \
         SELECT coalesce(said.conversation_id, of_trace.conversation_id) AS conversation_id, \
                coalesce(said.task_id, of_trace.task_id) AS task_id, label, said.end_time AS at \
         FROM said LEFT JOIN of_trace ON of_trace.trace_id = said.trace_id AND said.conversation_id IS NULL AND said.task_id IS NULL \
         ORDER BY at, conversation_id, task_id, label",
        from = day_text(from),
    );
    let source = format!("attribute {attribute}").into();
    for batch in session.sql(&sql).await?.collect().await? {
        let micros = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let at = arrow::compute::cast(&arrow::compute::cast(batch.column(3), &micros)?, &DataType::Int64)?;
        let at = at.as_primitive::<Int64Type>();
        let labels_said = texts(&batch, 2)?;
        for (unit, column) in [(Unit::Conversation, 0), (Unit::Task, 1)] {
            let keys = texts(&batch, column)?;
            for row in (0..batch.num_rows()).filter(|row| keys.is_valid(*row)) {
                let label = labels_said.value(row);
                let word = Word {
                    outcome: labels.outcome(label).unwrap_or(Outcome::Unknown),
                    label: label.to_owned(),
                    at: at.is_valid(row).then(|| Moment(at.value(row))),
                    source: std::sync::Arc::clone(&source),
                    row: None,
                };
                outcomes.hear(unit, keys.value(row), word);
            }
        }
    }
    Ok(outcomes)
}
