//! What a unit costs: the average, the distribution that the average hides, what a unit must earn, what plans and outcomes
//! cost, how fast and how good it is, and the calls to look at.

use std::fmt::Write;

use super::super::display::{self, count, money, percent_text, unit_money};
use super::super::model::ReportModel;
use super::super::unit_cost::UnitCost;
use super::{listing, minus};
use crate::revenue::Amount;

pub(super) fn write(page: &mut String, model: &ReportModel) {
    let total = &model.total;
    let priced = total.calls - total.unpriced_calls;
    if priced <= 0 {
        return;
    }
    let per = |units: i64, times: i128| (units > 0).then(|| total.model_cost.ratio(times, units.into())).flatten();
    let shown =
        |amount: Option<Amount>| amount.map_or_else(|| display::NOTHING.to_owned(), |amount| unit_money(amount, &model.currency));
    let _ = writeln!(
        page,
        "<section id=\"units\"><h2>What a unit costs</h2>\n<p>A model call costs {} on average, a million tokens {} (input and output, as reported){}.</p>",
        shown(per(priced, 1)),
        shown(per(total.input_tokens + total.output_tokens, 1_000_000)),
        cached(model)
    );
    if !model.units.is_empty() {
        table(page, model, &model.units);
    }
    let found = &model.found;
    let list = |page: &mut String, title, caption, rows| listing::write(page, title, caption, rows, &model.currency);
    list(
        page,
        "What a unit must earn",
        "Breaks even at: the price at which the average unit earns what it costs. Needs for it: the price at which the target margin is reached, on average and by nine of ten units.",
        &found.prices,
    );
    list(
        page,
        "Plans",
        "Each customer counts for the plan that earns most from it. Breaks even at: the calls after which the average customer of the plan costs more than it pays. Under water: customers that do.",
        &found.plans,
    );
    list(
        page,
        "Outcomes",
        "A resolution carries the cost of the failures too: all cost of units whose outcome is known, for each that was resolved. Cost includes what is no token, such as people who took over. An unknown outcome is not a failure. At least, at most: its 95 % interval.",
        &found.outcomes,
    );
    list(
        page,
        "Cost, speed and errors",
        "Each model in each feature. Half of the calls take at most p50, 95 of a hundred at most p95.",
        &found.tradeoffs,
    );
    waste(page, model);
    list(
        page,
        "How sure a call's cost is",
        "The interval holds the true average 95 times in a hundred, if other customers are like these. Calls of one customer are alike, so the customer is what is counted.",
        &found.estimates,
    );
    list(
        page,
        "Calls and conversations to look at",
        "They cost far more than their like; <code>marginlake explain TRACE</code> shows each of their records.",
        &found.outliers,
    );
    page.push_str("</section>\n");
}

fn cached(model: &ReportModel) -> String {
    let hits = model.found.waste.cache_hit_pct.as_deref();
    let hits = hits.and_then(|text| Amount::parse_major(text).ok());
    hits.map_or(String::new(), |hits| {
        format!("; {} of the input is read from a cache", percent_text(Some(hits)))
    })
}

/// What came to nothing, in a sentence.
fn waste(page: &mut String, model: &ReportModel) {
    let waste = &model.found.waste;
    let money = |amount| minus(&money(amount, &model.currency));
    let mut sentences = Vec::new();
    if waste.error_calls > 0 {
        sentences.push(format!(
            "{} calls ended in an error and cost {}, of which {} was asked again with success",
            count(waste.error_calls),
            money(waste.error_cost),
            money(waste.retried_cost)
        ));
    }
    if waste.failures > 0 {
        sentences.push(format!(
            "{} conversations and tasks failed and cost {}",
            count(waste.failures),
            money(waste.failed_cost)
        ));
    }
    if waste.abandoned > 0 {
        sentences.push(format!(
            "{} were abandoned and cost {}",
            count(waste.abandoned),
            money(waste.abandoned_cost)
        ));
    }
    if !sentences.is_empty() {
        let _ = writeln!(
            page,
            "<p class=\"finding\"><b>Spent on what came to nothing</b>: {}.</p>",
            sentences.join("; ")
        );
    }
}

fn table(page: &mut String, model: &ReportModel, units: &[UnitCost]) {
    page.push_str("<div class=\"scroll\"><table class=\"bars\"><caption>Cost of goods sold of one unit over these days. Half of the units cost at most p50, 99 of a hundred at most p99. The bar and the top shares say how much of all cost the dearest units make.</caption><thead><tr><th>Unit</th>");
    let headings = ["Units", "Mean", "p50", "p90", "p95", "p99", "Top 1 %", "Top 5 %", "Top 10 %"];
    for heading in headings {
        let _ = write!(page, "<th class=\"n\">{heading}</th>");
    }
    page.push_str("<th class=\"share-cell\"><span class=\"hidden\">Top 10 % as a bar</span></th><th class=\"n\">Losing</th><th class=\"n\">Lost</th></tr></thead><tbody>\n");
    for unit in units {
        let money = |amount| unit_money(amount, &model.currency);
        let cells = [
            count(unit.units as i64),
            money(unit.mean),
            money(unit.p50),
            money(unit.p90),
            money(unit.p95),
            money(unit.p99),
            percent_text(Some(unit.top_1_pct)),
            percent_text(Some(unit.top_5_pct)),
            percent_text(Some(unit.top_10_pct)),
        ];
        let _ = write!(page, "<tr><th scope=\"row\">{}</th>", unit.unit);
        for cell in cells {
            let _ = write!(page, "<td class=\"n\">{}</td>", minus(&cell));
        }
        let _ = writeln!(
            page,
            "<td class=\"share-cell\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            concentration(unit),
            count(unit.below_zero as i64),
            minus(&money(unit.lost))
        );
    }
    page.push_str("</tbody></table></div>\n");
    let unpriced: Vec<String> = units
        .iter()
        .filter(|unit| unit.units_with_unpriced_calls > 0)
        .map(|unit| format!("{} of {}", count(unit.units_with_unpriced_calls as i64), plural(&unit.unit)))
        .collect();
    if !unpriced.is_empty() {
        let _ = writeln!(
            page,
            "<p class=\"more\">With calls that have no price, so that they cost more than this: {}.</p>",
            unpriced.join(", ")
        );
    }
}

fn plural(unit: &str) -> String {
    format!("{unit}s")
}

/// Shares of all cost: of the dearest hundredth, the dearest tenth, and everybody.
fn concentration(unit: &UnitCost) -> String {
    let width = |percent: Amount| percent.rounded(1);
    format!(
        "<span class=\"concentration\" aria-hidden=\"true\"><i class=\"tenth\" style=\"width:{}%\"></i><i class=\"hundredth\" style=\"width:{}%\"></i></span>",
        width(unit.top_10_pct),
        width(unit.top_1_pct)
    )
}
