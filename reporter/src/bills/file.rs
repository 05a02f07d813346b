//! A bill's file: which shape it has, and who takes its rows.

use std::cell::{Cell, RefCell};
use std::path::Path;

use super::days::Lines;
use super::report::BillReport;
use super::row::{self, Shape};
use super::{Bill, FocusCost};
use crate::revenue::refusal::Refusals;
use crate::revenue::table::{Header, Row, TextFile, read_bytes};
use crate::revenue::{Loaded, Refusal, RevenueError};

/// Reads a file whose rows belong to the first of `takers` that matches.
pub(super) fn read(
    path: &Path,
    takers: &[usize],
    bills: &[Bill],
    lines: &mut Lines,
    report: &mut BillReport,
    loaded: &mut Loaded,
) -> Result<(), RevenueError> {
    let name = path
        .file_name()
        .map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned());
    loaded.note_input("bill", path)?;
    let text = TextFile::new(&name, &read_bytes(path)?)?;
    let shape = Cell::new(Shape::Generic);
    let refusals = RefCell::new(Refusals::default());
    let mut rows = report.of_file(&name);
    text.visit(
        |header| {
            shape.set(detect(&name, header, takers, bills)?);
            Ok(())
        },
        |row| match takers.iter().copied().find(|at| bills[*at].matcher.takes(&row)) {
            Some(at) => match row::read(&row, shape.get(), &bills[at]) {
                Ok(line) => {
                    rows.took(&bills[at].id, &line);
                    if shape.get() == Shape::Focus {
                        look_twice(&row, &bills[at], &line, &mut rows);
                    }
                    lines.add(at, &name, line);
                }
                Err(refusal) => refusals.borrow_mut().push(refusal),
            },
            None => rows.left_out += 1,
        },
        |refusal| refusals.borrow_mut().push(refusal),
    )?;
    refusals.into_inner().into_result()?;
    report.files.push(rows);
    Ok(())
}

/// What is no mistake, and yet often is one.
fn look_twice(row: &Row<'_>, bill: &Bill, line: &row::Line, rows: &mut super::report::FileRows) {
    if row::field(row, "servicecategory") == Some("AI and Machine Learning") {
        *rows.model_services.entry(line.currency).or_default() += line.amount;
    }
    let is_usage = row::field(row, "chargecategory").is_none_or(|category| category.eq_ignore_ascii_case("usage"));
    if bill.cost == FocusCost::Effective && line.amount.is_zero() && is_usage {
        let billed = row::field(row, "billedcost").and_then(|text| super::amount::parse_amount(text).ok());
        if let Some(billed) = billed.filter(|billed| !billed.is_zero()) {
            rows.unused_billed_rows += 1;
            *rows.unused_billed.entry(line.currency).or_default() += billed;
        }
    }
}

fn detect(file: &str, header: &Header, takers: &[usize], bills: &[Bill]) -> Result<Shape, Refusal> {
    let refuse = |column: &str, reason: String| Refusal {
        file: file.to_owned(),
        line: 1,
        column: Some(column.to_owned()),
        value: None,
        reason,
    };
    let shape = if header.has("chargeperiodstart") && (header.has("billedcost") || header.has("effectivecost")) {
        Shape::Focus
    } else if header.has("amount") && header.has("period_start") {
        Shape::Generic
    } else {
        let reason = "is missing: a bill is a FOCUS file (BilledCost or EffectiveCost, ChargePeriodStart, ChargePeriodEnd, \
                      BillingCurrency), or a CSV with amount,currency,period_start,period_end and optionally \
                      service,description,customer_id,feature,cost_class";
        let nearest = if header.has("amount") { "period_start" } else { "amount" };
        return Err(refuse(nearest, reason.to_owned()));
    };
    for bill in takers.iter().map(|at| &bills[*at]) {
        let currency = match shape {
            Shape::Focus => "billingcurrency",
            Shape::Generic => "currency",
        };
        if bill.currency.is_none() && !header.has(currency) {
            let written = if shape == Shape::Focus {
                "BillingCurrency"
            } else {
                "currency"
            };
            let reason = format!("is missing: add it, or give the bill {} a currency in [[bill]]", bill.id);
            return Err(refuse(written, reason));
        }
        if shape == Shape::Focus && !header.has(bill.cost.column()) {
            let reason = format!(
                "is missing, and the bill {} reads it: choose another cost in [[bill]]",
                bill.id
            );
            return Err(refuse(bill.cost.column(), reason));
        }
        if let Some(column) = bill.matcher.columns().find(|column| !header.has(column)) {
            return Err(refuse(column, format!("is missing, and the bill {} matches by it", bill.id)));
        }
    }
    Ok(shape)
}
