//! Revenue as rows of the lake: `revenue_lines` and `revenue_daily`.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Date32Builder, Decimal128Builder, Int64Array, Int64Builder, RecordBatch, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow::error::ArrowError;
use marginlake_lake::schema::{MONEY_PRECISION, MONEY_SCALE, revenue_daily, revenue_lines};

use super::daily::{LineDays, RevenueDay, RevenuePolicy};
use super::line::RevenueLine;
use super::money::Amount;
use super::time::{Day, Moment, month_of, next_month};

/// Rows of one batch.
const BATCH_ROWS: usize = 65_536;

/// The lines as rows of `revenue_lines`, in their order.
pub fn lines_batches(lines: &[RevenueLine], policy: &RevenuePolicy) -> impl Iterator<Item = Result<RecordBatch, ArrowError>> {
    lines.chunks(BATCH_ROWS).map(|lines| lines_batch(lines, policy))
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

/// The rows of `revenue_daily` of one day after the other, in the order of the lines: all days of all lines may be more than
/// memory has room for.
#[derive(Debug)]
pub struct DailyRows<'a> {
    lines: &'a [RevenueLine],
    policy: &'a RevenuePolicy,
    /// First and last day of each line.
    spans: Vec<(Day, Day)>,
    day: Day,
    last: Day,
    /// The lines that earn in the month of `day`.
    of_month: Vec<LineDays<'a>>,
}

impl<'a> DailyRows<'a> {
    /// The days of `lines`.
    pub fn new(lines: &'a [RevenueLine], policy: &'a RevenuePolicy) -> DailyRows<'a> {
        let spans: Vec<(Day, Day)> = lines.iter().map(|line| policy.schedules.of(line).span()).collect();
        let mut days = DailyRows {
            lines,
            policy,
            day: spans.iter().map(|span| span.0).min().unwrap_or(0),
            last: spans.iter().map(|span| span.1).max().unwrap_or(-1),
            spans,
            of_month: Vec::new(),
        };
        days.enter_month();
        days
    }

    fn enter_month(&mut self) {
        let end = next_month(self.day);
        let of_month = self.lines.iter().zip(&self.spans);
        let of_month = of_month.filter(|(_, (first, last))| *first < end && *last >= self.day);
        self.of_month = of_month.map(|(line, _)| self.policy.line(line)).collect();
    }

    fn rows_of_day(&self) -> Result<Vec<RecordBatch>, ArrowError> {
        let mut batches = Vec::new();
        let mut rows = DayRows::new(self.policy.report_currency.code());
        for row in self.of_month.iter().filter_map(|line| line.on(self.day)) {
            rows.push(&row);
            if rows.count == BATCH_ROWS {
                batches.push(rows.take()?);
            }
        }
        if rows.count > 0 {
            batches.push(rows.take()?);
        }
        Ok(batches)
    }
}

impl Iterator for DailyRows<'_> {
    type Item = Result<Vec<RecordBatch>, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.day <= self.last {
            let rows = self.rows_of_day();
            self.day += 1;
            if self.day == month_of(self.day) {
                self.enter_month();
            }
            if rows.as_ref().map_or(true, |rows| !rows.is_empty()) {
                return Some(rows);
            }
        }
        None
    }
}

/// Collects rows of `revenue_daily`.
struct DayRows {
    report_currency: String,
    dates: Date32Builder,
    texts: [StringBuilder; 9],
    amounts: Decimal128Builder,
    report_amounts: Decimal128Builder,
    fx_effects: Decimal128Builder,
    count: usize,
}

impl DayRows {
    fn new(report_currency: &str) -> DayRows {
        DayRows {
            report_currency: report_currency.to_owned(),
            dates: Date32Builder::new(),
            texts: Default::default(),
            amounts: money_builder(),
            report_amounts: money_builder(),
            fx_effects: money_builder(),
            count: 0,
        }
    }

    fn push(&mut self, row: &RevenueDay<'_>) {
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
        self.count += 1;
    }

    fn take(&mut self) -> Result<RecordBatch, ArrowError> {
        self.count = 0;
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
        RecordBatch::try_new(revenue_daily(), columns)
    }
}

fn money_builder() -> Decimal128Builder {
    let builder = Decimal128Builder::new();
    builder
        .with_precision_and_scale(MONEY_PRECISION, MONEY_SCALE)
        .expect("the lake's money is a valid decimal")
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;
    use arrow::datatypes::{Date32Type, Decimal128Type};

    use super::super::customer_map::tests::line;
    use super::super::fx::Rates;
    use super::super::policy::FxDay;
    use super::super::recognise::Schedules;
    use super::super::time::Period;
    use super::*;
    use crate::revenue::Currency;

    #[test]
    fn days_come_one_by_one_and_sum_to_their_lines() {
        let mut lines = Vec::new();
        // A year and a day, one day, and nothing in between for two years.
        for (at, (first, length)) in [(20_000, 366), (20_020, 1), (21_100, 31)].into_iter().enumerate() {
            let mut line = line(Some("acme"), None);
            line.line_id = format!("{at}").into();
            line.amount = Amount::from_scaled(1_000_000_000_001);
            line.period = Period::new(Moment::midnight(first), Some(Moment::midnight(first + length))).unwrap();
            lines.push(line);
        }
        let policy = RevenuePolicy {
            rates: Rates::default(),
            customers: Default::default(),
            report_currency: Currency::USD,
            schedules: Schedules::default(),
            fx: FxDay::default(),
        };
        let (mut before, mut rows, mut total) = (Day::MIN, 0, 0);
        for batches in DailyRows::new(&lines, &policy) {
            for batch in batches.unwrap() {
                let days = batch.column(0).as_primitive::<Date32Type>().values();
                assert!(days.iter().all(|day| *day == days[0] && before < *day));
                before = days[0];
                rows += batch.num_rows();
                total += batch.column(7).as_primitive::<Decimal128Type>().values().iter().sum::<i128>();
            }
        }
        assert_eq!((rows, total), (366 + 1 + 31, 3_000_000_000_003));
        let none: Vec<_> = DailyRows::new(&[], &policy).collect();
        assert!(none.is_empty());
    }
}
