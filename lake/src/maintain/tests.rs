//! Maintenance never loses or doubles a row, whoever else works on the table.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Date32Array, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::prelude::SessionContext;

use super::compact::{check, swap};
use super::rewrite::rewrite;
use super::*;
use crate::days_since_epoch;

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("date", DataType::Date32, false),
        Field::new("id", DataType::Int64, true),
    ]))
}

fn day(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

fn batch(date: &str, ids: &[i64]) -> RecordBatch {
    let dates = Date32Array::from_iter_values(ids.iter().map(|_| days_since_epoch(day(date))));
    let ids = Int64Array::from_iter_values(ids.iter().copied());
    RecordBatch::try_new(schema(), vec![Arc::new(dates), Arc::new(ids)]).expect("a batch")
}

/// Named as a table that is exported.
async fn filled(folder: &tempfile::TempDir, files: i64) -> (Lake, LakeTable) {
    let lake = Lake::open(folder.path().to_str().expect("a path")).expect("a lake");
    let mut table = lake.ensure_named("calls", &schema(), &["date"]).await.expect("created");
    for id in 0..files {
        table.append(&[batch("2026-11-01", &[id])]).await.expect("appended");
    }
    (lake, table)
}

async fn ids(table: &LakeTable) -> Vec<i64> {
    let frame = SessionContext::new()
        .read_table(table.provider().await.expect("provider"))
        .expect("readable");
    let batches = frame
        .select_columns(&["id"])
        .expect("a column")
        .collect()
        .await
        .expect("rows");
    let mut ids: Vec<i64> = batches
        .iter()
        .flat_map(|batch| {
            batch
                .column(0)
                .as_any()
                .downcast_ref::<Int64Array>()
                .expect("ids")
                .values()
                .to_vec()
        })
        .collect();
    ids.sort_unstable();
    ids
}

fn options() -> MaintainOptions {
    MaintainOptions {
        retain: Duration::from_secs(86_400),
        now: "2026-11-03T00:00:00Z".parse().expect("a time"),
        pinned: BTreeMap::new(),
    }
}

#[tokio::test]
async fn closed_days_become_one_file_with_the_same_rows_and_are_exported() {
    let folder = tempfile::tempdir().expect("folder");
    let (lake, mut table) = filled(&folder, 6).await;
    for id in [100, 101] {
        table.append(&[batch("2026-11-03", &[id])]).await.expect("appended");
    }
    let done = maintain(&lake, &options()).await.expect("maintained");
    assert_eq!(
        (done.tables[0].files_before, done.tables[0].files_after, done.tables[0].rows),
        (8, 3, 6)
    );
    table.refresh().await.expect("refreshed");
    assert_eq!(ids(&table).await, [0, 1, 2, 3, 4, 5, 100, 101]);
    let exported = std::fs::read_dir(folder.path().join("export/closed_days/calls/date=2026-11-01")).expect("exported");
    assert_eq!(exported.count(), 1);
    // A late row: compacted again, and the export is swapped.
    table.append(&[batch("2026-11-01", &[6])]).await.expect("appended");
    assert_eq!(maintain(&lake, &options()).await.expect("again").tables[0].exported_days, 1);
    let exported = std::fs::read_dir(folder.path().join("export/closed_days/calls/date=2026-11-01")).expect("exported");
    assert_eq!(exported.count(), 1);
    assert_eq!(maintain(&lake, &options()).await.expect("idle").tables[0].compacted, 0);
}

#[tokio::test]
async fn two_compactions_from_one_version_are_never_both_accepted() {
    let folder = tempfile::tempdir().expect("folder");
    let (lake, mut first) = filled(&folder, 4).await;
    let mut second = first.clone();
    let files = first.files().expect("files");
    let lease = Lease::acquire(&lake, "maintenance").await.expect("free");
    let date = Some(day("2026-11-01"));
    let (one, _) = rewrite(&first, date, &files).await.expect("rewritten");
    let (other, _) = rewrite(&second, date, &files).await.expect("rewritten");
    assert!(swap(&mut first, &lease, &files, &one).await.expect("looked").is_some());
    assert!(swap(&mut second, &lease, &files, &other).await.expect("looked").is_none());
    first.refresh().await.expect("refreshed");
    assert_eq!(ids(&first).await, [0, 1, 2, 3]);
}

#[tokio::test]
async fn two_maintainers_at_once_leave_every_row_once() {
    let folder = tempfile::tempdir().expect("folder");
    let (lake, mut table) = filled(&folder, 6).await;
    let options = options();
    let (one, other) = tokio::join!(maintain(&lake, &options), maintain(&lake, &options));
    assert!(one.is_ok() || other.is_ok(), "{one:?} {other:?}");
    table.refresh().await.expect("refreshed");
    assert_eq!(ids(&table).await, [0, 1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn a_stale_replacement_after_a_compaction_is_refused() {
    let folder = tempfile::tempdir().expect("folder");
    let (lake, mut stale) = filled(&folder, 3).await;
    maintain(&lake, &options()).await.expect("maintained");
    let dates = BTreeSet::from([day("2026-11-01")]);
    let lost = stale.replace_dates(&dates, &[batch("2026-11-01", &[9])], &[]).await;
    assert!(matches!(lost, Err(LakeError::Conflict { .. })), "{lost:?}");
    assert_eq!(ids(&stale).await, [0, 1, 2]);
}

#[tokio::test]
async fn a_swap_that_doubles_rows_is_reverted_and_later_rows_stay() {
    let folder = tempfile::tempdir().expect("folder");
    let (lake, mut table) = filled(&folder, 3).await;
    let files = table.files().expect("files");
    let lease = Lease::acquire(&lake, "maintenance").await.expect("free");
    let date = Some(day("2026-11-01"));
    let (mut adds, _) = rewrite(&table, date, &files).await.expect("rewritten");
    adds.extend(rewrite(&table, date, &files).await.expect("rewritten").0);
    let swapped = swap(&mut table, &lease, &files, &adds)
        .await
        .expect("looked")
        .expect("swapped");
    table.append(&[batch("2026-11-01", &[7])]).await.expect("appended");
    let found = check(&lake, &mut table, &swapped).await;
    assert!(matches!(found, Err(LakeError::Compaction { .. })), "{found:?}");
    assert_eq!(ids(&table).await, [0, 1, 2, 7]);
}

#[tokio::test]
async fn rows_added_since_a_version_are_found_after_a_compaction() {
    let folder = tempfile::tempdir().expect("folder");
    let (lake, mut table) = filled(&folder, 3).await;
    let seen = table.version();
    maintain(&lake, &options()).await.expect("maintained");
    table.refresh().await.expect("refreshed");
    assert_eq!(table.files_added_since(seen).await.expect("log"), Some(vec![]));
    table.append(&[batch("2026-11-01", &[3])]).await.expect("appended");
    maintain(&lake, &options()).await.expect("maintained");
    table.refresh().await.expect("refreshed");
    assert_eq!(
        table.files_added_since(seen).await.expect("log").expect("reaches back").len(),
        1
    );
}

#[tokio::test]
async fn vacuum_takes_orphans_and_old_files_but_no_pinned_version() {
    let folder = tempfile::tempdir().expect("folder");
    let (lake, table) = filled(&folder, 3).await;
    let pinned = table.version();
    std::fs::write(
        folder.path().join("calls/date=2026-11-01/part-orphan.parquet"),
        b"never committed",
    )
    .expect("written");
    maintain(&lake, &options()).await.expect("maintained");
    let mut keep = options();
    keep.retain = Duration::ZERO;
    keep.pinned.insert("calls".into(), pinned);
    assert_eq!(maintain(&lake, &keep).await.expect("maintained").tables[0].deleted_files, 1);
    let at = lake.table_at("calls", pinned).await.expect("opened").expect("exists");
    assert_eq!(ids(&at).await, [0, 1, 2]);
    keep.pinned.clear();
    assert_eq!(maintain(&lake, &keep).await.expect("maintained").tables[0].deleted_files, 3);
}
