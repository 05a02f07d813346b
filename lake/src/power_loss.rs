//! What a loss of power may leave of a local lake: the operations of `durable.rs` are recorded, and each beginning of the
//! sequence is turned into a disk on which nothing is there that was not synced, or any part of it.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use arrow::array::{Date32Array, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::prelude::SessionContext;

use crate::{AppTransaction, Lake, LakeTable, MaintainOptions, days_since_epoch, maintain};

/// One step of a local lake.
#[derive(Debug, Clone)]
pub(crate) enum Operation {
    CreateFolder(PathBuf),
    Create(PathBuf),
    /// With the bytes that are durable from now on.
    SyncFile(PathBuf, Vec<u8>),
    Rename(PathBuf, PathBuf),
    Link(PathBuf, PathBuf),
    Remove(PathBuf),
    SyncFolder(PathBuf),
}

/// What is recorded, by the folder whose test records it.
static RECORDED: Mutex<BTreeMap<PathBuf, Vec<Operation>>> = Mutex::new(BTreeMap::new());

/// Records an operation where a test asked for it.
pub(crate) fn note(operation: impl FnOnce() -> Operation) {
    let mut recorded = RECORDED.lock().expect("no panic while recording");
    if recorded.is_empty() {
        return;
    }
    let operation = operation();
    let path = match &operation {
        Operation::CreateFolder(path) | Operation::Create(path) | Operation::SyncFile(path, _) => path,
        Operation::Rename(path, _) | Operation::Link(path, _) | Operation::Remove(path) | Operation::SyncFolder(path) => path,
    };
    if let Some((_, operations)) = recorded.iter_mut().find(|(root, _)| path.starts_with(root)) {
        operations.push(operation);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Node {
    Folder,
    File(usize),
}

/// Names and bytes as processes see them and as the disk has them.
#[derive(Debug, Default)]
struct Disk {
    seen: BTreeMap<PathBuf, Node>,
    durable: BTreeMap<PathBuf, Node>,
    /// Synced bytes by file.
    bytes: HashMap<usize, Vec<u8>>,
    files: usize,
}

impl Disk {
    fn of(operations: &[Operation]) -> Self {
        let mut disk = Disk::default();
        operations.iter().for_each(|operation| disk.apply(operation));
        disk
    }

    fn apply(&mut self, operation: &Operation) {
        match operation {
            Operation::CreateFolder(path) => drop(self.seen.insert(path.clone(), Node::Folder)),
            Operation::Create(path) => {
                self.files += 1;
                self.seen.insert(path.clone(), Node::File(self.files));
            }
            Operation::SyncFile(path, bytes) => match self.seen.get(path) {
                Some(Node::File(file)) => drop(self.bytes.insert(*file, bytes.clone())),
                other => panic!("{} was synced and is {other:?}", path.display()),
            },
            Operation::Rename(from, to) => {
                let node = self.seen.remove(from).expect("what is renamed was made");
                self.seen.insert(to.clone(), node);
            }
            Operation::Link(from, to) => {
                let node = self.seen[from];
                self.seen.insert(to.clone(), node);
            }
            Operation::Remove(path) => drop(self.seen.remove(path)),
            Operation::SyncFolder(folder) => {
                let is_here = |path: &Path| path.parent() == Some(folder);
                self.durable.retain(|path, _| !is_here(path));
                let here = self.seen.iter().filter(|(path, _)| is_here(path));
                self.durable.extend(here.map(|(path, node)| (path.clone(), *node)));
            }
        }
    }

    /// Writes what the disk may hold, from `root` to `to`. `keeps` says of each name that differs whether the newer state of
    /// it made it to the disk.
    fn write(&self, root: &Path, to: &Path, mut keeps: impl FnMut() -> bool) {
        let mut names = self.durable.clone();
        for path in self.seen.keys().chain(self.durable.keys()) {
            if self.seen.get(path) != self.durable.get(path) && keeps() {
                match self.seen.get(path) {
                    Some(node) => drop(names.insert(path.clone(), *node)),
                    None => drop(names.remove(path)),
                }
            }
        }
        std::fs::create_dir_all(to).expect("made");
        for (path, node) in names {
            let path = to.join(path.strip_prefix(root).expect("below the root"));
            if !path.parent().is_some_and(Path::is_dir) {
                // The name of its folder is not on the disk.
                continue;
            }
            match node {
                Node::Folder => std::fs::create_dir(path).expect("made"),
                Node::File(file) => std::fs::write(path, self.bytes.get(&file).map_or(&[][..], Vec::as_slice)).expect("written"),
            }
        }
    }
}

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("date", DataType::Date32, false),
        Field::new("id", DataType::Int64, true),
    ]))
}

/// The rows of the commit `number`: one on each of two days.
fn batch(number: i64) -> RecordBatch {
    let dates = ["2026-11-01", "2026-11-02"].map(|date| days_since_epoch(date.parse().expect("a date")));
    let columns: Vec<arrow::array::ArrayRef> = vec![
        Arc::new(Date32Array::from_iter_values(dates)),
        Arc::new(Int64Array::from_iter_values([number * 2, number * 2 + 1])),
    ];
    RecordBatch::try_new(schema(), columns).expect("a batch")
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
    let column = |batch: &RecordBatch| {
        batch
            .column(0)
            .as_any()
            .downcast_ref::<Int64Array>()
            .expect("ids")
            .values()
            .to_vec()
    };
    let mut ids: Vec<i64> = batches.iter().flat_map(column).collect();
    ids.sort_unstable();
    ids
}

/// How many commits the lake at `folder` shows; anything but whole commits, each once, is a panic.
async fn commits(folder: &Path) -> i64 {
    let lake = Lake::open(folder.to_str().expect("a path")).expect("a lake");
    let Some(table) = lake.table("things").await.expect("a table that can be opened or none") else {
        return 0;
    };
    let committed = table.transaction_version("collector/epoch").await.expect("read").unwrap_or(0);
    let expected: Vec<i64> = (2..(committed + 1) * 2).collect();
    assert_eq!(
        ids(&table).await,
        expected,
        "rows and the transaction that brought them come together"
    );
    committed
}

async fn append(table: &mut LakeTable, number: i64) {
    let transaction = AppTransaction {
        app_id: "collector/epoch".into(),
        version: number,
    };
    assert!(table.append_once(&[batch(number)], &transaction).await.expect("appended"));
}

#[tokio::test]
async fn whatever_a_loss_of_power_takes_back_an_answered_append_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().canonicalize().expect("a path").join("lake");
    std::fs::create_dir(&root).expect("made");
    RECORDED.lock().expect("no panic").insert(root.clone(), Vec::new());
    let so_far = || RECORDED.lock().expect("no panic")[&root].len();

    let lake = Lake::open(root.to_str().expect("a path")).expect("a lake");
    let mut table = lake.ensure_named("things", &schema(), &["date"]).await.expect("created");
    // Operations after which so many commits had been answered.
    let mut answered = Vec::new();
    for number in 1..=3 {
        append(&mut table, number).await;
        answered.push(so_far());
    }
    let options = MaintainOptions {
        retain: std::time::Duration::ZERO,
        now: "2026-11-05T00:00:00Z".parse().expect("a time"),
        pinned: BTreeMap::new(),
    };
    maintain(&lake, &options).await.expect("maintained");
    append(&mut table, 4).await;
    answered.push(so_far());
    let operations = RECORDED.lock().expect("no panic").remove(&root).expect("recorded");
    assert!(
        operations
            .iter()
            .any(|operation| matches!(operation, Operation::Remove(path) if path.extension().is_some_and(|e| e == "parquet")))
    );

    let mut dice = 6u64;
    let after = folder.path().join("after");
    for cut in 0..=operations.len() {
        let disk = Disk::of(&operations[..cut]);
        // Nothing but a sync changes what is surely there.
        let synced = matches!(
            operations[..cut].last(),
            None | Some(Operation::SyncFile(..) | Operation::SyncFolder(_))
        );
        let promised = answered.iter().filter(|end| **end <= cut).count() as i64;
        for keeps_something in [false, true] {
            if !(if keeps_something { cut % 7 == 0 } else { synced }) {
                continue;
            }
            disk.write(&root, &after, || {
                dice = dice
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                keeps_something && dice >> 63 == 1
            });
            let found = commits(&after).await;
            assert!(
                found == promised || found == promised + 1,
                "after {cut} operations {promised} commits were answered and {found} are there; the last: {:?}",
                operations[..cut].last()
            );
            std::fs::remove_dir_all(&after).expect("removed");
        }
    }
}
