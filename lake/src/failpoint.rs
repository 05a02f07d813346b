//! Places where a test lets the process die, to see that nothing acknowledged is lost or doubled.
//!
//! `MARGINLAKE_FAILPOINT=NAME:N` ends the process when it gets to NAME for the N-th time, as SIGKILL would: nothing is
//! flushed, no destructor runs. Only debug builds look at it; in every other build a fail point is nothing at all.

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
        && chosen == name
        && left.fetch_sub(1, Ordering::SeqCst) == 1
    {
        std::process::abort();
    }
}

/// Nothing.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub fn at(_: &str) {}
