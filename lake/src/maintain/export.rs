//! Closed days as plain Parquet, for readers that know globs and no Delta.
//!
//! ```text
//! <lake>/export/closed_days/<table>/date=YYYY-MM-DD/part-….parquet
//! ```
//! A glob over a Delta table sees removed files until they are vacuumed; here stand the live ones only. On a local lake they
//! are hard links, which cost no room, and a day is swapped whole (one rename), so that a reader sees the day before or
//! after a change, never both. On an object store new files are copied before old ones go: for that moment a day that
//! changed late can be seen double.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path as FsPath;

use chrono::NaiveDate;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use crate::schema::DATE;
use crate::{Lake, LakeError, LakeTable, Table, durable, failpoint};

/// What people query by the day; marts are small, and reports export them under `--out`.
const EXPORTED: [Table; 3] = [Table::Spans, Table::Calls, Table::CallsExcluded];

/// Brings the export of every closed day up to date; how many days changed.
pub(super) async fn export(lake: &Lake, table: &LakeTable, today: NaiveDate) -> Result<usize, LakeError> {
    if EXPORTED.iter().all(|exported| exported.name() != table.name()) {
        return Ok(0);
    }
    let mut live: BTreeMap<NaiveDate, BTreeSet<String>> = BTreeMap::new();
    for file in table.files()? {
        if let Some(date) = file.date.filter(|date| *date < today) {
            live.entry(date).or_default().insert(file.path);
        }
    }
    let store = lake.store_below("")?;
    let root = format!("export/closed_days/{}", table.name());
    let mut exported = listed(&store, &root).await?;
    for date in live.keys() {
        exported.entry(*date).or_default();
    }
    let mut changed = 0;
    for (date, names) in exported {
        let files = live.remove(&date).unwrap_or_default();
        if files.iter().map(|path| base(path)).eq(names.iter().map(String::as_str)) {
            continue;
        }
        let day = format!("{root}/{DATE}={date}");
        match (lake.local_path(), &table.local) {
            (Some(lake), Some(table)) => swap_local(lake, table, &day, &files)?,
            _ => swap_remote(&store, table.name(), &day, &files, &names).await?,
        }
        changed += 1;
    }
    Ok(changed)
}

/// The names of exported files by day.
async fn listed(store: &dyn ObjectStore, root: &str) -> Result<BTreeMap<NaiveDate, BTreeSet<String>>, LakeError> {
    let objects: Result<Vec<_>, _> = store.list(Some(&Path::from(root))).try_collect().await;
    let objects = objects.map_err(|source| LakeError::Store {
        action: "list",
        path: root.to_owned(),
        source,
    })?;
    let mut days: BTreeMap<NaiveDate, BTreeSet<String>> = BTreeMap::new();
    for object in objects {
        let path = object.location.as_ref();
        let Some((folder, name)) = path.rsplit_once('/') else {
            continue;
        };
        let date = folder
            .rsplit_once(&format!("{DATE}="))
            .and_then(|(_, date)| date.parse().ok());
        if let Some(date) = date {
            days.entry(date).or_default().insert(name.to_owned());
        }
    }
    Ok(days)
}

fn base(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

fn swap_local(lake: &FsPath, table: &FsPath, day: &str, files: &BTreeSet<String>) -> Result<(), LakeError> {
    let failed = |action: &'static str, path: &FsPath| {
        let path = path.display().to_string();
        move |source| LakeError::Io { action, path, source }
    };
    let target = lake.join(day);
    let parent = target.parent().unwrap_or(lake);
    std::fs::create_dir_all(parent).map_err(failed("create", parent))?;
    // Outside of what globs look at.
    let staging = lake.join("_export");
    let staged = staging.join(uuid::Uuid::new_v4().to_string());
    std::fs::create_dir_all(&staged).map_err(failed("create", &staged))?;
    for file in files {
        let (from, to) = (table.join(file), staged.join(base(file)));
        if std::fs::hard_link(&from, &to).is_err() {
            // Not every file system has links.
            std::fs::copy(&from, &to).map_err(failed("copy", &from))?;
        }
    }
    failpoint::at("export.before_sync");
    durable::sync(&staged)?;
    failpoint::at("export.before_swap");
    match (target.is_dir(), files.is_empty()) {
        (false, _) => std::fs::rename(&staged, &target).map_err(failed("rename", &staged))?,
        (true, _) => exchange(&staged, &target).map_err(failed("rename", &staged))?,
    }
    failpoint::at("export.after_swap");
    durable::sync(parent)?;
    // The day before the change, and what a killed run left.
    std::fs::remove_dir_all(&staging).map_err(failed("remove", &staging))?;
    if files.is_empty() {
        std::fs::remove_dir_all(&target).map_err(failed("remove", &target))?;
    }
    Ok(())
}

/// Swaps two folders at once.
#[cfg(target_os = "linux")]
fn exchange(new: &FsPath, old: &FsPath) -> std::io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    match renameat_with(CWD, new, CWD, old, RenameFlags::EXCHANGE) {
        // Some network file systems cannot.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS | rustix::io::Errno::OPNOTSUPP) => replace(new, old),
        done => Ok(done?),
    }
}

#[cfg(not(target_os = "linux"))]
fn exchange(new: &FsPath, old: &FsPath) -> std::io::Result<()> {
    replace(new, old)
}

/// Old away, then new there: for a moment neither.
fn replace(new: &FsPath, old: &FsPath) -> std::io::Result<()> {
    let away = new.with_extension("old");
    std::fs::rename(old, &away)?;
    std::fs::rename(new, old)
}

async fn swap_remote(
    store: &dyn ObjectStore,
    table: &str,
    day: &str,
    files: &BTreeSet<String>,
    exported: &BTreeSet<String>,
) -> Result<(), LakeError> {
    let failed = |action: &'static str| {
        let path = day.to_owned();
        move |source| LakeError::Store { action, path, source }
    };
    for file in files.iter().filter(|file| !exported.contains(base(file))) {
        let to = Path::from(format!("{day}/{}", base(file)));
        store
            .copy(&Path::from(format!("{table}/{file}")), &to)
            .await
            .map_err(failed("copy to"))?;
    }
    let wanted: BTreeSet<&str> = files.iter().map(|path| base(path)).collect();
    for name in exported.iter().filter(|name| !wanted.contains(name.as_str())) {
        store
            .delete(&Path::from(format!("{day}/{name}")))
            .await
            .map_err(failed("delete in"))?;
    }
    Ok(())
}
