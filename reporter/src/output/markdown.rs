//! The report as Markdown, for a chat, a pull request or a wiki.

use std::fmt::Write;

use super::display::{self, count, money, share_text};
use super::margin::MarginLine;
use super::model::ReportModel;

/// Rows of a table before the rest is left to the files.
const SHOWN: usize = 20;

pub(super) fn markdown(model: &ReportModel) -> String {
    let mut text = format!(
        "# Margins {} to {} ({})\n\n**{}**\n\n## Can it be trusted\n\n",
        model.from,
        model.to,
        model.currency,
        model.verdict()
    );
    text.push_str("| measure | covered | what to do |\n| --- | ---: | --- |\n");
    for share in &model.coverage.shares {
        let advice = if share.is_complete() { "" } else { share.advice };
        let covered = share_text(share.percent(), share.is_complete());
        let _ = writeln!(
            text,
            "| {} ({}) | {covered} | {} |",
            share.title,
            cell(&share.unit),
            cell(advice)
        );
    }
    model
        .warnings
        .iter()
        .for_each(|warning| text.push_str(&format!("\n> {}\n", cell(warning))));
    if !model.losses.is_empty() {
        text.push_str("\n## What loses money\n\n| | lost | why | what to do |\n| --- | ---: | --- | --- |\n");
        for loss in &model.losses {
            let lost = money(loss.lost, &model.currency);
            let _ = writeln!(
                text,
                "| {} {} | {lost} | {} | {} |",
                loss.dimension,
                cell(&loss.key),
                cell(&loss.cause),
                cell(&loss.lever)
            );
        }
    }
    for (title, lines) in model.dimensions() {
        table(&mut text, title, lines, model.more_than(title, SHOWN));
    }
    text
}

fn table(text: &mut String, title: &str, lines: &[MarginLine], more: i64) {
    let _ = writeln!(
        text,
        "\n## By {title}\n\n| {title} | revenue | cost | margin | margin % | calls | unpriced |"
    );
    text.push_str("| --- | ---: | ---: | ---: | ---: | ---: | ---: |\n");
    let (own, named): (Vec<&MarginLine>, Vec<&MarginLine>) = lines.iter().partition(|line| line.key.starts_with('('));
    for line in named.iter().take(SHOWN).chain(&own) {
        let (figures, currency) = (&line.figures, &line.currency);
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} |",
            cell(&line.key),
            money(figures.revenue, currency),
            display::cost(figures, currency),
            display::margin(figures, currency),
            display::margin_pct(figures),
            count(figures.calls),
            count(figures.unpriced_calls)
        );
    }
    if more > 0 {
        let _ = writeln!(text, "\nand {} more", count(more));
    }
}

/// Ids come from outside: they may hold what Markdown reads as structure.
fn cell(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '|' | '\\' | '`' | '*' | '_' | '<' | '>' | '[' | ']' => escaped.extend(['\\', c]),
            '\n' | '\r' => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}
