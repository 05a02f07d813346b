//! The demo's revenue file: what a billing system's export of the month would say, in the generic CSV.

use std::path::Path;

use anyhow::Context;

use super::cast::{ADD_ON, Customer, IDLE, LEFT, LEFT_ON, Plan, customers};
use super::ledger::Ledger;
use super::work::Service;

/// Cents a month for the chatbot.
const TEAM_FEE: u64 = 5900;
/// Cents a month for the insights agent beside another plan.
const ADD_ON_FEE: u64 = 2900;
/// Cents a year for everything.
const ANNUAL_FEE: u64 = 94_800;
/// Cents a document.
const DOCUMENT_FEE: u64 = 6;

const MONTH: [&str; 2] = ["2026-10-01", "2026-11-01"];

const HEADER: [&str; 10] = [
    "line_id",
    "customer_id",
    "kind",
    "plan",
    "feature",
    "description",
    "amount",
    "currency",
    "period_start",
    "period_end",
];

/// One line of the file, without its number.
#[derive(Debug, Clone)]
struct Line {
    customer: String,
    kind: &'static str,
    plan: &'static str,
    /// Empty where the fee is for everything: the report then shares it out by cost.
    feature: &'static str,
    description: String,
    cents: i64,
    period: [&'static str; 2],
}

/// Writes the file; how many lines it has.
pub(super) fn write(path: &Path, ledger: &Ledger) -> anyhow::Result<usize> {
    let failed = || format!("cannot write {}", path.display());
    let lines = lines(ledger);
    let mut file = csv::Writer::from_path(path).with_context(failed)?;
    file.write_record(HEADER).with_context(failed)?;
    for (number, line) in lines.iter().enumerate() {
        let Line {
            customer,
            kind,
            plan,
            feature,
            description,
            cents,
            period,
        } = line;
        let (id, amount) = (format!("line-{:03}", number + 1), amount(*cents));
        let record = [
            id.as_str(),
            customer,
            kind,
            plan,
            feature,
            description,
            &amount,
            "USD",
            period[0],
            period[1],
        ];
        file.write_record(record).with_context(failed)?;
    }
    file.flush().with_context(failed)?;
    Ok(lines.len())
}

fn lines(ledger: &Ledger) -> Vec<Line> {
    let mut lines = Vec::new();
    for customer in customers() {
        lines.extend(plan(&customer, ledger));
        if ADD_ON.contains(&customer.id.as_str()) {
            let add_on = Line {
                feature: Service::InsightsAgent.name(),
                ..subscription(&customer.id, "insights add-on", ADD_ON_FEE)
            };
            lines.push(add_on);
        }
    }
    lines.push(Line {
        feature: Service::SupportChat.name(),
        ..subscription(IDLE, "team", TEAM_FEE)
    });
    lines.push(Line {
        kind: "refund",
        feature: Service::SupportChat.name(),
        description: "Goodwill for the outage of 14 October".into(),
        cents: -(TEAM_FEE as i64) / 2,
        period: ["2026-10-20", "2026-10-20"],
        ..subscription("maple-sports", "team", 0)
    });
    lines.push(Line {
        kind: "invoice",
        description: "Bank transfer without reference".into(),
        ..subscription("", "", 4500)
    });
    lines
}

fn plan(customer: &Customer, ledger: &Ledger) -> Option<Line> {
    let id = &customer.id;
    match customer.plan {
        // They paid until the day they left.
        Plan::Team if LEFT.contains(&id.as_str()) => Some(Line {
            feature: Service::SupportChat.name(),
            period: ["2026-10-01", "2026-10-18"],
            ..subscription(id, "team", TEAM_FEE * LEFT_ON / 31)
        }),
        Plan::Team => Some(Line {
            feature: Service::SupportChat.name(),
            ..subscription(id, "team", TEAM_FEE)
        }),
        Plan::Annual => Some(Line {
            period: ["2026-03-01", "2027-03-01"],
            ..subscription(id, "annual", ANNUAL_FEE)
        }),
        Plan::Metered => {
            let documents = *ledger.documents.get(id)?;
            Some(Line {
                kind: "usage",
                feature: Service::DocumentSummary.name(),
                description: format!("{documents} documents at {} USD", amount(DOCUMENT_FEE as i64)),
                ..subscription(id, "metered", documents * DOCUMENT_FEE)
            })
        }
        Plan::Free => None,
    }
}

fn subscription(customer: &str, plan: &'static str, cents: u64) -> Line {
    Line {
        customer: customer.to_owned(),
        kind: "subscription",
        plan,
        feature: "",
        description: format!("Plan: {plan}"),
        cents: cents as i64,
        period: MONTH,
    }
}

/// Cents as dollars, without a float on the way.
fn amount(cents: i64) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", cents.unsigned_abs() / 100, cents.unsigned_abs() % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cents_become_dollars_exactly() {
        for (cents, expected) in [
            (0, "0.00"),
            (9, "0.09"),
            (-5, "-0.05"),
            (-3950, "-39.50"),
            (118_800, "1188.00"),
        ] {
            assert_eq!(amount(cents), expected);
        }
    }

    #[test]
    fn the_file_has_every_kind_of_line() {
        let ledger = Ledger {
            documents: [("aspen-law".to_owned(), 100)].into(),
            ..Ledger::default()
        };
        let lines = lines(&ledger);
        let has = |is: &dyn Fn(&Line) -> bool| assert!(lines.iter().any(is));
        has(&|line| line.kind == "usage" && line.cents == 600);
        has(&|line| line.kind == "refund" && line.cents == -2950);
        has(&|line| line.plan == "annual" && line.feature.is_empty());
        has(&|line| line.customer == IDLE);
        has(&|line| line.customer.is_empty());
    }
}
