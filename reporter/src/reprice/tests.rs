//! Re-pricing over a real lake: exactly what was corrected moves, once, and unknown stays unknown.

use arrow::util::pretty::pretty_format_batches;
use chrono::NaiveDate;
use marginlake_lake::{Lake, Table};
use marginlake_pricing::{Catalogue, Overrides};

use super::{Detail, Mode, RepriceOptions, RepriceOutcome, outlook, run};
use crate::session;
use crate::settle::call::{Call, CostClass, Granularity};
use crate::settle::record::{Price, Record, Signal};
use crate::settle::{CataloguePricer, Reprice, encode};
use marginlake_lake::schema::Role;

/// 2026-11-16T12:00:00Z.
const NOON: i64 = 1_794_830_400_000_000_000;
const DAY: i64 = 86_400_000_000_000;

fn call(id: u8, model: &str, at: i64) -> Record {
    let mut record = Record::empty(Signal::Span, Role::Llm);
    record.trace_id = Some([id; 16]);
    record.span_id = Some([id; 8]);
    record.provider = Some("openai".into());
    record.request_model = Some(model.into());
    record.priced_at_nano = Some(at);
    record.start_time = Some(at / 1000);
    record.date = i32::try_from(at / DAY).unwrap();
    record.usage = Some(vec![("input_tokens".into(), Some(250)), ("output_tokens".into(), Some(40))]);
    CataloguePricer::new(Catalogue::embedded()).reprice(&mut record);
    record
}

/// GPT-4.1's input at 3 USD from a moment on.
fn corrected(from: &str) -> Catalogue {
    let price = format!(
        "{{\"price\": [{{\"provider\": \"openai\", \"model\": \"gpt-4.1\", \"from\": \"{from}\", \
         \"known_from\": \"2026-11-20\", \
         \"rates\": {{\"input_mtok\": \"3\"}}, \"source\": \"test\"}}]}}"
    );
    let overrides: Overrides = serde_json::from_str(&price).unwrap();
    Catalogue::embedded().with_overrides(&overrides).unwrap()
}

struct Fixture {
    lake: Lake,
    _folder: tempfile::TempDir,
}

impl Fixture {
    async fn new(records: Vec<Record>) -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        let lake = Lake::open(folder.path().to_str().unwrap()).unwrap();
        let calls: Vec<Call> = records
            .into_iter()
            .map(|record| Call {
                record,
                granularity: Granularity::Call,
                cost_class: CostClass::Model,
                records: 1,
            })
            .collect();
        let mut table = lake.ensure(Table::Calls).await.unwrap();
        table.append(&[encode::calls(&calls).unwrap()]).await.unwrap();
        Fixture { lake, _folder: folder }
    }

    async fn reprice(&self, catalogue: &Catalogue, mode: Mode) -> RepriceOutcome {
        self.reprice_as_of(catalogue, mode, None).await
    }

    async fn reprice_as_of(&self, catalogue: &Catalogue, mode: Mode, as_of: Option<i64>) -> RepriceOutcome {
        let options = RepriceOptions {
            from: NaiveDate::from_ymd_opt(2026, 11, 1).unwrap(),
            to: NaiveDate::from_ymd_opt(2026, 11, 30).unwrap(),
            prices_as_of_unix_nano: as_of,
            mode,
        };
        run(&self.lake, catalogue, options).await.unwrap()
    }

    async fn rows(&self, query: &str) -> String {
        let session = session::open_session(&self.lake).await.unwrap();
        pretty_format_batches(&session::query(&session, query).await.unwrap())
            .unwrap()
            .to_string()
    }

    async fn version(&self) -> i64 {
        self.lake.table("calls").await.unwrap().unwrap().version()
    }
}

#[tokio::test]
async fn a_correction_moves_its_model_and_time_to_the_nanosecond_and_nothing_else() {
    let fixture = Fixture::new(vec![
        call(1, "gpt-4.1", NOON - 1),
        call(2, "gpt-4.1", NOON),
        call(3, "gpt-4o", NOON),
        call(4, "gpt-4.1", NOON - DAY),
    ])
    .await;
    let files = |lake: Lake| async move { lake.table("calls").await.unwrap().unwrap().files().unwrap() };
    let before = files(fixture.lake.clone()).await;
    let outcome = fixture.reprice(&corrected("2026-11-16T12:00:00Z"), Mode::Write).await;
    assert_eq!(
        (outcome.moved, outcome.unchanged, outcome.days.len(), outcome.committed),
        (1, 3, 1, true)
    );
    // 250 x 2 + 40 x 8 USD per million, and 250 x 3 + 40 x 8.
    let lines = outcome.statement.lines();
    assert_eq!((lines[0].before, lines[0].after), (Some(820_000_000), Some(1_070_000_000)));
    assert!(
        lines[0].reason.ends_with(": input_tokens 2 USD/1M -> 3 USD/1M (test)"),
        "{}",
        lines[0].reason
    );
    assert!(
        lines[0].reason.starts_with("openai/gpt-4.1 -> openai/gpt-4.1@"),
        "{}",
        lines[0].reason
    );
    let costs = fixture
        .rows("select cost_usd from calls where request_model = 'gpt-4.1' order by start_time, span_id")
        .await;
    assert_eq!(costs.matches("0.000820000000").count(), 2, "{costs}");
    assert_eq!(costs.matches("0.001070000000").count(), 1, "{costs}");
    assert_eq!(
        files(fixture.lake.clone()).await[0],
        before[0],
        "the other day keeps its file"
    );
}

#[tokio::test]
async fn a_second_run_changes_nothing() {
    let fixture = Fixture::new(vec![call(1, "gpt-4.1", NOON)]).await;
    let catalogue = corrected("2026-01-01");
    assert!(fixture.reprice(&catalogue, Mode::Write).await.committed);
    let version = fixture.version().await;
    let again = fixture.reprice(&catalogue, Mode::Write).await;
    assert_eq!((again.moved, again.committed, fixture.version().await), (0, false, version));
    assert!(fixture.rows("select count(*) as n from restatements").await.contains("| 1 |"));
}

#[tokio::test]
async fn a_dry_run_tells_the_same_and_writes_nothing() {
    let fixture = Fixture::new(vec![call(1, "gpt-4.1", NOON)]).await;
    let (catalogue, version) = (corrected("2026-01-01"), fixture.version().await);
    let dry = fixture.reprice(&catalogue, Mode::DryRun).await;
    assert_eq!((dry.moved, dry.committed, fixture.version().await), (1, false, version));
    assert!(fixture.lake.table("restatements").await.unwrap().is_none());
    assert_eq!(fixture.reprice(&catalogue, Mode::Write).await.statement, dry.statement);
}

#[tokio::test]
async fn unknown_stays_null_and_is_told_apart() {
    let mut unknown = call(1, "gpt-4.1", NOON);
    unknown.price = Price {
        status: Some("unpriced".into()),
        ..Default::default()
    };
    let fixture = Fixture::new(vec![unknown, call(2, "gpt-4.1", NOON), call(3, "no-such-model", NOON)]).await;
    let outcome = fixture.reprice(&corrected("2026-01-01"), Mode::Write).await;
    assert_eq!((outcome.moved, outcome.unchanged), (2, 1));
    let lines = outcome.statement.lines();
    assert!(
        lines
            .iter()
            .any(|line| (line.before, line.after) == (None, Some(1_070_000_000))),
        "{lines:?}"
    );
    let text = outcome.statement.text(200, Detail::Summary);
    let line = text.lines().find(|line| line.contains("unknown before, known now"));
    assert!(line.is_some_and(|line| line.contains("0.00107")), "{text}");
    let moved = fixture
        .rows("select before is null as unknown, after from restatements order by 1")
        .await;
    assert!(moved.contains("| true    | 0.001070000000 |"), "{moved}");
    let left = fixture
        .rows("select cost_usd is null as unknown from calls where request_model = 'no-such-model'")
        .await;
    assert!(left.contains("| true "), "{left}");
}

#[tokio::test]
async fn a_charge_and_a_call_without_usage_stay_and_a_charge_gives_way_to_a_price() {
    let charge = |mut record: Record| {
        record.price = Price {
            status: Some("reported".into()),
            cost_usd: Some(7),
            cost_source: Some("charge".into()),
            ..Default::default()
        };
        record
    };
    let mut silent = call(3, "gpt-4.1", NOON);
    silent.usage = None;
    silent.price = Price {
        status: Some("no_usage".into()),
        ..Default::default()
    };
    let fixture = Fixture::new(vec![
        charge(call(1, "no-such-model", NOON)),
        charge(call(2, "gpt-4.1", NOON)),
        silent,
    ])
    .await;
    let outcome = fixture.reprice(Catalogue::embedded(), Mode::Write).await;
    assert_eq!((outcome.moved, outcome.unchanged), (1, 2));
    let rows = fixture
        .rows("select request_model, price_status, cost_source from calls order by span_id")
        .await;
    assert!(rows.contains("| no-such-model | reported     | charge "), "{rows}");
    assert!(rows.contains("| gpt-4.1       | priced       | computed "), "{rows}");
    assert!(rows.contains("| gpt-4.1       | no_usage "), "{rows}");
}

#[tokio::test]
async fn a_price_that_was_not_known_yet_is_not_used_for_an_earlier_knowledge() {
    let fixture = Fixture::new(vec![call(1, "gpt-4.1", NOON)]).await;
    let catalogue = corrected("2026-01-01");
    for (day_after_noon, moved) in [(2, 0), (5, 1)] {
        let as_of = Some(NOON + day_after_noon * DAY);
        let outcome = fixture.reprice_as_of(&catalogue, Mode::DryRun, as_of).await;
        assert_eq!(outcome.moved, moved, "{day_after_noon} days later");
    }
}

#[tokio::test]
async fn a_contract_of_a_tenant_moves_only_that_tenant() {
    let mut theirs = call(1, "gpt-4.1", NOON);
    theirs.tenant = Some("acme".into());
    let fixture = Fixture::new(vec![theirs, call(2, "gpt-4.1", NOON)]).await;
    let contract = r#"{"contract": [{"id": "c-1", "tenant": "acme", "provider": "openai", "discount": "0.5"}]}"#;
    let overrides: Overrides = serde_json::from_str(contract).unwrap();
    let catalogue = Catalogue::embedded().with_overrides(&overrides).unwrap();
    let outcome = fixture.reprice(&catalogue, Mode::Write).await;
    assert_eq!((outcome.moved, outcome.unchanged), (1, 1));
    assert_eq!(outcome.statement.lines()[0].after, Some(410_000_000));
    assert_eq!(
        outcome.statement.lines()[0].reason,
        "openai/gpt-4.1: every rate x 0.5 (contract c-1)"
    );
}

#[tokio::test]
async fn calls_that_used_other_units_moved_for_one_cause() {
    let mut cached = call(1, "gpt-4.1", NOON);
    cached.usage = Some(vec![
        ("input_tokens".into(), Some(250)),
        ("cache_read_tokens".into(), Some(100)),
        ("output_tokens".into(), Some(40)),
    ]);
    CataloguePricer::new(Catalogue::embedded()).reprice(&mut cached);
    let fixture = Fixture::new(vec![cached, call(2, "gpt-4.1", NOON)]).await;
    let contract = r#"{"contract": [{"id": "c-1", "provider": "openai", "discount": "0.5", "reference": "MSA 7"}]}"#;
    let overrides: Overrides = serde_json::from_str(contract).unwrap();
    let catalogue = Catalogue::embedded().with_overrides(&overrides).unwrap();
    let outcome = fixture.reprice(&catalogue, Mode::DryRun).await;
    let lines = outcome.statement.lines();
    assert_eq!((lines.len(), lines[0].calls), (1, 2));
    assert_eq!(lines[0].reason, "openai/gpt-4.1: every rate x 0.5 (contract c-1, MSA 7)");
}

#[tokio::test]
async fn every_table_of_a_statement_adds_up_to_its_total() {
    let records = (1..6).map(|id| call(id, "gpt-4.1", NOON + i64::from(id) * DAY)).collect();
    let fixture = Fixture::new(records).await;
    let statement = fixture.reprice(&corrected("2026-01-01"), Mode::DryRun).await.statement;
    let text = statement.text(160, Detail::Lines);
    // 5 x 0.00082 and 5 x 0.00107: the total, one cause, one model, one customer.
    assert_eq!(text.matches("0.00410  ").count(), 4, "{text}");
    assert_eq!(text.matches("0.00535  ").count(), 4, "{text}");
    assert!(text.contains("+0.00125") && text.contains("+30.48 %"), "{text}");
    assert_eq!(text.matches("2026-11-").count(), 10, "{text}");
    let csv = statement.csv();
    assert_eq!(csv.lines().count(), 6);
    assert!(
        csv.lines()
            .nth(1)
            .is_some_and(|line| line.starts_with("2026-11-17,,gpt-4.1,1,0.00082,0.00107,0.00025,")),
        "{csv}"
    );
}

#[tokio::test]
async fn settle_can_tell_what_would_move_without_moving_it() {
    let fixture = Fixture::new(vec![
        call(1, "gpt-4.1", NOON),
        call(2, "gpt-4o", NOON),
        call(3, "no-such-model", NOON),
    ])
    .await;
    assert_eq!(outlook(&fixture.lake, Catalogue::embedded()).await.unwrap().sentence(), None);
    let version = fixture.version().await;
    let found = outlook(&fixture.lake, &corrected("2026-01-01")).await.unwrap();
    assert_eq!(
        (found.calls, found.unknown, found.before, found.after),
        (1, 0, 820_000_000, 1_070_000_000)
    );
    let sentence = found.sentence().unwrap();
    assert!(
        sentence.starts_with("1 settled calls keep their price and would cost 0.00082 -> 0.00107 USD"),
        "{sentence}"
    );
    assert!(sentence.contains("--from 2026-11-16 --to 2026-11-16 --dry-run"), "{sentence}");
    assert_eq!(fixture.version().await, version);
}
