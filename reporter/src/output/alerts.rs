//! `alerts.json`: what a chat message or a pager should say about a report, each in one sentence.

use serde::Serialize;

use super::display::{money, share_text};
use super::margin::exact;
use super::model::ReportModel;
use crate::revenue::Amount;

/// Losses that are worth a message.
const SHOWN: usize = 5;

/// One thing to say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Alert {
    /// `loss`, `coverage`, `lever` or `emitter`.
    pub kind: &'static str,
    /// What it is about: `customer acme`, `calls_priced`.
    pub subject: String,
    /// Money lost, or what a lever is worth in a month, in the report's currency; for coverage what is missing, in its unit;
    /// for an emitter its records.
    #[serde(serialize_with = "exact")]
    pub amount: Amount,
    /// One sentence.
    pub message: String,
}

/// What to say about a report, the most expensive first; then what is not covered.
pub(super) fn alerts(model: &ReportModel) -> Vec<Alert> {
    let losses = model.losses.iter().take(SHOWN).map(|loss| Alert {
        kind: "loss",
        subject: format!("{} {}", loss.dimension, loss.key),
        amount: loss.lost,
        message: format!(
            "{} {} lost {} ({} a month): {}; {}.",
            loss.dimension,
            loss.key,
            money(loss.lost, &model.currency),
            money(loss.lost_per_month, &model.currency),
            loss.cause,
            loss.lever
        ),
    });
    let gaps = model
        .coverage
        .shares
        .iter()
        .filter(|share| !share.is_complete())
        .map(|share| Alert {
            kind: "coverage",
            subject: share.name.to_owned(),
            amount: share.whole - share.part,
            message: format!("{}: {}; {}.", share.title, share_text(share.percent(), false), share.advice),
        });
    let strangers = model.unrecognised.iter().map(|emitter| Alert {
        kind: "emitter",
        subject: emitter.scope.clone(),
        amount: Amount::from_scaled(i128::from(emitter.spans) * 10_i128.pow(12)),
        message: format!("{}.", emitter.sentence()),
    });
    losses.chain(gaps).chain(levers(model)).chain(strangers).collect()
}

/// What would help, the best first.
fn levers(model: &ReportModel) -> impl Iterator<Item = Alert> {
    model.levers.iter().take(SHOWN).map(|lever| Alert {
        kind: "lever",
        subject: format!("{} {}", lever.dimension, lever.key),
        amount: lever.per_month,
        message: format!(
            "{} {}: {}, worth {} a month.",
            lever.dimension,
            lever.key,
            lever.action,
            money(lever.per_month, &model.currency)
        ),
    })
}
