//! From a row to its lines.

use std::collections::HashSet;
use std::sync::Arc;

use csv::StringRecord;

use super::amount;
use super::condition::all_hold;
use super::dates::Dates;
use super::plan::{LinePlan, Plan};
use super::value::{RowView, Value};
use crate::revenue::currency::Currency;
use crate::revenue::line::{Exclusion, RevenueLine, Text};
use crate::revenue::money::Amount;
use crate::revenue::refusal::Refusal;
use crate::revenue::table::Row;
use crate::revenue::time::{Moment, Period, TimeError};

/// What a row is.
#[derive(Debug)]
pub(crate) enum Reading {
    /// Lines were added, at least one, with what of the document's own amount is to be spread over its lines.
    Lines(Option<Amount>),
    /// No revenue, for a reason.
    Excluded(Exclusion),
}

/// Texts that stand in many lines, kept once; and the row above, for cells that are left blank.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    known: HashSet<Text>,
    above: Option<StringRecord>,
    file: Option<Text>,
}

impl Texts {
    fn keep(&mut self, text: &str) -> Text {
        if let Some(known) = self.known.get(text) {
            return Arc::clone(known);
        }
        let text: Text = text.into();
        self.known.insert(Arc::clone(&text));
        text
    }

    /// A new file has no row above its first, and a name of its own.
    pub(crate) fn start_file(&mut self, name: &str) {
        self.above = None;
        self.file = Some(name.into());
    }
}

impl Plan {
    /// Reads one row; its lines are pushed to `lines`.
    pub(crate) fn read(&self, row: Row<'_>, texts: &mut Texts, lines: &mut Vec<RevenueLine>) -> Result<Reading, Refusal> {
        let Some((key, columns)) = &self.carry else {
            return self.read_whole(row, texts, lines);
        };
        let filled = texts
            .above
            .take()
            .filter(|above| above.get(*key) == row.record.get(*key))
            .map(|above| {
                let fill = |position: usize, cell: &str| match columns.contains(&position) && cell.trim().is_empty() {
                    true => above.get(position).unwrap_or("").to_owned(),
                    false => cell.to_owned(),
                };
                row.record
                    .iter()
                    .enumerate()
                    .map(|(position, cell)| fill(position, cell))
                    .collect::<StringRecord>()
            });
        let record = filled.unwrap_or_else(|| row.record.clone());
        let reading = self.read_whole(Row { record: &record, ..row }, texts, lines);
        texts.above = Some(record);
        reading
    }

    fn read_whole(&self, row: Row<'_>, texts: &mut Texts, lines: &mut Vec<RevenueLine>) -> Result<Reading, Refusal> {
        let mut view = RowView::new(row, &self.null);
        for (table, on) in &self.joins {
            let found = match table {
                Some(table) => on.text(&view)?.and_then(|id| Some((&**table, table.find(&id)?))),
                None => None,
            };
            view.joined.push(found);
        }
        for (value, known, what) in &self.expect {
            let text = value.text(&view)?;
            if text.is_some_and(|text| !known.iter().any(|known| known.eq_ignore_ascii_case(&text))) {
                return Err(value.refuse(&view, format!("is not {what}")));
            }
        }
        for (reason, conditions) in &self.exclude {
            if all_hold(conditions, &view, &self.decimal)? {
                return Ok(Reading::Excluded(reason.clone()));
            }
        }
        let (before, mut matched) = (lines.len(), false);
        for line in &self.lines {
            if all_hold(&line.when, &view, &self.decimal)? {
                matched = true;
                lines.extend(self.line(line, &view, texts)?);
            }
        }
        if lines.len() == before {
            return Ok(Reading::Excluded(Exclusion::new(if matched { "zero" } else { "no_rule" })));
        }
        let spread = match self.spread.is_empty() {
            true => None,
            false => Some(amount::sum(&self.spread, &view, &self.decimal, lines[before].currency)?),
        };
        Ok(Reading::Lines(spread.filter(|spread| !spread.is_zero())))
    }

    fn line(&self, plan: &LinePlan, row: &RowView<'_>, texts: &mut Texts) -> Result<Option<RevenueLine>, Refusal> {
        let currency_text = plan.currency.text(row)?;
        let currency: Currency = currency_text
            .as_deref()
            .unwrap_or("")
            .parse()
            .map_err(|error| plan.currency.refuse(row, error))?;
        // Dates first: where a line has several complaints, the first column is named.
        let start = plan
            .start
            .text(row)?
            .ok_or_else(|| plan.start.refuse(row, TimeError::Empty))?;
        let start = self.dates.read(&start).map_err(|error| plan.start.refuse(row, error))?;
        let period = self.period(plan, row, start, &plan.end)?;
        let amount = amount::sum(&plan.amount, row, &self.decimal, currency)?;
        if plan.skip_zero && amount.is_zero() {
            return Ok(None);
        }
        let original_period = match self.moment(&plan.original_start, row)? {
            Some(start) => Some(self.period(plan, row, start, &plan.original_end)?),
            None => None,
        };
        let mut kind = None;
        for (name, conditions) in &plan.kinds {
            if all_hold(conditions, row, &self.decimal)? {
                kind = Some(Arc::clone(name));
                break;
            }
        }
        let mut kept = |value: &Value| -> Result<Option<Text>, Refusal> { Ok(value.text(row)?.map(|text| texts.keep(&text))) };
        let kind = match kind {
            Some(kind) => Some(kind),
            None => kept(&plan.kind)?.map(|kind| {
                if kind.bytes().any(|byte| byte.is_ascii_uppercase()) {
                    kind.to_lowercase().into()
                } else {
                    kind
                }
            }),
        };
        let mut aliases = Vec::new();
        for value in &plan.aliases {
            let Some(text) = value.text(row)? else { continue };
            match serde_json::from_str::<Vec<Option<String>>>(&text) {
                Ok(list) => aliases.extend(list.into_iter().flatten().map(Text::from)),
                Err(_) => aliases.push(text.as_ref().into()),
            }
        }
        let seats = match plan.seats.text(row)? {
            Some(text) => {
                let whole = text.split('.').next().unwrap_or("");
                Some(
                    whole
                        .parse()
                        .map_err(|_| plan.seats.refuse(row, "is not a number of seats"))?,
                )
            }
            None => None,
        };
        Ok(Some(RevenueLine {
            source: Arc::clone(&self.source),
            version: kept(&plan.version)?,
            source_customer_id: kept(&plan.customer)?,
            external_customer_id: kept(&plan.external_customer)?,
            aliases,
            email: plan.email.text(row)?.map(|email| email.to_lowercase().into()),
            user_id: kept(&plan.user)?,
            feature: kept(&plan.feature)?,
            plan: kept(&plan.plan)?,
            subscription_id: kept(&plan.subscription)?,
            document: kept(&plan.document)?,
            seats,
            kind,
            status: kept(&plan.status)?,
            description: kept(&plan.description)?,
            amount,
            currency,
            period,
            original_period,
            booked_at: self.moment(&plan.booked_at, row)?,
            settled_at: self.moment(&plan.settled_at, row)?,
            line_id: line_id(plan, row)?,
            source_row: row.row.line,
            source_file: texts.file.clone().unwrap_or_else(|| row.row.file.into()),
        }))
    }

    fn moment(&self, value: &Value, row: &RowView<'_>) -> Result<Option<Moment>, Refusal> {
        let Some(text) = value.text(row)? else { return Ok(None) };
        self.dates.read(&text).map(Some).map_err(|error| value.refuse(row, error))
    }

    fn period(&self, plan: &LinePlan, row: &RowView<'_>, start: Moment, end: &Value) -> Result<Period, Refusal> {
        let until = self.moment(end, row)?;
        let until = if plan.end_inclusive {
            until.map(Dates::day_after)
        } else {
            until
        };
        let until = until.filter(|until| !(plan.reversed_is_start && *until < start));
        Period::new(start, until).map_err(|error| end.refuse(row, error))
    }
}

/// The id that the mapping names; file and line where it names none.
fn line_id(plan: &LinePlan, row: &RowView<'_>) -> Result<Text, Refusal> {
    let file_and_line = || Text::from(format!("{}:{}{}", row.row.file, row.row.line, plan.suffix));
    let Some(first) = plan.line_id.first().filter(|first| !first.is_absent()) else {
        return Ok(file_and_line());
    };
    if plan.line_id.len() == 1 && plan.suffix.is_empty() {
        return Ok(first.text(row)?.map_or_else(file_and_line, |id| Text::from(&*id)));
    }
    let mut id = String::new();
    for (index, value) in plan.line_id.iter().enumerate() {
        if index > 0 {
            id.push(':');
        }
        id.push_str(&value.text(row)?.unwrap_or_default());
    }
    if id.trim_matches(':').is_empty() {
        return Ok(file_and_line());
    }
    id.push_str(&plan.suffix);
    Ok(id.into())
}
