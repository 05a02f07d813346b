//! Bills beside calls.

use proptest::prelude::*;

use super::*;
use crate::revenue::table::TextFile;

fn usd(text: &str) -> Amount {
    Amount::parse_major(text).unwrap()
}

fn parse(name: &str, text: &str, provider: Option<&str>) -> Result<Vec<String>, String> {
    let file = TextFile::new(name, text.as_bytes()).map_err(|error| error.to_string())?;
    let lines = bill::parse(&file, provider).map_err(|error| error.to_string())?;
    Ok(lines
        .into_iter()
        .map(|line| {
            let day = crate::revenue::time::day_text(line.day);
            format!("{day} {} {} {} {:?}", line.provider, line.model, line.amount, line.tokens)
        })
        .collect())
}

#[test]
fn bills_of_providers_are_read_in_their_own_units() {
    let openai = r#"{"object":"page","has_more":false,"data":[
{"object":"bucket","start_time":1767225600,"end_time":1767312000,"results":[{"object":"organization.costs.result","amount":{"value":0.060000000000000005,"currency":"usd"},"line_item":"gpt-4o-2024-08-06, input","project_id":"p"}]},
{"object":"bucket","start_time":1767312000,"end_time":1767398400,"results":[]}]}"#;
    assert_eq!(
        parse("costs.json", openai, None).unwrap(),
        ["2026-01-01 openai gpt-4o-2024-08-06 0.06 None"]
    );
    let anthropic = r#"{"data":[{"starting_at":"2026-01-01T00:00:00Z","ending_at":"2026-01-02T00:00:00Z","results":[
{"currency":"USD","amount":"123.45","workspace_id":null,"description":"Claude Sonnet 4.5 Usage - Input Tokens","model":"claude-sonnet-4-5","cost_type":"tokens","token_type":"uncached_input_tokens"},
{"currency":"USD","amount":"10","description":"Web Search Usage","model":null,"cost_type":"web_search"}]}],"has_more":false,"next_page":null}"#;
    assert_eq!(
        parse("cost_report.json", anthropic, None).unwrap(),
        [
            "2026-01-01 anthropic claude-sonnet-4-5 1.2345 None",
            "2026-01-01 anthropic (no model) 0.1 None"
        ]
    );
    let focus = "BilledCost,BillingCurrency,ChargePeriodStart,ProviderName,SkuId,ConsumedQuantity,ConsumedUnit\n\
                 1.50,USD,2026-01-01T00:00:00Z,AWS,anthropic.claude-3-haiku,2.5,1K Tokens\n";
    assert_eq!(
        parse("focus.csv", focus, None).unwrap(),
        ["2026-01-01 aws.bedrock anthropic.claude-3-haiku 1.5 Some(2500)"]
    );
    let own = "date,model,amount,currency,tokens\n2026-01-01,M1,2,usd,10\n";
    assert_eq!(
        parse("own.csv", own, Some("Mistral")).unwrap(),
        ["2026-01-01 mistral_ai m1 2 Some(10)"]
    );
}

#[test]
fn a_bill_that_is_none_says_where_and_what_to_do() {
    let head = "date,model,amount,currency\n";
    for (text, part) in [
        ("day,cost\n2026-01-01,1\n".to_owned(), "own.csv:1: is no bill that is known"),
        (
            format!("{head}2026-01-01,m,1,EUR\n"),
            "own.csv:2: column currency: \"EUR\" is not USD",
        ),
        (format!("{head}2026-01-01,m,,USD\n"), "own.csv:2: column amount"),
        (format!("{head}2026-01-01,m,1,USD\n"), "pass --provider"),
        (format!("{head}1/2/26,m,1,USD\n"), "own.csv:2: column date"),
    ] {
        let provider = (!part.contains("--provider")).then_some("openai");
        let error = parse("own.csv", &text, provider).unwrap_err();
        assert!(error.contains(part), "{part} in {error}");
    }
}

fn billed(model: &str, amount: &str, tokens: Option<i64>) -> Billed {
    Billed {
        day: 20_454,
        provider: "openai".into(),
        model: model.into(),
        amount: usd(amount),
        tokens,
    }
}

fn ours(provider: &str, model: &str, cost: &str, tokens: i64, unpriced_calls: i64) -> (Key, Compared) {
    let compared = Compared {
        lake_cost: usd(cost),
        lake_tokens: tokens,
        calls: 3,
        unpriced_calls,
        ..Compared::default()
    };
    ((20_454, provider.into(), model.into()), compared)
}

#[test]
fn versions_count_under_the_bills_name_and_each_difference_has_its_reason() {
    let bill = vec![
        billed("gpt-4o", "10", Some(1000)),
        billed("gpt-4o-mini", "2", Some(1000)),
        billed("o3", "5", None),
        billed("gpt-4.1", "4", None),
        billed("gpt-5", "1", None),
        billed("gpt-5-pro", "8", Some(100)),
    ];
    let calls = vec![
        ours("openai", "gpt-4o-2024-08-06", "8", 800, 0),
        ours("openai", "gpt-4o-mini-2024-07-18", "1", 1000, 0),
        ours("openai", "gpt-4.1", "1", 10, 2),
        ours("openai", "gpt-5", "1.002", 10, 0),
        ours("openai", "gpt-5-pro", "9", 120, 0),
        ours("openai", "text-embedding-3-small", "3", 10, 0),
        ours("anthropic", "claude-sonnet-4-5", "99", 10, 0),
    ];
    let rows = compare(bill, calls);
    let shown: Vec<String> = rows
        .iter()
        .map(|((_, _, model), row)| format!("{model} {} {}", row.difference(), row.reason().name()))
        .collect();
    assert_eq!(
        shown,
        [
            "gpt-4.1 3 unpriced_calls",
            "gpt-4o 2 missing_traffic",
            "gpt-4o-mini 1 price",
            "gpt-5 -0.002 agrees",
            "gpt-5-pro -1 excess_traffic",
            "o3 5 not_seen",
            "text-embedding-3-small -3 not_billed",
        ]
    );
    let gpt_4o = &rows[&(20_454, "openai".to_owned(), "gpt-4o".to_owned())];
    assert_eq!((gpt_4o.traffic_part(), gpt_4o.price_part()), (Some(usd("2")), Some(usd("0"))));
    assert_eq!(gpt_4o.price_factor(), Some(usd("1.25")));
    assert_eq!(total(&rows).billed_cost, usd("30"));
    rows_batch(&rows).unwrap();
}

proptest! {
    #[test]
    fn rows_sum_to_both_sides_and_parts_to_the_difference(
        bill in prop::collection::vec((0_u8..4, 0_i64..10_i64.pow(15), prop::option::of(0_i64..10_000)), 1..20),
        calls in prop::collection::vec((0_u8..6, 0_i64..10_i64.pow(15), 0_i64..10_000), 0..20),
    ) {
        let name = |model: u8| ["a", "a-b", "a-b-c", "z", "a-b-c-d", "q"][usize::from(model)];
        let bill: Vec<Billed> = bill.into_iter().map(|(model, scaled, tokens)| Billed { amount: Amount::from_scaled(scaled.into()), ..billed(name(model), "0", tokens) }).collect();
        let calls: Vec<(Key, Compared)> = calls.into_iter().map(|(model, scaled, tokens)| {
            let (key, compared) = ours("openai", name(model), "0", tokens, 0);
            (key, Compared { lake_cost: Amount::from_scaled(scaled.into()), ..compared })
        }).collect();
        let billed: Amount = bill.iter().map(|line| line.amount).sum();
        let computed: Amount = calls.iter().map(|(_, row)| row.lake_cost).sum();
        let rows = compare(bill, calls);
        let all = total(&rows);
        prop_assert_eq!((all.billed_cost, all.lake_cost), (billed, computed));
        for row in rows.values() {
            if let (Some(traffic), Some(price)) = (row.traffic_part(), row.price_part()) {
                prop_assert_eq!(traffic + price, row.difference());
            }
            row.reason();
        }
    }
}
