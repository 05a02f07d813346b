//! The demo as a whole, on a small part of the month.

use std::collections::BTreeMap;
use std::fs;

use marginlake_reporter::session;
use marginlake_reporter::shell::{Format, write_rows};

use super::work::{Model, Tokens};
use super::*;

const SMALL: Volume = Volume {
    chat_sessions: 60,
    documents: 40,
    insights: 25,
};

/// Published list prices of October 2026.
struct ListPrice {
    model: Model,
    /// Billionths of a dollar per token: uncached input, cache read, cache write, output.
    nanodollars: [u64; 4],
}

const LIST: [ListPrice; 5] = [
    ListPrice {
        model: Model::Opus,
        nanodollars: [5000, 500, 6250, 25000],
    },
    ListPrice {
        model: Model::Haiku,
        nanodollars: [1000, 100, 1250, 5000],
    },
    ListPrice {
        model: Model::Terra,
        nanodollars: [2000, 200, 2500, 12000],
    },
    ListPrice {
        model: Model::Luna,
        nanodollars: [200, 20, 250, 1200],
    },
    ListPrice {
        model: Model::Mini,
        nanodollars: [250, 25, 250, 2000],
    },
];

fn cost(tokens: &Tokens, price: &ListPrice) -> u64 {
    let [input, read, write, output] = price.nanodollars;
    tokens.input_uncached * input + tokens.cache_read * read + tokens.cache_write_5m * write + tokens.output() * output
}

async fn demo(folder: &Path) -> (DemoArgs, Made) {
    let args = DemoArgs {
        lake: folder.join("lake"),
        out: folder.join("out"),
    };
    let made = make(&args, SMALL, &Steps::hidden()).await.expect("the demo runs");
    (args, made)
}

/// Every file under a folder.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => drop(found.insert(path.clone(), fs::read(&path).expect("a file"))),
        }
    }
    found
}

/// `verify` within the demo compares spans, calls and tokens; here the money, from list prices written down by hand.
#[tokio::test(flavor = "multi_thread")]
async fn the_lake_has_what_was_sent_at_list_price_and_a_second_run_writes_the_same_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let (args, made) = demo(folder.path()).await;

    let lake = Lake::open(&args.lake.to_string_lossy()).expect("a lake");
    let session = session::open_session(&lake).await.expect("a session");
    let query = "SELECT request_model AS model, CAST(sum(cost_usd) * 1000000000 AS BIGINT) AS nanodollars FROM calls WHERE cost_class = 'model' AND cost_usd IS NOT NULL GROUP BY 1";
    let mut rows = Vec::new();
    write_rows(
        &session::query(&session, query).await.expect("rows"),
        Format::Ndjson,
        &mut rows,
    )
    .expect("written");
    let found: BTreeMap<String, u64> = String::from_utf8(rows)
        .expect("text")
        .lines()
        .map(|line| {
            let row: serde_json::Value = serde_json::from_str(line).expect("json");
            (
                row["model"].as_str().expect("a model").to_owned(),
                row["nanodollars"].as_u64().expect("a number"),
            )
        })
        .collect();
    let expected: BTreeMap<String, u64> = LIST
        .iter()
        .map(|price| {
            (
                price.model.name().to_owned(),
                cost(&made.ledger.by_model[&price.model].1, price),
            )
        })
        .collect();
    assert_eq!(found, expected);
    assert!(made.ledger.unpriced_calls() > 0);

    // What is no token, by the rules: $0.002 a search, $18 an hour of a person, each rounded once to a millionth of a millionth.
    let takeover = |nanos: &u64| u128::from(*nanos) * 18 * 1_000_000_000_000 / 3_600_000_000_000;
    let by_rule =
        u128::from(made.ledger.searches) * 2_000_000_000 + made.ledger.takeover_nanos.iter().map(takeover).sum::<u128>();
    let query = "SELECT CAST(sum(cost_usd) * 1000000 AS BIGINT) AS millionths FROM calls WHERE cost_class = 'other_cogs'";
    let mut row = Vec::new();
    write_rows(&session::query(&session, query).await.expect("a row"), Format::Csv, &mut row).expect("written");
    let found: u128 = String::from_utf8(row)
        .expect("text")
        .lines()
        .nth(1)
        .expect("a value")
        .parse()
        .expect("a number");
    assert!(found.abs_diff(by_rule / 1_000_000) <= 1, "{found} is not {by_rule}");
    assert!(made.ledger.takeovers > 0 && !made.ledger.outcomes.is_empty());

    let mut wrong = made.ledger.clone();
    wrong.tokens.cache_read += 1;
    let error = verify::verify(&lake, &wrong).await.expect_err("one token is missing");
    assert!(error.to_string().contains("cache_read should be"), "{error}");

    let first = files(&args.out);
    assert!(first.contains_key(&args.out.join("report.html")) && first.contains_key(&args.out.join(books::REVENUE)));
    let (_, again) = demo(folder.path()).await;
    assert_eq!(again.ledger, made.ledger);
    assert_eq!(again.report, made.report);
    assert!(files(&args.out) == first, "the files differ");
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_that_cannot_be_delivered_are_an_error() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a free port");
    let senders = Senders::connect(nobody).expect("connects lazily");
    let traces = traffic::generate(Volume {
        chat_sessions: 1,
        documents: 1,
        insights: 1,
    });
    let sent = tokio::task::spawn_blocking(move || senders.send(&traces, |_| {}))
        .await
        .expect("no panic");
    assert!(sent.is_err());
}

#[test]
fn a_clock_before_the_end_of_the_month_is_refused() {
    let at = |text: &str| text.parse::<DateTime<Utc>>().expect("a time");
    assert!(check_clock(at("2026-10-31T23:00:00Z")).is_err());
    assert!(check_clock(at("2026-11-01T00:00:00Z")).is_ok());
}
