//! Whether a report can be trusted: both directions of the customer join, bills, outcomes, and what `run_manifest` says of a run.

use super::*;
use crate::allocate::RevenueKey;
use crate::bills::BillFile;
use crate::revenue::policy::FxDay;

const SIDES: &str = "SELECT side, place, customer_id, amount, calls, unpriced_calls FROM unmatched_customers \
                     WHERE currency = 'USD' ORDER BY side DESC, place";

#[tokio::test]
async fn match_rates_are_by_money_both_ways_and_the_largest_unmatched_stand_first() {
    let setting = Setting::new(&calls()).await;
    let outcome = setting.run(&setting.options(REVENUE)).await;
    let sides = "revenue_without_calls,1,initech,93.000000000000,0,0\n\
                 revenue_without_calls,2,(unmatched),7.000000000000,0,0\n\
                 cost_without_revenue,1,(unattributed),2.000000000000,1,0\n\
                 cost_without_revenue,2,freeloader,0.250000000000,1,0";
    assert_eq!(setting.sql(SIDES).await, sides);
    let summary = fs::read_to_string(setting.folder.path().join("out/summary.txt")).unwrap();
    let sentence = "Largest unmatched: initech pays $93.00 and made no call; (unattributed) costs $2.00 and earns nothing.";
    assert!(summary.contains(sentence), "{summary}");
    assert_eq!(outcome.model.unmatched.len(), 4);
    let sql = "SELECT \"check\", covered_amount, total_amount FROM data_quality \
               WHERE \"check\" IN ('revenue_with_usage', 'cost_with_revenue') ORDER BY 1";
    let expected = "cost_with_revenue,114.500000000001,116.750000000001\n\
                    revenue_with_usage,346.000000000000,446.000000000000";
    assert_eq!(setting.sql(sql).await, expected);
    let shown = terminal(&outcome.model, TerminalStyle::default());
    assert!(
        shown.contains("unmatched: freeloader costs $0.25 and earns nothing"),
        "{shown}"
    );
}

#[tokio::test]
async fn bills_that_nobody_carries_and_outcomes_that_nobody_told_are_counted() {
    let talks: Vec<Call> = ["c1", "c2", "c3"]
        .map(|conversation| Call {
            conversation: Some(conversation.into()),
            ..call("2026-01-02", "acme", "chat", "large", "1")
        })
        .to_vec();
    let setting = Setting::new(&talks).await;
    let bills = "service,amount,currency,period_start,period_end\nHosting,59.00,USD,2026-01-01,2026-03-01\n";
    let options = ReportOptions {
        bill_files: vec![BillFile {
            id: None,
            path: setting.file("hosting.csv", bills),
        }],
        outcomes: vec![setting.file("outcomes.csv", "conversation_id,outcome,at\nc1,resolved,2026-01-03\n")],
        // Its last day is a bad debt after all calls and revenue.
        ..setting.options(
            "customer_id,amount,currency,period_start,period_end,kind\nacme,1,USD,2026-01-01,,\nacme,1,USD,2026-02-28,,bad_debt\n",
        )
    };
    let outcome = setting.run(&options).await;
    assert_eq!(
        (&*outcome.model.to, &*outcome.model.totals()["variable_cost"]),
        ("2026-02-28", "1")
    );
    let sql = "SELECT \"check\", unit, covered_amount, total_amount FROM data_quality \
               WHERE \"check\" IN ('bills_allocated', 'conversations_with_outcome') ORDER BY 1";
    let expected = "bills_allocated,USD,32.000000000000,60.000000000000\n\
                    conversations_with_outcome,conversations,1.000000000000,3.000000000000";
    assert_eq!(setting.sql(sql).await, expected);
}

#[tokio::test]
async fn the_manifest_names_the_policies_prices_and_configuration_of_its_run() {
    let setting = Setting::new(&calls()).await;
    let mut options = setting.options(REVENUE);
    options.policy.allocation = RevenueKey::Usage;
    options.revenue.policies.fx = FxDay::BookedDay;
    options.config = Some(setting.file("marginlake.toml", "[report]\nallocation = \"usage\"\n"));
    options.catalogue_hash = Some("prices-of-the-day".into());
    setting.run(&options).await;
    let sql = "SELECT policies['allocation'], policies['fx'], policies['revenue.fx'], catalogue_hash, length(config_hash), \
               inputs['config:marginlake.toml'] = config_hash, table_versions['calls'] >= 0 FROM run_manifest";
    let expected =
        "customer_month_token_share,rate_of_booked_day_or_last_published_before,booked_day,prices-of-the-day,64,true,true";
    assert_eq!(setting.sql(sql).await, expected);
}

#[tokio::test]
async fn the_period_before_knows_the_costs_of_revenue_files_too() {
    // Bad debt of January, a report of February only: what changed must see both months with all their costs.
    let calls = [
        call("2026-01-10", "acme", "chat", "large", "10"),
        call("2026-02-10", "acme", "chat", "large", "10"),
    ];
    let setting = Setting::new(&calls).await;
    let revenue = "customer_id,amount,currency,period_start,period_end,kind\n\
                   acme,59,USD,2026-01-01,2026-03-01,subscription\nacme,7,USD,2026-01-25,,bad_debt\n";
    let options = ReportOptions {
        from: "2026-02-01".parse().ok(),
        to: "2026-02-28".parse().ok(),
        ..setting.options(revenue)
    };
    let outcome = setting.run(&options).await;
    let change = outcome.model.change.expect("both periods have calls");
    assert_eq!(
        (
            change.before.variable_cost.to_string(),
            change.after.variable_cost.to_string()
        ),
        ("7".to_owned(), "0".to_owned())
    );
}
