//! `summary.txt`: the report in a few lines, to be sent to a chat as it is.

use super::display::{self, money, share_text, signed_money};
use super::model::ReportModel;
use super::unmatched::UnmatchedCustomer;

/// Characters at most: what chat programs show without folding a message.
const MOST: usize = 900;

/// Do we make money, how sure is it, what changed, what loses most, what to do: a line each.
pub(super) fn summary(model: &ReportModel) -> String {
    let mut lines = vec![
        format!("Margins {} to {}: {}", model.from, model.to, model.verdict()),
        trust(model),
    ];
    let alone = [true, false].map(|pays| model.unmatched.iter().find(|customer| customer.pays == pays));
    let alone: Vec<String> = alone.into_iter().flatten().map(UnmatchedCustomer::sentence).collect();
    if !alone.is_empty() {
        lines.push(format!("Largest unmatched: {}.", alone.join("; ")));
    }
    if let Some(change) = &model.change {
        let why = change.main_step().map_or(String::new(), |step| {
            format!(
                ", most of all by {} ({})",
                step.title.to_lowercase(),
                signed_money(step.amount, &model.currency)
            )
        });
        lines.push(format!(
            "Against {} to {}: gross margin {}{why}.",
            change.before_from,
            change.before_to,
            signed_money(change.margin(), &model.currency)
        ));
    }
    if let Some(loss) = model.losses.first() {
        let month = money(loss.lost_per_month, &model.currency);
        lines.push(format!(
            "Loses most: {} {}, {month} a month: {}.",
            loss.dimension,
            cut(&loss.key),
            loss.cause
        ));
    }
    if let Some(lever) = model.levers.first() {
        let month = money(lever.per_month, &model.currency);
        lines.push(format!(
            "Do first: {} {}: {} ({month} a month).",
            lever.dimension,
            cut(&lever.key),
            lever.action
        ));
    }
    let mut text = lines.join("\n");
    if text.chars().count() > MOST {
        text = text.chars().take(MOST - 1).chain(['…']).collect();
    }
    text + "\n"
}

/// How many checks show a gap, and the largest two. That free users pay nothing is no gap in what we know.
fn trust(model: &ReportModel) -> String {
    let shares = || model.coverage.shares.iter().filter(|share| share.name != "cost_with_revenue");
    let mut gaps: Vec<_> = shares().filter(|share| !share.is_complete()).collect();
    if gaps.is_empty() {
        return "Everything is priced, attributed and matched.".to_owned();
    }
    let count = gaps.len();
    gaps.sort_by_key(|share| share.percent());
    let named: Vec<String> = gaps
        .iter()
        .take(2)
        .map(|share| format!("{} {}", share.title.to_lowercase(), share_text(share.percent(), false)))
        .collect();
    format!(
        "{count} of {} checks show a gap, the largest: {}.",
        shares().count(),
        named.join(", ")
    )
}

/// Ids come from outside and may be long.
fn cut(key: &str) -> String {
    display::shorten(key, 60)
}
