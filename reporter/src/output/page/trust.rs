//! Can it be trusted: what is covered, what is missing and how to close the gap.

use std::fmt::Write;

use super::super::coverage::Share;
use super::super::display::share_text;
use super::super::model::ReportModel;
use super::escape;
use crate::revenue::Amount;

/// Percent below which a gap is drawn as one.
const LOW: &str = "95";

pub(super) fn write(page: &mut String, model: &ReportModel) {
    page.push_str("<section><h2>Can it be trusted</h2>\n<p>What is not known is in no figure as zero: it has a row of its own in every table, and stands here.</p>\n");
    for warning in &model.warnings {
        let _ = writeln!(page, "<p class=\"note\">{}</p>", escape(warning));
    }
    let (complete, gaps): (Vec<&Share>, Vec<&Share>) = model.coverage.shares.iter().partition(|share| share.is_complete());
    if !gaps.is_empty() {
        page.push_str("<div class=\"scroll\"><table class=\"stack trust\"><thead><tr><th>What</th><th>Covered</th><th class=\"n\">Missing</th><th>What to do</th></tr></thead><tbody>\n");
        gaps.iter().for_each(|share| gap(page, share));
        page.push_str("</tbody></table></div>\n");
    }
    if !complete.is_empty() {
        let titles: Vec<String> = complete.iter().map(|share| escape(share.title)).collect();
        let _ = writeln!(
            page,
            "<p class=\"complete\"><span aria-hidden=\"true\">✓</span> Complete: {}.</p>",
            titles.join("; ")
        );
    }
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
        escape(share.advice),
    );
}
