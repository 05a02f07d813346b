//! Each row of the recognition rules, by name.

use proptest::prelude::*;

use super::*;
use crate::revenue::customer_map::tests::line as template;
use crate::revenue::policy::Percent;
use crate::revenue::time::{Moment, TimeFormat, day_text};

fn day(text: &str) -> Day {
    Moment::parse(text, TimeFormat::Iso).unwrap().day()
}

fn usd(text: &str) -> Amount {
    Amount::parse_major(text).unwrap()
}

fn line(id: &str, kind: &str, amount: &str, start: &str, end: &str) -> RevenueLine {
    let moment = |text: &str| Moment::midnight(day(text));
    RevenueLine {
        line_id: id.into(),
        kind: Some(kind.into()),
        amount: usd(amount),
        period: Period::new(moment(start), (!end.is_empty()).then(|| moment(end))).unwrap(),
        ..template(Some("acme"), None)
    }
}

fn usage(days: &[(&str, &str)]) -> DailyUsage {
    let of_customer = days.iter().map(|(text, cost)| (day(text), usd(cost).scaled())).collect();
    HashMap::from([("acme".to_owned(), of_customer)])
}

/// Day and amount of the line with `id`, runs of equal days joined as `first+days`.
fn days(lines: &[RevenueLine], policies: &Policies, usage: &DailyUsage, id: &str) -> Vec<String> {
    let schedules = Schedules::new(lines, policies, usage, &CustomerLadder::default());
    let line = lines.iter().find(|line| &*line.line_id == id).unwrap();
    let mut runs: Vec<(Day, i32, Amount)> = Vec::new();
    for (day, amount) in schedules.days(line) {
        match runs.last_mut() {
            Some((first, count, same)) if *same == amount && *first + *count == day => *count += 1,
            _ => runs.push((day, 1, amount)),
        }
    }
    runs.into_iter()
        .map(|(first, count, amount)| format!("{}+{count} {amount}", day_text(first)))
        .collect()
}

fn one(line: RevenueLine, policies: &Policies) -> Vec<String> {
    days(
        std::slice::from_ref(&line),
        policies,
        &DailyUsage::new(),
        &line.line_id.clone(),
    )
}

#[test]
fn subscriptions_seats_commitments_and_true_ups_are_even() {
    for kind in ["subscription", "seat", "commitment", "true_up", "discount", "anything"] {
        let annual = line("a", kind, "366", "2024-01-01", "2025-01-01");
        assert_eq!(one(annual, &Policies::default()), ["2024-01-01+366 1"], "{kind}");
    }
}

#[test]
fn included_monthly_credits_are_earned_by_day_and_not_by_use() {
    // Stand-ready: the plan's own credits are no purchase of credits.
    let plan = line("a", "subscription", "31", "2026-01-01", "2026-02-01");
    let used = usage(&[("2026-01-30", "9")]);
    let days = days(std::slice::from_ref(&plan), &Policies::default(), &used, "a");
    assert_eq!(days, ["2026-01-01+31 1"]);
}

#[test]
fn a_minimum_and_the_use_that_it_covers_earn_the_larger_of_both() {
    let january = |id: &str, kind: &str, amount: &str| line(id, kind, amount, "2026-01-01", "2026-02-01");
    let earned = |lines: &[RevenueLine]| -> String {
        let schedules = Schedules::new(lines, &Policies::default(), &DailyUsage::new(), &CustomerLadder::default());
        let all = lines.iter().flat_map(|line| schedules.days(line));
        all.map(|(_, amount)| amount).sum::<Amount>().to_string()
    };
    let minimum = january("m", "minimum_commitment", "100");
    assert_eq!(earned(std::slice::from_ref(&minimum)), "100");
    assert_eq!(earned(&[minimum.clone(), january("u", "usage", "60")]), "100");
    assert_eq!(
        earned(&[minimum.clone(), january("u", "usage", "90"), january("o", "overage", "50")]),
        "140"
    );
    // What is left of it is earned evenly over its own period.
    let short = [january("m", "minimum_commitment", "100"), january("u", "usage", "69")];
    assert_eq!(
        days(&short, &Policies::default(), &DailyUsage::new(), "m"),
        ["2026-01-01+31 1"]
    );
    // Use of another month, and of another subscription, is not what it covers.
    let february = line("u", "usage", "60", "2026-02-01", "2026-03-01");
    assert_eq!(earned(&[minimum.clone(), february]), "160");
    let of = |subscription: &str, line: RevenueLine| RevenueLine {
        subscription_id: Some(subscription.into()),
        ..line
    };
    assert_eq!(
        earned(&[of("s1", minimum.clone()), of("s2", january("u", "usage", "60"))]),
        "160"
    );
    assert_eq!(earned(&[of("s1", minimum), of("s1", january("u", "usage", "60"))]), "100");
}

#[test]
fn a_true_up_is_earned_on_its_own_period() {
    let lines = [
        line("u", "usage", "60", "2026-01-01", "2026-02-01"),
        line("t", "true_up", "31", "2026-01-01", "2026-02-01"),
    ];
    assert_eq!(
        days(&lines, &Policies::default(), &DailyUsage::new(), "t"),
        ["2026-01-01+31 1"]
    );
}

#[test]
fn two_partial_refunds_are_taken_back_each_on_its_day() {
    let lines = [
        line("s", "subscription", "310", "2026-01-01", "2026-02-01"),
        line("r1", "refund", "-10", "2026-01-10", ""),
        line("r2", "refund", "-15", "2026-01-20", ""),
    ];
    let of = |id| days(&lines, &Policies::default(), &DailyUsage::new(), id);
    assert_eq!(
        (of("r1"), of("r2")),
        (vec!["2026-01-10+1 -10".to_owned()], vec!["2026-01-20+1 -15".to_owned()])
    );
}

#[test]
fn a_dispute_that_is_won_gives_back_what_its_opening_took() {
    let lines = [
        line("d", "chargeback", "-50", "2026-01-10", ""),
        line("w", "dispute_reversal", "50", "2026-02-20", ""),
    ];
    let of = |id| days(&lines, &Policies::default(), &DailyUsage::new(), id);
    assert_eq!(
        (of("d"), of("w")),
        (vec!["2026-01-10+1 -50".to_owned()], vec!["2026-02-20+1 50".to_owned()])
    );
}

#[test]
fn a_trial_earns_nothing_and_keeps_its_days() {
    let trial = line("a", "trial", "0", "2026-01-01", "2026-01-15");
    assert_eq!(one(trial, &Policies::default()), ["2026-01-01+14 0"]);
}

#[test]
fn a_proration_pair_changes_the_rest_of_the_month() {
    let lines = [
        line("full", "subscription", "31", "2026-01-01", "2026-02-01"),
        line("unused", "subscription", "-16", "2026-01-16", "2026-02-01"),
        line("new", "subscription", "48", "2026-01-16", "2026-02-01"),
    ];
    let schedules = Schedules::new(&lines, &Policies::default(), &DailyUsage::new(), &CustomerLadder::default());
    let on = |text: &str| -> Amount {
        let of_day = |line| {
            schedules
                .days(line)
                .filter(|(at, _)| *at == day(text))
                .map(|(_, amount)| amount)
                .sum::<Amount>()
        };
        lines.iter().map(of_day).sum()
    };
    assert_eq!((on("2026-01-15"), on("2026-01-16")), (usd("1"), usd("3")));
}

#[test]
fn usage_in_arrears_is_earned_on_the_days_of_use() {
    let bill = [line("u", "usage", "10", "2026-01-01", "2026-02-01")];
    let used = usage(&[
        ("2025-12-31", "9"),
        ("2026-01-05", "1"),
        ("2026-01-20", "3"),
        ("2026-02-01", "9"),
    ]);
    let by_use = ["2026-01-05+1 2.5", "2026-01-20+1 7.5"];
    assert_eq!(days(&bill, &Policies::default(), &used, "u"), by_use);
    // Without use in the period, and where it is asked for, evenly.
    let even = ["2026-01-01+10 1"];
    let bill = [line("u", "overage", "10", "2026-01-01", "2026-01-11")];
    assert_eq!(days(&bill, &Policies::default(), &DailyUsage::new(), "u"), even);
    let policies = Policies {
        usage: Usage::Even,
        ..Policies::default()
    };
    assert_eq!(days(&bill, &policies, &used, "u"), even);
}

#[test]
fn a_refund_counts_on_its_day_or_over_what_it_takes_back() {
    let refund = RevenueLine {
        original_period: Some(line("x", "", "0", "2026-01-01", "2026-01-11").period),
        ..line("r", "refund", "-10", "2026-03-01", "")
    };
    assert_eq!(one(refund.clone(), &Policies::default()), ["2026-03-01+1 -10"]);
    let policies = Policies {
        refunds: Refunds::OriginalPeriod,
        ..Policies::default()
    };
    assert_eq!(one(refund.clone(), &policies), ["2026-01-01+10 -1"]);
    // Without a known period there is only its day; and a dispute counts when it is opened.
    let unknown = RevenueLine {
        original_period: None,
        ..refund.clone()
    };
    assert_eq!(one(unknown, &policies), ["2026-03-01+1 -10"]);
    let dispute = RevenueLine {
        kind: Some("chargeback".into()),
        ..refund
    };
    assert_eq!(one(dispute, &policies), ["2026-03-01+1 -10"]);
}

fn credits() -> Vec<RevenueLine> {
    vec![
        line("p1", "credit_purchase", "100", "2026-01-01", "2026-03-01"),
        line("p2", "credit_purchase", "50", "2026-02-01", ""),
        line("d1", "credit_drawdown", "60", "2026-01-10", ""),
        line("d2", "credit_drawdown", "30", "2026-02-10", ""),
        line("d3", "credit_drawdown", "20", "2026-03-10", ""),
    ]
}

#[test]
fn prepaid_credits_are_earned_by_use_and_the_rest_at_expiry() {
    let of = |id| days(&credits(), &Policies::default(), &DailyUsage::new(), id);
    assert_eq!(of("d1"), ["2026-01-10+1 60"]);
    assert_eq!(of("p1"), ["2026-02-28+1 10"]);
    // Credits that never expire stay deferred.
    assert_eq!(of("p2"), ["2026-02-01+1 0"]);
}

#[test]
fn expected_breakage_is_earned_along_with_use() {
    let policies = Policies {
        breakage: Breakage::Proportional,
        breakage_percent: Percent(usd("10")),
        ..Policies::default()
    };
    let lines = [
        line("p", "credit_purchase", "100", "2026-01-01", "2026-03-01"),
        line("d1", "credit_drawdown", "45", "2026-01-10", ""),
        line("d2", "credit_drawdown", "27", "2026-02-10", ""),
    ];
    assert_eq!(
        days(&lines, &policies, &DailyUsage::new(), "p"),
        ["2026-01-10+1 5", "2026-02-10+1 3", "2026-02-28+1 20"]
    );
}

proptest! {
    #[test]
    fn a_minimum_with_use_earns_the_larger_of_both(minimum in 0_i64..10_i64.pow(15), uses in prop::collection::vec((0_i64..10_i64.pow(14), 0_i32..31), 0..12)) {
        let january = |id: String, kind: &str, scaled: i64, start: i32| RevenueLine {
            line_id: id.into(),
            amount: Amount::from_scaled(scaled.into()),
            period: Period::new(Moment::midnight(20_454 + start), Some(Moment::midnight(20_485))).unwrap(),
            ..line("", kind, "0", "2026-01-01", "")
        };
        let mut lines = vec![january("m".to_owned(), "minimum_commitment", minimum, 0)];
        lines.extend(uses.iter().enumerate().map(|(at, (scaled, start))| january(at.to_string(), "usage", *scaled, *start)));
        let schedules = Schedules::new(&lines, &Policies::default(), &DailyUsage::new(), &CustomerLadder::default());
        let earned: Amount = lines.iter().flat_map(|line| schedules.days(line)).map(|(_, amount)| amount).sum();
        let used: i64 = uses.iter().map(|(scaled, _)| scaled).sum();
        prop_assert_eq!(earned.scaled(), i128::from(minimum.max(used)));
    }

    #[test]
    fn all_that_is_billed_is_earned_once(
        rows in prop::collection::vec((0_usize..6, -10_i64.pow(15)..10_i64.pow(15), 0_i32..400, 0_i32..400), 1..40),
        used in prop::collection::vec((0_i32..800, 0_i64..1_000_000), 0..60),
        percent in 0_i64..100,
        proportional: bool,
        original: bool,
    ) {
        let policies = Policies {
            breakage: if proportional { Breakage::Proportional } else { Breakage::Expiry },
            breakage_percent: Percent(Amount::from_scaled(i128::from(percent) * 10_i128.pow(12))),
            refunds: if original { Refunds::OriginalPeriod } else { Refunds::RefundDate },
            ..Policies::default()
        };
        let kinds = ["subscription", "usage", "refund", "credit_purchase", "credit_drawdown", "overage"];
        let lines: Vec<RevenueLine> = rows.iter().enumerate().map(|(index, (kind, scaled, start, length))| {
            let period = |start: Day| Period::new(Moment::midnight(20_000 + start), Some(Moment::midnight(20_000 + start + length))).unwrap();
            let positive = matches!(kinds[*kind], "credit_purchase" | "credit_drawdown");
            RevenueLine {
                line_id: format!("{index}").into(),
                kind: Some(kinds[*kind].into()),
                amount: Amount::from_scaled(if positive { scaled.abs() } else { *scaled }.into()),
                period: period(*start),
                original_period: Some(period(start / 2)),
                ..template(Some("acme"), None)
            }
        }).collect();
        let used: BTreeMap<Day, i128> = used.into_iter().map(|(day, cost)| (20_000 + day, cost.into())).collect();
        let schedules = Schedules::new(&lines, &policies, &HashMap::from([("acme".to_owned(), used)]), &CustomerLadder::default());
        let earned = |line: &RevenueLine| schedules.days(line).map(|(_, amount)| amount).sum::<Amount>();
        for line in &lines {
            prop_assert!(schedules.days(line).count() > 0);
            match line.meaning() {
                // What it earns by itself is never more than was paid, and never less than nothing.
                Kind::CreditPurchase => prop_assert!(Amount::ZERO <= earned(line) && earned(line) <= line.amount),
                _ => prop_assert_eq!(earned(line), line.amount),
            }
        }
        // All purchases that expire, with what was drawn from them, sum to what was paid.
        let of = |kind: Kind| lines.iter().filter(move |line| line.meaning() == kind);
        if of(Kind::CreditPurchase).all(|line| line.period.days() > 1) {
            let paid: Amount = of(Kind::CreditPurchase).map(|line| line.amount).sum();
            let kept: Amount = of(Kind::CreditPurchase).map(earned).sum();
            let drawn: Amount = of(Kind::CreditDrawdown).map(|line| line.amount).sum();
            prop_assert!(paid <= kept + drawn);
        }
    }
}
