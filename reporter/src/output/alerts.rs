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
    /// `loss` or `coverage`.
    pub kind: &'static str,
    /// What it is about: `customer acme`, `calls_priced`.
    pub subject: String,
    /// Money lost in the report's currency; for coverage what is missing, in its unit.
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
            "{} {} lost {}: {}; {}.",
            loss.dimension,
            loss.key,
            money(loss.lost, &model.currency),
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
    losses.chain(gaps).collect()
}
