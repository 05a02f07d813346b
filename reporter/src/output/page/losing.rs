//! Who and what loses money, why, and what would help, in dollars a month.

use std::fmt::Write;

use super::super::display::money;
use super::super::model::ReportModel;
use super::{escape, minus};

pub(super) fn write(page: &mut String, model: &ReportModel) {
    page.push_str("<section id=\"losing\"><h2>Who and what loses money</h2>\n");
    if model.losses.is_empty() {
        page.push_str("<p>No customer and no feature costs more than it earns.</p>\n");
    } else {
        losses(page, model);
    }
    if !model.levers.is_empty() {
        levers(page, model);
    }
    page.push_str("</section>\n");
}

fn losses(page: &mut String, model: &ReportModel) {
    page.push_str("<div class=\"scroll\"><table class=\"stack\"><caption>The largest losses of these days, a month of 30 days each.</caption><thead><tr><th>Who or what</th><th class=\"n\">Lost a month</th><th>Why</th><th>What to do</th></tr></thead><tbody>\n");
    for loss in &model.losses {
        let own = if loss.key.starts_with('(') { " class=\"own\"" } else { "" };
        let _ = writeln!(
            page,
            "<tr{own}><th scope=\"row\">{}<small>{}</small></th><td class=\"n bad\">{}</td><td class=\"wide\">{}</td><td class=\"wide do\">{}</td></tr>",
            escape(&loss.key),
            loss.dimension,
            money(loss.lost_per_month, &model.currency),
            minus(&loss.cause),
            minus(&loss.lever),
        );
    }
    page.push_str("</tbody></table></div>\n");
}

fn levers(page: &mut String, model: &ReportModel) {
    page.push_str("<h3>What would help most</h3>\n<p>Worked out again on the usage that was recorded, at the rates that were paid. What people would then do differently is not in it, and levers overlap: they are no sum.</p>\n<div class=\"scroll\"><table class=\"stack\"><thead><tr><th>Where</th><th class=\"n\">Worth a month</th><th>What to do</th></tr></thead><tbody>\n");
    for lever in &model.levers {
        let _ = writeln!(
            page,
            "<tr><th scope=\"row\">{}<small>{}</small></th><td class=\"n good\">{}</td><td class=\"wide do\">{}</td></tr>",
            escape(&lever.key),
            lever.dimension,
            money(lever.per_month, &model.currency),
            minus(&lever.action),
        );
    }
    page.push_str("</tbody></table></div>\n");
}
