//! `marginlake collect`: receive OTLP until SIGTERM or SIGINT.

use std::io::Write;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use marginlake_collector::{Collector, Config, Limits, Security, TlsFiles};
use serde::Deserialize;

use crate::config;
use crate::exit::{self, Usage};

#[derive(Debug, Args)]
pub(crate) struct CollectArgs {
    /// Directory or object-store URL of the lake
    #[arg(long, env = "MARGINLAKE_LAKE", required_unless_present_any = ["check_config"])]
    lake: Option<String>,
    /// Configuration file (TOML); every key is documented in examples/marginlake.toml
    #[arg(long, env = "MARGINLAKE_CONFIG")]
    config: Option<PathBuf>,
    /// Folder of the write-ahead log [default: <lake>/_collector/<collector id> on a local lake]
    #[arg(long, env = "MARGINLAKE_STATE_DIR")]
    state_dir: Option<PathBuf>,
    /// Name of this collector, unique among all that write to the lake [default: default]
    #[arg(long, env = "MARGINLAKE_COLLECTOR_ID")]
    collector_id: Option<String>,
    /// OTLP/gRPC address [default: 127.0.0.1:4317]; port 0 takes a free one
    #[arg(long, env = "MARGINLAKE_GRPC_ADDR", value_parser = address)]
    grpc_addr: Option<SocketAddr>,
    /// OTLP/HTTP address [default: 127.0.0.1:4318]; port 0 takes a free one
    #[arg(long, env = "MARGINLAKE_HTTP_ADDR", value_parser = address)]
    http_addr: Option<SocketAddr>,
    /// How long rows wait for a commit to the lake, such as 500ms, 10s, 1m [default: 10s]
    #[arg(long, env = "MARGINLAKE_COMMIT_INTERVAL", value_parser = duration)]
    commit_interval: Option<Duration>,
    /// Keys that requests need, each with its tenant; made with `marginlake keys new` [default: none are needed]
    #[arg(long, env = "MARGINLAKE_KEYS_FILE")]
    keys_file: Option<PathBuf>,
    /// Certificate chain (PEM): both addresses then speak TLS only
    #[arg(long, env = "MARGINLAKE_TLS_CERT")]
    tls_cert: Option<PathBuf>,
    /// Private key of the certificate (PEM)
    #[arg(long, env = "MARGINLAKE_TLS_KEY")]
    tls_key: Option<PathBuf>,
    /// Authorities (PEM) of the certificates that clients then must show
    #[arg(long, env = "MARGINLAKE_TLS_CLIENT_CA")]
    tls_client_ca: Option<PathBuf>,
    /// Check configuration, keys and certificates, and end; exit code 2 where something is wrong
    #[arg(long)]
    check_config: bool,
}

/// `[collect]` of the configuration file: the same names as the flags.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct CollectSection {
    state_dir: Option<PathBuf>,
    collector_id: Option<String>,
    grpc_addr: Option<String>,
    http_addr: Option<String>,
    commit_interval: Option<String>,
    keys_file: Option<PathBuf>,
    tls_cert: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    tls_client_ca: Option<PathBuf>,
    max_body: Option<String>,
    max_inflated_body: Option<String>,
    max_in_flight: Option<String>,
    max_log: Option<String>,
}

pub(crate) fn run(args: CollectArgs) -> anyhow::Result<()> {
    crate::logging::start("marginlake=info,marginlake_collector=info,marginlake_lake=info");
    let check_only = args.check_config;
    let config = resolve(args)?;
    if check_only {
        writeln!(std::io::stdout(), "the configuration is good")?;
        return Ok(());
    }
    crate::runtime()?.block_on(async {
        // Before anything is started: whoever reads the ready line may signal at once.
        let stop = StopSignal::listen()?;
        let collector = Collector::start(config).await?;
        let mut out = std::io::stdout();
        writeln!(
            out,
            "ready grpc={} http={}",
            collector.grpc_address(),
            collector.http_address()
        )?;
        out.flush()?;
        stop.received().await?;
        tracing::info!("stopping: draining and committing");
        collector.stop().await?;
        Ok(())
    })
}

fn resolve(args: CollectArgs) -> anyhow::Result<Config> {
    let file = config::load(args.config.as_deref())?;
    let catalogue = file.catalogue()?;
    let section = file.collect;
    let commit_interval = match (args.commit_interval, section.commit_interval) {
        (Some(interval), _) => interval,
        (None, Some(text)) => duration(&text).map_err(|error| Usage(format!("collect.commit_interval = {text:?}: {error}")))?,
        (None, None) => Duration::from_secs(10),
    };
    let default = Limits::default();
    let limits = Limits {
        body_bytes: size("max_body", section.max_body, default.body_bytes as u64)? as usize,
        inflated_bytes: size("max_inflated_body", section.max_inflated_body, default.inflated_bytes as u64)? as usize,
        in_flight_bytes: size("max_in_flight", section.max_in_flight, default.in_flight_bytes as u64)? as usize,
    };
    let security = Security {
        keys_file: args.keys_file.or(section.keys_file),
        tls: tls(
            args.tls_cert.or(section.tls_cert),
            args.tls_key.or(section.tls_key),
            args.tls_client_ca.or(section.tls_client_ca),
        )?,
    };
    security.check().map_err(|error| Usage(exit::chain(&error.into())))?;
    Ok(Config {
        lake: args.lake.unwrap_or_default(),
        security,
        state_dir: args.state_dir.or(section.state_dir),
        collector_id: args.collector_id.or(section.collector_id).unwrap_or_else(|| "default".into()),
        grpc_address: listen("grpc_addr", args.grpc_addr, section.grpc_addr, 4317)?,
        http_address: listen("http_addr", args.http_addr, section.http_addr, 4318)?,
        commit_interval,
        limits,
        log_limit_bytes: size("max_log", section.max_log, 8 << 30)?,
        attribution: file.attribution,
        catalogue,
    })
}

/// A certificate and its key come together; authorities for clients only with them.
fn tls(cert: Option<PathBuf>, key: Option<PathBuf>, client_ca: Option<PathBuf>) -> anyhow::Result<Option<TlsFiles>> {
    match (cert, key, client_ca) {
        (None, None, None) => Ok(None),
        (Some(certificate), Some(private_key), client_authorities) => Ok(Some(TlsFiles {
            certificate,
            private_key,
            client_authorities,
        })),
        _ => Err(Usage("TLS needs both tls_cert and tls_key; tls_client_ca goes with them".into()).into()),
    }
}

/// SIGTERM and SIGINT.
#[cfg(unix)]
struct StopSignal {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl StopSignal {
    /// From here on the signals no longer end the process by themselves.
    fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn received(mut self) -> std::io::Result<()> {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
        Ok(())
    }
}

#[cfg(not(unix))]
struct StopSignal;

#[cfg(not(unix))]
impl StopSignal {
    fn listen() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn received(self) -> std::io::Result<()> {
        tokio::signal::ctrl_c().await
    }
}

/// Flag over file over loopback: nobody outside sends before somebody said so.
fn listen(key: &str, flag: Option<SocketAddr>, file: Option<String>, port: u16) -> anyhow::Result<SocketAddr> {
    match (flag, file) {
        (Some(given), _) => Ok(given),
        (None, Some(text)) => Ok(address(&text).map_err(|error| Usage(format!("collect.{key} = {text:?}: {error}")))?),
        (None, None) => Ok(SocketAddr::from(([127, 0, 0, 1], port))),
    }
}

/// `127.0.0.1:4317`, `[::1]:4317`, `localhost:4317`.
fn address(text: &str) -> Result<SocketAddr, String> {
    let mut found = text
        .to_socket_addrs()
        .map_err(|_| format!("{text:?} is not HOST:PORT, such as 127.0.0.1:4317"))?;
    found.next().ok_or_else(|| format!("{text:?} has no address"))
}

/// `500ms`, `10s`, `5m`, `1h`.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a duration: write a whole number and ms, s, m or h, such as 10s");
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
fn size(key: &str, text: Option<String>, default: u64) -> anyhow::Result<u64> {
    let Some(text) = text else { return Ok(default) };
    let factor = |unit: &str| match unit {
        "" | "B" => Some(1),
        "KiB" => Some(1 << 10),
        "MiB" => Some(1 << 20),
        "GiB" => Some(1 << 30),
        _ => None,
    };
    let bytes = split(&text)
        .and_then(|(number, unit)| number.checked_mul(factor(unit)?))
        .filter(|bytes| *bytes > 0);
    let accepted = "write a whole number above zero and KiB, MiB or GiB, such as 64MiB";
    Ok(bytes.ok_or_else(|| Usage(format!("collect.{key} = {text:?} is not a size: {accepted}")))?)
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
        assert_eq!(size("x", Some("64 MiB".into()), 1).expect("a size"), 64 << 20);
        assert!(size("x", Some("0".into()), 1).is_err());
        assert!(size("x", Some("99999999999GiB".into()), 1).is_err());
    }
}
