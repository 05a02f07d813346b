//! Day by day, and every way to break the same totals down.

use std::fmt::Write;

use super::super::display::{self, count, money, short_count};
use super::super::margin::{CostStatus, MarginFigures, MarginLine};
use super::super::model::ReportModel;
use super::chart::{Bars, DailyChart};
use super::{escape, minus};
use crate::revenue::Amount;

/// Rows of the dimensions that people think in, and of those that are ids; the rest is in the files.
const ROWS: usize = 15;
const ROWS_OF_IDS: usize = 8;

pub(super) fn write(page: &mut String, model: &ReportModel) {
    page.push_str("<span id=\"breakdown\"></span>");
    for (name, lines) in model.dimensions() {
        dimension(page, model, name, lines);
    }
}

/// Revenue and cost of each day as a picture, and as a table below it.
pub(super) fn daily(page: &mut String, model: &ReportModel) {
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
    page.push_str(
        "<figure><figcaption><i class=\"key line\"></i>Revenue <i class=\"key cost\"></i>Cost of goods sold</figcaption>\n",
    );
    let _ = writeln!(page, "{}</figure>", chart.svg());
    page.push_str("<details><summary>The days as a table</summary><div class=\"scroll\"><table><thead><tr><th>Day</th><th class=\"n\">Revenue</th><th class=\"n\">Cost</th><th class=\"n\">Gross margin</th><th class=\"n\">Calls</th></tr></thead><tbody>\n");
    for (day, figures) in &model.by_day {
        let _ = writeln!(
            page,
            "<tr><th scope=\"row\">{day}</th><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            minus(&money(figures.revenue, &model.currency)),
            display::cost(figures, &model.currency),
            minus(&display::margin(figures, &model.currency)),
            count(figures.calls)
        );
    }
    page.push_str("</tbody></table></div></details>\n");
}

fn explanation(dimension: &str) -> &'static str {
    match dimension {
        "customer" => "Revenue is known by customer; cost follows the customer id of each call.",
        "feature" => "Where a revenue line names no feature, it is allocated by the customer's share of cost in the month.",
        "model" => {
            "Revenue by model is always an allocation, by the customer's share of cost in the month: read it as who pays for this cost. (unattributed) is cost that is no model call: searches, people, bills."
        }
        "user" => "Where a revenue line names no user, it is allocated by the customer's share of cost in the month.",
        _ => "Revenue is an allocation, by the customer's share of cost in the month.",
    }
}

fn dimension(page: &mut String, model: &ReportModel, name: &str, lines: &[MarginLine]) {
    let rows = match name {
        "user" | "conversation" | "task" => ROWS_OF_IDS,
        _ => ROWS,
    };
    let (own, named): (Vec<&MarginLine>, Vec<&MarginLine>) = lines.iter().partition(|line| line.key.starts_with('('));
    let shown: Vec<&MarginLine> = named.iter().take(rows).chain(&own).copied().collect();
    let is_drawn = |line: &&&MarginLine| line.currency == model.currency && line.figures.cost_status != CostStatus::Unknown;
    let drawn = shown.iter().filter(is_drawn).map(|line| line.figures.gross_margin());
    let bars = Bars::over(drawn.chain([Amount::ZERO]));
    let columns = Columns::of(&shown);
    let _ = write!(
        page,
        "<section><h2>By {name}</h2>\n<p>{}</p>\n<div class=\"scroll\"><table class=\"bars\"><thead><tr><th>{name}</th><th class=\"n\">Revenue</th>",
        explanation(name)
    );
    columns.headings(page);
    page.push_str("</tr></thead><tbody>\n");
    for line in shown {
        let bar = match is_drawn(&&line) {
            true => {
                let margin = line.figures.gross_margin();
                bars.bar(if margin.is_negative() { "loss" } else { "gain" }, Amount::ZERO, margin)
            }
            false => String::new(),
        };
        columns.row(page, line, &bar);
    }
    page.push_str("</tbody></table></div>");
    let more = model.more_than(name, rows);
    if more > 0 {
        let _ = write!(page, "<p class=\"more\">and {} more in margin_by_{name}</p>", count(more));
    }
    page.push_str("</section>\n");
}

/// Columns that only some tables need.
struct Columns {
    allocated: bool,
    unpriced: bool,
}

impl Columns {
    fn of(lines: &[&MarginLine]) -> Columns {
        let any = |is: &dyn Fn(&MarginFigures) -> bool| lines.iter().any(|line| is(&line.figures));
        Columns {
            // Where all of it is, the sentence above says so.
            allocated: any(&|figures| !figures.revenue_allocated.is_zero())
                && any(&|figures| figures.revenue != figures.revenue_allocated),
            unpriced: any(&|figures| figures.unpriced_calls > 0),
        }
    }

    fn headings(&self, page: &mut String) {
        if self.allocated {
            page.push_str("<th class=\"n\">Allocated</th>");
        }
        page.push_str("<th class=\"n\">Cost</th><th class=\"bar-cell\"><span class=\"hidden\">As a bar</span></th><th class=\"n\">Gross margin</th><th class=\"n\">%</th><th class=\"n\">Calls</th><th class=\"n\">Tokens</th>");
        if self.unpriced {
            page.push_str("<th class=\"n\">Unpriced</th>");
        }
    }

    fn row(&self, page: &mut String, line: &MarginLine, bar: &str) {
        let (figures, currency) = (&line.figures, &line.currency);
        let own = if line.key.starts_with('(') { " class=\"own\"" } else { "" };
        let bad = match figures.gross_margin().is_negative() && figures.cost_status != CostStatus::Unknown {
            true => " bad",
            false => "",
        };
        let _ = write!(
            page,
            "<tr{own}><th scope=\"row\">{}</th><td class=\"n\">{}</td>",
            escape(&line.key),
            minus(&money(figures.revenue, currency))
        );
        if self.allocated {
            let allocated = match figures.revenue_allocated.is_zero() {
                true => String::new(),
                false => minus(&money(figures.revenue_allocated, currency)),
            };
            let _ = write!(page, "<td class=\"n\">{allocated}</td>");
        }
        let _ = write!(
            page,
            "<td class=\"n\">{}</td><td class=\"bar-cell\">{bar}</td><td class=\"n{bad}\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>",
            display::cost(figures, currency),
            minus(&display::margin(figures, currency)),
            minus(&display::margin_pct(figures)),
            count(figures.calls),
            short_count(figures.input_tokens.saturating_add(figures.output_tokens)),
        );
        if self.unpriced {
            let unpriced = match figures.unpriced_calls {
                0 => String::new(),
                calls => count(calls),
            };
            let _ = write!(page, "<td class=\"n\">{unpriced}</td>");
        }
        page.push_str("</tr>\n");
    }
}
