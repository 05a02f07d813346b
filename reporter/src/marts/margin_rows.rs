//! Rows of a margin mart from their sums: what the last SELECT of `margin_by_*.sql` says, column by column.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Builder, Decimal128Builder, Int64Builder, RecordBatch, StringBuilder};
use arrow::datatypes::SchemaRef;
use datafusion::error::DataFusionError;
use marginlake_lake::schema::{MONEY_PRECISION, MONEY_SCALE};

use super::functions::{PERCENT_SCALE, percent_of};
use crate::revenue::money::multiply_divide_half_even;
use crate::revenue::time::Day;

/// Rows of one batch.
const BATCH_ROWS: usize = 32_768;
/// Bytes of a text, about.
const TEXT_BYTES: usize = 16;

/// How the revenue of a row came to its key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Method {
    /// There is none.
    #[default]
    None,
    One(&'static str),
    Mixed,
}

/// The sums of a row. What no call reports is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct MarginSums {
    pub(super) revenue: i128,
    pub(super) revenue_allocated: i128,
    pub(super) method: Method,
    pub(super) model_cost: i128,
    pub(super) other_cogs: i128,
    pub(super) variable_cost: i128,
    pub(super) not_cogs_cost: i128,
    pub(super) spread_cost: i128,
    pub(super) error_cost: i128,
    pub(super) calls: i64,
    pub(super) input_tokens: Option<i64>,
    pub(super) output_tokens: Option<i64>,
    pub(super) cache_read_tokens: Option<i64>,
    pub(super) unpriced_calls: i64,
    pub(super) unpriced_tokens: i64,
    pub(super) unbounded_calls: i64,
    pub(super) known_costs: i64,
    pub(super) error_calls: i64,
}

impl Method {
    pub(super) fn and(self, name: &'static str) -> Method {
        match self {
            Method::None => Method::One(name),
            Method::One(one) if one == name => self,
            _ => Method::Mixed,
        }
    }

    fn name(self) -> Option<&'static str> {
        match self {
            Method::None => None,
            Method::One(name) => Some(name),
            Method::Mixed => Some("mixed"),
        }
    }
}

impl MarginSums {
    /// Adds another row's.
    pub(super) fn add(&mut self, other: &MarginSums) {
        self.revenue += other.revenue;
        self.revenue_allocated += other.revenue_allocated;
        self.method = match (self.method, other.method) {
            (method, Method::None) => method,
            (method, Method::One(name)) => method.and(name),
            (_, Method::Mixed) => Method::Mixed,
        };
        self.model_cost += other.model_cost;
        self.other_cogs += other.other_cogs;
        self.variable_cost += other.variable_cost;
        self.not_cogs_cost += other.not_cogs_cost;
        self.spread_cost += other.spread_cost;
        self.error_cost += other.error_cost;
        self.calls += other.calls;
        let known = |left: Option<i64>, right: Option<i64>| match (left, right) {
            (Some(left), Some(right)) => Some(left + right),
            (known, None) | (None, known) => known,
        };
        self.input_tokens = known(self.input_tokens, other.input_tokens);
        self.output_tokens = known(self.output_tokens, other.output_tokens);
        self.cache_read_tokens = known(self.cache_read_tokens, other.cache_read_tokens);
        self.unpriced_calls += other.unpriced_calls;
        self.unpriced_tokens += other.unpriced_tokens;
        self.unbounded_calls += other.unbounded_calls;
        self.known_costs += other.known_costs;
        self.error_calls += other.error_calls;
    }

    fn cost_status(&self) -> &'static str {
        match (self.unpriced_calls > 0, self.known_costs == 0) {
            (true, true) => "unknown",
            (true, false) => "lower_bound",
            (false, true) => "no_usage",
            (false, false) => "known",
        }
    }
}

/// Rows on their way into a batch.
pub(super) struct MarginRows<'a> {
    schema: SchemaRef,
    /// By currency: cost and tokens of the dearest model.
    dearest: &'a HashMap<String, (i128, i64)>,
    rows: usize,
    dates: Date32Builder,
    keys: StringBuilder,
    currencies: StringBuilder,
    methods: StringBuilder,
    statuses: StringBuilder,
    /// Revenue, allocated; model, other, gross margin; variable, contribution margin; not cogs, model margin; spread, errors;
    /// low gross margin.
    amounts: [Decimal128Builder; 12],
    /// Gross, model and contribution margin, cache hits.
    percents: [Decimal128Builder; 4],
    /// Calls; input, output; unpriced; from cache; errors; unpriced tokens.
    counts: [Int64Builder; 7],
}

impl<'a> MarginRows<'a> {
    pub(super) fn new(schema: SchemaRef, dearest: &'a HashMap<String, (i128, i64)>) -> MarginRows<'a> {
        let decimals = |scale| {
            let builder = Decimal128Builder::with_capacity(BATCH_ROWS).with_precision_and_scale(MONEY_PRECISION, scale);
            builder.expect("the lake's decimals are valid")
        };
        let texts = || StringBuilder::with_capacity(BATCH_ROWS, BATCH_ROWS * TEXT_BYTES);
        MarginRows {
            schema,
            dearest,
            rows: 0,
            dates: Date32Builder::with_capacity(BATCH_ROWS),
            keys: texts(),
            currencies: texts(),
            methods: texts(),
            statuses: texts(),
            amounts: std::array::from_fn(|_| decimals(MONEY_SCALE)),
            percents: std::array::from_fn(|_| decimals(PERCENT_SCALE)),
            counts: std::array::from_fn(|_| Int64Builder::with_capacity(BATCH_ROWS)),
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.rows >= BATCH_ROWS
    }

    /// Adds a row; without a key where the mart has none.
    pub(super) fn push(&mut self, day: Day, key: Option<&str>, currency: &str, sums: &MarginSums) {
        self.rows += 1;
        self.dates.append_value(day);
        if let Some(key) = key {
            self.keys.append_value(key);
        }
        self.currencies.append_value(currency);
        self.methods.append_option(sums.method.name());
        self.statuses.append_value(sums.cost_status());
        let model_margin = sums.revenue - sums.model_cost;
        let gross_margin = model_margin - sums.other_cogs;
        let contribution_margin = gross_margin - sums.variable_cost;
        let amounts = [
            sums.revenue,
            sums.revenue_allocated,
            sums.model_cost,
            sums.other_cogs,
            gross_margin,
            sums.variable_cost,
            contribution_margin,
            sums.not_cogs_cost,
            model_margin,
            sums.spread_cost,
            sums.error_cost,
        ];
        self.amounts
            .iter_mut()
            .zip(amounts)
            .for_each(|(column, amount)| column.append_value(amount));
        self.amounts[11].append_option(self.gross_margin_low(currency, gross_margin, sums));
        // Without calls nothing was used, which is known.
        let used = |count: Option<i64>| if sums.calls == 0 { Some(0) } else { count };
        let [input, output, cached] = [sums.input_tokens, sums.output_tokens, sums.cache_read_tokens].map(used);
        let wide = |count: Option<i64>| count.map(i128::from);
        let percents = [
            percent_of(Some(gross_margin), Some(sums.revenue)),
            percent_of(Some(model_margin), Some(sums.revenue)),
            percent_of(Some(contribution_margin), Some(sums.revenue)),
            percent_of(wide(cached), wide(input)),
        ];
        self.percents
            .iter_mut()
            .zip(percents)
            .for_each(|(column, percent)| column.append_option(percent));
        let counts = [
            Some(sums.calls),
            input,
            output,
            Some(sums.unpriced_calls),
            cached,
            Some(sums.error_calls),
            Some(sums.unpriced_tokens),
        ];
        self.counts
            .iter_mut()
            .zip(counts)
            .for_each(|(column, count)| column.append_option(count));
    }

    /// The gross margin if unpriced tokens cost as much as those of the dearest model; `None` where nothing bounds them.
    fn gross_margin_low(&self, currency: &str, gross_margin: i128, sums: &MarginSums) -> Option<i128> {
        if sums.unpriced_calls == 0 {
            return Some(gross_margin);
        }
        if sums.unbounded_calls != 0 {
            return None;
        }
        let (cost, tokens) = self.dearest.get(currency).filter(|(_, tokens)| *tokens > 0)?;
        let most = multiply_divide_half_even(*cost, i128::from(sums.unpriced_tokens), i128::from(*tokens))?;
        Some(gross_margin - most)
    }

    /// The rows so far.
    pub(super) fn take(&mut self) -> Result<RecordBatch, DataFusionError> {
        // New builders have room for a batch at once, where these would grow anew.
        let new = MarginRows::new(Arc::clone(&self.schema), self.dearest);
        std::mem::replace(self, new).finish()
    }

    fn finish(mut self) -> Result<RecordBatch, DataFusionError> {
        let text = |column: &mut StringBuilder| Arc::new(column.finish()) as ArrayRef;
        let [
            revenue,
            allocated,
            model,
            other,
            gross,
            variable,
            contribution,
            not_cogs,
            model_margin,
            spread,
            errors,
            low,
        ] = self.amounts.each_mut().map(|column| Arc::new(column.finish()) as ArrayRef);
        let [gross_pct, model_pct, contribution_pct, cache_pct] =
            self.percents.each_mut().map(|column| Arc::new(column.finish()) as ArrayRef);
        let [calls, input, output, unpriced, cached, error_calls, unpriced_tokens] =
            self.counts.each_mut().map(|column| Arc::new(column.finish()) as ArrayRef);
        let mut columns: Vec<ArrayRef> = vec![Arc::new(self.dates.finish())];
        let keys = text(&mut self.keys);
        if self.schema.fields().len() > KEYLESS_COLUMNS {
            columns.push(keys);
        }
        columns.extend([
            text(&mut self.currencies),
            revenue,
            allocated,
            text(&mut self.methods),
            model,
            other,
            gross,
            gross_pct,
            variable,
            contribution,
            not_cogs,
            calls,
            input,
            output,
            unpriced,
            text(&mut self.statuses),
            model_margin,
            model_pct,
            contribution_pct,
            spread,
            cached,
            cache_pct,
            error_calls,
            errors,
            unpriced_tokens,
            low,
        ]);
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }
}

/// Columns of `margin_daily`.
const KEYLESS_COLUMNS: usize = 27;
