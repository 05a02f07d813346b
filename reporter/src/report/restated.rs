//! `restated_days`: what a run says about days that an earlier run published otherwise, for late calls, prices or revenue.
//!
//! A run that is made again finds the rows that it wrote the first time, so that the same inputs give the same files.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Date32Type, Decimal128Type};
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use marginlake_lake::schema::restated_days;
use marginlake_lake::{Lake, Table};

use super::ReportError;
use crate::marts::{Window, counts, replace_table, rows};
use crate::output::MovedDay;
use crate::revenue::Amount;
use crate::revenue::time::{Day, day_text};
use crate::session::{empty_session, published_versions};

/// The table.
pub(super) const NAME: &str = "restated_days";

/// Days that are shown one by one.
const SHOWN: usize = 10;

const MOVED: &str = "
    SELECT published.date, RUN AS run_id, published.currency, published.measure, published.amount AS before,
           coalesce(fresh.amount, 0) AS after, coalesce(fresh.amount, 0) - published.amount AS moved
    FROM published_days AS published
    LEFT JOIN fresh_days AS fresh
        ON fresh.date = published.date AND fresh.currency = published.currency AND fresh.measure = published.measure
    WHERE coalesce(fresh.amount, 0) <> published.amount
    ORDER BY published.date, published.currency, published.measure";

/// One row a measure of each day.
fn measures(table: &str) -> String {
    let of = |measure: &str| {
        format!("SELECT date, currency, '{measure}' AS measure, CAST({measure} AS DECIMAL(38, 12)) AS amount FROM {table}")
    };
    let all = [
        "revenue",
        "model_cost",
        "other_cogs",
        "variable_cost",
        "not_cogs_cost",
        "calls",
    ]
    .map(of);
    all.join(" UNION ALL ")
}

/// What a run restates, and the rows of earlier runs, which stay.
pub(super) struct Restated {
    pub(super) own: RecordBatch,
    pub(super) earlier: RecordBatch,
}

impl Restated {
    /// Compares `daily`, a run's rows of `margin_daily`, with what that table holds.
    pub(super) async fn by(lake: &Lake, daily: &RecordBatch, window: Window, run_id: &str) -> Result<Restated, ReportError> {
        let schema = restated_days();
        let session = empty_session();
        let (mut own, mut earlier) = (
            RecordBatch::new_empty(Arc::clone(&schema)),
            RecordBatch::new_empty(Arc::clone(&schema)),
        );
        if let Some(table) = lake.table(NAME).await? {
            session.register_table(NAME, table.provider().await?)?;
            let of =
                |is: &str| format!("SELECT * FROM {NAME} WHERE run_id {is} '{run_id}' ORDER BY run_id, date, currency, measure");
            own = rows(&session, &of("="), &schema).await?;
            earlier = rows(&session, &of("<>"), &schema).await?;
        }
        // What readers saw: a run that died after it wrote the table published nothing.
        let versions = published_versions(lake).await?;
        let published = match versions.get("margin_daily") {
            Some(version) => lake.table_at("margin_daily", *version).await?,
            None => None,
        };
        let Some(published) = published else {
            return Ok(Restated { own, earlier });
        };
        if has_run(lake, run_id).await? {
            return Ok(Restated { own, earlier });
        }
        session.register_table("margin_daily", published.provider().await?)?;
        let days = format!(
            "SELECT * FROM margin_daily WHERE date BETWEEN DATE '{}' AND DATE '{}'",
            day_text(window.from),
            day_text(window.to)
        );
        view(&session, "published", &days).await?;
        replace_table(&session, "fresh", vec![daily.clone()], daily.schema())?;
        view(&session, "published_days", &measures("published")).await?;
        view(&session, "fresh_days", &measures("fresh")).await?;
        let own = rows(&session, &MOVED.replace("RUN", &format!("'{run_id}'")), &schema).await?;
        Ok(Restated { own, earlier })
    }

    /// The days that moved most, at most [`SHOWN`], and how many moved.
    pub(super) fn days(&self, currency: &str) -> (Vec<MovedDay>, usize) {
        let (currencies, measures) = (self.own.column(2).as_string::<i32>(), self.own.column(3).as_string::<i32>());
        let moved = self.own.column(6).as_primitive::<Decimal128Type>();
        let dates = self.own.column(0).as_primitive::<Date32Type>();
        let mut days: BTreeMap<Day, [Amount; 3]> = BTreeMap::new();
        for row in (0..self.own.num_rows()).filter(|row| currencies.value(*row) == currency) {
            let day = days.entry(dates.value(row)).or_default();
            let amount = Amount::from_scaled(moved.value(row));
            match measures.value(row) {
                "revenue" => day[0] += amount,
                "model_cost" | "other_cogs" => day[1] += amount,
                "calls" => day[2] += amount,
                _ => {}
            }
        }
        let count = days.len();
        let mut days: Vec<(Day, [Amount; 3])> = days.into_iter().collect();
        days.sort_by_key(|(day, [revenue, cogs, _])| {
            let size = revenue.scaled().unsigned_abs().max(cogs.scaled().unsigned_abs());
            (std::cmp::Reverse(size), *day)
        });
        let shown = days.into_iter().take(SHOWN).map(|(day, [revenue, cogs, calls])| MovedDay {
            day: day_text(day),
            revenue,
            cogs,
            calls,
        });
        (shown.collect(), count)
    }

    /// What moved, in a sentence; `None` where nothing did.
    pub(super) fn warning(&self, currency: &str) -> Option<String> {
        let (currencies, measures) = (self.own.column(2).as_string::<i32>(), self.own.column(3).as_string::<i32>());
        let moved = self.own.column(6).as_primitive::<Decimal128Type>();
        let days = self.own.column(0).as_primitive::<Date32Type>();
        let of_currency = || (0..self.own.num_rows()).filter(|row| currencies.value(*row) == currency);
        let sum = |wanted: &str| -> Amount {
            let rows = of_currency().filter(|row| measures.value(*row) == wanted);
            rows.map(|row| Amount::from_scaled(moved.value(row))).sum()
        };
        let count = of_currency().map(|row| days.value(row)).collect::<BTreeSet<_>>().len();
        (count > 0).then(|| {
            format!(
                "{count} days that were reported before have moved: revenue by {}, cost of goods by {} {currency} (restated_days).",
                sum("revenue").rounded(2),
                (sum("model_cost") + sum("other_cogs")).rounded(2)
            )
        })
    }
}

async fn has_run(lake: &Lake, run_id: &str) -> Result<bool, ReportError> {
    let Some(manifest) = lake.table(Table::RunManifest.name()).await? else {
        return Ok(false);
    };
    let session = empty_session();
    session.register_table("runs", manifest.provider().await?)?;
    let known = counts(&session, &format!("SELECT count(*) FROM runs WHERE run_id = '{run_id}'")).await?;
    Ok(known.first().is_some_and(|known| *known > 0))
}

async fn view(session: &SessionContext, name: &str, sql: &str) -> Result<(), DataFusionError> {
    let view = session.sql(sql).await?.into_view();
    session.register_table(name, view)?;
    Ok(())
}
