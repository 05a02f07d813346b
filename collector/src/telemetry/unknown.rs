//! Which instrumentation scopes send usage that no rule takes.

use arrow::array::{Array, AsArray, RecordBatch};

use super::tally::Tally;

/// The flag of `recognise::Flag::UnrecognisedUsage`.
const FLAG: &str = "unrecognised_usage";

/// Counts the flagged rows of a batch of `spans` by scope. Looked for only where there are any: few batches have some.
pub(super) fn count(batch: &RecordBatch, tally: &Tally) {
    let columns = (batch.column_by_name("scope_name"), batch.column_by_name("flags"));
    let (Some(scopes), Some(flags)) = columns else { return };
    let (Some(scopes), Some(flags)) = (scopes.as_string_opt::<i32>(), flags.as_list_opt::<i32>()) else {
        return;
    };
    for row in 0..batch.num_rows() {
        if flags.is_null(row) {
            continue;
        }
        let of_row = flags.value(row);
        let is_unknown = of_row
            .as_string_opt::<i32>()
            .is_some_and(|of_row| of_row.iter().flatten().any(|flag| flag == FLAG));
        if is_unknown {
            let scope = if scopes.is_valid(row) { scopes.value(row) } else { "" };
            tally.add(scope, 1);
        }
    }
}
