//! `marginlake prices`: look into the price catalogue, price usage records, check and compare price files.
//!
//! Thin: it opens files, lays out tables and picks exit codes. What a price is, is `marginlake-pricing`'s.

use std::io::{self, BufRead, BufWriter, Write};
use std::ops::Deref;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand, ValueEnum};
use marginlake_pricing::browse::{Filter, ListedModel, ShownModel, ShownPrice, ShownRate};
use marginlake_pricing::check::{self, Finding, Severity};
use marginlake_pricing::import::{Corrections, Import};
use marginlake_pricing::{Catalogue, Instant, Overrides, diff, loader, record};
use serde::Serialize;

use crate::columns::columns;
use crate::config;

/// Arguments of `marginlake prices`.
#[derive(Debug, Args)]
pub(crate) struct PricesArgs {
    #[command(subcommand)]
    command: PricesCommand,
}

#[derive(Debug, Subcommand)]
enum PricesCommand {
    /// List models with the standard price in force
    List(ListArgs),
    /// Show every price of a model, with its history and sources
    Show(ShowArgs),
    /// Price usage records: NDJSON from standard input to standard output, one answer a line
    Price(PriceArgs),
    /// Compare two catalogues
    Diff(DiffArgs),
    /// Validate a catalogue file or folder, or the prices of a configuration
    Check(CheckArgs),
    /// Make a catalogue folder from other people's price data
    Import(ImportArgs),
}

/// Which catalogue to use.
#[derive(Debug, Args)]
struct CatalogueArgs {
    /// A catalogue folder or file in place of the built-in catalogue
    #[arg(long, value_name = "PATH")]
    catalogue: Option<PathBuf>,
    /// A TOML file with [[price]], [[contract]], [[multiplier]] and [[deployment]]
    #[arg(long, value_name = "FILE")]
    overrides: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct ListArgs {
    /// Only this provider
    #[arg(long)]
    provider: Option<String>,
    /// Only models whose id contains this
    #[arg(long)]
    model: Option<String>,
    /// Prices at this moment: a date or RFC 3339; now when absent
    #[arg(long, value_name = "T")]
    at: Option<String>,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    catalogue: CatalogueArgs,
}

#[derive(Debug, Args)]
struct ShowArgs {
    /// The model, in any spelling
    model: String,
    /// Only at this provider
    #[arg(long)]
    provider: Option<String>,
    /// Mark what is in force at this moment: a date or RFC 3339; now when absent
    #[arg(long, value_name = "T")]
    at: Option<String>,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    catalogue: CatalogueArgs,
}

#[derive(Debug, Args)]
struct PriceArgs {
    #[command(flatten)]
    catalogue: CatalogueArgs,
}

#[derive(Debug, Args)]
struct DiffArgs {
    /// A catalogue folder or file, or `built-in`
    before: String,
    /// A catalogue folder or file, or `built-in`
    after: String,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Args)]
struct CheckArgs {
    /// A catalogue file or folder, or a configuration file
    file: PathBuf,
}

#[derive(Debug, Args)]
struct ImportArgs {
    /// genai-prices' data as JSON with decimal strings
    file: PathBuf,
    /// LiteLLM's model_prices_and_context_window.json, for models that the first file lacks
    #[arg(long, value_name = "FILE")]
    litellm: Option<PathBuf>,
    /// models.dev's api.json, for models that the others lack
    #[arg(long, value_name = "FILE")]
    models_dev: Option<PathBuf>,
    /// Portkey's pricing file of one provider, for models that the others lack
    #[arg(long, value_name = "PROVIDER=FILE")]
    portkey: Vec<String>,
    /// Corrections to apply last
    #[arg(long, value_name = "FILE")]
    corrections: Option<PathBuf>,
    /// The folder to write
    #[arg(long, value_name = "DIR", default_value = "catalogue")]
    out: PathBuf,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Format {
    /// Columns for people
    #[default]
    Table,
    /// One JSON array
    Json,
}

/// Runs `marginlake prices` with the built-in catalogue and no overrides but those of its own arguments.
pub(crate) fn run(args: PricesArgs) -> anyhow::Result<()> {
    run_with(args, &Overrides::default())
}

/// Runs `marginlake prices` with the overrides of the configuration; an `--overrides` file takes their place.
pub(crate) fn run_with(args: PricesArgs, configured: &Overrides) -> anyhow::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    let result = match &args.command {
        PricesCommand::List(args) => list(args, configured, &mut out),
        PricesCommand::Show(args) => show(args, configured, &mut out),
        PricesCommand::Price(args) => {
            let catalogue = open(&args.catalogue, configured)?;
            price(&catalogue, io::stdin().lock(), &mut out)
        }
        PricesCommand::Diff(args) => differences(args, &mut out),
        PricesCommand::Check(args) => check_file(&args.file, configured, &mut out),
        PricesCommand::Import(args) => import(args, &mut out),
    };
    match result.and_then(|()| Ok(out.flush()?)) {
        // Whoever reads has seen enough: `marginlake prices list | head`.
        Err(error) if is_broken_pipe(&error) => Ok(()),
        other => other,
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let kind = |cause: &(dyn std::error::Error + 'static)| {
        let json = cause
            .downcast_ref::<serde_json::Error>()
            .and_then(serde_json::Error::io_error_kind);
        cause.downcast_ref::<io::Error>().map(io::Error::kind).or(json)
    };
    error.chain().any(|cause| kind(cause) == Some(io::ErrorKind::BrokenPipe))
}

/// The catalogue that the arguments ask for.
enum Opened {
    BuiltIn(&'static Catalogue),
    Made(Box<Catalogue>),
}

impl Deref for Opened {
    type Target = Catalogue;

    fn deref(&self) -> &Catalogue {
        match self {
            Self::BuiltIn(catalogue) => catalogue,
            Self::Made(catalogue) => catalogue,
        }
    }
}

fn open(args: &CatalogueArgs, configured: &Overrides) -> anyhow::Result<Opened> {
    let own = match &args.overrides {
        Some(path) => {
            let text = loader::read_text(path)?;
            Some(Overrides::parse(&text).with_context(|| format!("{} is not a file of overrides", path.display()))?)
        }
        None => None,
    };
    let overrides = own.as_ref().unwrap_or(configured);
    let base = match &args.catalogue {
        Some(path) => Opened::Made(Box::new(load(path)?)),
        None => Opened::BuiltIn(Catalogue::embedded()),
    };
    if overrides.is_empty() {
        return Ok(base);
    }
    Ok(Opened::Made(Box::new(base.with_overrides(overrides)?)))
}

fn load(path: &Path) -> anyhow::Result<Catalogue> {
    Catalogue::new(loader::read(path)?).with_context(|| format!("{} is not a valid catalogue", path.display()))
}

fn moment(at: Option<&str>) -> anyhow::Result<Instant> {
    match at {
        Some(text) => Ok(Instant::parse(text)?),
        None => Ok(Instant(
            chrono::Utc::now()
                .timestamp_nanos_opt()
                .context("the clock is beyond the year 2262")?,
        )),
    }
}

/// Answers every line with a line, in order; a line that makes no sense is answered with the reason.
fn price(catalogue: &Catalogue, mut input: impl BufRead, out: &mut impl Write) -> anyhow::Result<()> {
    let mut line = Vec::new();
    while input.read_until(b'\n', &mut line).context("cannot read standard input")? > 0 {
        let text = String::from_utf8_lossy(&line);
        if !text.trim().is_empty() {
            serde_json::to_writer(&mut *out, &record::answer(catalogue, text.trim()))?;
            out.write_all(b"\n")?;
        }
        line.clear();
    }
    Ok(())
}

fn list(args: &ListArgs, configured: &Overrides, out: &mut impl Write) -> anyhow::Result<()> {
    let catalogue = open(&args.catalogue, configured)?;
    let filter = Filter {
        provider: args.provider.clone(),
        text: args.model.clone(),
    };
    let listed = catalogue.list(&filter, moment(args.at.as_deref())?);
    match args.format {
        Format::Json => json(&listed, out),
        Format::Table => {
            let header = ["provider", "model", "input", "cache read", "cache write", "output", "other"];
            let rows = listed.iter().map(listed_row).collect::<Vec<_>>();
            columns(&header, &rows, out)?;
            Ok(writeln!(
                out,
                "\n{} models, USD; tokens per million. Catalogue {}",
                listed.len(),
                catalogue.hash()
            )?)
        }
    }
}

fn listed_row(model: &ListedModel) -> Vec<String> {
    const SHOWN: [&str; 4] = ["input_mtok", "cache_read_mtok", "cache_write_mtok", "output_mtok"];
    let rate = |key: &str| {
        model
            .rates
            .iter()
            .find(|rate| rate.price_key == key)
            .map(short_rate)
            .unwrap_or_default()
    };
    let others: Vec<String> = model
        .rates
        .iter()
        .filter(|rate| !SHOWN.contains(&rate.price_key))
        .map(|rate| format!("{} {}", rate.price_key, short_rate(rate)))
        .collect();
    let other = match (model.free, model.deprecated) {
        (true, _) => "free".to_owned(),
        (false, true) => [vec!["deprecated".to_owned()], others].concat().join(", "),
        (false, false) => others.join(", "),
    };
    let mut row = vec![model.provider.clone(), model.model.clone()];
    row.extend(SHOWN.map(rate));
    row.push(other);
    row
}

/// The base rate, with a plus where long inputs cost otherwise.
fn short_rate(rate: &ShownRate) -> String {
    let base = rate.rate.map(|rate| rate.to_string()).unwrap_or_default();
    if rate.tiers.is_empty() { base } else { base + "+" }
}

fn show(args: &ShowArgs, configured: &Overrides, out: &mut impl Write) -> anyhow::Result<()> {
    let catalogue = open(&args.catalogue, configured)?;
    let shown = catalogue.show(&args.model, args.provider.as_deref(), moment(args.at.as_deref())?);
    if shown.is_empty() {
        bail!(
            "no catalogue entry for the model {:?}: see `marginlake prices list --model PART`",
            args.model
        );
    }
    match args.format {
        Format::Json => json(&shown, out),
        Format::Table => {
            shown.iter().try_for_each(|model| show_model(model, out))?;
            Ok(writeln!(out, "catalogue {}", catalogue.hash())?)
        }
    }
}

/// What applies first, then what applies under conditions, then the rest of the history.
fn show_model(model: &ShownModel, out: &mut impl Write) -> anyhow::Result<()> {
    let deprecated = if model.deprecated { "  (deprecated)" } else { "" };
    writeln!(out, "{}/{}{deprecated}", model.provider, model.model)?;
    if !model.note.is_empty() {
        writeln!(out, "  note: {}", model.note)?;
    }
    for multiplier in &model.multipliers {
        writeln!(out, "  times {multiplier}")?;
    }
    let (applies, other): (Vec<&ShownPrice>, Vec<&ShownPrice>) = model.prices.iter().partition(|price| price.in_force);
    let (standard, conditional): (Vec<&ShownPrice>, Vec<&ShownPrice>) =
        applies.into_iter().partition(|price| price.when.is_empty());
    for (title, prices) in [
        ("in force", standard),
        ("in force where the request says so", conditional),
        ("past, announced, or at other hours", other),
    ] {
        if !prices.is_empty() {
            writeln!(out, "\n  {title}")?;
            prices.into_iter().try_for_each(|price| show_price(price, out))?;
        }
    }
    if !model.also.is_empty() {
        writeln!(out, "\n  who else lists it")?;
        for (source, verdict) in &model.also {
            let verdict = if verdict == "same" { "the same" } else { verdict };
            writeln!(out, "    {source}: {verdict}")?;
        }
    }
    writeln!(out, "\n  sources")?;
    for source in &model.sources {
        writeln!(
            out,
            "    {}: {}, retrieved {}  {}",
            source.id, source.title, source.retrieved, source.url
        )?;
    }
    Ok(writeln!(out)?)
}

fn show_price(price: &ShownPrice, out: &mut impl Write) -> anyhow::Result<()> {
    let mut facts = vec![match (&price.from, &price.until) {
        (None, None) => "always".to_owned(),
        (Some(from), None) => format!("from {from}"),
        (None, Some(until)) => format!("until {until}"),
        (Some(from), Some(until)) => format!("from {from} until {until}"),
    }];
    if !price.when.is_empty() {
        facts.push(format!("when {}", price.when.join(" and ")));
    }
    if !price.window_texts.is_empty() {
        facts.push(price.window_texts.join(" or "));
    }
    if let Some(known_from) = &price.known_from {
        facts.push(format!("known from {known_from}"));
    }
    let own = if price.is_override { ", your own" } else { "" };
    writeln!(out, "    {}  [{}; {}{own}]", facts.join("; "), price.price_id, price.source)?;
    if !price.note.is_empty() {
        writeln!(out, "      note: {}", price.note)?;
    }
    match (price.free, price.rates.is_empty()) {
        (true, _) => writeln!(out, "      free")?,
        (false, true) => writeln!(out, "      standard rates")?,
        (false, false) => {}
    }
    for rate in &price.rates {
        let base = rate.rate.map(|rate| rate.to_string()).unwrap_or_else(|| "-".to_owned());
        write!(
            out,
            "      {:<24} {base:>12} USD per {} {}",
            rate.price_key, rate.per, rate.usage_key
        )?;
        for (first, tier) in &rate.tiers {
            write!(out, "; {tier} from {first} input tokens")?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn differences(args: &DiffArgs, out: &mut impl Write) -> anyhow::Result<()> {
    let document = |name: &str| match name {
        "built-in" => Ok(Catalogue::embedded().document().clone()),
        path => loader::read(Path::new(path)),
    };
    let found = diff::differences(&document(&args.before)?, &document(&args.after)?);
    match args.format {
        Format::Json => json(&found, out),
        Format::Table => {
            let rows: Vec<Vec<String>> = found
                .iter()
                .map(|difference| {
                    let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
                    let name = format!("{}/{}", difference.provider, difference.model);
                    vec![
                        name,
                        difference.what.clone(),
                        value(&difference.before),
                        value(&difference.after),
                    ]
                })
                .collect();
            columns(&["model", "what", "before", "after"], &rows, out)?;
            Ok(writeln!(out, "\n{} differences", found.len())?)
        }
    }
}

fn check_file(path: &Path, configured: &Overrides, out: &mut impl Write) -> anyhow::Result<()> {
    let (mut errors, mut warnings) = (0, 0);
    let mut tell = |file: &Path, findings: Vec<Finding>, out: &mut dyn Write| -> io::Result<()> {
        for finding in findings {
            match finding.severity {
                Severity::Error => errors += 1,
                Severity::Warning => warnings += 1,
            }
            writeln!(out, "{}:{finding}", file.display())?;
        }
        Ok(())
    };
    let is_toml = |path: &Path| path.extension().is_some_and(|extension| extension == "toml");
    if path.is_dir() {
        // File by file for the lines, then together for what only the whole shows.
        let files = loader::provider_files(path)?;
        for file in &files {
            tell(file, check::check_provider(&loader::read_text(file)?), out)?;
        }
        if let Err(error) = loader::read(path)
            .map_err(anyhow::Error::from)
            .and_then(|whole| Ok(Catalogue::new(whole)?))
        {
            tell(path, vec![Finding::error(format!("{error:#}"))], out)?;
        }
    } else if is_toml(path) {
        tell(path, check_text(&loader::read_text(path)?, configured)?, out)?;
    } else {
        tell(path, check::check_document(&loader::read(path)?), out)?;
    }
    writeln!(out, "{}: {errors} errors, {warnings} warnings", path.display())?;
    if errors > 0 {
        out.flush()?;
        bail!("{} cannot be used: {errors} errors", path.display());
    }
    Ok(())
}

/// One provider's catalogue file, or the prices of a configuration, whatever else it configures.
fn check_text(text: &str, configured: &Overrides) -> anyhow::Result<Vec<Finding>> {
    if text.parse::<toml::Table>().is_ok_and(|table| table.contains_key("provider")) {
        return Ok(check::check_provider(text));
    }
    let file = match config::parse(text) {
        Ok(file) => file,
        Err(error) => return Ok(vec![Finding::malformed(text, &error)]),
    };
    let catalogue = Catalogue::embedded().with_overrides(configured)?;
    let mut findings = check::check_overrides(text, &file.overrides(), &catalogue);
    if let Err(error) = file.account() {
        findings.push(Finding::error(format!("{error:#}")));
    }
    Ok(findings)
}

fn import(args: &ImportArgs, out: &mut impl Write) -> anyhow::Result<()> {
    let mut import = Import::from_genai_prices(&loader::read_text(&args.file)?)
        .with_context(|| format!("{} cannot be imported", args.file.display()))?;
    if let Some(path) = &args.litellm {
        import
            .add_litellm_gaps(&loader::read_text(path)?)
            .with_context(|| path.display().to_string())?;
    }
    if let Some(path) = &args.models_dev {
        import
            .add_models_dev_gaps(&loader::read_text(path)?)
            .with_context(|| path.display().to_string())?;
    }
    for argument in &args.portkey {
        let (provider, path) = argument.split_once('=').context("--portkey needs PROVIDER=FILE")?;
        let text = loader::read_text(Path::new(path))?;
        import.add_portkey_gaps(provider, &text).with_context(|| path.to_owned())?;
    }
    if let Some(path) = &args.corrections {
        let corrections = Corrections::parse(&loader::read_text(path)?)?;
        import.correct(&corrections).with_context(|| path.display().to_string())?;
    }
    let catalogue = Catalogue::new(import.document.clone()).context("the imported catalogue is not valid")?;
    loader::write(&import.document, &args.out)?;
    for note in &import.notes {
        writeln!(out, "{note}")?;
    }
    Ok(writeln!(
        out,
        "{} models written to {}, catalogue {}",
        catalogue.model_count(),
        args.out.display(),
        catalogue.hash()
    )?)
}

fn json(value: &impl Serialize, out: &mut impl Write) -> anyhow::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    Ok(out.write_all(b"\n")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(input: &[u8]) -> Vec<serde_json::Value> {
        let mut out = Vec::new();
        price(Catalogue::embedded(), input, &mut out).expect("memory does not fail");
        let text = String::from_utf8(out).expect("JSON is UTF-8");
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    #[test]
    fn every_line_gets_one_answer_in_order() {
        let input = b"{\"id\":1,\"provider\":\"openai\",\"model\":\"gpt-4o\",\"timestamp\":\"2026-11-16T12:00:00Z\",\
            \"usage\":{\"input_tokens\":1000,\"output_tokens\":100}}\n\nnot json\n\xff\xfe\n{\"id\":4}";
        let answers = answers(input);
        let statuses: Vec<&str> = answers.iter().filter_map(|answer| answer["status"].as_str()).collect();
        assert_eq!(statuses, ["priced", "invalid", "invalid", "invalid"]);
        assert_eq!(answers[0]["cost_usd"], "0.0035");
        assert_eq!(answers[3]["id"], 4);
    }

    #[test]
    fn a_configuration_is_checked_whatever_else_it_configures() {
        let found = |text: &str| {
            let findings = check_text(text, &Overrides::default()).expect("checked");
            findings.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let whole = "[report]\nallocation = \"cost\"\n[[capacity]]\nid = \"ptu\"\nhourly = \"1.25\"\ncount = 2\n\
            [[price]]\nprovider = \"openai\"\nmodel = \"gpt-4o\"\nrates = { input_mtok = \"2\" }\n";
        assert_eq!(found(whole), ["7: warning: openai/gpt-4o: the price states no source"]);
        let found_key = found("[[price]]\nprovider = \"openai\"\nmodle = \"gpt-4o\"\n");
        assert!(found_key[0].starts_with("3: error: unknown field `modle`"), "{found_key:?}");
        let unit = found("[[allowance]]\nid = \"a\"\nusage_key = \"no_such\"\ncount = 1\n");
        assert!(unit[0].contains("no_such"), "{unit:?}");
    }
}
