//! Can it be trusted: what is covered, what is missing and how to close the gap; what does not meet, what nobody
//! understands, what moved since it was last reported.

use std::fmt::Write;

use super::super::coverage::Share;
use super::super::display::{count, money, share_text, signed_money};
use super::super::model::ReportModel;
use super::{escape, listing, minus};
use crate::revenue::Amount;

/// Percent below which a gap is drawn as one.
const LOW: &str = "95";
/// Emitters that are named.
const EMITTERS: usize = 8;

pub(super) fn write(page: &mut String, model: &ReportModel) {
    page.push_str("<section id=\"trust\"><h2>Can it be trusted</h2>\n<p>What is not known is in no figure as zero: it has a row of its own in every table, and stands here.</p>\n");
    for warning in &model.warnings {
        let _ = writeln!(page, "<p class=\"note\">{}</p>", escape(warning));
    }
    let (complete, gaps): (Vec<&Share>, Vec<&Share>) = model.coverage.shares.iter().partition(|share| share.is_complete());
    if !gaps.is_empty() {
        page.push_str("<div class=\"scroll\"><table class=\"stack trust\"><thead><tr><th>What</th><th>Covered</th><th class=\"n\">Missing</th><th>What to do</th></tr></thead><tbody>\n");
        gaps.iter().for_each(|share| gap(page, share));
        page.push_str("</tbody></table></div>\n");
    }
    let mut titles: Vec<String> = complete.iter().map(|share| escape(share.title)).collect();
    if model.unrecognised.is_empty() {
        titles.push("No usage that no rule understands".to_owned());
    }
    if model.moved_days == 0 {
        titles.push("No day moved since it was last reported".to_owned());
    }
    let _ = writeln!(
        page,
        "<p class=\"complete\"><span aria-hidden=\"true\">✓</span> In order: {}.</p>",
        titles.join("; ")
    );
    unmatched(page, model);
    listing::write(
        page,
        "Models without a price",
        "What their calls cost is not known, and in no figure: give them a price with <code>[[price]]</code>, then <code>marginlake reprice</code>.",
        &model.found.without_price,
        &model.currency,
    );
    emitters(page, model);
    moved(page, model);
    page.push_str("</section>\n");
}

fn gap(page: &mut String, share: &Share) {
    let percent = share.percent();
    let low = if percent < Amount::parse_major(LOW).ok() { " low" } else { "" };
    let _ = writeln!(
        page,
        "<tr><th scope=\"row\">{}</th><td class=\"meter-cell\"><span class=\"meter{low}\" aria-hidden=\"true\"><i style=\"width:{}%\"></i></span> {}</td><td class=\"n\" data-label=\"missing\">{}</td><td class=\"wide\">{}</td></tr>",
        escape(share.title),
        percent.unwrap_or_default().rounded(0),
        share_text(percent, false),
        escape(&share.missing_text()),
        code(share.advice),
    );
}

/// Our own words, with what is typed in backquotes.
fn code(text: &str) -> String {
    let mut shown = String::new();
    for (at, part) in text.split('`').enumerate() {
        let part = escape(part);
        match at % 2 {
            0 => shown.push_str(&part),
            _ => shown.push_str(&format!("<code>{part}</code>")),
        }
    }
    shown
}

fn unmatched(page: &mut String, model: &ReportModel) {
    if model.unmatched.is_empty() {
        return;
    }
    page.push_str("<h3>Where billing and telemetry do not meet</h3>\n<p>The largest on each side. A customer that is spelled differently on both sides belongs into <code>--customer-map</code>.</p>\n<div class=\"two\">\n");
    for (pays, title) in [(true, "Revenue without calls"), (false, "Cost without revenue")] {
        let _ = writeln!(
            page,
            "<table><thead><tr><th>{title}</th><th class=\"n\">Amount</th></tr></thead><tbody>"
        );
        let side: Vec<_> = model.unmatched.iter().filter(|customer| customer.pays == pays).collect();
        for customer in &side {
            let own = match customer.customer_id.starts_with('(') {
                true => " class=\"own\"",
                false => "",
            };
            let least = if customer.unpriced_calls > 0 { "≥ " } else { "" };
            let _ = writeln!(
                page,
                "<tr{own}><th scope=\"row\">{}</th><td class=\"n\">{least}{}</td></tr>",
                escape(&customer.customer_id),
                minus(&money(customer.amount, &customer.currency))
            );
        }
        if side.is_empty() {
            page.push_str("<tr><td colspan=\"2\">nothing</td></tr>\n");
        }
        page.push_str("</tbody></table>\n");
    }
    page.push_str("</div>\n");
}

fn emitters(page: &mut String, model: &ReportModel) {
    if model.unrecognised.is_empty() {
        return;
    }
    page.push_str("<h3>Usage that no rule understands</h3>\n<div class=\"scroll\"><table><caption>These emitters sent what looks like token counts, and nothing of it is billed. Their keys tell us how to read them.</caption><thead><tr><th>Emitter</th><th class=\"n\">Records</th><th>Keys</th></tr></thead><tbody>\n");
    for emitter in model.unrecognised.iter().take(EMITTERS) {
        let scope = if emitter.scope.is_empty() {
            "(no scope)"
        } else {
            &emitter.scope
        };
        let _ = writeln!(
            page,
            "<tr><th scope=\"row\">{} <small>{}</small></th><td class=\"n\">{}</td><td class=\"keys\">{}</td></tr>",
            escape(scope),
            escape(&emitter.version),
            count(emitter.spans),
            escape(&emitter.example_keys)
        );
    }
    page.push_str("</tbody></table></div>\n");
    let more = model.unrecognised.len().saturating_sub(EMITTERS);
    if more > 0 {
        let _ = writeln!(
            page,
            "<p class=\"more\">and {more} more: <code>marginlake settle</code> names them all</p>"
        );
    }
}

fn moved(page: &mut String, model: &ReportModel) {
    if model.moved.is_empty() {
        return;
    }
    page.push_str("<h3>Days that moved since they were last reported</h3>\n<div class=\"scroll\"><table><caption>Late calls, new prices or new lines of revenue; the days that moved most come first.</caption><thead><tr><th>Day</th><th class=\"n\">Revenue</th><th class=\"n\">Cost of goods</th><th class=\"n\">Calls</th></tr></thead><tbody>\n");
    for day in &model.moved {
        let signed = |amount| minus(&signed_money(amount, &model.currency));
        let _ = writeln!(
            page,
            "<tr><th scope=\"row\">{}</th><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            day.day,
            signed(day.revenue),
            signed(day.cogs),
            minus(&day.calls.rounded(0))
        );
    }
    page.push_str("</tbody></table></div>\n");
    let more = model.moved_days - model.moved.len();
    if more > 0 {
        let _ = writeln!(page, "<p class=\"more\">and {more} more in restated_days</p>");
    }
}
