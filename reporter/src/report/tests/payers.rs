//! Cash beside accrual, seats, and who pays at all.

use super::*;

const PAID: &str = "customer_id,amount,currency,period_start,period_end,kind,line_id,plan,seats,settled_at
acme,62.00,USD,2026-01-01,2026-02-01,seat,1,team,2,2026-01-05
acme,-16.00,USD,2026-01-24,2026-02-01,seat,2,team,1,2026-01-25
globex,310,USD,2026-01-01,2026-11-07,subscription,3,pro,,2025-12-30
trier,0,USD,2026-01-01,2026-01-15,trial,4,pro,,
";

#[tokio::test]
async fn cash_seats_and_segments_stand_beside_the_margin() {
    let by = |user: &str, date: &str| Call {
        user: Some(user.into()),
        ..call(date, "acme", "chat", "large", "1")
    };
    let calls = [
        by("ann", "2026-01-02"),
        by("ann", "2026-01-02"),
        by("ann", "2026-01-03"),
        by("bob", "2026-01-03"),
        call("2026-01-04", "trier", "chat", "large", "0.5"),
        call("2026-01-04", "free", "chat", "large", "0.25"),
        call("2026-01-04", "-", "chat", "large", "0.125"),
        Call {
            class: "not_cogs",
            ..call("2026-01-04", "acme", "chat", "large", "8")
        },
    ];
    let setting = Setting::new(&calls).await;
    let options = ReportOptions {
        from: "2026-01-01".parse().ok(),
        to: "2026-01-31".parse().ok(),
        ..setting.options(PAID)
    };
    let outcome = setting.run(&options).await;
    // 77 earned; 46 paid within the month, 310 before it.
    assert_eq!(outcome.model.totals()["revenue"], "77");
    assert_eq!(outcome.model.totals()["cash_received"], "46");
    let page = fs::read_to_string(setting.folder.path().join("out/report.html")).unwrap();
    assert!(page.contains("Cash received") && page.contains("<td class=\"n\">$46.00</td><td></td>"));
    let sql = "SELECT sum(revenue), sum(cash_received), count(*) - count(cash_received) FROM pnl_daily";
    assert_eq!(setting.sql(sql).await, "77.000000000000,46.000000000000,0");
    let sql = "SELECT date, cash_received FROM pnl_daily WHERE cash_received <> 0 ORDER BY 1";
    assert_eq!(
        setting.sql(sql).await,
        "2026-01-05,62.000000000000\n2026-01-25,-16.000000000000"
    );
    let sql = "SELECT customer_id, billed_amount, earned_amount, earned_after_amount, received_before_amount, received_amount, \
               not_received_amount, deferred_amount, receivable_amount FROM cash_and_accrual ORDER BY 1";
    let expected = "acme,46.000000000000,46.000000000000,0.000000000000,0.000000000000,46.000000000000,0.000000000000,0.000000000000,0.000000000000\n\
                    globex,310.000000000000,31.000000000000,279.000000000000,310.000000000000,0.000000000000,0.000000000000,279.000000000000,0.000000000000\n\
                    trier,0.000000000000,0.000000000000,0.000000000000,0.000000000000,0.000000000000,0.000000000000,0.000000000000,0.000000000000";
    assert_eq!(setting.sql(sql).await, expected);
    // Two seats for 31 days less one for the last 8; three of them were used.
    let sql = "SELECT customer_id, plan, seat_days, active_users, active_seat_days, revenue, cost, revenue_per_seat_day, \
               revenue_per_active_seat_day FROM seat_economics";
    let expected = "acme,team,54,2,3,46.000000000000,4.000000000000,0.851851851852,15.333333333333";
    assert_eq!(setting.sql(sql).await, expected);
    let sql = "SELECT segment, customers, calls, revenue, model_cost, not_cogs_cost FROM customer_segments ORDER BY 1";
    let expected = "(unattributed),0,1,0.000000000000,0.125000000000,0.000000000000\n\
                    free,1,1,0.000000000000,0.250000000000,0.000000000000\n\
                    internal,0,0,0.000000000000,0.000000000000,8.000000000000\n\
                    paying,2,4,77.000000000000,4.000000000000,0.000000000000\n\
                    trial,1,1,0.000000000000,0.500000000000,0.000000000000";
    assert_eq!(setting.sql(sql).await, expected);
}
