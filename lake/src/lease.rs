//! One owner at a time for work that two must not do at once: maintenance, the nightly report.
//!
//! ```text
//! <lake>/_leases/<task>/<number, 20 digits>.json     {"owner": "...", "until_unix_ms": ..., "locked_on": "..."}
//! <lake>/_leases/<task>/lock                         on a local lake: held by the operating system while the owner lives
//! ```
//! Put-if-absent of the next number is the only way to get the lease, so that of two that try one wins, on a local disk as
//! on an object store. The highest number holds; it is the fencing number that the owner writes into what it commits. A
//! renewal overwrites the owner's own file. An owner that dies leaves a lease that runs out by itself; one that was asleep
//! finds a higher number than its own and must stop. Where the owner held the lock of this machine and nobody holds it any
//! more, the owner is dead and nobody waits. Clocks decide only how long others wait, never who is right.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, SecondsFormat, Utc};
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode};
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;

use crate::{Lake, LakeError};

/// How long a lease lives after its last renewal: what a run waits at most after the one before it was killed.
const LIFE: Duration = Duration::from_secs(60);

/// The right to do one task on one lake, until it is released or not renewed.
#[derive(Debug)]
pub struct Lease {
    shared: Arc<Shared>,
    renewing: JoinHandle<()>,
    _lock: Option<File>,
}

#[derive(Debug)]
struct Shared {
    store: Arc<dyn ObjectStore>,
    task: String,
    owner: String,
    locked_on: Option<String>,
    token: Option<String>,
    number: u64,
    lost: AtomicBool,
}

#[derive(Debug, Serialize, Deserialize)]
struct Held {
    owner: String,
    until_unix_ms: u64,
    /// The machine whose lock the owner holds for as long as it lives.
    #[serde(default)]
    locked_on: Option<String>,
    /// What the owner knows itself by after a crash, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

impl Lease {
    /// Takes the lease for `task` (a plain word), or says who has it. It renews itself until it is dropped.
    pub async fn acquire(lake: &Lake, task: &str) -> Result<Lease, LakeError> {
        Self::acquire_for(lake, task, LIFE).await
    }

    async fn acquire_for(lake: &Lake, task: &str, life: Duration) -> Result<Lease, LakeError> {
        Self::acquire_as(lake, task, life, None).await
    }

    /// Whoever shows the `token` of the owner before is that owner, started again, and need not wait.
    pub(crate) async fn acquire_as(lake: &Lake, task: &str, life: Duration, token: Option<&str>) -> Result<Lease, LakeError> {
        let store = lake.store_below(&format!("_leases/{task}"))?;
        let lock = lock(lake, task);
        let locked_on = lock.as_ref().and_then(|_| machine());
        let highest = numbers(&store).await?.pop();
        if let Some(number) = highest {
            refuse_while_held(&store, task, number, locked_on.as_deref(), token).await?;
        }
        let shared = Arc::new(Shared {
            store,
            task: task.to_owned(),
            owner: owner(),
            locked_on,
            token: token.map(str::to_owned),
            number: highest.unwrap_or(0) + 1,
            lost: AtomicBool::new(false),
        });
        match shared.put(PutMode::Create, life).await {
            Ok(()) => {}
            Err(object_store::Error::AlreadyExists { .. }) => return Err(shared.taken().await),
            Err(source) => return Err(shared.failed("write", source)),
        }
        // Whoever looked long ago may have taken a number that was given, released and removed since.
        let numbers = numbers(&shared.store).await?;
        if numbers.last() != Some(&shared.number) {
            let _ = shared.store.delete(&path(shared.number)).await;
            return Err(shared.taken().await);
        }
        for old in numbers.iter().rev().skip(2) {
            // Only tidying up: the highest number counts.
            let _ = shared.store.delete(&path(*old)).await;
        }
        let renewing = tokio::spawn(renew(Arc::clone(&shared), life));
        Ok(Lease {
            shared,
            renewing,
            _lock: lock,
        })
    }

    /// Grows with every owner: what a commit under this lease carries, so that an older owner is refused after it.
    pub fn fencing_number(&self) -> i64 {
        i64::try_from(self.shared.number).unwrap_or(i64::MAX)
    }

    /// Fails when somebody else has taken over.
    pub async fn check(&self) -> Result<(), LakeError> {
        let is_ours = numbers(&self.shared.store).await?.last() == Some(&self.shared.number);
        if !is_ours || self.shared.lost.load(Ordering::Relaxed) {
            return Err(LakeError::LeaseLost {
                task: self.shared.task.clone(),
            });
        }
        Ok(())
    }

    /// Gives the lease back, so that nobody has to wait for its end.
    pub async fn release(self) -> Result<(), LakeError> {
        self.renewing.abort();
        let released = self.shared.put(PutMode::Overwrite, Duration::ZERO).await;
        released.map_err(|source| self.shared.failed("write", source))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.renewing.abort();
    }
}

impl Shared {
    async fn put(&self, mode: PutMode, life: Duration) -> object_store::Result<()> {
        let held = Held {
            owner: self.owner.clone(),
            until_unix_ms: now_unix_ms().saturating_add(u64::try_from(life.as_millis()).unwrap_or(u64::MAX)),
            locked_on: self.locked_on.clone(),
            token: self.token.clone(),
        };
        let bytes = serde_json::to_vec(&held).unwrap_or_default();
        self.store.put_opts(&path(self.number), bytes.into(), mode.into()).await?;
        Ok(())
    }

    fn failed(&self, action: &'static str, source: object_store::Error) -> LakeError {
        let path = format!("_leases/{}/{}", self.task, path(self.number));
        LakeError::Store { action, path, source }
    }

    /// Somebody was faster.
    async fn taken(&self) -> LakeError {
        match numbers(&self.store).await.map(|mut numbers| numbers.pop()) {
            Ok(Some(number)) => match refuse_while_held(&self.store, &self.task, number, None, None).await {
                Err(error) => error,
                Ok(()) => LakeError::LeaseLost { task: self.task.clone() },
            },
            Ok(None) => LakeError::LeaseLost { task: self.task.clone() },
            Err(error) => error,
        }
    }
}

async fn renew(shared: Arc<Shared>, life: Duration) {
    loop {
        tokio::time::sleep(life / 3).await;
        match numbers(&shared.store).await {
            Ok(numbers) if numbers.last() != Some(&shared.number) => {
                shared.lost.store(true, Ordering::Relaxed);
                tracing::error!(task = shared.task, "somebody else has taken this lease over");
                return;
            }
            Ok(_) => {
                if let Err(error) = shared.put(PutMode::Overwrite, life).await {
                    tracing::warn!(error = &error as &dyn std::error::Error, "cannot renew a lease");
                }
            }
            // The next round tries again; a lease that ends meanwhile is noticed by `check`.
            Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "cannot look at a lease"),
        }
    }
}

/// `locked_on` is this machine where we hold its lock for the task.
async fn refuse_while_held(
    store: &Arc<dyn ObjectStore>,
    task: &str,
    number: u64,
    locked_on: Option<&str>,
    token: Option<&str>,
) -> Result<(), LakeError> {
    let failed = |source| LakeError::Store {
        action: "read",
        path: format!("_leases/{task}/{}", path(number)),
        source,
    };
    let bytes = match store.get(&path(number)).await {
        Ok(found) => found.bytes().await.map_err(failed)?,
        Err(object_store::Error::NotFound { .. }) => return Ok(()),
        Err(source) => return Err(failed(source)),
    };
    // What cannot be read holds nobody off: the numbers decide.
    let Ok(held) = serde_json::from_slice::<Held>(&bytes) else {
        return Ok(());
    };
    let is_dead = locked_on.is_some() && held.locked_on.as_deref() == locked_on;
    let is_ours = token.is_some() && held.token.as_deref() == token;
    if is_dead || is_ours || held.until_unix_ms <= now_unix_ms() {
        return Ok(());
    }
    let until = i64::try_from(held.until_unix_ms)
        .ok()
        .and_then(DateTime::<Utc>::from_timestamp_millis);
    Err(LakeError::Leased {
        task: task.to_owned(),
        owner: held.owner,
        until: until.map_or_else(
            || "an unknown time".into(),
            |at| at.to_rfc3339_opts(SecondsFormat::Secs, true),
        ),
    })
}

/// All numbers that were given and not tidied up, ascending.
async fn numbers(store: &Arc<dyn ObjectStore>) -> Result<Vec<u64>, LakeError> {
    let listed: Result<Vec<_>, _> = store.list(None).try_collect().await;
    let objects = listed.map_err(|source| LakeError::Store {
        action: "list",
        path: "_leases".into(),
        source,
    })?;
    let mut numbers: Vec<u64> = objects
        .iter()
        .filter_map(|object| object.location.filename()?.strip_suffix(".json")?.parse().ok())
        .collect();
    numbers.sort_unstable();
    Ok(numbers)
}

fn path(number: u64) -> Path {
    Path::from(format!("{number:020}.json"))
}

/// The lock of this machine for `task`, which ends with the process; `None` where somebody has it or there is none.
fn lock(lake: &Lake, task: &str) -> Option<File> {
    let folder = lake.local_path()?.join("_leases").join(task);
    std::fs::create_dir_all(&folder).ok()?;
    let file = File::create(folder.join("lock")).ok()?;
    file.try_lock().ok().map(|()| file)
}

/// Enough for a person to find the process.
fn owner() -> String {
    format!(
        "process {} on {}",
        std::process::id(),
        machine().as_deref().unwrap_or("a machine without a name")
    )
}

fn machine() -> Option<String> {
    let host = std::env::var("HOSTNAME").ok();
    host.or_else(|| Some(std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?.trim().to_owned()))
}

fn now_unix_ms() -> u64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lake(folder: &tempfile::TempDir) -> Lake {
        Lake::open(folder.path().to_str().expect("a path")).expect("a lake")
    }

    #[tokio::test]
    async fn a_held_lease_refuses_and_names_its_owner_and_its_end() {
        let folder = tempfile::tempdir().expect("folder");
        let lease = Lease::acquire(&lake(&folder), "maintenance").await.expect("free");
        let refused = Lease::acquire(&lake(&folder), "maintenance").await;
        let Err(LakeError::Leased { owner, until, .. }) = &refused else {
            panic!("{refused:?}")
        };
        assert!(
            owner.contains(&std::process::id().to_string()) && until.ends_with('Z'),
            "{owner} {until}"
        );
        Lease::acquire(&lake(&folder), "report").await.expect("another task is free");
        lease.release().await.expect("released");
        Lease::acquire(&lake(&folder), "maintenance").await.expect("free again");
    }

    #[tokio::test]
    async fn of_many_that_try_at_once_one_gets_it() {
        let folder = tempfile::tempdir().expect("folder");
        for _ in 0..5 {
            let lake = lake(&folder);
            let tries = (0..8).map(|_| {
                let lake = lake.clone();
                tokio::spawn(async move { Lease::acquire(&lake, "maintenance").await })
            });
            let got = futures::future::join_all(tries).await;
            let mut got: Vec<Lease> = got.into_iter().filter_map(|lease| lease.expect("ran").ok()).collect();
            assert_eq!(got.len(), 1);
            got.pop().expect("one").release().await.expect("released");
        }
    }

    #[tokio::test]
    async fn a_lease_of_a_process_that_was_killed_holds_nobody_off() {
        let folder = tempfile::tempdir().expect("folder");
        let killed = Lease::acquire(&lake(&folder), "maintenance").await.expect("free");
        // Dropped and not released: the operating system takes the lock back, the file stays.
        drop(killed);
        Lease::acquire(&lake(&folder), "maintenance").await.expect("free at once");
    }

    #[tokio::test]
    async fn a_lease_that_ran_out_is_taken_over_and_its_owner_notices() {
        let folder = tempfile::tempdir().expect("folder");
        // Ends at once and renews for the first time in an hour, as by an owner that was killed or sleeps.
        let first = Lease::acquire_for(&lake(&folder), "maintenance", Duration::from_secs(3 * 3600))
            .await
            .expect("free");
        first.shared.put(PutMode::Overwrite, Duration::ZERO).await.expect("written");
        let second = Lease::acquire(&lake(&folder), "maintenance").await.expect("taken over");
        assert!(second.fencing_number() > first.fencing_number());
        assert!(matches!(first.check().await, Err(LakeError::LeaseLost { .. })));
        second.check().await.expect("ours");
    }
}
