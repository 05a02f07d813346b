use proptest::prelude::*;

use super::*;
use crate::marts::Window;

const PERIODS: Periods = Periods {
    before: Window { from: 0, to: 6 },
    after: Window { from: 7, to: 13 },
};

fn dollars(units: i128) -> Amount {
    Amount::from_scaled(units * 10_i128.pow(12))
}

/// Quantities in whole tokens, rates in dollars a token.
fn model(calls: i64, units: &[(&str, i128, i128)]) -> ModelUsage {
    let units: BTreeMap<String, (i128, Amount)> = units
        .iter()
        .map(|(unit, quantity, rate)| ((*unit).to_owned(), (quantity * 10_i128.pow(12), dollars(quantity * rate))))
        .collect();
    ModelUsage {
        calls,
        cost: units.values().map(|(_, amount)| *amount).sum(),
        units,
    }
}

fn usage(models: &[(&str, ModelUsage)]) -> Usage {
    models
        .iter()
        .map(|(name, usage)| ((*name).to_owned(), usage.clone()))
        .collect()
}

fn figures(revenue: i128, usage: &Usage) -> MarginFigures {
    MarginFigures {
        revenue: dollars(revenue),
        model_cost: usage.values().map(|usage| usage.cost).sum(),
        calls: usage.values().map(|usage| usage.calls).sum(),
        ..MarginFigures::default()
    }
}

fn step(change: &Change, name: &str) -> String {
    let step = change.steps.iter().find(|step| step.name == name);
    step.map_or("none".to_owned(), |step| step.amount.to_string())
}

/// One customer that stays; what it used and paid before and after.
fn change(before: Usage, after: Usage, revenue: (i128, i128)) -> Change {
    let both = (figures(revenue.0, &before), figures(revenue.1, &after));
    let compared = Compared {
        customers: [("acme".to_owned(), both)].into(),
        stayed: (before, after),
        fx: Amount::ZERO,
    };
    compare(PERIODS, &compared, Vec::new())
}

#[test]
fn each_cause_alone_is_its_own_step_and_nothing_else() {
    let base = || usage(&[("a", model(10, &[("input_tokens", 100, 2), ("output_tokens", 10, 5)]))]);
    for (name, after, expected) in [
        (
            "volume",
            model(20, &[("input_tokens", 200, 2), ("output_tokens", 20, 5)]),
            "-250",
        ),
        (
            "tokens_per_call",
            model(10, &[("input_tokens", 300, 2), ("output_tokens", 10, 5)]),
            "-400",
        ),
        (
            "price",
            model(10, &[("input_tokens", 100, 3), ("output_tokens", 10, 5)]),
            "-100",
        ),
    ] {
        let change = change(base(), usage(&[("a", after)]), (500, 500));
        assert_eq!(step(&change, name), expected, "{name}");
        assert_eq!(change.steps.len(), 1, "{:?}", change.steps);
    }
    let paid = change(base(), base(), (500, 650));
    assert_eq!((step(&paid, "revenue").as_str(), paid.steps.len()), ("150", 1));
}

#[test]
fn a_cache_that_is_used_more_is_a_step_of_its_own() {
    let before = usage(&[("a", model(10, &[("input_tokens", 80, 10), ("cache_read_tokens", 20, 1)]))]);
    let after = usage(&[("a", model(10, &[("input_tokens", 20, 10), ("cache_read_tokens", 80, 1)]))]);
    let change = change(before, after, (0, 0));
    assert_eq!((step(&change, "cache").as_str(), change.steps.len()), ("540", 1));
    assert_eq!(change.steps[0].note, "20 % → 80 % of input read from cache, the same models");
}

#[test]
fn another_mix_of_the_same_models_is_neither_tokens_nor_price() {
    let cheap = |calls: i64| model(calls, &[("input_tokens", calls.into(), 1)]);
    let dear = |calls: i64| model(calls, &[("input_tokens", calls.into(), 9)]);
    let before = usage(&[("cheap", cheap(90)), ("dear", dear(10))]);
    let after = usage(&[("cheap", cheap(50)), ("dear", dear(50))]);
    let change = change(before, after, (0, 0));
    assert_eq!((step(&change, "mix").as_str(), change.steps.len()), ("-320", 1));
}

#[test]
fn customers_that_come_and_go_take_all_of_theirs_with_them() {
    let none = MarginFigures::default;
    let paying = |revenue| figures(revenue, &Usage::default());
    let compared = Compared {
        customers: [
            ("came".to_owned(), (none(), paying(70))),
            ("went".to_owned(), (paying(30), none())),
            ("stayed".to_owned(), (paying(10), paying(11))),
            ("(unmatched)".to_owned(), (none(), paying(5))),
        ]
        .into(),
        ..Compared::default()
    };
    let change = compare(PERIODS, &compared, Vec::new());
    let steps = ["new_customers", "lost_customers", "revenue"].map(|name| step(&change, name));
    assert_eq!(steps, ["70", "-30", "6"]);
    assert_eq!(change.steps[0].note, "came");
}

fn any_usage() -> impl Strategy<Value = Usage> {
    let units = prop::collection::btree_map(
        prop::sample::select(vec!["input_tokens", "cache_read_tokens", "output_tokens", "web_searches"]),
        (0_i128..1_000_000_000_000_000_000, 0_i128..1_000_000_000_000_000),
        0..4,
    );
    let one = (0_i64..1000, units, -5_i128..5).prop_map(|(calls, units, rounding)| {
        let units: BTreeMap<String, (i128, Amount)> = units
            .into_iter()
            .map(|(unit, (quantity, amount))| (unit.to_owned(), (quantity, Amount::from_scaled(amount))))
            .collect();
        let cost: Amount = units.values().map(|(_, amount)| *amount).sum();
        ModelUsage {
            calls,
            cost: (cost + Amount::from_scaled(rounding)).max(Amount::ZERO),
            units,
        }
    });
    prop::collection::btree_map(prop::sample::select(vec!["a", "b", "c"]).prop_map(str::to_owned), one, 0..4)
}

proptest! {
    /// Whatever happened, in whatever currency: the steps sum to the change to the last digit.
    #[test]
    fn the_steps_sum_to_the_change(
        before in any_usage(), after in any_usage(), revenue in prop::collection::vec(-1_000_000_i128..1_000_000, 6),
        rate in 1_i128..3_000, fx in -1000_i128..1000,
    ) {
        let in_report = |usage: &Usage, revenue: i128| {
            let mut figures = figures(0, usage);
            figures.revenue = Amount::from_scaled(revenue);
            figures.model_cost = figures.model_cost.ratio(rate, 1000).unwrap();
            figures.other_cogs = Amount::from_scaled(revenue / 7);
            figures
        };
        let customers = [
            ("stays".to_owned(), (in_report(&before, revenue[0]), in_report(&after, revenue[1]))),
            ("comes".to_owned(), (MarginFigures::default(), in_report(&Usage::default(), revenue[2]))),
            ("goes".to_owned(), (in_report(&Usage::default(), revenue[3]), MarginFigures::default())),
            ("(unmatched)".to_owned(), (in_report(&Usage::default(), revenue[4]), in_report(&Usage::default(), revenue[5]))),
        ].into();
        let compared = Compared { customers, stayed: (before, after), fx: Amount::from_scaled(fx) };
        let change = compare(PERIODS, &compared, Vec::new());
        prop_assert_eq!(change.steps.iter().map(|step| step.amount).sum::<Amount>(), change.margin());
        prop_assert!(change.steps.iter().all(|step| !step.amount.is_zero()));
    }
}

#[test]
fn a_bill_that_is_spread_over_the_month_keeps_nobody() {
    let figures = |revenue: i64, other_cogs: i64, calls: i64| MarginFigures {
        revenue: Amount::from_scaled(revenue.into()),
        other_cogs: Amount::from_scaled(other_cogs.into()),
        calls,
        ..MarginFigures::default()
    };
    let customers = BTreeMap::from([
        ("left".to_owned(), (figures(9, 1, 3), figures(0, 1, 0))),
        ("came".to_owned(), (figures(0, 1, 0), figures(0, 1, 3))),
        ("stays".to_owned(), (figures(9, 1, 3), figures(9, 1, 0))),
        ("(unallocated)".to_owned(), (figures(9, 0, 0), figures(0, 0, 0))),
    ]);
    let (came, went) = came_and_went(&customers);
    assert_eq!((names(&came), names(&went)), ("came".to_owned(), "left".to_owned()));
}
