//! The report as one self-contained page: no script, no font, no image from elsewhere.
//!
//! In the order in which a reader asks: do we make money, on what, and what to do (the first screen); can I trust it; what
//! changed and why; who and what loses money and what would help; then every breakdown, what a unit costs, and how it was
//! made. A section is a function in a file of its own; none computes.

mod appendix;
mod breakdown;
mod changed;
mod chart;
mod first_screen;
mod listing;
mod losing;
mod trust;
mod units;

use super::model::ReportModel;

const STYLE: &str = include_str!("page.css");

pub(super) fn html(model: &ReportModel) -> String {
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>Margins {} to {}</title>\n<style>\n{STYLE}</style></head><body><main>\n",
        model.from, model.to,
    );
    first_screen::write(&mut page, model);
    trust::write(&mut page, model);
    changed::write(&mut page, model);
    losing::write(&mut page, model);
    breakdown::write(&mut page, model);
    units::write(&mut page, model);
    appendix::write(&mut page, model);
    page + "</main></body></html>\n"
}

/// Text that comes from outside, for HTML and SVG.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c if c.is_control() && c != '\n' => {}
            c => escaped.push(c),
        }
    }
    escaped
}

/// Text with its negative amounts under a true minus, as wide as a plus; hyphens in names stay hyphens.
fn minus(text: &str) -> String {
    let escaped = escape(text);
    let mut shown = String::with_capacity(escaped.len());
    let mut chars = escaped.chars().peekable();
    let mut before = ' ';
    while let Some(c) = chars.next() {
        let opens = before.is_whitespace() || before == '(';
        let amount_follows = chars
            .peek()
            .is_some_and(|next| next.is_ascii_digit() || matches!(next, '$' | '€' | '£' | '¥'));
        match c == '-' && opens && amount_follows {
            // The word joiner keeps the sign on the line of its number.
            true => shown.push_str("−\u{2060}"),
            false => shown.push(c),
        }
        before = c;
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::minus;

    #[test]
    fn only_amounts_get_a_minus() {
        for (text, expected) in [
            ("-$4.20", "−\u{2060}$4.20"),
            ("≤ -4.20 CHF", "≤ −\u{2060}4.20 CHF"),
            ("claude-opus-5 costs -$3 (-5)", "claude-opus-5 costs −\u{2060}$3 (−\u{2060}5)"),
            ("<b> - ", "&lt;b&gt; - "),
        ] {
            assert_eq!(minus(text), expected);
        }
    }
}
