//! Revenue as rows of the lake: `revenue_lines` and `revenue_daily`.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Date32Builder, Decimal128Builder, Int64Array, Int64Builder, RecordBatch, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow::error::ArrowError;
use marginlake_lake::schema::{MONEY_PRECISION, MONEY_SCALE, revenue_daily, revenue_lines};

use super::daily::{RevenueDay, RevenuePolicy};
use super::line::RevenueLine;
use super::money::Amount;
use super::time::Moment;

/// Rows of one batch.
const BATCH_ROWS: usize = 65_536;

/// The lines as rows of `revenue_lines`, in their order.
pub fn lines_batches(lines: &[RevenueLine], policy: &RevenuePolicy) -> Result<Vec<RecordBatch>, ArrowError> {
    lines.chunks(BATCH_ROWS).map(|lines| lines_batch(lines, policy)).collect()
}

fn lines_batch<'a>(lines: &'a [RevenueLine], policy: &'a RevenuePolicy) -> Result<RecordBatch, ArrowError> {
    let texts = |of: &dyn Fn(&'a RevenueLine) -> Option<&'a str>| -> ArrayRef {
        let mut builder = StringBuilder::new();
        lines.iter().for_each(|line| builder.append_option(of(line)));
        Arc::new(builder.finish())
    };
    let moments = |of: fn(&RevenueLine) -> Option<Moment>| -> ArrayRef {
        let mut builder = TimestampMicrosecondBuilder::new();
        lines
            .iter()
            .for_each(|line| builder.append_option(of(line).map(|moment| moment.0)));
        Arc::new(builder.finish().with_timezone("UTC"))
    };
    let mut rows = Int64Builder::new();
    lines.iter().for_each(|line| rows.append_value(line.source_row as i64));
    let mut amounts = money_builder();
    lines.iter().for_each(|line| amounts.append_value(line.amount.scaled()));
    let columns = vec![
        texts(&|line| Some(&*line.source)),
        texts(&|line| Some(&*line.source_file)),
        Arc::new(rows.finish()),
        texts(&|line| Some(&*line.line_id)),
        texts(&|line| policy.customers.customer(line, line.period.first_day())),
        texts(&|line| line.source_customer_id.as_deref()),
        texts(&|line| line.user_id.as_deref()),
        texts(&|line| line.feature.as_deref()),
        texts(&|line| line.plan.as_deref()),
        texts(&|line| line.kind.as_deref()),
        texts(&|line| line.status.as_deref()),
        texts(&|line| line.description.as_deref()),
        Arc::new(amounts.finish()),
        texts(&|line| Some(line.currency.code())),
        moments(|line| Some(line.period.start)),
        moments(|line| Some(line.period.end)),
        moments(|line| line.booked_at),
        moments(|line| line.settled_at),
        texts(&|line| line.subscription_id.as_deref()),
        texts(&|line| line.document.as_deref()),
        Arc::new(lines.iter().map(|line| line.seats).collect::<Int64Array>()),
        moments(|line| line.original_period.map(|period| period.start)),
        moments(|line| line.original_period.map(|period| period.end)),
    ];
    RecordBatch::try_new(revenue_lines(), columns)
}

/// Collects days into batches of `revenue_daily`.
#[derive(Debug)]
pub struct DailyBatches {
    report_currency: String,
    dates: Date32Builder,
    texts: [StringBuilder; 9],
    amounts: Decimal128Builder,
    report_amounts: Decimal128Builder,
    fx_effects: Decimal128Builder,
    rows: usize,
    full: Vec<RecordBatch>,
}

impl DailyBatches {
    /// An empty collection for a report in `report_currency`.
    pub fn new(report_currency: &str) -> DailyBatches {
        DailyBatches {
            report_currency: report_currency.to_owned(),
            dates: Date32Builder::new(),
            texts: Default::default(),
            amounts: money_builder(),
            report_amounts: money_builder(),
            fx_effects: money_builder(),
            rows: 0,
            full: Vec::new(),
        }
    }

    /// Adds one row.
    pub fn push(&mut self, row: &RevenueDay<'_>) -> Result<(), ArrowError> {
        self.dates.append_value(row.day);
        self.amounts.append_value(row.amount.scaled());
        self.report_amounts.append_option(row.report_amount.map(Amount::scaled));
        self.fx_effects.append_option(row.fx_effect.map(Amount::scaled));
        let line = row.line;
        let values: [Option<&str>; 9] = [
            row.customer_id,
            line.user_id.as_deref(),
            line.feature.as_deref(),
            line.plan.as_deref(),
            line.kind.as_deref(),
            Some(line.currency.code()),
            Some(&self.report_currency),
            Some(&line.line_id),
            Some(&line.source),
        ];
        self.texts
            .iter_mut()
            .zip(values)
            .for_each(|(builder, value)| builder.append_option(value));
        self.rows += 1;
        if self.rows == BATCH_ROWS { self.close() } else { Ok(()) }
    }

    /// All batches.
    pub fn finish(mut self) -> Result<Vec<RecordBatch>, ArrowError> {
        if self.rows > 0 {
            self.close()?;
        }
        Ok(self.full)
    }

    fn close(&mut self) -> Result<(), ArrowError> {
        self.rows = 0;
        let mut texts = self.texts.iter_mut().map(|builder| Arc::new(builder.finish()) as ArrayRef);
        let mut text = || texts.next().expect("one builder for each text column");
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.dates.finish()),
            text(),
            text(),
            text(),
            text(),
            text(),
            text(),
            Arc::new(self.amounts.finish()),
            text(),
            Arc::new(self.report_amounts.finish()),
            text(),
            text(),
            Arc::new(self.fx_effects.finish()),
        ];
        self.full.push(RecordBatch::try_new(revenue_daily(), columns)?);
        Ok(())
    }
}

fn money_builder() -> Decimal128Builder {
    let builder = Decimal128Builder::new();
    builder
        .with_precision_and_scale(MONEY_PRECISION, MONEY_SCALE)
        .expect("the lake's money is a valid decimal")
}
