//! `marginlake collect`: receive OTLP until SIGTERM or SIGINT.

mod settings;
mod signal;
mod values;

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use marginlake_collector::{Collector, Config, Forward, ForwardFiles, Limits, Security, SelfTelemetry, TlsFiles};
use serde::Deserialize;

use crate::config::{self, FileConfig};
use crate::exit::{self, Usage};
use settings::Settings;
use signal::StopSignal;

/// Values are text here, whatever they mean: `resolve` reads them and says where a bad one came from.
#[derive(Debug, Args)]
pub(crate) struct CollectArgs {
    /// Directory or object-store URL of the lake
    #[arg(long, env = "MARGINLAKE_LAKE", required_unless_present_any = ["check_config", "print_config"])]
    lake: Option<String>,
    /// Configuration file (TOML); every key is documented in examples/marginlake.toml
    #[arg(long, env = "MARGINLAKE_CONFIG")]
    config: Option<PathBuf>,
    /// Folder of the write-ahead log [default: <lake>/_collector/<collector id> on a local lake]
    #[arg(long, env = "MARGINLAKE_STATE_DIR")]
    state_dir: Option<String>,
    /// Name of this collector, unique among all that write to the lake [default: default]
    #[arg(long, env = "MARGINLAKE_COLLECTOR_ID")]
    collector_id: Option<String>,
    /// OTLP/gRPC address [default: 127.0.0.1:4317]; port 0 takes a free one
    #[arg(long, env = "MARGINLAKE_GRPC_ADDR")]
    grpc_addr: Option<String>,
    /// OTLP/HTTP address [default: 127.0.0.1:4318]; port 0 takes a free one
    #[arg(long, env = "MARGINLAKE_HTTP_ADDR")]
    http_addr: Option<String>,
    /// How long rows wait for a commit to the lake, such as 500ms, 10s, 1m [default: 10s]
    #[arg(long, env = "MARGINLAKE_COMMIT_INTERVAL")]
    commit_interval: Option<String>,
    /// When a request is acknowledged: sync (it is on the disk), or interval=100ms (it will be within that time; a power cut
    /// may lose what came since) [default: sync]
    #[arg(long, env = "MARGINLAKE_DURABILITY")]
    durability: Option<String>,
    /// Keys that requests need, each with its tenant; made with `marginlake keys new` [default: none are needed]
    #[arg(long, env = "MARGINLAKE_KEYS_FILE")]
    keys_file: Option<String>,
    /// Certificate chain (PEM): both addresses then speak TLS only
    #[arg(long, env = "MARGINLAKE_TLS_CERT")]
    tls_cert: Option<String>,
    /// Private key of the certificate (PEM)
    #[arg(long, env = "MARGINLAKE_TLS_KEY")]
    tls_key: Option<String>,
    /// Authorities (PEM) of the certificates that clients then must show
    #[arg(long, env = "MARGINLAKE_TLS_CLIENT_CA")]
    tls_client_ca: Option<String>,
    /// Backend that gets everything received, with the costs of calls added, such as https://otlp.example.com
    #[arg(long, env = "MARGINLAKE_FORWARD", value_name = "URL")]
    forward: Option<String>,
    /// How the backend is spoken to: grpc or http [default: grpc for port 4317, else http]
    #[arg(long, env = "MARGINLAKE_FORWARD_PROTOCOL")]
    forward_protocol: Option<String>,
    /// Headers for the backend, name=value,name=value; the environment or the file keep them from the list of processes
    #[arg(long, env = "MARGINLAKE_FORWARD_HEADERS", hide_env_values = true)]
    forward_headers: Option<String>,
    /// OTLP/gRPC endpoint for the collector's own metrics and traces [default: OTEL_EXPORTER_OTLP_ENDPOINT, else nowhere]
    #[arg(long, env = "MARGINLAKE_TELEMETRY_ENDPOINT", value_name = "URL")]
    telemetry_endpoint: Option<String>,
    /// Check configuration, keys and certificates, and end; exit code 2 where something is wrong
    #[arg(long)]
    check_config: bool,
    /// Print the configuration in force (TOML), each value with its origin, without secrets, and end
    #[arg(long)]
    print_config: bool,
}

/// `[collect]` of the configuration file: the same names as the flags.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct CollectSection {
    state_dir: Option<String>,
    collector_id: Option<String>,
    grpc_addr: Option<String>,
    http_addr: Option<String>,
    commit_interval: Option<String>,
    durability: Option<String>,
    keys_file: Option<String>,
    tls_cert: Option<String>,
    tls_key: Option<String>,
    tls_client_ca: Option<String>,
    max_body: Option<String>,
    max_inflated_body: Option<String>,
    max_in_flight: Option<String>,
    max_log: Option<String>,
    forward: Option<String>,
    forward_protocol: Option<String>,
    forward_headers: Option<String>,
    forward_compression: Option<String>,
    forward_timeout: Option<String>,
    forward_queue: Option<String>,
    forward_ca: Option<String>,
    forward_cert: Option<String>,
    forward_key: Option<String>,
    telemetry_endpoint: Option<String>,
    telemetry_interval: Option<String>,
}

pub(crate) fn run(args: CollectArgs) -> anyhow::Result<()> {
    crate::logging::start("marginlake=info,marginlake_collector=info,marginlake_lake=info");
    let (check_only, print_only) = (args.check_config, args.print_config);
    let lake = args.lake.clone();
    let path = args.config.clone();
    let file = config::load(path.as_deref())?;
    let mut settings = Settings::new(path.as_deref(), std::env::args());
    let config = resolve(args, file, &mut settings)?;
    let mut out = std::io::stdout();
    if print_only {
        let lake = lake.map_or("# no lake was named".to_owned(), |lake| format!("# --lake {lake}"));
        write!(out, "{lake}\n{}", settings.to_toml())?;
        out.write_all(config::without_collect(path.as_deref())?.as_bytes())?;
        return Ok(());
    }
    if check_only {
        writeln!(out, "the configuration is good")?;
        return Ok(());
    }
    crate::runtime()?.block_on(async {
        // Before anything is started: whoever reads the ready line may signal at once.
        let stop = StopSignal::listen()?;
        let collector = Collector::start(config).await?;
        writeln!(
            out,
            "ready grpc={} http={}",
            collector.grpc_address(),
            collector.http_address()
        )?;
        out.flush()?;
        tokio::select! {
            received = stop.received() => {
                received?;
                tracing::info!("stopping: draining and committing");
            }
            () = collector.ended() => tracing::error!("stopping: nothing more can be written to the lake"),
        }
        let done = collector.stop().await?;
        tracing::info!("{done}");
        Ok(())
    })
}

fn resolve(args: CollectArgs, file: FileConfig, settings: &mut Settings) -> anyhow::Result<Config> {
    let catalogue = file.catalogue()?;
    let attribution = file.attribution();
    let section = file.collect;
    let mut pick = |key, given, written, default| settings.pick(key, given, written, default);
    let path = |text: &str| Ok(PathBuf::from(text));

    let state_dir = pick("state_dir", args.state_dir, section.state_dir, None).read(path)?;
    let collector_id = pick("collector_id", args.collector_id, section.collector_id, Some("default"));
    // Nobody outside sends before somebody said so.
    let grpc = pick("grpc_addr", args.grpc_addr, section.grpc_addr, Some("127.0.0.1:4317"));
    let http = pick("http_addr", args.http_addr, section.http_addr, Some("127.0.0.1:4318"));
    let commit = pick("commit_interval", args.commit_interval, section.commit_interval, Some("10s"));
    let durability = pick("durability", args.durability, section.durability, Some("sync"));
    let keys_file = pick("keys_file", args.keys_file, section.keys_file, None).read(path)?;
    let tls = tls(
        pick("tls_cert", args.tls_cert, section.tls_cert, None).read(path)?,
        pick("tls_key", args.tls_key, section.tls_key, None).read(path)?,
        pick("tls_client_ca", args.tls_client_ca, section.tls_client_ca, None).read(path)?,
    )?;
    let limits = Limits {
        body_bytes: pick("max_body", None, section.max_body, Some("32MiB")).required(values::size)? as usize,
        inflated_bytes: pick("max_inflated_body", None, section.max_inflated_body, Some("64MiB")).required(values::size)?
            as usize,
        in_flight_bytes: pick("max_in_flight", None, section.max_in_flight, Some("128MiB")).required(values::size)? as usize,
    };
    let max_log = pick("max_log", None, section.max_log, Some("8GiB"));
    let security = Security { keys_file, tls };
    security.check().map_err(|error| Usage(exit::chain(&error.into())))?;

    let url = pick("forward", args.forward, section.forward, None).text();
    let protocol = pick("forward_protocol", args.forward_protocol, section.forward_protocol, None).text();
    let headers = pick("forward_headers", args.forward_headers, section.forward_headers, None);
    settings.redact_headers();
    let mut pick = |key, written, default| settings.pick(key, None, written, default);
    let compression = pick("forward_compression", section.forward_compression, Some("gzip")).text();
    let timeout = pick("forward_timeout", section.forward_timeout, Some("10s")).required(values::duration)?;
    let queue = pick("forward_queue", section.forward_queue, Some("1GiB")).required(values::size)?;
    let files = ForwardFiles {
        authorities: pick("forward_ca", section.forward_ca, None).read(path)?,
        certificate: pick("forward_cert", section.forward_cert, None).read(path)?,
        private_key: pick("forward_key", section.forward_key, None).read(path)?,
    };
    let forward = match url {
        Some(url) => {
            let made = Forward::new(
                &url,
                protocol.as_deref(),
                &headers.read_secret(values::headers)?.unwrap_or_default(),
                compression.as_deref().unwrap_or("gzip"),
                &files,
            );
            let made = made.map_err(|error| Usage(exit::chain(&error.into())))?;
            Some(made.with_timeout(timeout).with_queue_bytes(queue))
        }
        None => None,
    };

    let named = settings.pick(
        "telemetry_endpoint",
        args.telemetry_endpoint,
        section.telemetry_endpoint,
        None,
    );
    let named = settings.or_standard(named, "OTEL_EXPORTER_OTLP_ENDPOINT");
    let interval = settings.pick("telemetry_interval", None, section.telemetry_interval, Some("60s"));
    let interval = interval.required(values::duration)?;
    let telemetry = named.text().map(|endpoint| SelfTelemetry { endpoint, interval });
    Ok(Config {
        lake: args.lake.unwrap_or_default(),
        security,
        state_dir,
        collector_id: collector_id.required(|text| Ok(text.to_owned()))?,
        grpc_address: grpc.required(values::address)?,
        http_address: http.required(values::address)?,
        commit_interval: commit.required(values::duration)?,
        durability: durability.required(values::durability)?,
        limits,
        log_limit_bytes: max_log.required(values::size)?,
        attribution,
        catalogue,
        forward,
        telemetry,
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
