//! A listing as a table.

use std::fmt::Write;

use super::super::listing::Listing;
use super::{escape, minus};

/// Writes the table; columns in which nothing is known are left out, and nothing is written without rows.
pub(super) fn write(page: &mut String, title: &str, caption: &str, listing: &Listing, currency: &str) {
    if listing.is_empty() {
        return;
    }
    let listing = listing.known();
    let _ = write!(
        page,
        "<h3>{title}</h3>\n<div class=\"scroll\"><table><caption>{caption}</caption><thead><tr>"
    );
    for (heading, kind) in &listing.columns {
        let class = if kind.is_number() { " class=\"n\"" } else { "" };
        let _ = write!(page, "<th{class}>{heading}</th>");
    }
    page.push_str("</tr></thead><tbody>\n");
    for row in &listing.rows {
        page.push_str("<tr>");
        for (at, ((_, kind), value)) in listing.columns.iter().zip(row).enumerate() {
            let shown = kind.shown(value, currency);
            let _ = match (at, kind.is_number()) {
                (0, _) => write!(page, "<th scope=\"row\">{}</th>", escape(&shown)),
                (_, true) => write!(page, "<td class=\"n\">{}</td>", minus(&shown)),
                (_, false) => write!(page, "<td>{}</td>", escape(&shown)),
            };
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</tbody></table></div>\n");
}
