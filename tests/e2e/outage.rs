//! The lake out of reach, through the whole collector: clients are answered 200 for as long as the log has room and then asked
//! to come again, `/readyz` says so, nothing acknowledged is lost or doubled, and all of it mends itself.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;

use crate::support::{Answer, Collector, JSON, chat, request_json, rows};

/// Small, so that a test can fill it.
const LOG: &str = "[collect]\nmax_log = \"48KiB\"\n";

struct Outage {
    folder: tempfile::TempDir,
    collector: Collector,
    sent: u64,
    acknowledged: BTreeSet<String>,
}

impl Outage {
    /// A collector whose lake works so far.
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("marginlake.toml"), LOG).expect("written");
        let collector = Self::start(folder.path());
        let mut outage = Self {
            folder,
            collector,
            sent: 0,
            acknowledged: BTreeSet::new(),
        };
        outage.send().expect("accepted");
        outage.until("the first commit", |outage| !outage.files().is_empty());
        outage
    }

    /// The log is elsewhere: what happens to the lake's folder does not happen to it.
    fn start(folder: &Path) -> Collector {
        let path = |name: &str| folder.join(name).to_str().expect("a path").to_owned();
        let (config, state, faults) = (path("marginlake.toml"), path("state"), path("faults"));
        let arguments = ["--commit-interval", "20ms", "--config", &config, "--state-dir", &state];
        Collector::try_start(&folder.join("lake"), &arguments, &[("MARGINLAKE_FAULTS", &faults)]).expect("ready")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn files(&self) -> Vec<PathBuf> {
        let log = std::fs::read_dir(self.path("lake/spans/_delta_log")).expect("listed");
        let commits = log.map(|entry| entry.expect("an entry").path());
        commits
            .filter(|path| {
                path.extension().is_some_and(|extension| extension == "json") && !path.ends_with("00000000000000000000.json")
            })
            .collect()
    }

    /// One span; the answer where it is not 200.
    fn send(&mut self) -> Result<(), Answer> {
        self.sent += 1;
        let mut span = chat(self.sent, self.sent, "acme", 10, 1);
        span["attributes"][0]["padding"] = "x".repeat(2000).into();
        let answer = self
            .collector
            .post("/v1/traces", JSON, request_json(&[span]).to_string().as_bytes());
        match answer.status {
            200 => {
                self.acknowledged.insert(format!("{:016x}", self.sent));
                Ok(())
            }
            _ => Err(answer),
        }
    }

    /// Sends until the log is full; the log took some before.
    fn fill(&mut self) -> Answer {
        let before = self.acknowledged.len();
        let refused = std::iter::repeat_with(|| self.send().err()).take(200).flatten().next();
        assert!(self.acknowledged.len() > before + 5, "the log takes what the lake does not");
        refused.expect("a full log refuses")
    }

    fn status(&self, path: &str) -> u16 {
        self.collector.get(path).status
    }

    fn until(&mut self, what: &str, mut is: impl FnMut(&mut Self) -> bool) {
        let began = Instant::now();
        while !is(self) {
            assert!(began.elapsed() < Duration::from_secs(30), "waited in vain for {what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// While the lake is out of reach.
    fn is_refused_as_the_specification_wants(&mut self) {
        let refused = self.fill();
        assert_eq!(refused.status, 503);
        assert!(refused.headers.contains("retry-after: "), "{}", refused.headers);
        assert_eq!(self.grpc(), tonic::Code::Unavailable);
        self.until("an unready collector", |outage| outage.status("/readyz") == 503);
        assert_eq!(self.status("/healthz"), 200, "the process itself is well");
    }

    fn grpc(&self) -> tonic::Code {
        let span = chat(1 << 40, 1 << 40, "acme", 1, 1);
        let mut request: ExportTraceServiceRequest = serde_json::from_value(request_json(&[span])).expect("OTLP");
        request.resource_spans[0].schema_url = "x".repeat(4000);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let endpoint = format!("http://{}", self.collector.grpc);
            let mut client = TraceServiceClient::connect(endpoint).await.expect("connected");
            client.export(request).await.expect_err("refused").code()
        })
    }

    /// After it: no restart, no hand laid on it.
    fn mends_itself(mut self) -> tempfile::TempDir {
        self.until("a ready collector", |outage| outage.status("/readyz") == 200);
        self.until("room", |outage| outage.send().is_ok());
        self.collector.stop();
        let stored = rows(&self.folder.path().join("lake"), "SELECT span_id FROM spans ORDER BY span_id");
        let stored: Vec<&str> = stored.iter().map(|row| row["span_id"].as_str().expect("an id")).collect();
        assert_eq!(stored, self.acknowledged.iter().map(String::as_str).collect::<Vec<_>>());
        self.folder
    }

    /// Operations fail for a while as if the disk of the lake were full or broken.
    fn breaks_at(faults: &str) {
        let mut outage = Self::new();
        std::fs::write(outage.path("faults"), faults).expect("written");
        outage.is_refused_as_the_specification_wants();
        std::fs::remove_file(outage.path("faults")).expect("mended");
        let folder = outage.mends_itself();
        let spans = folder.path().join("lake/spans");
        let log = std::fs::read_dir(spans.join("_delta_log")).expect("listed");
        let commits = log.map(|entry| std::fs::read_to_string(entry.expect("an entry").path()).unwrap_or_default());
        let named: usize = commits.map(|commit| commit.matches("{\"add\":").count()).sum();
        assert_eq!(
            data_paths(&spans).len(),
            named,
            "trying again leaves no file behind that no commit names"
        );
    }
}

/// Files of every name below the days of a table.
fn data_paths(table: &Path) -> BTreeSet<PathBuf> {
    let days = std::fs::read_dir(table)
        .expect("listed")
        .map(|entry| entry.expect("an entry").path());
    let days = days.filter(|day| {
        day.file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with("date="))
    });
    days.flat_map(|day| std::fs::read_dir(day).expect("listed"))
        .map(|file| file.expect("an entry").path())
        .collect()
}

#[test]
fn a_log_that_broke_under_a_running_collector_ends_it_with_1() {
    use std::io::Write;

    let mut outage = Outage::new();
    std::fs::write(outage.path("faults"), "data.before_write 28\n").expect("written");
    outage.send().expect("accepted");
    outage.until("an unready collector", |outage| outage.status("/readyz") == 503);
    let mut folders = vec![outage.path("state")];
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder)
            .expect("listed")
            .map(|entry| entry.expect("an entry").path())
        {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "log") {
                let mut segment = std::fs::OpenOptions::new().write(true).open(path).expect("opened");
                segment.write_all(&[0; 8]).expect("damaged");
            }
        }
    }
    assert_eq!(outage.collector.end(), Some(1));
}

#[test]
fn a_full_disk_under_the_data_files() {
    Outage::breaks_at("data.before_write 28\n");
}

#[test]
fn a_disk_that_takes_data_files_and_no_commits() {
    Outage::breaks_at("put.before_name 5\n");
}

/// Somebody tidies up while commits fail: what was written for the commit that is tried again is gone or torn.
#[test]
fn files_that_go_away_before_their_commit_are_written_again_from_the_log() {
    for tidy in [(|file| std::fs::remove_file(file).expect("removed")) as fn(&Path), |file| {
        std::fs::write(file, b"PAR1").expect("torn");
    }] {
        let mut outage = Outage::new();
        let known = data_paths(&outage.path("lake/spans"));
        std::fs::write(outage.path("faults"), "put.before_name 5\n").expect("written");
        outage.send().expect("accepted");
        outage.until("an unready collector", |outage| outage.status("/readyz") == 503);
        let waiting = data_paths(&outage.path("lake/spans"));
        let mut waiting = waiting.difference(&known).peekable();
        assert!(waiting.peek().is_some(), "files wait for their commit");
        waiting.for_each(|file| tidy(file));
        // One try may have looked at the files just before.
        let failures = |outage: &Outage| outage.collector.metric("marginlake_collector_commit_failures_total");
        let before = failures(&outage);
        outage.until("two more tries", |outage| failures(outage) >= before + 2);
        std::fs::remove_file(outage.path("faults")).expect("mended");
        let _ = outage.mends_itself();
    }
}

#[test]
fn a_lake_whose_permission_was_taken_away() {
    Outage::breaks_at("data.before_write 13\nput.before_write 13\n");
}

#[test]
fn a_kill_and_a_restart_while_the_lake_is_out_of_reach() {
    let mut outage = Outage::new();
    std::fs::write(outage.path("faults"), "data.before_sync 5\n").expect("written");
    outage.is_refused_as_the_specification_wants();
    outage.collector.kill_now();
    outage.collector = Outage::start(outage.folder.path());
    outage.until("an unready collector", |outage| outage.status("/readyz") == 503);
    std::fs::remove_file(outage.path("faults")).expect("mended");
    let _ = outage.mends_itself();
}

#[test]
fn a_table_that_is_moved_away_is_not_begun_anew() {
    let mut outage = Outage::new();
    let (spans, away) = (outage.path("lake/spans"), outage.path("away"));
    std::fs::rename(&spans, &away).expect("moved");
    outage.is_refused_as_the_specification_wants();
    assert!(!spans.exists(), "a second history was begun");
    std::fs::rename(&away, &spans).expect("moved back");
    let _ = outage.mends_itself();
}

#[test]
fn a_table_whose_place_a_file_took() {
    let mut outage = Outage::new();
    let (spans, away) = (outage.path("lake/spans"), outage.path("away"));
    std::fs::rename(&spans, &away).expect("moved");
    std::fs::write(&spans, b"in the way").expect("written");
    outage.is_refused_as_the_specification_wants();
    std::fs::remove_file(&spans).expect("out of the way");
    std::fs::rename(&away, &spans).expect("moved back");
    let _ = outage.mends_itself();
}

#[test]
fn a_full_disk_under_the_log_refuses_at_once_and_takes_again() {
    let mut outage = Outage::new();
    for faults in ["wal.before_write 28\n", "wal.before_sync 5\n", "wal.before_create 28\n"] {
        std::fs::write(outage.path("faults"), faults).expect("written");
        // A new segment is made when all of the last one is committed.
        let refused = std::iter::repeat_with(|| outage.send().err()).take(2000).flatten().next();
        let refused = refused.expect("what cannot be logged is not acknowledged");
        assert!(
            refused.status == 503 && refused.headers.contains("retry-after: "),
            "{faults}: {}",
            refused.status
        );
        std::fs::remove_file(outage.path("faults")).expect("mended");
        outage.until("room", |outage| outage.send().is_ok());
    }
    let _ = outage.mends_itself();
}
