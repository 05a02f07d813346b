//! What a reader sees first: do we make money, on what, what to do, and how sure is it.

use std::fmt::Write;

use super::super::display::{self, count, money, percent_text, share_text};
use super::super::margin::{CostStatus, MarginFigures, MarginLine, percent};
use super::super::model::ReportModel;
use super::{breakdown, escape, minus};
use crate::revenue::Amount;

pub(super) fn write(page: &mut String, model: &ReportModel) {
    let _ = write!(
        page,
        "<header><p class=\"eyebrow\">Margins · {} to {} · {}</p>\n<h1>{}</h1></header>\n<div class=\"first\"><dl class=\"answers\">\n",
        model.from,
        model.to,
        model.currency,
        minus(&model.verdict())
    );
    for (question, answer, class) in answers(model) {
        let _ = writeln!(page, "<div class=\"{class}\"><dt>{question}</dt><dd>{answer}</dd></div>");
    }
    page.push_str("</dl>\n");
    page.push_str("<div>");
    statement(page, model);
    breakdown::daily(page, model);
    page.push_str("</div></div>\n");
    contents(page);
}

/// Where the answers are explained.
fn contents(page: &mut String) {
    page.push_str("<nav aria-label=\"On this page\">");
    for (id, title) in [
        ("trust", "Can it be trusted"),
        ("changed", "What changed"),
        ("losing", "Who and what loses money"),
        ("breakdown", "Every breakdown"),
        ("units", "What a unit costs"),
        ("made", "How this was made"),
    ] {
        let _ = write!(page, "<a href=\"#{id}\">{title}</a>");
    }
    page.push_str("</nav>\n");
}

/// Levers that are named beside the first.
const THEN: usize = 2;

/// Question, answer as HTML, class.
fn answers(model: &ReportModel) -> Vec<(&'static str, String, &'static str)> {
    let mut answers = Vec::new();
    let said = |lines: &[MarginLine]| {
        let say = |line: &MarginLine| {
            format!(
                "<b>{}</b> {}",
                escape(&line.key),
                minus(&display::margin(&line.figures, &model.currency))
            )
        };
        lines.iter().map(say).collect::<Vec<_>>().join(", ")
    };
    if !model.best_features.is_empty() {
        answers.push(("Made by", said(&model.best_features), "gain"));
    }
    if !model.worst_features.is_empty() {
        answers.push(("Lost by", said(&model.worst_features), "loss"));
    }
    let losers = &model.losers;
    if losers.count > 0 {
        let worst = losers
            .worst
            .as_ref()
            .map_or(String::new(), |key| format!("; the most: <b>{}</b>", escape(key)));
        answers.push((
            "Customers",
            format!(
                "{} of {} cost more than they pay, {} together{worst}",
                count(losers.count),
                count(losers.of),
                minus(&money(losers.lost, &model.currency)),
            ),
            "loss",
        ));
    }
    if let Some(lever) = model.levers.first() {
        answers.push((
            "Do first",
            format!(
                "<b>{}</b>: {} <span class=\"worth\">worth {} a month</span>",
                escape(&lever.key),
                minus(&lever.action),
                money(lever.per_month, &model.currency)
            ),
            "todo",
        ));
    }
    let then = model.levers.iter().skip(1).take(THEN).map(|lever| {
        format!(
            "<b>{}</b>: {} <span class=\"worth\">{}</span>",
            escape(&lever.key),
            minus(&lever.action),
            money(lever.per_month, &model.currency)
        )
    });
    let then: Vec<String> = then.collect();
    if !then.is_empty() {
        answers.push(("Then", then.join("<br>"), ""));
    }
    if let Some(change) = &model.change {
        let why = change.main_step().map_or(String::new(), |step| {
            format!(
                ", most of all by {} ({})",
                step.title.to_lowercase(),
                minus(&display::signed_money(step.amount, &model.currency))
            )
        });
        answers.push((
            "Since before",
            format!(
                "margin {}{why}",
                minus(&display::signed_money(change.margin(), &model.currency))
            ),
            "",
        ));
    }
    answers.push(("How sure", sure(model), ""));
    if let Some(matched) = matched(model) {
        answers.push(("Matched", matched, ""));
    }
    answers
}

/// How well billing and telemetry meet, both ways, and the largest that do not.
fn matched(model: &ReportModel) -> Option<String> {
    let share = |name: &str| {
        let share = model.coverage.shares.iter().find(|share| share.name == name)?;
        Some(share_text(share.percent(), share.is_complete()))
    };
    let mut sides = Vec::new();
    for (covered, what, pays) in [
        (share("revenue_with_usage"), "revenue is of customers with calls", true),
        (share("cost_with_revenue"), "cost is of customers who pay", false),
    ] {
        let Some(covered) = covered else { continue };
        let apart = model.unmatched.iter().find(|customer| customer.pays == pays);
        let apart = apart.map_or(String::new(), |customer| {
            let amount = money(customer.amount, &customer.currency);
            format!(" (the largest apart: {} with {amount})", escape(&customer.customer_id))
        });
        sides.push(format!("{covered} of {what}{apart}"));
    }
    (!sides.is_empty()).then(|| sides.join("; "))
}

/// Between what the margin lies, what is missing, and the largest gap. That free users pay nothing is no gap in what we know.
fn sure(model: &ReportModel) -> String {
    let mut sure = Vec::new();
    let shown = |amount| minus(&money(amount, &model.currency));
    let bounds = model.found.margin_bounds.filter(|bounds| bounds.low != bounds.high);
    if let Some(bounds) = bounds {
        let unpriced = match model.total.unpriced_calls {
            0 => String::new(),
            calls => format!(", as {} calls have no price", count(calls)),
        };
        sure.push(format!(
            "the margin is between {} and {}{unpriced}",
            shown(bounds.low),
            shown(bounds.high)
        ));
    } else if model.total.unpriced_calls > 0 {
        sure.push(format!(
            "{} calls have no price: the margin is lower than this",
            count(model.total.unpriced_calls)
        ));
    }
    let shares = || model.coverage.shares.iter().filter(|share| share.name != "cost_with_revenue");
    let gaps = || shares().filter(|share| !share.is_complete());
    sure.push(match gaps().min_by_key(|share| share.percent()) {
        None => "everything is priced, attributed and matched".to_owned(),
        Some(worst) => format!(
            "{} of {} checks show a gap, the largest: {} of {}",
            gaps().count(),
            shares().count(),
            share_text(worst.percent(), false),
            escape(&lower_first(worst.title)),
        ),
    });
    sure.join("; ")
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map_or(String::new(), |first| first.to_lowercase().chain(chars).collect())
}

/// Revenue down to the margins, as finance reads it.
fn statement(page: &mut String, model: &ReportModel) {
    let total = &model.total;
    page.push_str(
        "<table class=\"statement\"><caption class=\"hidden\">From revenue to margin</caption><thead><tr><th></th><th class=\"n\">Amount</th><th class=\"n\">Of revenue</th></tr></thead><tbody>\n",
    );
    let bound = |figures: &MarginFigures, least: &str, amount: Amount| {
        let mark = if figures.cost_status == CostStatus::LowerBound {
            least
        } else {
            ""
        };
        format!("{mark}{}", money(amount, &model.currency))
    };
    let mut row = |class: &str, name: &str, shown: String, amount: Amount| {
        let share = percent_text(percent(amount, total.revenue));
        let _ = writeln!(
            page,
            "<tr class=\"{class}\"><th scope=\"row\">{name}</th><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            minus(&shown),
            minus(&share)
        );
    };
    row("", "Revenue, net", money(total.revenue, &model.currency), total.revenue);
    row("", "Model calls", bound(total, "≥ ", total.model_cost), total.model_cost);
    row(
        "",
        "Other cost of goods",
        money(total.other_cogs, &model.currency),
        total.other_cogs,
    );
    row(
        "sum",
        "Gross margin",
        bound(total, "≤ ", total.gross_margin()),
        total.gross_margin(),
    );
    if !total.variable_cost.is_zero() {
        row(
            "",
            "Variable cost outside of goods",
            money(total.variable_cost, &model.currency),
            total.variable_cost,
        );
        row(
            "sum",
            "Contribution margin",
            bound(total, "≤ ", total.contribution_margin()),
            total.contribution_margin(),
        );
    }
    if let Some(cash) = model.cash_received {
        let _ = writeln!(
            page,
            "<tr class=\"beside\"><th scope=\"row\">Cash received <small>beside revenue, in no margin</small></th><td class=\"n\">{}</td><td></td></tr>",
            minus(&money(cash, &model.currency))
        );
    }
    page.push_str("</tbody></table>\n");
}
