//! Rows a second into data files: what the thread behind the decoder does but for the commit.
//!
//! `cargo bench --workspace --profile dist --bench write -- FOLDER`: bodies of trace requests (`*.binpb`) are decoded before
//! the clock starts, and their rows written to `spans` of a new lake in a temporary folder. The time is that of one thread; for
//! instructions `valgrind --tool=callgrind --toggle-collect='*bench_write*'` (`docs/performance.md` has the figures).

#![expect(clippy::print_stdout, reason = "a bench reports on standard output")]

use std::time::Instant;

use arrow::array::RecordBatch;
use marginlake_collector::DecodeBench;
use marginlake_lake::{FileWriter, Lake, LakeTable, Staged, Table};

fn batches(folder: &str) -> Vec<RecordBatch> {
    let entries = std::fs::read_dir(folder).expect("a folder of bodies");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "binpb"));
    paths.sort();
    let (mut decoder, mut batches) = (DecodeBench::new(), Vec::new());
    for path in paths {
        let body = std::fs::read(path).expect("a body");
        decoder.decode(body.into(), &mut |batch| batches.push(batch));
    }
    batches
}

#[inline(never)]
fn bench_write(mut writer: FileWriter, batches: &[RecordBatch], runtime: &tokio::runtime::Runtime) -> Staged {
    for batch in batches {
        writer.write(batch).expect("written");
    }
    runtime.block_on(writer.finish()).expect("finished")
}

async fn spans(folder: &std::path::Path) -> LakeTable {
    let lake = Lake::open(&folder.to_string_lossy()).expect("a lake");
    lake.ensure(Table::Spans).await.expect("a table")
}

fn main() {
    let folder = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    // Other targets of one command are given nothing.
    let Some(folder) = folder else { return };
    let batches = batches(&folder);
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let place = tempfile::tempdir().expect("a folder");
    let table = runtime.block_on(spans(place.path()));
    let mut best = f64::MAX;
    for _ in 0..5 {
        let writer = table.writer().expect("a writer");
        let start = Instant::now();
        let staged = bench_write(writer, &batches, &runtime);
        best = best.min(start.elapsed().as_nanos() as f64 / rows as f64);
        drop(staged);
    }
    println!("{rows} rows, {best:.0} ns a row");
}
