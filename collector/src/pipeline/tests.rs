//! What the pipeline promises beside exactly once: it goes on where it can, and says so where it cannot.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use marginlake_lake::{Lake, Table};
use marginlake_pricing::Catalogue;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::recognise::AttributionConfig;
use crate::wal::{self, Compression, Encoding, Entry, Signal, WriterOptions};

fn body() -> Vec<u8> {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
    use prost::Message;
    let span = Span {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        ..Span::default()
    };
    let scope = ScopeSpans {
        spans: vec![span],
        ..ScopeSpans::default()
    };
    let resource = ResourceSpans {
        scope_spans: vec![scope],
        ..ResourceSpans::default()
    };
    let request = ExportTraceServiceRequest {
        resource_spans: vec![resource],
    };
    request.encode_to_vec()
}

struct Running {
    log: Appender,
    pipeline: Option<(Pipeline, watch::Receiver<Durable>)>,
    lake: Lake,
    ready: Arc<AtomicBool>,
}

async fn make(folder: &Path) -> Running {
    let lake = Lake::open(folder.join("lake").to_str().expect("path")).expect("a lake");
    let recovered = wal::recover(&folder.join("state")).expect("recovered");
    let log_folder = recovered.folder.clone();
    let options = WriterOptions {
        segment_bytes: 1 << 20,
        limit_bytes: 1 << 20,
        hold: None,
        durability: wal::Durability::Sync,
    };
    let (log, durable, _) = wal::start(recovered, options).expect("started");
    let counters = Arc::new(Counters::default());
    let ready = Arc::new(AtomicBool::new(true));
    let pipeline = Pipeline {
        source: Source {
            log_folder,
            attribution: AttributionConfig::default(),
            catalogue: Catalogue::embedded(),
            inflated_limit: 1 << 20,
            counters: Arc::clone(&counters),
        },
        table: lake.ensure(Table::Spans).await.expect("a table"),
        app_id: "test/epoch".into(),
        committed: 0,
        log: log.clone(),
        log_limit_bytes: 1 << 20,
        commit_interval: Duration::from_millis(5),
        counters,
        lake_ready: Arc::clone(&ready),
        written: None,
    };
    Running {
        log,
        pipeline: Some((pipeline, durable)),
        lake,
        ready,
    }
}

impl Running {
    async fn append(&self) {
        let entry = Entry {
            received_at_unix_nano: 1,
            signal: Signal::Traces,
            encoding: Encoding::Protobuf,
            compression: Compression::Identity,
            tenant: None,
            body: body().into(),
        };
        self.log.append(entry).await.expect("appended");
    }

    async fn rows(&self) -> u64 {
        let table = self.lake.table("spans").await.expect("readable").expect("there");
        table.files().expect("files").iter().filter_map(|file| file.rows).sum()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_answer_was_lost_is_not_made_twice() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut running = make(folder.path()).await;
    running.append().await;
    let (mut pipeline, durable) = running.pipeline.take().expect("made");
    let stop = CancellationToken::new();
    stop.cancel();
    pipeline.pass(durable.clone(), &stop).await.expect("committed");
    assert_eq!((pipeline.committed, running.rows().await), (1, 1));
    // As after a failure that came behind the commit.
    pipeline.committed = 0;
    pipeline.lake_ready.store(false, Ordering::Relaxed);
    running.append().await;
    pipeline.pass(durable, &stop).await.expect("committed");
    assert_eq!((pipeline.committed, running.rows().await), (2, 2));
    assert!(running.ready.load(Ordering::Relaxed));
}

/// Nothing that is tried again can mend a damaged log: the collector must learn of it, and nothing is let go.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_cannot_be_read_ends_the_pipeline_with_the_reason() {
    use std::io::Write;

    let folder = tempfile::tempdir().expect("a folder");
    let mut running = make(folder.path()).await;
    running.append().await;
    let (pipeline, durable) = running.pipeline.take().expect("made");
    let segments = std::fs::read_dir(&pipeline.source.log_folder).expect("listed");
    let segment = segments
        .map(|entry| entry.expect("an entry").path())
        .find(|path| path.extension().is_some_and(|extension| extension == "log"))
        .expect("a segment");
    let mut file = std::fs::OpenOptions::new().write(true).open(&segment).expect("opened");
    file.write_all(&[0; 8]).expect("damaged");
    let ended = CancellationToken::new();
    let end = pipeline.start(durable, CancellationToken::new(), ended.clone().drop_guard());
    let error = end.expect("a thread").await.expect("an answer").expect_err("it cannot go on");
    ended.cancelled().await;
    let text = chain(&error);
    assert!(text.contains("stays in the log") && text.contains("damaged header"), "{text}");
    assert!(!running.ready.load(Ordering::Relaxed));
    assert_eq!(running.rows().await, 0);
    assert!(segment.exists());
}
