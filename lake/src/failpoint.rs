//! Places where a test lets the process die or an operation fail, to see that nothing acknowledged is lost or doubled.
//!
//! - `MARGINLAKE_FAILPOINT=NAME:N` ends the process when it gets to NAME for the N-th time, as SIGKILL would: nothing is
//!   flushed, no destructor runs. The name `any` counts them all.
//! - `MARGINLAKE_FAULTS=FILE` lets operations fail for as long as FILE says so: each of its lines is a name and the number
//!   of the operating system's error (`data.before_write 28` is a full disk). The file is looked at every time, so that a
//!   test can break a lake and mend it while a collector runs.
//!
//! Only debug builds look at either; in every other build a fail point is nothing at all.

/// Dies here when the environment says so.
#[cfg(debug_assertions)]
pub fn at(name: &str) {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static CHOSEN: LazyLock<Option<(String, AtomicU64)>> = LazyLock::new(|| {
        let text = std::env::var("MARGINLAKE_FAILPOINT").ok()?;
        let (name, count) = text.split_once(':')?;
        Some((name.to_owned(), AtomicU64::new(count.parse().ok()?)))
    });
    if let Some((chosen, left)) = &*CHOSEN
        && (chosen == name || chosen == "any")
        && left.fetch_sub(1, Ordering::SeqCst) == 1
    {
        std::process::abort();
    }
}

/// Dies or fails here when the environment says so.
#[cfg(debug_assertions)]
pub fn io(name: &str) -> std::io::Result<()> {
    use std::sync::LazyLock;

    static FAULTS: LazyLock<Option<std::path::PathBuf>> = LazyLock::new(|| std::env::var_os("MARGINLAKE_FAULTS").map(Into::into));
    at(name);
    let Some(faults) = FAULTS.as_ref().and_then(|file| std::fs::read_to_string(file).ok()) else {
        return Ok(());
    };
    let fault = faults.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    fault.map_or(Ok(()), |errno| Err(std::io::Error::from_raw_os_error(errno)))
}

/// Nothing.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub fn at(_: &str) {}

/// Nothing.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub fn io(_: &str) -> std::io::Result<()> {
    Ok(())
}
