//! What the demo tells at the end: what was sent and stored, the report, and where to go from here.

use std::path::Path;

use super::{Made, REVENUE};

const BY_FEATURE: &str = "SELECT feature, response_model, count(*) AS calls, sum(cost_usd) AS cost_usd FROM calls GROUP BY ALL ORDER BY cost_usd DESC NULLS LAST";

/// The text for standard output.
pub(super) fn tell(made: &Made, lake: &Path, out: &Path) -> String {
    let Made {
        ledger,
        settled,
        revenue_lines,
        report,
    } = made;
    let number = |count: u64| grouped(count);
    let mut text = String::new();
    let mut line = |words: String| {
        text.push_str(&words);
        text.push('\n');
    };
    line("One month of an invented helpdesk: a support chatbot, document summaries, an insights agent.".into());
    line(String::new());
    line(format!(
        "  sent     {} spans of 3 services by the OpenTelemetry SDK over OTLP/gRPC",
        number(ledger.spans)
    ));
    line(format!("  stored   {} spans, none lost and none twice", number(ledger.spans)));
    line(format!("  billed   {} calls, each once", number(settled.calls as u64)));
    let excluded = (number(ledger.agents), number(ledger.refused));
    line(format!(
        "  not      {} agent spans that repeat the calls below them, {} refused attempts",
        excluded.0, excluded.1
    ));
    line(format!("  revenue  {revenue_lines} lines of {}", out.join(REVENUE).display()));
    line(String::new());
    line(report.trim_end().to_owned());
    line(String::new());
    let (lake, out, program) = (lake.display(), out.display(), program());
    line("Where it is".into());
    line(format!("  page     {out}/report.html"));
    line(format!("  tables   {out}/marts/*.parquet, {out}/*.csv, {out}/*.json"));
    line(format!(
        "  lake     {lake} (Delta tables: spans, calls, revenue_daily, margin_by_customer, ...)"
    ));
    line(String::new());
    line("What to try next".into());
    line(format!("  {program} sql --lake {lake} \"{BY_FEATURE}\""));
    line(format!("  {program} sql --lake {lake}"));
    line(format!("  {program} collect --lake my-lake"));
    line("  and point OTEL_EXPORTER_OTLP_ENDPOINT of your own application at it".into());
    text
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
