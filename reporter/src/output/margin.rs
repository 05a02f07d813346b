//! Margin figures read from a mart's rows and added up over its days.

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Date32Type;
use serde::{Serialize, Serializer};

use super::sums::Measures;
use crate::revenue::Amount;
use crate::revenue::time::Day;

/// The measures of a margin mart, summed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct MarginFigures {
    /// Net revenue.
    #[serde(serialize_with = "exact")]
    pub revenue: Amount,
    /// The part of it that is an allocation.
    #[serde(serialize_with = "exact")]
    pub revenue_allocated: Amount,
    /// Cost of model calls, as far as known.
    #[serde(serialize_with = "exact")]
    pub model_cost: Amount,
    /// Other cost of goods sold, as far as known.
    #[serde(serialize_with = "exact")]
    pub other_cogs: Amount,
    /// Variable cost outside of COGS.
    #[serde(serialize_with = "exact")]
    pub variable_cost: Amount,
    /// Cost that is in no margin.
    #[serde(serialize_with = "exact")]
    pub not_cogs_cost: Amount,
    /// Model calls.
    pub calls: i64,
    /// Input tokens, cached ones included; as far as reported.
    pub input_tokens: i64,
    /// Output tokens, reasoning included; as far as reported.
    pub output_tokens: i64,
    /// Calls whose cost is not known.
    pub unpriced_calls: i64,
    /// What is known of the cost.
    pub cost_status: CostStatus,
}

/// What is known of a cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CostStatus {
    /// There was nothing that costs.
    #[default]
    NoUsage,
    /// Every call has a price.
    Known,
    /// Some calls have none: the cost is at least this.
    LowerBound,
    /// No call has a price.
    Unknown,
}

/// One key of a dimension.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MarginLine {
    /// Key, or a row of its own in brackets.
    pub key: String,
    /// Currency of the amounts.
    pub currency: String,
    /// Its figures.
    #[serde(flatten)]
    pub figures: MarginFigures,
}

impl MarginLine {
    /// True for a key that calls name, false for rows in brackets and for keys that only revenue names.
    pub fn is_used(&self) -> bool {
        !self.key.starts_with('(') && self.figures.cost_status != CostStatus::NoUsage
    }
}

/// Writes the exact decimal text.
pub(crate) fn exact<S: Serializer>(amount: &Amount, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(amount)
}

impl CostStatus {
    pub(super) fn parse(text: &str) -> CostStatus {
        match text {
            "known" => CostStatus::Known,
            "lower_bound" => CostStatus::LowerBound,
            "unknown" => CostStatus::Unknown,
            _ => CostStatus::NoUsage,
        }
    }

    /// What is known of two costs together.
    pub(super) fn and(self, other: CostStatus) -> CostStatus {
        match (self, other) {
            (CostStatus::NoUsage, status) | (status, CostStatus::NoUsage) => status,
            (left, right) if left == right => left,
            _ => CostStatus::LowerBound,
        }
    }
}

impl MarginFigures {
    /// Revenue less cost of goods sold, over what is known.
    pub fn gross_margin(&self) -> Amount {
        self.revenue - self.cogs()
    }

    /// Cost of goods sold, as far as known.
    pub fn cogs(&self) -> Amount {
        self.model_cost + self.other_cogs
    }

    /// Gross margin less variable cost.
    pub fn contribution_margin(&self) -> Amount {
        self.gross_margin() - self.variable_cost
    }

    /// Gross margin in percent of revenue, at scale 12; `None` unless revenue is positive.
    pub fn gross_margin_pct(&self) -> Option<Amount> {
        percent(self.gross_margin(), self.revenue)
    }

    /// Adds another's figures.
    pub fn add(&mut self, other: &MarginFigures) {
        self.revenue += other.revenue;
        self.revenue_allocated += other.revenue_allocated;
        self.model_cost += other.model_cost;
        self.other_cogs += other.other_cogs;
        self.variable_cost += other.variable_cost;
        self.not_cogs_cost += other.not_cogs_cost;
        self.calls += other.calls;
        self.input_tokens += other.input_tokens;
        self.output_tokens += other.output_tokens;
        self.unpriced_calls += other.unpriced_calls;
        self.cost_status = self.cost_status.and(other.cost_status);
    }
}

/// `100 * part / whole` at scale 12; `None` unless `whole` is positive.
pub(crate) fn percent(part: Amount, whole: Amount) -> Option<Amount> {
    (whole > Amount::ZERO)
        .then(|| part.ratio(100 * 10_i128.pow(12), whole.scaled()))
        .flatten()
}

/// Visits the rows of a mart: day, key (empty without a key column), currency, figures.
pub(crate) fn visit(rows: &RecordBatch, key_column: Option<&str>, mut each: impl FnMut(Day, &str, &str, MarginFigures)) {
    let text = |name: &str| rows.column_by_name(name).map(|column| column.as_string::<i32>());
    let days = rows.column(0).as_primitive::<Date32Type>();
    let (keys, currencies) = (key_column.and_then(text), text("currency"));
    let measures = Measures::of(rows).expect("a mart has the types of its schema");
    for row in 0..rows.num_rows() {
        each(
            days.value(row),
            keys.map_or("", |keys| keys.value(row)),
            currencies.map_or("", |currencies| currencies.value(row)),
            measures.figures(row),
        );
    }
}
