//! The promises of the lake's tables, tried on a real Delta table in a temporary folder.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Date32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use chrono::NaiveDate;
use datafusion::prelude::SessionContext;
use marginlake_lake::{AppTransaction, Lake, LakeTable, ParquetWriter, Table, days_since_epoch, next_day};

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("date", DataType::Date32, false),
        Field::new("name", DataType::Utf8, true),
        Field::new("count", DataType::Int64, true),
    ]))
}

fn day(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

fn rows(rows: &[(&str, &str, i64)]) -> RecordBatch {
    let dates = Date32Array::from_iter_values(rows.iter().map(|row| days_since_epoch(day(row.0))));
    let names = StringArray::from_iter_values(rows.iter().map(|row| row.1));
    let counts = Int64Array::from_iter_values(rows.iter().map(|row| row.2));
    RecordBatch::try_new(schema(), vec![Arc::new(dates), Arc::new(names), Arc::new(counts)]).expect("a batch")
}

async fn table(lake: &Lake) -> LakeTable {
    lake.ensure_named("things", &schema(), &["date"]).await.expect("created")
}

async fn read(table: &LakeTable) -> Vec<String> {
    let session = SessionContext::new();
    let batches = session
        .read_table(table.provider().await.expect("provider"))
        .expect("readable")
        .collect()
        .await
        .expect("rows");
    let mut rows = Vec::new();
    for batch in batches {
        let text = |name: &str| {
            let column = batch.column_by_name(name).expect("column");
            arrow::compute::cast(column, &DataType::Utf8).expect("text")
        };
        let (dates, names, counts) = (text("date"), text("name"), text("count"));
        let value = |array: &arrow::array::ArrayRef, row| {
            array
                .as_any()
                .downcast_ref::<StringArray>()
                .expect("text")
                .value(row)
                .to_owned()
        };
        rows.extend(
            (0..batch.num_rows()).map(|row| format!("{} {} {}", value(&dates, row), value(&names, row), value(&counts, row))),
        );
    }
    rows.sort();
    rows
}

#[tokio::test]
async fn a_transaction_is_appended_once_however_often_it_is_tried() {
    let folder = tempfile::tempdir().expect("folder");
    let lake = Lake::open(folder.path().to_str().expect("path")).expect("lake");
    let mut table = table(&lake).await;
    let transaction = AppTransaction {
        app_id: "collector-epoch".into(),
        version: 7,
    };
    let batch = rows(&[("2026-11-01", "a", 1), ("2026-11-02", "b", 2)]);
    assert!(
        table
            .append_once(std::slice::from_ref(&batch), &transaction)
            .await
            .expect("appended")
    );
    assert!(
        !table
            .append_once(std::slice::from_ref(&batch), &transaction)
            .await
            .expect("skipped")
    );
    let older = AppTransaction {
        version: 6,
        ..transaction.clone()
    };
    assert!(
        !table
            .append_once(std::slice::from_ref(&batch), &older)
            .await
            .expect("skipped")
    );
    let other = AppTransaction {
        app_id: "another".into(),
        version: 7,
    };
    assert!(table.append_once(&[batch], &other).await.expect("appended"));
    assert_eq!(
        read(&table).await,
        ["2026-11-01 a 1", "2026-11-01 a 1", "2026-11-02 b 2", "2026-11-02 b 2"]
    );
    assert_eq!(table.transaction_version("collector-epoch").await.expect("read"), Some(7));
}

#[tokio::test]
async fn a_stale_handle_does_not_append_twice() {
    let folder = tempfile::tempdir().expect("folder");
    let lake = Lake::open(folder.path().to_str().expect("path")).expect("lake");
    let mut first = table(&lake).await;
    let mut second = table(&lake).await;
    let transaction = AppTransaction {
        app_id: "c".into(),
        version: 1,
    };
    let batch = rows(&[("2026-11-01", "a", 1)]);
    assert!(
        first
            .append_once(std::slice::from_ref(&batch), &transaction)
            .await
            .expect("appended")
    );
    assert!(!second.append_once(&[batch], &transaction).await.expect("skipped"));
}

#[tokio::test]
async fn replacing_a_day_leaves_the_others() {
    let folder = tempfile::tempdir().expect("folder");
    let lake = Lake::open(folder.path().to_str().expect("path")).expect("lake");
    let mut table = table(&lake).await;
    table
        .append(&[rows(&[("2026-11-01", "a", 1), ("2026-11-02", "b", 2)])])
        .await
        .expect("appended");
    let untouched = table
        .files()
        .expect("files")
        .into_iter()
        .find(|f| f.date == Some(day("2026-11-01")));
    let dates = BTreeSet::from([day("2026-11-02")]);
    table
        .replace_dates(&dates, &[rows(&[("2026-11-02", "c", 3)])], &[])
        .await
        .expect("replaced");
    assert_eq!(read(&table).await, ["2026-11-01 a 1", "2026-11-02 c 3"]);
    assert!(table.files().expect("files").contains(&untouched.expect("a file")));
    table.replace_dates(&dates, &[], &[]).await.expect("emptied");
    assert_eq!(read(&table).await, ["2026-11-01 a 1"]);
}

#[tokio::test]
async fn two_replacements_of_one_day_from_one_version_are_not_both_accepted() {
    let folder = tempfile::tempdir().expect("folder");
    let lake = Lake::open(folder.path().to_str().expect("path")).expect("lake");
    let mut first = table(&lake).await;
    first.append(&[rows(&[("2026-11-01", "a", 1)])]).await.expect("appended");
    let mut second = table(&lake).await;
    let dates = BTreeSet::from([day("2026-11-01")]);
    first
        .replace_dates(&dates, &[rows(&[("2026-11-01", "b", 2)])], &[])
        .await
        .expect("replaced");
    let lost = second.replace_dates(&dates, &[rows(&[("2026-11-01", "c", 3)])], &[]).await;
    assert!(matches!(&lost, Err(error) if error.is_retryable()), "{lost:?}");
    assert_eq!(read(&first).await, ["2026-11-01 b 2"]);
}

#[tokio::test]
async fn files_added_since_a_version_are_found_and_can_be_read_alone() {
    let folder = tempfile::tempdir().expect("folder");
    let lake = Lake::open(folder.path().to_str().expect("path")).expect("lake");
    let mut table = table(&lake).await;
    table.append(&[rows(&[("2026-11-01", "a", 1)])]).await.expect("appended");
    let seen = table.version();
    table.append(&[rows(&[("2026-11-01", "b", 2)])]).await.expect("appended");
    let files = table.files_added_since(seen).await.expect("log").expect("reaches back");
    assert_eq!(files.len(), 1);
    assert_eq!(files[0].rows, Some(1));
    let provider = table.provider_of(&files).await.expect("provider");
    let count = SessionContext::new()
        .read_table(provider)
        .expect("readable")
        .count()
        .await
        .expect("count");
    assert_eq!(count, 1);
    assert_eq!(table.files_added_since(table.version()).await.expect("log"), Some(vec![]));
}

#[tokio::test]
async fn every_fixed_table_can_be_created_and_opened_again() {
    let folder = tempfile::tempdir().expect("folder");
    let lake = Lake::open(folder.path().join("new/lake").to_str().expect("path")).expect("lake");
    for kind in Table::ALL {
        assert!(lake.table(kind.name()).await.expect("looked").is_none());
        let created = lake.ensure(kind).await.expect("created");
        assert_eq!(
            created.schema().expect("schema").fields().len(),
            kind.schema().fields().len(),
            "{}",
            kind.name()
        );
        let opened = lake.table(kind.name()).await.expect("opened").expect("exists");
        assert_eq!(opened.version(), 0);
    }
}

#[test]
fn days_count_from_the_epoch() {
    assert_eq!(days_since_epoch(day("1970-01-02")), 1);
    assert_eq!(next_day(day("2024-02-28")), day("2024-02-29"));
}

#[tokio::test]
async fn a_table_of_an_older_version_gets_the_new_columns_and_keeps_its_rows() {
    let folder = tempfile::tempdir().expect("folder");
    let lake = Lake::open(folder.path().to_str().expect("path")).expect("lake");
    let mut older = table(&lake).await;
    older.append(&[rows(&[("2026-11-01", "a", 1)])]).await.expect("appended");
    let mut fields: Vec<_> = schema().fields().iter().map(|field| field.as_ref().clone()).collect();
    fields.push(Field::new("later", DataType::Int64, true));
    let wider: SchemaRef = Arc::new(Schema::new(fields));
    let mut newer = lake.ensure_named("things", &wider, &["date"]).await.expect("widened");
    let mut columns = rows(&[("2026-11-02", "b", 2)]).columns().to_vec();
    columns.push(Arc::new(Int64Array::from(vec![7])));
    newer
        .append(&[RecordBatch::try_new(wider.clone(), columns).expect("a batch")])
        .await
        .expect("appended");
    assert_eq!(read(&newer).await, ["2026-11-01 a 1", "2026-11-02 b 2"]);
    let again = lake.ensure_named("things", &wider, &["date"]).await.expect("opened");
    assert_eq!(again.version(), newer.version(), "nothing is added twice");
    assert!(again.schema().expect("schema").field_with_name("later").is_ok());
}

/// More days than files are open at a time, a few rows a batch, and nothing left behind by who gives up.
#[tokio::test]
async fn rows_of_many_days_come_in_batches_and_leave_in_files() {
    let folder = tempfile::tempdir().expect("folder");
    let lake = Lake::open(folder.path().to_str().expect("path")).expect("lake");
    let mut table = table(&lake).await;
    let days: Vec<String> = (1..=28).map(|number| format!("2026-10-{number:02}")).collect();
    let mut writer = table.writer().expect("a writer");
    let mut abandoned = table.writer().expect("a writer");
    for (name, count) in [("a", 1), ("b", 2)] {
        let all: Vec<_> = days.iter().map(|date| (date.as_str(), name, count)).collect();
        writer.write(&rows(&all)).expect("written");
        abandoned.write(&rows(&all)).expect("written");
    }
    assert_eq!(writer.rows(), 56);
    drop(abandoned);
    let staged = writer.finish().await.expect("finished");
    assert!(read(&table).await.is_empty(), "nothing is seen before the commit");
    let transaction = AppTransaction {
        app_id: "a".into(),
        version: 3,
    };
    assert!(table.append_staged_once(staged, &transaction).await.expect("appended"));
    assert_eq!(read(&table).await.len(), 56);
    let mut again = table.writer().expect("a writer");
    again.write(&rows(&[("2026-10-01", "a", 1)])).expect("written");
    let again = again.finish().await.expect("finished");
    assert!(
        !table.append_staged_once(again, &transaction).await.expect("known"),
        "once is enough"
    );
    let unfinished = |date: &String| {
        let files = std::fs::read_dir(folder.path().join(format!("things/date={date}"))).expect("a folder");
        files
            .filter(|file| {
                file.as_ref()
                    .is_ok_and(|file| file.path().extension().is_some_and(|end| end == "tmp"))
            })
            .count()
    };
    assert_eq!(days.iter().map(unfinished).sum::<usize>(), 0);
}

/// A file of these rows, a row group for each of `groups`.
fn file_of(groups: &[&[(&str, &str, i64)]]) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("file");
    let mut writer = ParquetWriter::new(file.reopen().expect("handle"), &schema()).expect("writer");
    for group in groups {
        writer.write(&rows(group)).expect("written");
        writer.close_group().expect("closed");
    }
    writer.finish().expect("finished");
    file
}

#[tokio::test]
async fn a_file_of_whole_days_becomes_files_of_the_table_as_it_is_encoded() {
    let folder = tempfile::tempdir().expect("folder");
    let lake = Lake::open(folder.path().to_str().expect("path")).expect("lake");
    let mut table = table(&lake).await;
    table.append(&[rows(&[("2026-11-01", "old", 1)])]).await.expect("appended");
    let file = file_of(&[
        &[("2026-11-01", "a", 1), ("2026-11-01", "b", 2)],
        &[("2026-11-02", "c", 3)],
        &[("2026-11-02", "d", 4)],
    ]);
    let staged = table.stage_file(file.path()).await.expect("staged");
    assert_eq!(
        read(&table).await,
        ["2026-11-01 old 1"],
        "nothing is visible before the commit"
    );
    let days = BTreeSet::from([day("2026-11-01"), day("2026-11-02")]);
    table.replace_dates_by_staged(&days, staged, &[]).await.expect("replaced");
    assert_eq!(
        read(&table).await,
        ["2026-11-01 a 1", "2026-11-01 b 2", "2026-11-02 c 3", "2026-11-02 d 4"]
    );
    let files = table.files().expect("files");
    let dates: BTreeSet<_> = files.iter().filter_map(|file| file.date).collect();
    assert_eq!((files.len(), dates), (2, days), "a file a day");
}

#[tokio::test]
async fn a_file_that_mixes_days_is_refused_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().expect("folder");
    let lake = Lake::open(folder.path().to_str().expect("path")).expect("lake");
    let table = table(&lake).await;
    let file = file_of(&[&[("2026-11-01", "a", 1)], &[("2026-11-01", "b", 2), ("2026-11-02", "c", 3)]]);
    let refused = table.stage_file(file.path()).await.expect_err("refused");
    assert!(refused.to_string().contains("not of one day each"), "{refused}");
    let day = folder.path().join("things/date=2026-11-01");
    let left: Vec<_> = std::fs::read_dir(day).into_iter().flatten().collect();
    assert!(left.is_empty(), "{left:?}");
}
