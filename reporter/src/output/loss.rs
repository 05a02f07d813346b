//! Who and what loses money, why, and what it would take.

use arrow::array::AsArray;
use arrow::datatypes::Decimal128Type;
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use serde::Serialize;

use super::display::{money, percent_text};
use super::margin::{MarginFigures, MarginLine, exact, percent};
use crate::allocate::{Dimension, UNATTRIBUTED};
use crate::revenue::Amount;

/// Rows on the first screen.
const SHOWN: usize = 10;

/// A key that costs more than it earns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Loss {
    /// `customer`, `feature`, `model`.
    pub dimension: &'static str,
    /// Key.
    pub key: String,
    /// How much it lost, positive.
    #[serde(serialize_with = "exact")]
    pub lost: Amount,
    /// The same for a month of 30 days.
    #[serde(serialize_with = "exact")]
    pub lost_per_month: Amount,
    /// Why.
    pub cause: String,
    /// What to do, with what it is worth.
    pub lever: String,
}

/// The largest losses over all dimensions, customers first where they are equal.
pub(super) async fn losses(
    session: &SessionContext,
    lines: &[(Dimension, &[MarginLine])],
    days: i128,
) -> Result<Vec<Loss>, DataFusionError> {
    let mut losing: Vec<(Dimension, &MarginLine)> = Vec::new();
    for (dimension, lines) in lines {
        // A model has no revenue of its own: its margin follows from who uses it.
        if *dimension != Dimension::Model {
            losing.extend(
                lines
                    .iter()
                    .filter(|line| line.figures.gross_margin().is_negative())
                    .map(|line| (*dimension, line)),
            );
        }
    }
    losing.sort_by_key(|(dimension, line)| (line.figures.gross_margin(), *dimension, line.key.clone()));
    losing.truncate(SHOWN);
    let mut losses = Vec::new();
    for (dimension, line) in losing {
        let driver = driver(session, dimension, line).await?;
        losses.push(loss(dimension, line, driver, days));
    }
    Ok(losses)
}

/// The model that costs a key most, with its cost.
async fn driver(
    session: &SessionContext,
    dimension: Dimension,
    line: &MarginLine,
) -> Result<Option<(String, Amount)>, DataFusionError> {
    let sql = format!(
        "SELECT CAST(model AS VARCHAR) AS model, sum(model_cost) AS cost FROM call_facts WHERE {} = '{}' AND currency = '{}' \
         GROUP BY model HAVING sum(model_cost) IS NOT NULL ORDER BY cost DESC, model LIMIT 1",
        dimension.key_column(),
        line.key.replace('\'', "''"),
        line.currency
    );
    let batches = session.sql(&sql).await?.collect().await?;
    let Some(batch) = batches.iter().find(|batch| batch.num_rows() > 0) else {
        return Ok(None);
    };
    let model = arrow::compute::cast(batch.column(0), &arrow::datatypes::DataType::Utf8)?;
    let cost = batch.column(1).as_primitive::<Decimal128Type>().value(0);
    Ok(Some((
        model.as_string::<i32>().value(0).to_owned(),
        Amount::from_scaled(cost),
    )))
}

fn loss(dimension: Dimension, line: &MarginLine, driver: Option<(String, Amount)>, days: i128) -> Loss {
    let figures = &line.figures;
    let lost = -figures.gross_margin();
    let lost_per_month = lost.ratio(30, days).unwrap_or(lost);
    let money = |amount| money(amount, &line.currency);
    let mostly = driver.and_then(|(model, cost)| Some((model, percent(cost, figures.cogs())?)));
    let mostly_text = mostly.as_ref().map_or(String::new(), |(model, share)| {
        format!("; {} of its cost is {model}", percent_text(Some(*share)))
    });
    let (cause, lever) = match (dimension, line.key.as_str()) {
        (Dimension::Customer, UNATTRIBUTED) => (
            format!("{} calls name no customer{mostly_text}", figures.calls),
            format!(
                "set the customer id on these calls: {} a month is charged to nobody",
                money(lost_per_month)
            ),
        ),
        (_, UNATTRIBUTED) => (
            format!("{} calls name no {}{mostly_text}", figures.calls, dimension.name()),
            format!(
                "set the {} on these calls: {} a month cannot be judged",
                dimension.name(),
                money(lost_per_month)
            ),
        ),
        _ if figures.revenue <= Amount::ZERO => (
            format!("uses {} and pays nothing{mostly_text}", money(figures.cogs())),
            format!(
                "cap free use or move it to a plan of at least {} a month",
                money(figures.cogs().ratio(30, days).unwrap_or_default())
            ),
        ),
        _ => (
            format!(
                "costs {} of what it earns{mostly_text}",
                percent_text(percent(figures.cogs(), figures.revenue))
            ),
            lever(figures, mostly.as_ref(), lost_per_month, &money),
        ),
    };
    Loss {
        dimension: dimension.name(),
        key: line.key.clone(),
        lost,
        lost_per_month,
        cause,
        lever,
    }
}

fn lever(
    figures: &MarginFigures,
    mostly: Option<&(String, Amount)>,
    lost_per_month: Amount,
    money: &dyn Fn(Amount) -> String,
) -> String {
    let break_even = format!("earn {} more a month to break even", money(lost_per_month));
    let needed = percent(-figures.gross_margin(), figures.cogs());
    let Some(((model, share), needed)) = mostly.zip(needed) else {
        return break_even;
    };
    if needed > *share {
        return break_even;
    }
    format!(
        "{break_even}, or cut cost by {}: start with {model}",
        percent_text(Some(needed))
    )
}
