//! Compares the lake with the generator's own count: what was sent is stored, and what is billed is what happened.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use marginlake_lake::Lake;
use marginlake_reporter::session;
use marginlake_reporter::shell::{Format, write_rows};

use super::ledger::Ledger;

const SPANS: &str = "SELECT count(*) AS spans FROM spans";

const CALLS: &str = "
    SELECT count(*) FILTER (WHERE cost_class = 'model') AS calls,
           coalesce(sum(input_uncached), 0) AS input_uncached,
           coalesce(sum(cache_read), 0) AS cache_read,
           coalesce(sum(cache_write_5m), 0) AS cache_write_5m,
           coalesce(sum(output_text), 0) AS output_text,
           coalesce(sum(output_reasoning), 0) AS output_reasoning,
           coalesce(sum(coalesce(cache_write_1h, 0) + coalesce(input_audio, 0) + coalesce(input_image, 0)
                      + coalesce(output_audio, 0) + coalesce(output_image, 0)), 0) AS other_tokens,
           count(*) FILTER (WHERE cost_usd IS NULL) AS unpriced_calls,
           count(*) FILTER (WHERE cost_class = 'other_cogs') AS searches_and_takeovers,
           count(*) FILTER (WHERE customer_id IS NULL AND cost_class = 'model') AS unattributed_calls,
           count(*) FILTER (WHERE feature IS NULL OR user_id IS NULL) AS calls_without_feature_or_user
    FROM calls";

const EXCLUDED: &str = "
    SELECT count(*) FILTER (WHERE reason = 'aggregate') AS agents,
           count(*) FILTER (WHERE reason = 'failed_no_usage') AS refused,
           count(*) FILTER (WHERE reason NOT IN ('aggregate', 'failed_no_usage')) AS excluded_for_other_reasons
    FROM calls_excluded";

/// Fails with the first figures that differ. Needs a settled lake.
pub(super) async fn verify(lake: &Lake, ledger: &Ledger) -> anyhow::Result<()> {
    let session = session::open_session(lake).await?;
    let mut found = BTreeMap::new();
    for query in [SPANS, CALLS, EXCLUDED] {
        let mut bytes = Vec::new();
        write_rows(&session::query(&session, query).await?, Format::Ndjson, &mut bytes)?;
        let row: BTreeMap<String, serde_json::Value> = serde_json::from_slice(&bytes).context("a count is not one row")?;
        // Some counts are wider than JSON's numbers are safe, and come as text.
        found.extend(
            row.into_iter()
                .map(|(name, count)| (name, count.to_string().trim_matches('"').to_owned())),
        );
    }
    let differences: Vec<String> = expected(ledger)
        .into_iter()
        .filter_map(|(name, expected)| {
            let found = found.get(name).map_or("missing", String::as_str);
            (found != expected.to_string()).then(|| format!("{name} should be {expected} and is {found}"))
        })
        .collect();
    match differences.is_empty() {
        true => Ok(()),
        false => bail!(
            "the lake differs from what was sent: {}. This is a bug in marginlake: please report it",
            differences.join("; ")
        ),
    }
}

fn expected(ledger: &Ledger) -> Vec<(&'static str, u64)> {
    let tokens = &ledger.tokens;
    vec![
        ("spans", ledger.spans),
        ("calls", ledger.calls),
        ("input_uncached", tokens.input_uncached),
        ("cache_read", tokens.cache_read),
        ("cache_write_5m", tokens.cache_write_5m),
        ("output_text", tokens.output_text),
        ("output_reasoning", tokens.output_reasoning),
        ("other_tokens", 0),
        ("unpriced_calls", ledger.unpriced_calls()),
        ("searches_and_takeovers", ledger.searches + ledger.takeovers),
        ("unattributed_calls", ledger.unattributed_calls),
        ("calls_without_feature_or_user", 0),
        ("agents", ledger.agents),
        ("refused", ledger.refused),
        ("excluded_for_other_reasons", 0),
    ]
}
