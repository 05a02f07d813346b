//! What changed since the period before, and why: the bridge from one gross margin to the next.

use std::fmt::Write;

use super::super::display::{count128, money, signed_money};
use super::super::model::ReportModel;
use super::chart::Bars;
use super::{escape, minus};
use crate::insight::Change;
use crate::revenue::Amount;

pub(super) fn write(page: &mut String, model: &ReportModel) {
    let Some(change) = &model.change else { return };
    let signed = |amount| minus(&signed_money(amount, &model.currency));
    let _ = writeln!(
        page,
        "<section id=\"changed\"><h2>What changed, and why</h2>\n<p>{} to {} against {} to {}: revenue {}, cost {}, gross margin <b>{}</b>.</p>",
        change.after_from,
        change.after_to,
        change.before_from,
        change.before_to,
        signed(change.after.revenue - change.before.revenue),
        signed(change.after.cogs() - change.before.cogs()),
        signed(change.margin()),
    );
    bridge(page, model, change);
    for growth in &change.grown {
        let _ = writeln!(
            page,
            "<p class=\"finding\"><b>{}</b>: its calls grew from {} to {} tokens; that alone cost {} in the later period.</p>",
            escape(&growth.feature),
            count128(growth.before),
            count128(growth.after),
            money(growth.cost, &model.currency)
        );
    }
    page.push_str("</section>\n");
}

fn bridge(page: &mut String, model: &ReportModel, change: &Change) {
    let (before, after) = (change.before.gross_margin(), change.after.gross_margin());
    let mut steps: Vec<(&str, &str, Amount)> = change
        .shown_steps()
        .map(|step| (step.title, step.note.as_str(), step.amount))
        .collect();
    let shown: Amount = steps.iter().map(|(_, _, amount)| *amount).sum();
    let rest = change.margin() - shown;
    if rest.rounded(2).bytes().any(|byte| matches!(byte, b'1'..=b'9')) {
        steps.push(("Everything else", "", rest));
    }
    let mut levels = vec![Amount::ZERO, before, after];
    let mut level = before;
    for (_, _, amount) in &steps {
        level += *amount;
        levels.push(level);
    }
    let bars = Bars::over(levels);
    page.push_str("<div class=\"scroll\"><table class=\"bars\"><caption>From the gross margin before to the one after. Each step takes the steps above it as given; they sum to the change.</caption><thead><tr><th>Why</th><th class=\"bar-cell\"><span class=\"hidden\">As a bar</span></th><th class=\"n\">Gross margin</th></tr></thead><tbody>\n");
    let mut row = |class: &str, name: &str, note: &str, bar: String, amount: String| {
        let note = if note.is_empty() {
            String::new()
        } else {
            format!("<small>{}</small>", escape(note))
        };
        let _ = writeln!(
            page,
            "<tr class=\"{class}\"><th scope=\"row\">{name}{note}</th><td class=\"bar-cell\">{bar}</td><td class=\"n\">{amount}</td></tr>"
        );
    };
    let amount = |amount| minus(&money(amount, &model.currency));
    row("sum", "Before", "", bars.bar("level", Amount::ZERO, before), amount(before));
    let mut level = before;
    for (title, note, step) in steps {
        let class = if step.is_negative() { "loss" } else { "gain" };
        let signed = minus(&signed_money(step, &model.currency));
        row("", title, note, bars.bar(class, level, level + step), signed);
        level += step;
    }
    row("sum", "After", "", bars.bar("level", Amount::ZERO, after), amount(after));
    page.push_str("</tbody></table></div>\n");
}
