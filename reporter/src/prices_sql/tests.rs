//! SQL prices equal the catalogue's, exactly, and unknown stays NULL.

use arrow::util::pretty::pretty_format_batches;
use marginlake_pricing::{Catalogue, Context, Request, Usage};

use super::register;
use crate::session;

async fn answer(query: &str) -> String {
    let session = session::empty_session();
    register(&session).unwrap();
    pretty_format_batches(&session::query(&session, query).await.unwrap())
        .unwrap()
        .to_string()
}

#[tokio::test]
async fn llm_cost_is_the_catalogues_cost_in_every_form() {
    let usage: Usage = [
        ("input_tokens", 100_000),
        ("output_tokens", 5_000),
        ("cache_read_tokens", 40_000),
    ]
    .into_iter()
    .collect();
    let context = Context::new();
    let quote = Catalogue::embedded().price(&Request {
        provider: Some("anthropic"),
        model: Some("claude-opus-5"),
        ..Request::new(&usage, &context, 1_794_830_400_000_000_000)
    });
    let cost = quote.cost.unwrap().to_scale_12();
    let expected = format!("{}.{:012}", cost / 1_000_000_000_000, cost % 1_000_000_000_000);
    let at_text = "'2026-11-16T12:00:00Z'";
    for arguments in [
        "1794830400000000000, 100000, 5000, 40000".to_owned(),
        format!("{at_text}, 100000, 5000, 40000"),
        "1794830400000000000, MAP {'input_tokens': 100000, 'output_tokens': 5000, 'cache_read_tokens': 40000}".to_owned(),
    ] {
        let shown = answer(&format!("select llm_cost('anthropic', 'claude-opus-5', {arguments}) as cost")).await;
        assert!(shown.contains(&format!("| {expected} |")), "{arguments}: {expected}\n{shown}");
    }
}

#[tokio::test]
async fn what_is_unknown_is_null_and_never_zero() {
    for arguments in [
        "'openai', 'no-such-model', 1794830400000000000, 5, 5",
        "'openai', 'gpt-4.1', 1794830400000000000, NULL, NULL",
        "'openai', 'gpt-4.1', NULL, 5, 5",
    ] {
        let shown = answer(&format!("select llm_cost({arguments}) is null as unknown")).await;
        assert!(shown.contains("| true "), "{arguments}\n{shown}");
    }
}

#[tokio::test]
async fn the_table_names_every_rate_with_its_price() {
    let shown = answer(
        "select price_key, per, rate from prices where provider = 'openai' and model = 'gpt-4.1' and condition is null \
         and tier_start is null and valid_to is null and price_key in ('input_mtok', 'output_mtok') order by price_key",
    )
    .await;
    assert!(shown.contains("| input_mtok  | 1000000 | 2.000000000000 |"), "{shown}");
    assert!(shown.contains("| output_mtok | 1000000 | 8.000000000000 |"), "{shown}");
}
