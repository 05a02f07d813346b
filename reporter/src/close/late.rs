//! What came too late for the figures of a closed month.

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use marginlake_lake::Lake;
use marginlake_lake::schema::Table;

use super::CloseError;
use crate::session::{empty_session, query};

/// A sentence for readers of a report over these days (`2026-10-31`), where calls wait outside of it.
pub(crate) async fn late_note(lake: &Lake, from: &str, to: &str) -> Result<Option<String>, CloseError> {
    let name = Table::CallsLate.name();
    let Some(table) = lake.table(name).await? else {
        return Ok(None);
    };
    let session = empty_session();
    session
        .register_table(name, table.provider().await?)
        .map_err(crate::session::SessionError::from)?;
    let count = format!("SELECT count(*) FROM {name} WHERE date BETWEEN DATE '{from}' AND DATE '{to}'");
    let rows = query(&session, &count).await?;
    let late = rows
        .first()
        .map_or(0, |batch| batch.column(0).as_primitive::<Int64Type>().value(0));
    Ok((late > 0).then(|| {
        format!(
            "{late} calls came or changed after their month was closed: they wait in {name} and are in no figure. \
             `marginlake close MONTH --reopen` lets them in."
        )
    }))
}
