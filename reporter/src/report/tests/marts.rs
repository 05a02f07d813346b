//! Bills, outcomes and the marts over them, in whole report runs.

use super::*;
use crate::allocate::RevenueKey;
use crate::bills::BillFile;
use crate::revenue::Currency;

const BILLS: &str = "service,amount,currency,period_start,period_end,customer_id,feature,cost_class
Vector database,31.00,USD,2026-01-01,2026-02-01,,,
Search index,6.20,USD,2026-01-01,2026-02-01,,search,
Card fees,1.50,USD,2026-01-10,,acme,,variable
Hosting,100,SEK,2026-01-03,,,,
";

const OUTCOMES: &str = "conversation_id,outcome,at
c1,unresolved,2026-01-02T10:00:00Z
c1,resolved,2026-01-03T10:00:00Z
c2,escalated,2026-01-02T10:00:00Z
";

fn talks() -> Vec<Call> {
    let talk = |conversation: &str, date, customer, model, cost| Call {
        conversation: Some(conversation.to_owned()),
        ..call(date, customer, "chat", model, cost)
    };
    vec![
        talk("c1", "2026-01-02", "acme", "large", "2"),
        talk("c1", "2026-01-02", "acme", "large", "1"),
        talk("c2", "2026-01-02", "acme", "large", "5"),
        talk("c3", "2026-01-03", "globex", "large", "0.5"),
        talk("c4", "2026-01-03", "globex", "small", ""),
    ]
}

async fn run(calls: &[Call], revenue: &str, options: impl Fn(&Setting, &mut ReportOptions)) -> Setting {
    let setting = Setting::new(calls).await;
    let mut all = setting.options(revenue);
    options(&setting, &mut all);
    setting.run(&all).await;
    setting
}

#[tokio::test]
async fn every_mart_has_the_whole_bill_and_what_nobody_used_is_shown() {
    let mut calls = calls();
    calls.extend(talks());
    let setting = run(&calls, REVENUE, |setting, options| {
        options.bill_files = vec![BillFile {
            id: None,
            path: setting.file("infra.csv", BILLS),
        }];
    })
    .await;
    for mart in MARGIN_MARTS.map(|mart| mart.name) {
        let sums = format!("SELECT sum(spread_cost), sum(other_cogs), sum(variable_cost) FROM {mart} WHERE currency = 'USD'");
        // 37.20 of bills and 0.50 of a rule; the fee is a variable cost.
        assert_eq!(
            setting.sql(&sums).await,
            "38.700000000000,37.700000000000,1.500000000000",
            "{mart}"
        );
        let sek = format!("SELECT sum(other_cogs) FROM {mart} WHERE currency = 'SEK'");
        assert_eq!(setting.sql(&sek).await, "100.000000000000", "{mart}");
    }
    let fee = "SELECT key, source, allocation_method FROM cost_by_key WHERE dimension = 'customer' AND cost_class = 'variable'";
    assert_eq!(setting.sql(fee).await, "acme,infra,direct");
    let search =
        "SELECT sum(cost) FROM cost_by_key WHERE dimension = 'feature' AND key = 'search' AND allocation_method = 'direct'";
    assert_eq!(setting.sql(search).await, "6.200000000000");
    let lines = "SELECT sum(amount) FROM bill_lines WHERE currency = 'USD'";
    assert_eq!(setting.sql(lines).await, "38.700000000000");
}

#[tokio::test]
async fn margin_marts_are_what_their_sql_says() {
    let (mut calls, revenue) = business();
    calls.extend(talks());
    let folder = TempDir::new().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    // No rate of the first days: what stands in other currencies has rows of its own.
    let fx = Some(file("rates.csv", "Date,USD\n2026-01-20,1.1\n"));
    for currency in [Currency::USD, Currency::EUR] {
        let session = empty_session();
        session.register_batch("calls", batch(&calls)).unwrap();
        let options = ReportOptions {
            currency,
            fx: fx.clone(),
            revenue: RevenueInputs {
                files: vec![file("revenue.csv", &revenue)],
                ..RevenueInputs::default()
            },
            bill_files: vec![BillFile {
                id: None,
                path: file("infra.csv", BILLS),
            }],
            ..ReportOptions::default()
        };
        let inputs = read_inputs(&options).unwrap();
        let computed = compute(&session, &options, inputs, &Held::nothing(), &mut |_| {})
            .await
            .unwrap();
        assert_marts_are_their_sql(&session, &computed).await;
    }
}

#[tokio::test]
async fn a_bill_is_spread_over_the_calls_it_is_about_by_what_it_is_told() {
    let config = "id = \"index\"\namount = \"30\"\nfrom = \"2026-01-01\"\nuntil = \"2026-01-31\"\nspread = \"calls\"\nover = { model = \"l*\" }";
    let bill: crate::bills::BillConfig = toml::from_str(config).unwrap();
    let setting = run(&talks(), REVENUE, |_, options| options.bills = vec![bill.clone()]).await;
    let sql = "SELECT customer_id, sum(spread_cost) FROM margin_by_customer WHERE spread_cost <> 0 GROUP BY 1 ORDER BY 1";
    assert_eq!(setting.sql(sql).await, "acme,22.500000000000\nglobex,7.500000000000");
    let sql = "SELECT conversation_id, sum(spread_cost) FROM margin_by_conversation WHERE spread_cost <> 0 GROUP BY 1 ORDER BY 1";
    assert_eq!(
        setting.sql(sql).await,
        "c1,15.000000000000\nc2,7.500000000000\nc3,7.500000000000"
    );
}

#[tokio::test]
async fn a_month_without_calls_leaves_its_bill_unallocated() {
    let config = "id = \"index\"\namount = \"28\"\nevery = \"month\"";
    let bill: crate::bills::BillConfig = toml::from_str(config).unwrap();
    let setting = run(&talks(), REVENUE, |_, options| {
        options.bills = vec![bill.clone()];
        options.to = "2026-02-28".parse().ok();
    })
    .await;
    let sql = "SELECT feature, sum(other_cogs) FROM margin_by_feature WHERE other_cogs <> 0 GROUP BY 1 ORDER BY 1";
    assert_eq!(setting.sql(sql).await, "(unallocated),28.000000000000\nchat,28.000000000000");
}

#[tokio::test]
async fn a_resolution_costs_what_its_failures_cost_too_and_unknown_is_no_failure() {
    let setting = run(&talks(), REVENUE, |setting, options| {
        options.outcomes = vec![setting.file("outcomes.csv", OUTCOMES)];
    })
    .await;
    let sql = "SELECT unit, model, units, successes, failures, unknown, success_pct, round(success_low_pct, 1), \
               round(success_high_pct, 1), cost, cost_per_success, cost_per_success_high, unpriced_calls FROM outcome_costs ORDER BY model";
    assert_eq!(
        setting.sql(sql).await,
        "conversation,large,3,1,1,1,50.000000,9.5,90.5,8.500000000000,8.000000000000,8.500000000000,0\n\
         conversation,small,1,0,0,1,,,,0.000000000000,,,1"
    );
    assert_eq!(
        setting.sql("SELECT key, outcome, source_row FROM outcomes ORDER BY 1").await,
        "c1,success,3\nc2,failure,4"
    );
}

#[tokio::test]
async fn without_outcomes_nothing_is_said_of_them() {
    let setting = run(&talks(), REVENUE, |_, _| {}).await;
    assert_eq!(setting.sql("SELECT count(*) FROM outcome_costs").await, "0");
}

#[tokio::test]
async fn a_customer_costs_the_plan_that_earns_most_from_it() {
    let revenue = "customer_id,amount,currency,period_start,period_end,plan\n\
                   acme,62,USD,2026-01-01,2026-02-01,team\nacme,3.1,USD,2026-01-01,2026-02-01,add-on\n";
    let setting = run(&talks(), revenue, |_, _| {}).await;
    let sql = "SELECT plan, sum(revenue), sum(model_cost), sum(unpriced_calls) FROM margin_by_plan GROUP BY 1 ORDER BY 1";
    assert_eq!(
        setting.sql(sql).await,
        "(no plan),0.000000000000,0.500000000000,1\nadd-on,3.100000000000,0.000000000000,0\nteam,62.000000000000,8.000000000000,0"
    );
    let sql = "SELECT segment, round(estimate_amount, 6), low_amount IS NULL, note FROM estimates WHERE dimension = 'plan'";
    assert_eq!(
        setting.sql(sql).await,
        "team,87.711214,true,one customer: nothing to compare with"
    );
    let sql = "SELECT plan, customers, revenue, cogs, revenue_per_customer, break_even_calls, price_at_target, under_water FROM plan_economics ORDER BY 1";
    assert_eq!(
        setting.sql(sql).await,
        "(no plan),1,0.000000000000,0.500000000000,0.000000000000,0.000000000000,1.666666666667,1\n\
         team,1,65.100000000000,8.000000000000,65.100000000000,24.412500000000,26.666666666667,0"
    );
}

#[tokio::test]
async fn a_margin_without_prices_has_a_lower_bound() {
    let setting = run(&talks(), REVENUE, |_, _| {}).await;
    // The dearest model costs 8.50 for 440 tokens; the unpriced call has 110.
    let sql = "SELECT gross_margin - gross_margin_low FROM margin_by_model WHERE model = 'small' AND calls > 0";
    assert_eq!(setting.sql(sql).await, "2.125000000000");
    let sql = "SELECT count(*) FROM margin_by_model WHERE model = 'large' AND gross_margin <> gross_margin_low";
    assert_eq!(setting.sql(sql).await, "0");
}

#[tokio::test]
async fn three_margins_stand_beside_each_other_and_weeks_when_there_are_any() {
    let setting = run(&calls(), REVENUE, |_, _| {}).await;
    let sql = "SELECT model_margin, gross_margin, contribution_margin, active_customers FROM pnl_daily WHERE date = DATE '2026-01-06' AND currency = 'USD'";
    assert_eq!(setting.sql(sql).await, "14.750000000000,14.250000000000,14.250000000000,1");
    let sql = "SELECT date, revenue_7d, revenue_7d_before IS NULL FROM pnl_daily WHERE date IN (DATE '2026-01-06', DATE '2026-01-07', DATE '2026-01-14') AND currency = 'USD' ORDER BY 1";
    assert_eq!(
        setting.sql(sql).await,
        "2026-01-06,,true\n2026-01-07,117.000000000000,true\n2026-01-14,74.000000000000,false"
    );
}

#[tokio::test]
async fn revenue_goes_by_the_key_that_the_user_chooses() {
    for (by, expected) in [
        (
            RevenueKey::Cost,
            "chat,20.000000000000,customer_month_cost_share\nsearch,11.000000000000,customer_month_cost_share",
        ),
        (
            RevenueKey::Usage,
            "chat,15.500000000000,customer_month_token_share\nsearch,15.500000000000,customer_month_token_share",
        ),
        (
            RevenueKey::Equal,
            "chat,15.500000000000,customer_month_equal\nsearch,15.500000000000,customer_month_equal",
        ),
        (RevenueKey::Weights, "search,31.000000000000,customer_month_weights"),
    ] {
        let calls = [
            call("2026-01-02", "acme", "chat", "m", "20"),
            call("2026-01-02", "acme", "search", "m", "11"),
        ];
        let revenue = "customer_id,amount,currency,period_start,period_end\nacme,31,USD,2026-01-01,2026-02-01\n";
        let setting = run(&calls, revenue, |setting, options| {
            options.policy.allocation = by;
            if by == RevenueKey::Weights {
                options.policy.allocation_weights = Some(setting.file("weights.csv", "dimension,key,weight\nfeature,search,1\n"));
            }
        })
        .await;
        let sql = "SELECT feature, sum(revenue), min(allocation_method) FROM margin_by_feature WHERE revenue <> 0 GROUP BY 1 ORDER BY 1";
        assert_eq!(setting.sql(sql).await, expected, "{by:?}");
    }
}

#[tokio::test]
async fn ratios_have_intervals_by_customer_and_the_margin_its_bounds() {
    let setting = run(&calls(), REVENUE, |_, _| {}).await;
    let sql = "SELECT estimate_amount, low_amount < estimate_amount, high_amount > estimate_amount, customers, note FROM estimates \
               WHERE metric = 'gross_margin_pct' AND dimension = 'all' AND currency = 'USD'";
    assert_eq!(setting.sql(sql).await, "73.861047835991,true,true,4,small group: 4 customers");
    let sql = "SELECT high_amount, low_amount < high_amount, dimension FROM estimates WHERE metric = 'gross_margin' AND currency = 'USD'";
    assert_eq!(setting.sql(sql).await, "329.249999999999,true,all");
    let sql = "SELECT count(*) FROM estimates WHERE metric = 'cost_per_call' AND dimension = 'model' AND segment = 'mystery'";
    assert_eq!(setting.sql(sql).await, "0");
}

#[tokio::test]
async fn late_calls_restate_days_and_a_repeated_run_says_the_same_again() {
    let setting = Setting::new(&calls()).await;
    let options = setting.options(REVENUE);
    let first = setting.run(&options).await;
    assert_eq!(setting.sql("SELECT count(*) FROM restated_days").await, "0");
    let late = [call("2026-01-02", "acme", "chat", "large", "3")];
    let mut table = setting.lake.ensure(Table::Calls).await.unwrap();
    table.append(&[batch(&late)]).await.unwrap();
    let second = setting.run(&options).await;
    assert_ne!(first.run_id, second.run_id);
    let sql = "SELECT date, measure, before_amount, after_amount, moved_amount FROM restated_days ORDER BY 1, 2";
    let moved = "2026-01-02,calls,2.000000000000,3.000000000000,1.000000000000\n\
                 2026-01-02,model_cost,109.000000000001,112.000000000001,3.000000000000";
    assert_eq!(setting.sql(sql).await, moved);
    let says = "1 days that were reported before have moved: revenue by 0.00, cost of goods by 3.00 USD (restated_days).";
    assert!(
        second.model.warnings.iter().any(|warning| warning == says),
        "{:?}",
        second.model.warnings
    );
    let out = setting.folder.path().join("out");
    let before = bytes_below(&out);
    setting.run(&options).await;
    assert_eq!(bytes_below(&out), before);
    assert_eq!(setting.sql(sql).await, moved);
}

#[tokio::test]
async fn outliers_name_the_trace_to_open() {
    let mut calls: Vec<Call> = (0..30).map(|_| call("2026-01-02", "acme", "chat", "m", "0.01")).collect();
    calls.push(Call {
        trace: Some("abc".into()),
        ..call("2026-01-03", "globex", "chat", "m", "5")
    });
    let setting = run(&calls, REVENUE, |_, _| {}).await;
    let sql = "SELECT date, kind, trace_id, customer_id, cost FROM outliers";
    assert_eq!(setting.sql(sql).await, "2026-01-03,call,abc,globex,5.000000000000");
}

/// 40 conversations a model: one resolves nine of ten at 2.00, the other four of ten at 1.50.
#[tokio::test]
async fn a_model_that_resolves_more_for_less_a_resolution_is_a_lever() {
    let mut calls = Vec::new();
    let mut outcomes = String::from("conversation_id,outcome\n");
    for (model, cost, resolved) in [("dear", "2", 36), ("cheap", "1.5", 16)] {
        for number in 0..40 {
            let conversation = format!("{model}-{number}");
            let outcome = if number < resolved { "resolved" } else { "unresolved" };
            outcomes.push_str(&format!("{conversation},{outcome}\n"));
            calls.push(Call {
                conversation: Some(conversation),
                ..call("2026-01-02", "acme", "chat", model, cost)
            });
        }
    }
    let setting = Setting::new(&calls).await;
    let mut options =
        setting.options("customer_id,amount,currency,period_start,period_end\nacme,310,USD,2026-01-01,2026-02-01\n");
    options.outcomes = vec![setting.file("outcomes.csv", &outcomes)];
    let model = setting.run(&options).await.model;
    let lever = model.levers.iter().find(|lever| lever.kind == "outcome");
    let lever = lever.unwrap_or_else(|| panic!("{:?}", model.levers));
    assert_eq!(
        (lever.key.as_str(), lever.action.as_str()),
        (
            "chat",
            "answer with dear instead of cheap: it resolves 90.0 % at $2.22 each, cheap 40.0 % at $3.75 each"
        )
    );
    // 16 resolutions, each 3.75 - 2.222222222222, over 31 days, for a month of 30.
    assert_eq!(lever.per_month.rounded(2), "23.66");
    let page = fs::read_to_string(setting.folder.path().join("out/report.html")).unwrap();
    assert!(page.contains("<h3>Outcomes</h3>") && page.contains("answer with dear instead of cheap"));
}
