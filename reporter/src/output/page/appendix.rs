//! How the report was made: what the words mean, and how the revenue files were read.

use std::fmt::Write;

use super::super::model::ReportModel;
use super::escape;

const WORDS: [(&str, &str); 11] = [
    (
        "Revenue",
        "Net of tax, spread evenly over the UTC days of each line's service period; the last day takes the rounding rest.",
    ),
    (
        "Model cost",
        "Each model call once, at the price in force when it started, from its own token usage. Calls without a price are counted, never taken as free.",
    ),
    (
        "Gross margin",
        "Revenue less cost of goods sold: model calls, and what else it takes to deliver, such as retrieval and human review.",
    ),
    (
        "Contribution margin",
        "Gross margin less variable cost outside of goods, such as payment fees and bad debt.",
    ),
    (
        "≤ and ≥",
        "Some calls have no known price: the cost is at least this, the margin at most this.",
    ),
    (
        "Allocated",
        "Revenue that no line names a feature or model for, split by the customer's share of cost in the calendar month. An allocation, not a fact.",
    ),
    ("(unattributed)", "Cost of calls that carry no such key."),
    ("(unmatched)", "Revenue lines that name no customer."),
    ("(unallocated)", "Revenue of a customer in a month without known cost."),
    (
        "(no rate)",
        "Amounts in a currency for which no exchange rate was given; they are in no total.",
    ),
    (
        "The bridge",
        "Customers that came or went, then of those who stayed: what they pay, exchange rates, the number of calls at the old cost of a call, the mix of models, tokens a call at the old cost of a token, the share read from cache at old rates, other costs; what is left is the price of a token.",
    ),
];

pub(super) fn write(page: &mut String, model: &ReportModel) {
    page.push_str("<section id=\"made\" class=\"appendix\"><h2>How this was made</h2>\n<dl class=\"words\">");
    for (term, meaning) in WORDS {
        let _ = write!(page, "<div><dt>{term}</dt><dd>{meaning}</dd></div>");
    }
    page.push_str("</dl>");
    if let Some(as_of) = &model.as_of {
        let _ = write!(page, "<p>As of {}.</p>", escape(as_of));
    }
    let made = &model.made;
    let list = |page: &mut String, title: &str, entries: &mut dyn Iterator<Item = (String, String)>| {
        let rows: String = entries
            .map(|(name, value)| {
                format!(
                    "<tr><th scope=\"row\">{}</th><td class=\"keys\">{}</td></tr>\n",
                    escape(&name),
                    escape(&value)
                )
            })
            .collect();
        if !rows.is_empty() {
            let _ = write!(
                page,
                "<h3>{title}</h3><div class=\"scroll\"><table class=\"manifest\"><tbody>\n{rows}</tbody></table></div>\n"
            );
        }
    };
    let pairs = |entries: &std::collections::BTreeMap<String, String>| {
        entries
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect::<Vec<_>>()
    };
    list(page, "What was decided", &mut pairs(&made.policies).into_iter());
    list(page, "Files and their SHA-256", &mut pairs(&made.inputs).into_iter());
    super::listing::write(
        page,
        "How calls got their cost",
        "From their own usage at a list or contract price (priced, partial), free, from the provider's own figure (reported), or not at all.",
        &model.found.priced_by,
        &model.currency,
    );
    super::listing::write(
        page,
        "Price catalogues",
        "The SHA-256 of the price list that calls were priced by.",
        &model.found.catalogues,
        &model.currency,
    );
    let bills: Vec<String> = model.bill_files.iter().map(|line| escape(line)).collect();
    if !bills.is_empty() {
        let _ = writeln!(page, "<h3>Bills as read</h3><pre>{}</pre>", bills.join("\n"));
    }
    let files: Vec<String> = model.revenue_files.iter().map(|line| escape(line)).collect();
    let _ = writeln!(
        page,
        "<h3>Revenue files as read</h3><pre>{}</pre></section>",
        files.join("\n")
    );
}
