//! The kill harness: a collector under load over both protocols is killed again and again, at any moment and at every fail
//! point of `marginlake_lake::failpoint`, and at the end every acknowledged id is in the lake and no id is there twice.
//!
//! Short here; long by name: `MARGINLAKE_KILLS=200 cargo test --workspace --test e2e -- kills`. `MARGINLAKE_SEED` chooses
//! other moments.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use prost::Message;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::Value;

use crate::support::{Addresses, Collector, JSON, PROTOBUF, chat, request_json, rows};

/// Each operation that must survive, before and after; `any` counts all of them.
const FAIL_POINTS: [&str; 19] = [
    "wal.before_create",
    "wal.after_create",
    "wal.before_write",
    "wal.before_sync",
    "wal.after_sync",
    "wal.before_folder_sync",
    "wal.after_folder_sync",
    "wal.before_remove",
    "wal.after_remove",
    "data.before_write",
    "data.before_sync",
    "data.before_rename",
    "data.after_rename",
    "commit.before",
    "put.before_write",
    "put.before_sync",
    "put.before_name",
    "put.after_name",
    "commit.after",
];
const SPANS: u64 = 3;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Ids that were sent and ids that were acknowledged.
#[derive(Default)]
struct Ledger {
    bodies: AtomicU64,
    acknowledged: Mutex<BTreeSet<u64>>,
}

impl Ledger {
    /// The ids of a body that nobody has sent.
    fn next(&self) -> (u64, Vec<Value>) {
        let body = self.bodies.fetch_add(1, Ordering::SeqCst) + 1;
        let ids = (0..SPANS).map(|span| body * SPANS + span);
        (body, ids.map(|id| chat(body, id, "acme", 100, 10)).collect())
    }

    fn acknowledge(&self, body: u64) {
        self.acknowledged.lock().expect("no panic").insert(body);
    }
}

/// Sends until the collector no longer answers.
fn load(collector: Addresses, ledger: &Ledger, protocol: usize, over: &AtomicBool) {
    let spans =
        |spans: &[Value]| -> ExportTraceServiceRequest { serde_json::from_value(request_json(spans)).expect("JSON of OTLP") };
    if protocol == 0 {
        while !over.load(Ordering::Relaxed) {
            let (body, records) = ledger.next();
            let (content_type, bytes) = match body % 2 {
                0 => (JSON, request_json(&records).to_string().into_bytes()),
                _ => (PROTOBUF, spans(&records).encode_to_vec()),
            };
            let headers = format!("Content-Type: {content_type}\r\nContent-Length: {}\r\n", bytes.len());
            match collector.request("POST /v1/traces HTTP/1.1", &headers, &bytes) {
                Ok(answer) if answer.status == 200 => ledger.acknowledge(body),
                Ok(answer) => assert_eq!(answer.status, 503, "only what may be sent again is refused"),
                Err(_) => return,
            }
        }
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let Ok(mut client) = TraceServiceClient::connect(format!("http://{}", collector.grpc)).await else {
            return;
        };
        while !over.load(Ordering::Relaxed) {
            let (body, records) = ledger.next();
            match client.export(spans(&records)).await {
                Ok(_) => ledger.acknowledge(body),
                Err(_) => return,
            }
        }
    });
}

#[test]
fn nothing_is_lost_or_doubled_whenever_the_collector_is_killed() {
    let kills = setting("MARGINLAKE_KILLS", 8);
    let mut random = StdRng::seed_from_u64(setting("MARGINLAKE_SEED", 6));
    let folder = tempfile::tempdir().expect("a folder");
    let lake = folder.path().join("lake");
    let ledger = Ledger::default();
    let (mut at_points, mut at_start) = (0, 0);
    for kill in 0..kills {
        let interval = ["1ms", "20ms", "100ms", "1h"][random.random_range(0..4)];
        let (point, moment) = match kill % 2 {
            0 => (None, Duration::from_millis(random.random_range(1..300))),
            _ => {
                let point = match random.random_range(0..3) {
                    0 => format!("any:{}", random.random_range(1..200)),
                    _ => {
                        let name = FAIL_POINTS[random.random_range(0..FAIL_POINTS.len())];
                        format!("{name}:{}", random.random_range(1..8))
                    }
                };
                (Some(point), Duration::from_millis(1500))
            }
        };
        let environment: Vec<(&str, &str)> = point.iter().map(|point| ("MARGINLAKE_FAILPOINT", point.as_str())).collect();
        let Some(mut collector) = Collector::try_start(&lake, &["--commit-interval", interval], &environment) else {
            assert!(point.is_some(), "kill {kill}: the collector did not start");
            at_start += 1;
            continue;
        };
        let (began, over) = (Instant::now(), AtomicBool::new(false));
        let addresses = collector.addresses();
        std::thread::scope(|scope| {
            for protocol in 0..2 {
                let (ledger, over) = (&ledger, &over);
                scope.spawn(move || load(addresses, ledger, protocol, over));
            }
            while began.elapsed() < moment && collector.is_running() {
                std::thread::sleep(Duration::from_millis(2));
            }
            at_points += u64::from(!collector.is_running());
            // With the load still on.
            collector.kill_now();
            over.store(true, Ordering::Relaxed);
        });
    }
    Collector::start(&lake).stop();

    let stored = rows(
        &lake,
        "SELECT span_id, count(*) AS n FROM spans GROUP BY span_id ORDER BY span_id",
    );
    let ids: BTreeSet<u64> = stored
        .iter()
        .map(|row| {
            assert_eq!(row["n"], 1, "{} is stored twice", row["span_id"]);
            u64::from_str_radix(row["span_id"].as_str().expect("an id"), 16).expect("hex")
        })
        .collect();
    let acknowledged = ledger.acknowledged.into_inner().expect("no panic");
    let sent = ledger.bodies.into_inner();
    for body in &acknowledged {
        let lost = (0..SPANS).filter(|span| !ids.contains(&(body * SPANS + span))).count();
        assert_eq!(lost, 0, "body {body} was acknowledged, and {lost} of its spans are lost");
    }
    for id in &ids {
        assert!((1..=sent).contains(&(id / SPANS)), "{id} was never sent");
        let whole = (0..SPANS).all(|span| ids.contains(&(id / SPANS * SPANS + span)));
        assert!(whole, "half of body {} is stored", id / SPANS);
    }
    // A run that acknowledges nothing would prove nothing.
    assert!(
        acknowledged.len() as u64 >= kills,
        "only {} bodies acknowledged",
        acknowledged.len()
    );
    let _ = writeln!(
        std::io::stderr(),
        "{kills} kills ({at_points} at fail points, {at_start} of starting collectors): {sent} bodies sent, {} acknowledged, \
         {} spans stored, 0 lost, 0 twice",
        acknowledged.len(),
        ids.len()
    );
}
