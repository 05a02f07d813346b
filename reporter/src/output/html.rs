//! The report as one self-contained page: no script, no font, no image from elsewhere.
//!
//! In the order in which a reader asks: can I trust it, what changed, who and what loses money and what to do about it,
//! then the tables, then how it was made.

use std::fmt::Write;

use super::display::{self, count, money, percent_text, share_text, short_count, signed_money};
use super::margin::{CostStatus, MarginFigures, MarginLine};
use super::model::ReportModel;
use super::svg::{BarChart, BridgeChart, DailyChart, escape};
use crate::revenue::Amount;

const STYLE: &str = include_str!("page.css");
/// Bars of a chart.
const BARS: usize = 12;
/// Rows of a table; the rest is in the files.
const ROWS: usize = 50;

pub(super) fn html(model: &ReportModel) -> String {
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n\
         <title>Margins {from} to {to}</title>\n<style>\n{STYLE}</style></head><body><main>\n\
         <h1>Margins, {from} to {to}, in {currency}</h1>\n<p class=\"verdict\">{verdict}</p>\n",
        from = model.from,
        to = model.to,
        currency = model.currency,
        verdict = escape(&model.verdict()),
    );
    figures(&mut page, model);
    trust(&mut page, model);
    changed(&mut page, model);
    losing(&mut page, model);
    daily(&mut page, model);
    for (name, lines) in model.dimensions() {
        dimension(&mut page, model, name, explanation(name), lines);
    }
    units(&mut page, model);
    appendix(&mut page, model);
    page + "</main></body></html>\n"
}

fn figures(page: &mut String, model: &ReportModel) {
    let total = &model.total;
    let money = |amount| money(amount, &model.currency);
    page.push_str("<div class=\"tiles\">");
    tile(page, "Revenue", &money(total.revenue), "net, earned in these days");
    tile(
        page,
        "Cost of goods sold",
        &display::cost(total, &model.currency),
        &format!("{} of it model calls", money(total.model_cost)),
    );
    tile(
        page,
        "Gross margin",
        &display::margin(total, &model.currency),
        &display::margin_pct(total),
    );
    if !total.variable_cost.is_zero() {
        tile(
            page,
            "Contribution margin",
            &money(total.contribution_margin()),
            "after variable cost",
        );
    }
    let unpriced = if total.unpriced_calls > 0 {
        format!("{} without a known cost", count(total.unpriced_calls))
    } else {
        "all with a known cost".to_owned()
    };
    tile(page, "Model calls", &count(total.calls), &unpriced);
    page.push_str("</div>\n");
}

fn tile(page: &mut String, name: &str, value: &str, note: &str) {
    let _ = write!(
        page,
        "<div class=\"tile\"><span>{name}</span><strong>{}</strong><em>{}</em></div>",
        escape(value),
        escape(note)
    );
}

fn trust(page: &mut String, model: &ReportModel) {
    page.push_str("<h2>Can it be trusted</h2>\n<p>What is not known is in no figure above, and has a row of its own below.</p>\n<div class=\"card scroll\"><table class=\"stack\">");
    page.push_str(
        "<thead><tr><th>Covered</th><th>What</th><th class=\"n\">Missing</th><th>What to do</th></tr></thead><tbody>\n",
    );
    for share in &model.coverage.shares {
        let shown = share.missing_text();
        let filled = share.percent().unwrap_or_default().rounded(0);
        let low = if share.percent() < Amount::parse_major("95").ok() {
            " low"
        } else {
            ""
        };
        let _ = writeln!(
            page,
            "<tr><td class=\"n\" style=\"text-align:left\"><span class=\"meter{low}\" aria-hidden=\"true\"><i style=\"width:{filled}%\"></i></span>{}</td><td>{}</td><td class=\"n\" data-label=\"missing\">{}</td><td class=\"wide\">{}</td></tr>",
            share_text(share.percent(), share.is_complete()),
            escape(share.title),
            if share.is_complete() {
                display::NOTHING.to_owned()
            } else {
                escape(&shown)
            },
            if share.is_complete() {
                String::new()
            } else {
                escape(share.advice)
            },
        );
    }
    page.push_str("</tbody></table></div>\n");
    for warning in &model.warnings {
        let _ = writeln!(page, "<p class=\"note\">{}</p>", escape(warning));
    }
}

fn changed(page: &mut String, model: &ReportModel) {
    let Some(change) = &model.change else { return };
    let signed = |amount| signed_money(amount, &model.currency);
    let _ = writeln!(
        page,
        "<h2>What changed</h2>\n<p>The {} days since {} against the {} days before: revenue {}, cost {}, gross margin {}.</p>",
        change.days,
        change.since,
        change.days,
        signed(change.after.revenue - change.before.revenue),
        signed(change.after.cogs() - change.before.cogs()),
        signed(change.margin()),
    );
    let mut steps = vec![
        ("calls", change.by_volume),
        ("tokens a call", change.by_tokens),
        ("token price", change.by_price),
    ];
    if !change.by_other_cogs.is_zero() {
        steps.push(("other COGS", change.by_other_cogs));
    }
    let chart = BridgeChart {
        title: "Why the cost moved",
        currency: &model.currency,
        start: ("before", change.before.cogs()),
        steps: steps.clone(),
        end: ("after", change.after.cogs()),
    };
    let _ = writeln!(page, "<div class=\"card charts\"><div class=\"scroll\">{}</div>", chart.svg());
    page.push_str("<details><summary>The same as a table</summary><table><thead><tr><th>Why the cost moved</th><th class=\"n\">Amount</th></tr></thead><tbody>");
    for (name, step) in steps {
        let _ = write!(page, "<tr><td>{name}</td><td class=\"n\">{}</td></tr>", signed(step));
    }
    page.push_str("</tbody></table></details></div>\n");
}

fn losing(page: &mut String, model: &ReportModel) {
    page.push_str("<h2>Who and what loses money</h2>\n");
    if model.losses.is_empty() {
        page.push_str("<p>No customer and no feature costs more than it earns.</p>\n");
        return;
    }
    page.push_str("<p>The largest losses of these days and what would end them.</p>\n<div class=\"card scroll\"><table class=\"stack\"><thead><tr><th></th><th>Key</th><th class=\"n\">Lost</th><th class=\"n\">A month</th><th>Why</th><th>What to do</th></tr></thead><tbody>\n");
    for loss in &model.losses {
        let money = |amount| money(amount, &model.currency);
        let own = if loss.key.starts_with('(') { " class=\"own\"" } else { "" };
        let _ = writeln!(
            page,
            "<tr{own}><td>{}</td><td class=\"key\">{}</td><td class=\"n bad\" data-label=\"lost\">{}</td><td class=\"n\" data-label=\"a month\">{}</td><td class=\"wide\">{}</td><td class=\"wide\">{}</td></tr>",
            loss.dimension,
            escape(&loss.key),
            money(loss.lost),
            money(loss.lost_per_month),
            escape(&loss.cause),
            escape(&loss.lever),
        );
    }
    page.push_str("</tbody></table></div>\n");
}

fn daily(page: &mut String, model: &ReportModel) {
    if model.by_day.len() < 2 {
        return;
    }
    let days = model
        .by_day
        .iter()
        .map(|(day, figures)| (day.as_str(), figures.revenue, figures.cogs()))
        .collect();
    let chart = DailyChart {
        currency: &model.currency,
        days,
    };
    page.push_str("<h2>Day by day</h2>\n<div class=\"card charts\"><p class=\"legend\"><b class=\"r\"></b>revenue<b class=\"c\"></b>cost of goods sold</p>");
    let _ = writeln!(page, "<div class=\"scroll\">{}</div>", chart.svg());
    page.push_str("<details><summary>The same as a table</summary><div class=\"scroll\"><table><thead><tr><th>Day</th><th class=\"n\">Revenue</th><th class=\"n\">Cost</th><th class=\"n\">Margin</th><th class=\"n\">Calls</th></tr></thead><tbody>");
    for (day, figures) in &model.by_day {
        let _ = writeln!(
            page,
            "<tr><td>{day}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            money(figures.revenue, &model.currency),
            display::cost(figures, &model.currency),
            display::margin(figures, &model.currency),
            count(figures.calls)
        );
    }
    page.push_str("</tbody></table></div></details></div>\n");
}

fn explanation(dimension: &str) -> &'static str {
    match dimension {
        "customer" => "Revenue is known by customer; cost follows the customer id of each call.",
        "feature" => "Where a revenue line names no feature, it is allocated by the customer's share of cost in the month.",
        "model" => {
            "Revenue by model is always an allocation, by the customer's share of cost in the month: read it as who pays for this cost."
        }
        "user" => "Where a revenue line names no user, it is allocated by the customer's share of cost in the month.",
        _ => "Revenue is an allocation, by the customer's share of cost in the month.",
    }
}

fn dimension(page: &mut String, model: &ReportModel, name: &str, explanation: &str, lines: &[MarginLine]) {
    let _ = writeln!(page, "<h2>By {name}</h2>\n<p>{explanation}</p>\n<div class=\"card charts\">");
    let ours = |line: &&MarginLine| line.currency == model.currency && line.figures.cost_status != CostStatus::Unknown;
    let mut bars: Vec<(&str, Amount)> = lines
        .iter()
        .filter(ours)
        .take(BARS)
        .map(|line| (line.key.as_str(), line.figures.gross_margin()))
        .collect();
    bars.sort_by(|left, right| (right.1, left.0).cmp(&(left.1, right.0)));
    if bars.len() > 1 {
        let title = format!("Gross margin by {name}");
        let chart = BarChart {
            title: &title,
            currency: &model.currency,
            bars,
        };
        let _ = writeln!(
            page,
            "<p class=\"legend\">Gross margin of the {name}s with the largest revenue or cost</p><div class=\"scroll\">{}</div>",
            chart.svg()
        );
    }
    let _ = write!(page, "<div class=\"scroll\"><table><thead><tr><th>{name}</th>");
    for heading in [
        "Revenue",
        "Allocated",
        "Cost",
        "Gross margin",
        "Margin %",
        "Calls",
        "Tokens in",
        "Tokens out",
        "Unpriced",
    ] {
        let _ = write!(page, "<th class=\"n\">{heading}</th>");
    }
    page.push_str("</tr></thead><tbody>\n");
    let (own, named): (Vec<&MarginLine>, Vec<&MarginLine>) = lines.iter().partition(|line| line.key.starts_with('('));
    named.iter().take(ROWS).chain(&own).for_each(|line| margin_row(page, line));
    page.push_str("</tbody></table></div>");
    if named.len() > ROWS {
        let _ = write!(page, "<p>and {} more in margin_by_{name}</p>", named.len() - ROWS);
    }
    page.push_str("</div>\n");
}

fn margin_row(page: &mut String, line: &MarginLine) {
    let (figures, currency) = (&line.figures, &line.currency);
    let own = if line.key.starts_with('(') { " class=\"own\"" } else { "" };
    let bad = if figures.gross_margin().is_negative() && figures.cost_status != CostStatus::Unknown {
        " bad"
    } else {
        ""
    };
    let allocated = if figures.revenue_allocated.is_zero() {
        String::new()
    } else {
        money(figures.revenue_allocated, currency)
    };
    let unpriced = if figures.unpriced_calls == 0 {
        String::new()
    } else {
        count(figures.unpriced_calls)
    };
    let cells = [
        (money(figures.revenue, currency), ""),
        (allocated, ""),
        (display::cost(figures, currency), ""),
        (display::margin(figures, currency), bad),
        (display::margin_pct(figures), ""),
        (count(figures.calls), ""),
        (short_count(figures.input_tokens), ""),
        (short_count(figures.output_tokens), ""),
        (unpriced, ""),
    ];
    let _ = write!(page, "<tr{own}><td class=\"key\">{}</td>", escape(&line.key));
    for (text, class) in cells {
        let _ = write!(page, "<td class=\"n{class}\">{}</td>", escape(&text));
    }
    page.push_str("</tr>\n");
}

fn units(page: &mut String, model: &ReportModel) {
    let priced = |figures: &MarginFigures| figures.calls - figures.unpriced_calls;
    if priced(&model.total) <= 0 {
        return;
    }
    page.push_str("<h2>What a unit costs</h2>\n<div class=\"tiles\">");
    let total = &model.total;
    let per = |amount: Amount, units: i64, times: i128| {
        if units > 0 {
            amount.ratio(times, i128::from(units))
        } else {
            None
        }
    };
    let shown =
        |amount: Option<Amount>| amount.map_or_else(|| display::NOTHING.to_owned(), |amount| money(amount, &model.currency));
    tile(
        page,
        "Model cost a priced call",
        &shown(per(total.model_cost, priced(total), 1)),
        "average",
    );
    tile(
        page,
        "Model cost a million tokens",
        &shown(per(total.model_cost, total.input_tokens + total.output_tokens, 1_000_000)),
        "input and output, as reported",
    );
    page.push_str("</div>\n");
    if model.units.is_empty() {
        return;
    }
    page.push_str("<div class=\"card scroll\"><table><caption>Cost of goods sold of one unit over these days. Half of the units cost at most p50; top 10 % is the share of all cost that the dearest tenth makes.</caption><thead><tr><th>Unit</th>");
    for heading in [
        "Units",
        "Mean",
        "p50",
        "p90",
        "p95",
        "p99",
        "Top 1 %",
        "Top 10 %",
        "Losing",
        "Lost",
        "Unpriced calls",
    ] {
        let _ = write!(page, "<th class=\"n\">{heading}</th>");
    }
    page.push_str("</tr></thead><tbody>");
    for unit in &model.units {
        let money = |amount| money(amount, &model.currency);
        let cells = [
            count(unit.units as i64),
            money(unit.mean),
            money(unit.p50),
            money(unit.p90),
            money(unit.p95),
            money(unit.p99),
            percent_text(Some(unit.top_1_pct)),
            percent_text(Some(unit.top_10_pct)),
            count(unit.below_zero as i64),
            money(unit.lost),
            count(unit.units_with_unpriced_calls as i64),
        ];
        let _ = write!(page, "<tr><td class=\"key\">{}</td>", unit.unit);
        for cell in cells {
            let _ = write!(page, "<td class=\"n\">{}</td>", escape(&cell));
        }
        page.push_str("</tr>");
    }
    page.push_str("</tbody></table></div>\n");
}

fn appendix(page: &mut String, model: &ReportModel) {
    page.push_str("<h2>How this was made</h2>\n<div class=\"card\"><dl>");
    for (term, meaning) in [
        (
            "Revenue",
            "Net of tax, spread evenly over the UTC days of each line's service period; the last day takes the rounding rest.",
        ),
        (
            "Model cost",
            "Each model call once, at the price in force when it started, from its own token usage. Calls without a price are counted, never taken as free.",
        ),
        ("Gross margin", "Revenue less model cost and other cost of goods sold."),
        (
            "Allocated revenue",
            "Revenue that no line names a feature or model for, split by the customer's share of cost in the calendar month. An allocation, not a fact.",
        ),
        ("(unattributed)", "Cost of calls that carry no such key."),
        ("(unmatched)", "Revenue lines that name no customer."),
        ("(unallocated)", "Revenue of a customer in a month without known cost."),
        (
            "(no rate)",
            "Amounts in a currency for which no exchange rate was given; they are in no total.",
        ),
    ] {
        let _ = write!(page, "<dt>{term}</dt><dd>{meaning}</dd>");
    }
    page.push_str("</dl>");
    if let Some(as_of) = &model.as_of {
        let _ = write!(page, "<p>As of {}.</p>", escape(as_of));
    }
    let files = model
        .revenue_files
        .iter()
        .map(|line| escape(line))
        .collect::<Vec<_>>()
        .join("\n");
    let _ = writeln!(
        page,
        "<details open><summary>Revenue files as read</summary><pre>{files}</pre></details></div>"
    );
}
