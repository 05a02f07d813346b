//! How values of `collect` are written: addresses, durations, sizes, the choice of durability.

use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use marginlake_collector::Durability;

/// `127.0.0.1:4317`, `[::1]:4317`, `localhost:4317`.
pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    let mut found = text
        .to_socket_addrs()
        .map_err(|_| "not HOST:PORT, such as 127.0.0.1:4317".to_owned())?;
    found.next().ok_or_else(|| "the name has no address".to_owned())
}

/// `500ms`, `10s`, `5m`, `1h`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "not a duration: write a whole number and ms, s, m or h, such as 10s".to_owned();
    let (number, unit) = split(text).ok_or_else(wrong)?;
    match unit {
        "ms" => Ok(Duration::from_millis(number)),
        "s" => Ok(Duration::from_secs(number)),
        "m" => Ok(Duration::from_secs(number.saturating_mul(60))),
        "h" => Ok(Duration::from_secs(number.saturating_mul(3600))),
        _ => Err(wrong()),
    }
}

/// `64MiB`, `8GiB`, `1000000`.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let factor = |unit: &str| match unit {
        "" | "B" => Some(1),
        "KiB" => Some(1 << 10),
        "MiB" => Some(1 << 20),
        "GiB" => Some(1 << 30),
        _ => None,
    };
    split(text)
        .and_then(|(number, unit)| number.checked_mul(factor(unit)?))
        .filter(|bytes| *bytes > 0)
        .ok_or_else(|| "not a size: write a whole number above zero and KiB, MiB or GiB, such as 64MiB".to_owned())
}

/// `sync`, or `interval=100ms`.
pub(super) fn durability(text: &str) -> Result<Durability, String> {
    let wrong = || "write sync, or interval= and a duration above zero, such as interval=100ms".to_owned();
    match text.trim() {
        "sync" => Ok(Durability::Sync),
        other => {
            let interval = other.strip_prefix("interval=").and_then(|text| duration(text).ok());
            let interval = interval.filter(|interval| !interval.is_zero()).ok_or_else(wrong)?;
            Ok(Durability::Interval(interval))
        }
    }
}

/// `key=value,key=value`, values percent-encoded where they need it: the form of `OTEL_EXPORTER_OTLP_HEADERS`.
pub(super) fn headers(text: &str) -> Result<Vec<(String, String)>, String> {
    let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            // Never repeats what was written: it is a secret more often than not.
            let (name, value) = pair.split_once('=').ok_or("a header is written name=value")?;
            Ok((name.trim().to_ascii_lowercase(), decoded(value.trim())))
        })
        .collect()
}

fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = (bytes[at] == b'%')
            .then(|| text.get(at + 1..at + 3))
            .flatten()
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        out.push(escaped.unwrap_or(bytes[at]));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn split(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..digits].parse().ok()?, text[digits..].trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_need_their_units() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        assert!(duration("10").is_err());
        assert!(duration("ten seconds").is_err());
        assert_eq!(size("64 MiB"), Ok(64 << 20));
        assert!(size("0").is_err());
        assert!(size("99999999999GiB").is_err());
    }

    #[test]
    fn durability_is_sync_or_an_interval() {
        assert_eq!(durability("sync"), Ok(Durability::Sync));
        assert_eq!(
            durability("interval=100ms"),
            Ok(Durability::Interval(Duration::from_millis(100)))
        );
        for bad in ["", "async", "interval", "interval=0s", "interval=fast"] {
            assert!(durability(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn headers_are_written_as_for_otlp_exporters() {
        let read = headers("Authorization=Bearer%20abc, x-scope=1=2,").expect("headers");
        assert_eq!(
            read,
            [
                ("authorization".into(), "Bearer abc".into()),
                ("x-scope".into(), "1=2".into())
            ]
        );
        let message = headers("secret-without-name").expect_err("refused");
        assert!(!message.contains("secret-without"), "{message}");
    }
}
