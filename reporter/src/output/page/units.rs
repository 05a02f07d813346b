//! What a unit costs: the average, and the distribution that the average hides.

use std::fmt::Write;

use super::super::display::{self, count, money, percent_text};
use super::super::model::ReportModel;
use super::super::unit_cost::UnitCost;
use super::minus;
use crate::revenue::Amount;

pub(super) fn write(page: &mut String, model: &ReportModel) {
    let total = &model.total;
    let priced = total.calls - total.unpriced_calls;
    if priced <= 0 {
        return;
    }
    let per = |units: i64, times: i128| (units > 0).then(|| total.model_cost.ratio(times, units.into())).flatten();
    let shown =
        |amount: Option<Amount>| amount.map_or_else(|| display::NOTHING.to_owned(), |amount| money(amount, &model.currency));
    let _ = writeln!(
        page,
        "<section><h2>What a unit costs</h2>\n<p>A model call costs {} on average, a million tokens {} (input and output, as reported).</p>",
        shown(per(priced, 1)),
        shown(per(total.input_tokens + total.output_tokens, 1_000_000)),
    );
    if !model.units.is_empty() {
        table(page, model, &model.units);
    }
    page.push_str("</section>\n");
}

fn table(page: &mut String, model: &ReportModel, units: &[UnitCost]) {
    page.push_str("<div class=\"scroll\"><table><caption>Cost of goods sold of one unit over these days. Half of the units cost at most p50; the top 10 % is the share of all cost that the dearest tenth makes.</caption><thead><tr><th>Unit</th>");
    let headings = [
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
        "With unpriced calls",
    ];
    for heading in headings {
        let _ = write!(page, "<th class=\"n\">{heading}</th>");
    }
    page.push_str("</tr></thead><tbody>\n");
    for unit in units {
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
        let _ = write!(page, "<tr><th scope=\"row\">{}</th>", unit.unit);
        for cell in cells {
            let _ = write!(page, "<td class=\"n\">{}</td>", minus(&cell));
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</tbody></table></div>\n");
}
