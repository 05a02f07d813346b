//! The report in a terminal.

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};

use super::display::{self, count, money, share_text, short_count, signed_money};
use super::margin::MarginLine;
use super::model::ReportModel;

/// Rows of a table before the rest is summed up.
const SHOWN: usize = 12;

/// What the terminal can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TerminalStyle {
    /// Columns; tables are folded to fit.
    pub width: u16,
    /// False where `NO_COLOR` is set or the output is no terminal.
    pub color: bool,
}

impl Default for TerminalStyle {
    fn default() -> TerminalStyle {
        TerminalStyle {
            width: 120,
            color: false,
        }
    }
}

/// The report as text, ending in a line break.
pub fn terminal(model: &ReportModel, style: TerminalStyle) -> String {
    let bold = |text: &str| {
        if style.color {
            format!("\u{1b}[1m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    };
    let mut text = String::new();
    let mut line = |words: &str| text.extend([words, "\n"]);
    line(&bold(&format!(
        "Margins {} to {} in {}",
        model.from, model.to, model.currency
    )));
    line(&model.verdict());
    line("");
    line(&bold("Can it be trusted"));
    for share in &model.coverage.shares {
        let value = share_text(share.percent(), share.is_complete());
        let advice = if share.is_complete() {
            String::new()
        } else {
            format!("  {}", share.advice)
        };
        line(&format!("  {value:>9}  {}{advice}", share.title));
    }
    for customer in &model.unmatched {
        line(&format!("  unmatched: {}", customer.sentence()));
    }
    model.warnings.iter().for_each(|warning| line(&format!("  note: {warning}")));
    if let Some(change) = &model.change {
        line("");
        line(&bold(&format!(
            "What changed, {} to {} against {} to {}",
            change.after_from, change.after_to, change.before_from, change.before_to
        )));
        let signed = |amount| signed_money(amount, &model.currency);
        line(&format!(
            "  gross margin {}: revenue {}, cost {}",
            signed(change.margin()),
            signed(change.after.revenue - change.before.revenue),
            signed(change.after.cogs() - change.before.cogs())
        ));
        for step in change.shown_steps() {
            line(format!("  {:>12}  {}  {}", signed(step.amount), step.title, step.note).trim_end());
        }
    }
    if !model.losses.is_empty() {
        line("");
        line(&bold("What loses money"));
        let mut table = new_table(style);
        table.set_header(["", "lost", "why", "what to do"]);
        for loss in &model.losses {
            let key = Cell::new(format!("{} {}", loss.dimension, loss.key));
            table.add_row([
                key,
                right(money(loss.lost, &model.currency)),
                Cell::new(&loss.cause),
                Cell::new(&loss.lever),
            ]);
        }
        line(&table.to_string());
    }
    // The first three answer who, what and with which model; the others are in the files.
    for (title, lines) in model.dimensions().into_iter().take(3) {
        line("");
        line(&bold(&format!("By {title}")));
        line(&margin_table(title, lines, model.more_than(title, SHOWN), style).to_string());
    }
    text
}

fn margin_table(title: &str, lines: &[MarginLine], more: i64, style: TerminalStyle) -> Table {
    let mut table = new_table(style);
    table.set_header(
        [
            title,
            "revenue",
            "cost",
            "margin",
            "margin %",
            "calls",
            "tokens in",
            "tokens out",
            "unpriced",
        ]
        .map(|name| match name {
            name if name == title => Cell::new(name),
            name => right(name.to_owned()),
        }),
    );
    // Rows in brackets are always shown: they are what is not known.
    let (own, named): (Vec<&MarginLine>, Vec<&MarginLine>) = lines.iter().partition(|line| line.key.starts_with('('));
    for line in named.iter().take(SHOWN).chain(&own) {
        let (figures, currency) = (&line.figures, &line.currency);
        table.add_row([
            Cell::new(&line.key),
            right(money(figures.revenue, currency)),
            right(display::cost(figures, currency)),
            right(display::margin(figures, currency)),
            right(display::margin_pct(figures)),
            right(count(figures.calls)),
            right(short_count(figures.input_tokens)),
            right(short_count(figures.output_tokens)),
            right(if figures.unpriced_calls == 0 {
                String::new()
            } else {
                count(figures.unpriced_calls)
            }),
        ]);
    }
    if more > 0 {
        table.add_row([Cell::new(format!("and {} more", count(more)))]);
    }
    table
}

fn new_table(style: TerminalStyle) -> Table {
    let mut table = Table::new();
    table
        .load_preset(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(style.width.max(40));
    table
}

fn right(text: String) -> Cell {
    Cell::new(text).set_alignment(CellAlignment::Right)
}
