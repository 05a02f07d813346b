//! What the demo tells at the end: what was sent and stored, the report, the stories in it, and where to go from here.

use std::path::Path;

use super::Made;
use super::books::{BILLS, OUTCOMES, REVENUE, SETTINGS};

/// The five stories, each with the query that tells it, on one line so that it can be copied.
const STORIES: [(&str, &str); 5] = [
    (
        "a chatbot on a monthly fee: does it pay?",
        "SELECT plan, customers, revenue_per_customer, cost_per_customer, p95_cost, under_water FROM plan_economics",
    ),
    (
        "the dear model resolves more, the cheap one costs more a resolution and loses customers",
        "SELECT model, units, success_pct, cost_per_success FROM outcome_costs WHERE unit = 'conversation'",
    ),
    (
        "a prompt that grew",
        "SELECT prompt, sum(calls) AS calls, sum(input_tokens) / sum(calls) AS tokens_a_call, sum(model_cost) AS cost FROM margin_by_prompt GROUP BY prompt ORDER BY prompt",
    ),
    (
        "a whale on a flat plan",
        "SELECT customer_id, sum(revenue) AS revenue, sum(model_cost + other_cogs) AS cost, sum(gross_margin) AS margin FROM margin_by_customer GROUP BY customer_id ORDER BY margin LIMIT 5",
    ),
    (
        "retrieval, hosting and people that everybody forgot",
        "SELECT feature, sum(revenue) AS revenue, sum(model_cost) AS models, sum(other_cogs) AS everything_else, sum(gross_margin) AS margin FROM margin_by_feature GROUP BY feature",
    ),
];

/// The text for standard output.
pub(super) fn tell(made: &Made, lake: &Path, out: &Path) -> String {
    let Made { ledger, books, report } = made;
    let (spans, agents, refused) = (grouped(ledger.spans), grouped(ledger.agents), grouped(ledger.refused));
    let (searches, takeovers) = (grouped(ledger.searches), grouped(ledger.takeovers));
    let calls = grouped(ledger.calls);
    let revenue_lines = books.revenue_lines;
    let (lake, out, program) = (lake.display(), out.display(), program());
    let report = report.trim_end();
    let stories: String = STORIES
        .iter()
        .map(|(story, query)| format!("  {story}\n      {program} sql --lake {lake} \"{query}\"\n"))
        .collect();
    format!(
        "One month of an invented helpdesk: a support chatbot, document summaries, an insights agent.

  sent      {spans} spans of 3 services, by the OpenTelemetry SDK over OTLP/gRPC
  stored    {spans} spans, none lost and none twice
  billed    {calls} model calls, each once; by rule {searches} searches and {takeovers} conversations that people took over
  left out  {agents} agent spans that repeat the calls below them, {refused} refused attempts
  revenue   {revenue_lines} lines of {out}/{REVENUE}

{report}

Five stories in it
{stories}
Where it is
  page      {out}/report.html
  tables    {out}/marts/*.parquet, {out}/*.csv, {out}/*.json, {out}/report.xlsx
  lake      {lake} (Delta: spans, calls, calls_excluded, revenue_daily, margin_by_customer and more)

What to try next
  {program} report --lake {lake} --config {out}/{SETTINGS} --revenue {out}/{REVENUE} --bill {out}/{BILLS} --outcomes {out}/{OUTCOMES} --from 2026-10-01 --to 2026-10-31 --out my-report
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
