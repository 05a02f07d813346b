//! What one customer, user, conversation or task costs: the average hides the whale, so here is the distribution.
//!
//! Over units of which some cost is known; how many of them have calls without a price is said. Percentiles are by nearest rank: each is the cost of a unit that exists.

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use marginlake_lake::schema::unit_costs;
use serde::Serialize;

use super::columns::{counts, days, money, percents, texts};
use super::margin::{CostStatus, MarginLine, exact, percent};
use crate::marts::Window;
use crate::revenue::Amount;

/// The distribution of cost over the units of one kind, over the report's days.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnitCost {
    /// customer, user, conversation, task.
    pub unit: &'static str,
    /// Units with a known cost.
    pub units: u64,
    /// Units with calls that have no price: in the figures with the rest of their cost, or not at all if there is none.
    pub units_with_unpriced_calls: u64,
    /// Average.
    #[serde(serialize_with = "exact")]
    pub mean: Amount,
    /// Half of the units cost at most this.
    #[serde(serialize_with = "exact")]
    pub p50: Amount,
    /// Nine of ten cost at most this.
    #[serde(serialize_with = "exact")]
    pub p90: Amount,
    /// 95 of a hundred cost at most this.
    #[serde(serialize_with = "exact")]
    pub p95: Amount,
    /// 99 of a hundred cost at most this.
    #[serde(serialize_with = "exact")]
    pub p99: Amount,
    /// Cost of the most expensive 1 % of units, in percent of all.
    #[serde(serialize_with = "exact")]
    pub top_1_pct: Amount,
    /// The same of 5 %.
    #[serde(serialize_with = "exact")]
    pub top_5_pct: Amount,
    /// The same of 10 %.
    #[serde(serialize_with = "exact")]
    pub top_10_pct: Amount,
    /// Units that cost more than they earn.
    pub below_zero: u64,
    /// What those lose together.
    #[serde(serialize_with = "exact")]
    pub lost: Amount,
}

impl UnitCost {
    /// The distribution over `lines`; `None` where no unit has a known cost.
    pub(super) fn of(unit: &'static str, lines: &[MarginLine], currency: &str) -> Option<UnitCost> {
        let used: Vec<&MarginLine> = lines
            .iter()
            .filter(|line| line.is_used() && line.currency == currency)
            .collect();
        let known: Vec<&&MarginLine> = used
            .iter()
            .filter(|line| line.figures.cost_status != CostStatus::Unknown)
            .collect();
        let mut costs: Vec<Amount> = known.iter().map(|line| line.figures.cogs()).collect();
        costs.sort();
        let count = costs.len();
        let total: Amount = costs.iter().copied().sum();
        let rank = |percent: usize| costs.get((count * percent).div_ceil(100).saturating_sub(1)).copied();
        let top = |share: usize| {
            let dearest = costs.iter().rev().take((count * share).div_ceil(100)).copied().sum();
            percent(dearest, total).unwrap_or_default()
        };
        let losing = || {
            known
                .iter()
                .map(|line| line.figures.gross_margin())
                .filter(|margin| margin.is_negative())
        };
        Some(UnitCost {
            unit,
            units: count as u64,
            units_with_unpriced_calls: used.iter().filter(|line| line.figures.unpriced_calls > 0).count() as u64,
            mean: total.ratio(1, count as i128)?,
            p50: rank(50)?,
            p90: rank(90)?,
            p95: rank(95)?,
            p99: rank(99)?,
            top_1_pct: top(1),
            top_5_pct: top(5),
            top_10_pct: top(10),
            below_zero: losing().count() as u64,
            lost: -losing().sum::<Amount>(),
        })
    }
}

/// The distributions as rows of `unit_costs`.
pub(crate) fn rows(units: &[UnitCost], currency: &str, window: Window) -> Result<RecordBatch, ArrowError> {
    let all = || units.iter();
    let columns = vec![
        days(window.to, units.len()),
        days(window.from, units.len()),
        texts(all().map(|unit| unit.unit)),
        texts(all().map(|_| currency)),
        counts(all().map(|unit| unit.units)),
        counts(all().map(|unit| unit.units_with_unpriced_calls)),
        money(all().map(|unit| unit.mean))?,
        money(all().map(|unit| unit.p50))?,
        money(all().map(|unit| unit.p90))?,
        money(all().map(|unit| unit.p95))?,
        money(all().map(|unit| unit.p99))?,
        percents(all().map(|unit| Some(unit.top_1_pct)))?,
        percents(all().map(|unit| Some(unit.top_5_pct)))?,
        percents(all().map(|unit| Some(unit.top_10_pct)))?,
        counts(all().map(|unit| unit.below_zero)),
        money(all().map(|unit| unit.lost))?,
    ];
    RecordBatch::try_new(unit_costs(), columns)
}

#[cfg(test)]
mod tests {
    use super::super::margin::MarginFigures;
    use super::*;

    #[test]
    fn percentiles_are_costs_of_units_that_exist() {
        let line = |cost: i128, status| MarginLine {
            key: format!("u{cost}"),
            currency: "USD".to_owned(),
            figures: MarginFigures {
                model_cost: Amount::from_scaled(cost * 10_i128.pow(12)),
                revenue: Amount::from_scaled(50 * 10_i128.pow(12)),
                cost_status: status,
                ..MarginFigures::default()
            },
        };
        let mut lines: Vec<MarginLine> = (1..=100).map(|cost| line(cost, CostStatus::Known)).collect();
        let mut unknown = line(1_000_000, CostStatus::Unknown);
        unknown.figures.unpriced_calls = 3;
        lines.push(unknown);
        let unit = UnitCost::of("user", &lines, "USD").unwrap();
        let texts = [unit.mean, unit.p50, unit.p90, unit.p99, unit.lost].map(|amount| amount.to_string());
        assert_eq!(texts, ["50.5", "50", "90", "99", "1275"]);
        assert_eq!((unit.units, unit.units_with_unpriced_calls, unit.below_zero), (100, 1, 50));
        assert_eq!(unit.top_1_pct.rounded(6), "1.980198");
        assert_eq!(UnitCost::of("user", &[], "USD"), None);
    }
}
