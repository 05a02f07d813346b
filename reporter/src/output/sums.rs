//! The margin marts added up over a report's days, by key: what the outputs show and the findings look at.
//!
//! A mart may have more rows than fit into memory. The engine adds it up by key, and one pass over the sums keeps the few
//! keys that answer a question, and counts.

use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Int64Type};
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use futures::StreamExt;
use marginlake_lake::schema::{MONEY_PRECISION, MONEY_SCALE};

use super::margin::{CostStatus, MarginFigures, MarginLine};
use crate::allocate::Dimension;
use crate::marts::texts;
use crate::revenue::Amount;

/// Keys of a dimension that the outputs get to see; the marts have all of them.
const KEPT: usize = 50;
/// Keys that are kept for each question.
const FEW: usize = 10;
/// Rows in other currencies that are kept.
const FOREIGN: usize = 50;

/// The keys of one dimension, of which a few are kept.
#[derive(Debug)]
pub(crate) struct Sums {
    /// The largest revenue or cost first.
    largest: Top,
    /// Rows in brackets, in the report's currency.
    pub(crate) own: BTreeMap<String, MarginFigures>,
    /// Rows in other currencies, which are in no total.
    pub(crate) foreign: Vec<MarginLine>,
    /// How many keys there are, rows in brackets not counted, in any currency.
    named: usize,
    /// Everything in the report's currency.
    pub(crate) all: MarginFigures,
    /// Keys that pay.
    pub(crate) paying: MarginFigures,
    /// Keys that pay and make no call.
    pub(crate) idle: MarginFigures,
    /// Keys of which some cost is known.
    pub(crate) known: i64,
    /// Keys that cost more than they pay.
    pub(crate) losing: i64,
    pub(crate) of_losing: MarginFigures,
    /// Keys that use something and pay nothing.
    pub(crate) free: i64,
    pub(crate) of_free: MarginFigures,
    pub(crate) dearest_free: Top,
    /// The largest gross margins, and the largest losses: of keys whose cost is known; then of all rows, brackets too, and of
    /// those that are not free.
    pub(crate) best: Top,
    pub(crate) worst: Top,
    pub(crate) losses: Top,
    pub(crate) losses_not_free: Top,
    /// The dearest keys that use something.
    pub(crate) dearest: Top,
    /// What each key that pays and uses something costs.
    costs: Vec<Amount>,
}

impl Sums {
    /// Adds up the mart of a dimension; the session must have it.
    pub(crate) async fn of(session: &SessionContext, dimension: Dimension, currency: &str) -> Result<Sums, DataFusionError> {
        let mut sums = Sums::empty();
        let mut rows = session.sql(&sums_of(dimension)).await?.execute_stream().await?;
        while let Some(batch) = rows.next().await {
            let batch = batch?;
            let (keys, currencies) = (texts(&batch, 0)?, texts(&batch, 1)?);
            let measures = Measures::of(&batch)?;
            for row in 0..batch.num_rows() {
                let line = MarginLine {
                    key: keys.value(row).to_owned(),
                    currency: currencies.value(row).to_owned(),
                    figures: measures.figures(row),
                };
                sums.add(line, currency, dimension == Dimension::Customer);
            }
        }
        // The engine gives groups in any order.
        sums.foreign
            .sort_by(|left, right| (&left.currency, &left.key).cmp(&(&right.currency, &right.key)));
        sums.costs.sort_unstable();
        Ok(sums)
    }

    fn empty() -> Sums {
        let by_margin = |line: &MarginLine| line.figures.gross_margin();
        Sums {
            largest: Top::new(KEPT, |line| line.figures.revenue.max(line.figures.cogs())),
            own: BTreeMap::new(),
            foreign: Vec::new(),
            named: 0,
            all: MarginFigures::default(),
            paying: MarginFigures::default(),
            idle: MarginFigures::default(),
            known: 0,
            losing: 0,
            of_losing: MarginFigures::default(),
            free: 0,
            of_free: MarginFigures::default(),
            dearest_free: Top::new(1, |line| line.figures.cogs()),
            best: Top::new(FEW, by_margin),
            worst: Top::new(FEW, |line| -line.figures.gross_margin()),
            losses: Top::new(FEW, |line| -line.figures.gross_margin()),
            losses_not_free: Top::new(FEW, |line| -line.figures.gross_margin()),
            dearest: Top::new(FEW, |line| line.figures.cogs()),
            costs: Vec::new(),
        }
    }

    fn add(&mut self, line: MarginLine, currency: &str, with_costs: bool) {
        let is_named = !line.key.starts_with('(');
        if is_named {
            self.named += 1;
            self.largest.add(&line);
        }
        if line.currency != currency {
            if self.foreign.len() < FOREIGN {
                self.foreign.push(line);
            }
            return;
        }
        let figures = &line.figures;
        self.all.add(figures);
        let (pays, loses) = (figures.revenue > Amount::ZERO, figures.gross_margin().is_negative());
        let is_free = is_named && line.is_used() && !pays && loses;
        if loses {
            self.losses.add(&line);
            if !is_free {
                self.losses_not_free.add(&line);
            }
        }
        if !is_named {
            self.own.insert(line.key, line.figures);
            return;
        }
        if !figures.revenue.is_zero() {
            self.paying.add(figures);
            if figures.calls == 0 {
                self.idle.add(figures);
            }
        }
        if pays && line.is_used() && with_costs {
            self.costs.push(figures.cogs());
        }
        if line.is_used() {
            self.dearest.add(&line);
        }
        if is_free {
            self.free += 1;
            self.of_free.add(figures);
            self.dearest_free.add(&line);
        }
        if figures.cost_status != CostStatus::Unknown {
            self.known += 1;
            if loses {
                self.losing += 1;
                self.of_losing.add(figures);
                self.worst.add(&line);
            } else if figures.gross_margin() > Amount::ZERO {
                self.best.add(&line);
            }
        }
    }

    /// What the outputs show: the largest, then the rows in brackets; and how many more keys there are.
    pub(crate) fn shown(&self, currency: &str) -> (Vec<MarginLine>, i64) {
        let mut lines = self.largest.lines().to_vec();
        let more = self.named.saturating_sub(lines.len()) as i64;
        let mut own: Vec<MarginLine> = self
            .own
            .iter()
            .map(|(key, figures)| MarginLine {
                key: key.clone(),
                currency: currency.to_owned(),
                figures: figures.clone(),
            })
            .chain(self.foreign.iter().filter(|line| line.key.starts_with('(')).cloned())
            .collect();
        own.sort_by(|left, right| {
            let weight = |line: &MarginLine| Reverse(line.figures.revenue.max(line.figures.cogs()));
            (weight(left), &left.key, &left.currency).cmp(&(weight(right), &right.key, &right.currency))
        });
        lines.extend(own);
        (lines, more)
    }

    /// The cost of the customer in the middle of those that pay and use something.
    pub(crate) fn median_cost(&self) -> Option<Amount> {
        self.costs.get(self.costs.len() / 2).copied()
    }
}

/// The lines with the largest of something.
#[derive(Debug)]
pub(crate) struct Top {
    most: usize,
    of: fn(&MarginLine) -> Amount,
    lines: Vec<MarginLine>,
}

impl Top {
    fn new(most: usize, of: fn(&MarginLine) -> Amount) -> Top {
        Top {
            most,
            of,
            lines: Vec::new(),
        }
    }

    fn add(&mut self, line: &MarginLine) {
        let order = |left: &MarginLine, right: &MarginLine| -> Ordering {
            let key = |line: &MarginLine| Reverse((self.of)(line));
            (key(left), &left.key, &left.currency).cmp(&(key(right), &right.key, &right.currency))
        };
        let at = self.lines.partition_point(|kept| order(kept, line).is_lt());
        if at < self.most {
            self.lines.insert(at, line.clone());
            self.lines.truncate(self.most);
        }
    }

    /// The largest first; of equals the first by key.
    pub(crate) fn lines(&self) -> &[MarginLine] {
        &self.lines
    }
}

/// A mart by key and currency. What is known of costs together: see [`CostStatus`].
fn sums_of(dimension: Dimension) -> String {
    format!(
        "SELECT {key} AS key, currency, sum(revenue) AS revenue, sum(revenue_allocated) AS revenue_allocated, \
         sum(model_cost) AS model_cost, sum(other_cogs) AS other_cogs, sum(variable_cost) AS variable_cost, \
         sum(not_cogs_cost) AS not_cogs_cost, sum(calls) AS calls, sum(input_tokens) AS input_tokens, \
         sum(output_tokens) AS output_tokens, sum(unpriced_calls) AS unpriced_calls, \
         min(nullif(cost_status, 'no_usage')) AS cost_status, max(nullif(cost_status, 'no_usage')) AS other_status \
         FROM margin_by_{name} GROUP BY {key}, currency",
        key = dimension.key_column(),
        name = dimension.name()
    )
}

/// The measures of a margin mart's rows, or of sums over them, however the engine keeps them.
pub(crate) struct Measures {
    amounts: [Option<ArrayRef>; AMOUNTS.len()],
    counts: [Option<ArrayRef>; COUNTS.len()],
    statuses: Option<StringArray>,
    other_statuses: Option<StringArray>,
}

const AMOUNTS: [&str; 6] = [
    "revenue",
    "revenue_allocated",
    "model_cost",
    "other_cogs",
    "variable_cost",
    "not_cogs_cost",
];
const COUNTS: [&str; 4] = ["calls", "input_tokens", "output_tokens", "unpriced_calls"];
const STATUS: &str = "cost_status";

/// The columns of a margin mart that [`MarginFigures`] are made of.
pub(crate) fn measured() -> impl Iterator<Item = &'static str> {
    AMOUNTS.into_iter().chain(COUNTS).chain([STATUS])
}

impl Measures {
    pub(crate) fn of(rows: &RecordBatch) -> Result<Measures, DataFusionError> {
        let column = |name: &str, data_type: &DataType| -> Result<Option<ArrayRef>, DataFusionError> {
            Ok(rows.column_by_name(name).map(|column| cast(column, data_type)).transpose()?)
        };
        let money = DataType::Decimal128(MONEY_PRECISION, MONEY_SCALE);
        let text = |name: &str| {
            let texts = column(name, &DataType::Utf8)?;
            Ok::<_, DataFusionError>(texts.map(|texts| texts.as_string::<i32>().clone()))
        };
        let mut amounts = [const { None }; AMOUNTS.len()];
        for (amount, name) in amounts.iter_mut().zip(AMOUNTS) {
            *amount = column(name, &money)?;
        }
        let mut counts = [const { None }; COUNTS.len()];
        for (count, name) in counts.iter_mut().zip(COUNTS) {
            *count = column(name, &DataType::Int64)?;
        }
        Ok(Measures {
            amounts,
            counts,
            statuses: text(STATUS)?,
            other_statuses: text("other_status")?,
        })
    }

    pub(crate) fn figures(&self, row: usize) -> MarginFigures {
        let [
            revenue,
            revenue_allocated,
            model_cost,
            other_cogs,
            variable_cost,
            not_cogs_cost,
        ] = self.amounts.each_ref().map(|column| {
            let column = column.as_ref().map(|column| column.as_primitive::<Decimal128Type>());
            let column = column.filter(|column| column.is_valid(row));
            column.map_or(Amount::ZERO, |column| Amount::from_scaled(column.value(row)))
        });
        let [calls, input_tokens, output_tokens, unpriced_calls] = self.counts.each_ref().map(|column| {
            let column = column.as_ref().map(|column| column.as_primitive::<Int64Type>());
            column
                .filter(|column| column.is_valid(row))
                .map_or(0, |column| column.value(row))
        });
        let status = |statuses: &Option<StringArray>| {
            let statuses = statuses.as_ref().filter(|statuses| statuses.is_valid(row));
            statuses.map_or(CostStatus::NoUsage, |statuses| CostStatus::parse(statuses.value(row)))
        };
        MarginFigures {
            revenue,
            revenue_allocated,
            model_cost,
            other_cogs,
            variable_cost,
            not_cogs_cost,
            calls,
            input_tokens,
            output_tokens,
            unpriced_calls,
            cost_status: status(&self.statuses).and(status(&self.other_statuses)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(key: &str, revenue: i128, cost: i128) -> MarginLine {
        let figures = MarginFigures {
            revenue: Amount::from_scaled(revenue),
            model_cost: Amount::from_scaled(cost),
            calls: i64::from(cost > 0),
            cost_status: if cost > 0 { CostStatus::Known } else { CostStatus::NoUsage },
            ..MarginFigures::default()
        };
        MarginLine {
            key: key.to_owned(),
            currency: "USD".to_owned(),
            figures,
        }
    }

    fn sums(lines: &[MarginLine]) -> Sums {
        let mut sums = Sums::empty();
        lines.iter().for_each(|line| sums.add(line.clone(), "USD", true));
        sums.costs.sort_unstable();
        sums
    }

    #[test]
    fn one_pass_answers_who_loses_and_who_is_free() {
        let all = [
            line("a", 100, 10),
            line("b", 5, 30),
            line("free-1", 0, 7),
            line("idle", 50, 0),
            line("(unmatched)", 20, 0),
            line("(unattributed)", 0, 9),
        ];
        let keys = |top: &Top| top.lines().iter().map(|line| line.key.clone()).collect::<Vec<_>>();
        let forward = sums(&all);
        let mut reversed = all.clone();
        reversed.reverse();
        for sums in [forward, sums(&reversed)] {
            assert_eq!((sums.known, sums.losing, sums.free), (4, 2, 1));
            assert_eq!(sums.of_losing.gross_margin(), Amount::from_scaled(-32));
            assert_eq!(keys(&sums.losses_not_free), ["b", "(unattributed)"]);
            assert_eq!(keys(&sums.worst), ["b", "free-1"]);
            assert_eq!(sums.idle.revenue, Amount::from_scaled(50));
            assert_eq!(sums.median_cost(), Some(Amount::from_scaled(30)));
            let (shown, more) = sums.shown("USD");
            let shown: Vec<&str> = shown.iter().map(|line| line.key.as_str()).collect();
            assert_eq!(shown, ["a", "idle", "b", "free-1", "(unmatched)", "(unattributed)"]);
            assert_eq!(more, 0);
        }
    }

    #[test]
    fn what_is_not_kept_is_counted() {
        let many: Vec<MarginLine> = (0..200).map(|at| line(&format!("c{at:03}"), at, 1)).collect();
        let sums = sums(&many);
        let (shown, more) = sums.shown("USD");
        assert_eq!((shown.len(), shown[0].key.as_str(), more), (50, "c199", 150));
        assert_eq!(sums.losing, 1);
    }
}
