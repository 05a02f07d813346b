//! What the demo tells at the end: what was sent and stored, the report, and where to go from here.

use std::path::Path;

use super::{Made, REVENUE};

/// A first query, on one line so that it can be copied.
const BY_FEATURE: &str = "SELECT feature, response_model, count(*) AS calls, sum(cost_usd) AS cost FROM calls GROUP BY ALL ORDER BY cost DESC NULLS LAST";

/// The text for standard output.
pub(super) fn tell(made: &Made, lake: &Path, out: &Path) -> String {
    let Made {
        ledger,
        settled,
        revenue_lines,
        report,
    } = made;
    let (spans, agents, refused) = (grouped(ledger.spans), grouped(ledger.agents), grouped(ledger.refused));
    let calls = grouped(settled.calls as u64);
    let revenue = out.join(REVENUE);
    let (lake, out, revenue, program) = (lake.display(), out.display(), revenue.display(), program());
    let report = report.trim_end();
    format!(
        "One month of an invented helpdesk: a support chatbot, document summaries, an insights agent.

  sent      {spans} spans of 3 services, by the OpenTelemetry SDK over OTLP/gRPC
  stored    {spans} spans, none lost and none twice
  billed    {calls} calls, each once
  left out  {agents} agent spans that repeat the calls below them, {refused} refused attempts
  revenue   {revenue_lines} lines of {revenue}

{report}

Where it is
  page      {out}/report.html
  tables    {out}/marts/*.parquet, {out}/*.csv, {out}/*.json
  lake      {lake} (Delta: spans, calls, calls_excluded, revenue_daily, margin_by_customer and more)

What to try next
  {program} sql --lake {lake} \"{BY_FEATURE}\"
  {program} sql --lake {lake}
  {program} collect --lake my-lake
      and point your own application's OTEL_EXPORTER_OTLP_ENDPOINT at it
"
    )
}

/// How this program was called, as the user can type it again.
fn program() -> String {
    std::env::args_os()
        .next()
        .map_or_else(|| "marginlake".into(), |program| program.to_string_lossy().into_owned())
}

/// 12345 -> 12,345
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn counts_are_grouped_by_thousands() {
        for (count, expected) in [(0, "0"), (999, "999"), (1000, "1,000"), (1234567, "1,234,567")] {
            assert_eq!(super::grouped(count), expected);
        }
    }
}
