//! Can the report be trusted: which share of calls, cost and revenue is priced, attributed and matched.

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use serde::Serialize;

use marginlake_lake::schema::data_quality;

use super::columns::{days, money, percents, texts};
use super::display::{self, count};
use super::margin::{MarginLine, exact};
use crate::allocate::{NO_RATE, UNALLOCATED, UNMATCHED};
use crate::marts::{Window, counts};
use crate::revenue::Amount;

/// One measure of coverage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Share {
    /// Short name, stable for scripts.
    pub name: &'static str,
    /// What it says, for people.
    pub title: &'static str,
    /// The covered part, in `unit`.
    #[serde(serialize_with = "exact")]
    pub part: Amount,
    /// The whole, in `unit`.
    #[serde(serialize_with = "exact")]
    pub whole: Amount,
    /// `calls`, or a currency.
    pub unit: String,
    /// What to do where it is not complete.
    pub advice: &'static str,
}

/// All measures, in the order of the first screen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// The measures.
    pub shares: Vec<Share>,
}

impl Share {
    /// Percent covered, at scale 12; `None` where there is nothing to cover.
    pub fn percent(&self) -> Option<Amount> {
        super::margin::percent(self.part, self.whole)
    }

    /// What is missing, for people: `12 calls`, `$45.00`.
    pub(super) fn missing_text(&self) -> String {
        let missing = self.whole - self.part;
        match self.unit.as_str() {
            "calls" => format!("{} calls", count((missing.scaled() / 10_i128.pow(12)) as i64)),
            currency => display::money(missing, currency),
        }
    }

    /// True if nothing is missing.
    pub fn is_complete(&self) -> bool {
        self.part == self.whole
    }
}

impl Coverage {
    /// The measures as rows of `data_quality`.
    pub(crate) fn rows(&self, window: Window) -> Result<RecordBatch, ArrowError> {
        let shares = || self.shares.iter();
        let count = self.shares.len();
        let columns = vec![
            days(window.to, count),
            days(window.from, count),
            texts(shares().map(|share| share.name)),
            texts(shares().map(|share| share.unit.as_str())),
            money(shares().map(|share| share.part))?,
            money(shares().map(|share| share.whole))?,
            percents(shares().map(Share::percent))?,
        ];
        RecordBatch::try_new(data_quality(), columns)
    }

    pub(super) async fn measure(
        session: &SessionContext,
        by_customer: &[MarginLine],
        by_feature: &[MarginLine],
        currency: &str,
    ) -> Result<Coverage, DataFusionError> {
        let counts = counts(
            session,
            "SELECT sum(calls), sum(calls - unpriced_calls), \
             sum(CASE WHEN customer_id NOT IN ('(unattributed)') THEN calls ELSE 0 END), \
             sum(CASE WHEN feature NOT IN ('(unattributed)') THEN calls ELSE 0 END), \
             sum(calls_with_usage) FROM call_cells",
        )
        .await?;
        let count = |at: usize| Amount::from_scaled(i128::from(counts.get(at).copied().unwrap_or(0)) * 10_i128.pow(12));
        let calls = |name, title, at, advice| Share {
            name,
            title,
            part: count(at),
            whole: count(0),
            unit: "calls".to_owned(),
            advice,
        };
        let ours = |line: &&MarginLine| line.currency == currency;
        let revenue: Amount = by_customer.iter().filter(ours).map(|line| line.figures.revenue).sum();
        let of = |lines: &[MarginLine], key: &str| -> Amount {
            lines
                .iter()
                .filter(ours)
                .filter(|line| line.key == key)
                .map(|line| line.figures.revenue)
                .sum()
        };
        let money = |name, title, part, advice| Share {
            name,
            title,
            part,
            whole: revenue,
            unit: currency.to_owned(),
            advice,
        };
        let idle: Amount = by_customer
            .iter()
            .filter(ours)
            .filter(|line| line.figures.calls == 0 && !line.key.starts_with('('))
            .map(|line| line.figures.revenue)
            .sum();
        let mut shares = vec![
            calls(
                "calls_priced",
                "Calls with a known cost",
                1,
                "add the missing prices: `marginlake prices list`, `marginlake reprice`",
            ),
            calls(
                "calls_with_usage",
                "Calls that report tokens",
                4,
                "turn on usage in streaming responses of the apps concerned",
            ),
            calls(
                "calls_with_customer",
                "Calls with a customer",
                2,
                "set the customer id on the root span, as baggage or as a resource attribute",
            ),
            calls(
                "calls_with_feature",
                "Calls with a feature",
                3,
                "set the feature on the root span or the service",
            ),
            money(
                "revenue_matched",
                "Revenue matched to a customer",
                revenue - of(by_customer, UNMATCHED),
                "name the customers in --customer-map",
            ),
            money(
                "revenue_with_usage",
                "Revenue of customers that used it",
                revenue - idle - of(by_customer, UNMATCHED),
                "check that both sides name customers alike",
            ),
            money(
                "revenue_allocated",
                "Revenue that a feature earned",
                revenue - of(by_feature, UNALLOCATED) - of(by_feature, UNMATCHED),
                "revenue of months without usage stays (unallocated)",
            ),
        ];
        for line in by_customer
            .iter()
            .filter(|line| line.key == NO_RATE && line.currency != currency)
        {
            shares.push(Share {
                name: "revenue_with_rate",
                title: "Amounts with an exchange rate",
                part: Amount::ZERO,
                whole: line.figures.revenue.max(line.figures.cogs()),
                unit: line.currency.clone(),
                advice: "give rates for this currency by --fx",
            });
        }
        shares.retain(|share| !share.whole.is_zero());
        Ok(Coverage { shares })
    }
}
