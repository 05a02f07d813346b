//! Bills of model providers: OpenAI's costs, Anthropic's cost report, FOCUS files, and a CSV for all others. Read whole or refused.

use std::cell::RefCell;
use std::path::Path;

use super::NO_MODEL;
use crate::revenue::refusal::Refusals;
use crate::revenue::table::{Header, Layout, Row, TextFile, read_bytes};
use crate::revenue::time::{Day, TimeFormat};
use crate::revenue::{Amount, Refusal, RevenueError};

/// A line of a bill, in USD.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Billed {
    /// UTC day.
    pub day: Day,
    /// Lower case, as the lake names it.
    pub provider: String,
    /// Lower case.
    pub model: String,
    /// What is asked for.
    pub amount: Amount,
    /// Where the line counts tokens.
    pub tokens: Option<i64>,
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// `date,model,amount,currency` and optionally `provider,tokens`.
    Generic,
    /// A FOCUS file of any version.
    Focus,
    /// `/v1/organization/costs`: buckets with results, amounts in dollars.
    OpenAi,
    /// `/v1/organizations/cost_report`: buckets with results, amounts in cents.
    Anthropic,
}

/// Columns by shape: the first that is there.
struct Columns {
    day: &'static [&'static str],
    provider: &'static [&'static str],
    model: &'static [&'static str],
    amount: &'static [&'static str],
    currency: &'static [&'static str],
}

impl Shape {
    fn of(file: &str, header: &Header) -> Result<Shape, Refusal> {
        let has = |columns: &[&str]| columns.iter().all(|column| header.has(column));
        let shape = [
            (Shape::Anthropic, &["parent_starting_at", "amount", "currency"][..]),
            (Shape::OpenAi, &["parent_start_time", "amount_value", "amount_currency"]),
            (Shape::Focus, &["chargeperiodstart", "billedcost", "billingcurrency"]),
            (Shape::Generic, &["date", "model", "amount", "currency"]),
        ];
        let found = shape.into_iter().find(|(_, columns)| has(columns)).map(|(shape, _)| shape);
        found.ok_or_else(|| Refusal {
            file: file.to_owned(),
            line: 1,
            column: None,
            value: None,
            reason: "is no bill that is known: give OpenAI's costs or Anthropic's cost report as JSON, a FOCUS file, or a CSV \
                     date,model,amount,currency and optionally provider,tokens"
                .to_owned(),
        })
    }

    fn columns(self) -> Columns {
        match self {
            Shape::Generic => Columns {
                day: &["date"],
                provider: &["provider"],
                model: &["model"],
                amount: &["amount"],
                currency: &["currency"],
            },
            Shape::Focus => Columns {
                day: &["chargeperiodstart"],
                provider: &["serviceprovidername", "providername", "publishername"],
                model: &["x_model", "skuid", "resourcename", "resourceid"],
                amount: &["billedcost"],
                currency: &["billingcurrency"],
            },
            Shape::OpenAi => Columns {
                day: &["parent_start_time"],
                provider: &[],
                model: &["line_item"],
                amount: &["amount_value"],
                currency: &["amount_currency"],
            },
            Shape::Anthropic => Columns {
                day: &["parent_starting_at"],
                provider: &[],
                model: &["model"],
                amount: &["amount"],
                currency: &["currency"],
            },
        }
    }

    /// Who sends a bill of this shape.
    fn provider(self) -> Option<&'static str> {
        match self {
            Shape::OpenAi => Some("openai"),
            Shape::Anthropic => Some("anthropic"),
            Shape::Generic | Shape::Focus => None,
        }
    }
}

/// Reads a bill; `provider` is that of lines that name none.
pub fn read_bill(path: &Path, provider: Option<&str>) -> Result<Vec<Billed>, RevenueError> {
    let name = path
        .file_name()
        .map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned());
    parse(&TextFile::new(&name, &read_bytes(path)?)?, provider)
}

pub(super) fn parse(file: &TextFile, provider: Option<&str>) -> Result<Vec<Billed>, RevenueError> {
    let usual = file.header(&Layout::default())?;
    let layout = Layout {
        explode: usual.has("results").then(|| "results".to_owned()),
        ..Layout::default()
    };
    let header = file.header(&layout)?;
    let shape = Shape::of(&file.name, &header)?;
    let refusals = RefCell::new(Refusals::default());
    let mut lines = Vec::new();
    file.rows(
        &layout,
        &header,
        |row| match read(&row, shape, provider) {
            Ok(line) => lines.extend(line),
            Err(refusal) => refusals.borrow_mut().push(refusal),
        },
        |refusal| refusals.borrow_mut().push(refusal),
    )?;
    refusals.into_inner().into_result()?;
    Ok(lines)
}

/// `None` for a bucket without results, which is a day that cost nothing.
fn read(row: &Row<'_>, shape: Shape, provider: Option<&str>) -> Result<Option<Billed>, Refusal> {
    let columns = shape.columns();
    let first = |names: &[&str]| {
        let text = |name: &&str| row.text(name).filter(|text| !text.eq_ignore_ascii_case("null"));
        names.iter().find_map(text)
    };
    let Some(amount) = first(columns.amount) else {
        return match shape {
            Shape::OpenAi | Shape::Anthropic => Ok(None),
            _ => Err(row.refuse(columns.amount[0], "is empty: an amount is required, unknown is not zero")),
        };
    };
    let currency = first(columns.currency).unwrap_or("");
    if !currency.eq_ignore_ascii_case("usd") {
        return Err(row.refuse(
            columns.currency[0],
            "is not USD: costs of calls are in USD, and bills are compared in it",
        ));
    }
    let named = first(columns.provider).or(shape.provider()).or(provider);
    let named = named.ok_or_else(|| {
        row.refuse(
            columns.provider.first().unwrap_or(&"provider"),
            "says no provider: add the column, or pass --provider",
        )
    })?;
    let amount = Amount::parse_rounded(amount).map_err(|error| row.refuse(columns.amount[0], error))?;
    let amount = match shape {
        // "123.45" is $1.2345.
        Shape::Anthropic => amount.ratio(1, 100).unwrap_or_default(),
        _ => amount,
    };
    let model = first(columns.model).unwrap_or(NO_MODEL);
    Ok(Some(Billed {
        day: row.moment(columns.day[0], TimeFormat::IsoOrEpochSeconds)?.day(),
        provider: provider_name(named),
        // OpenAI writes `gpt-4o-2024-08-06, input`; a SKU may be `provider/model`.
        model: bare_model(model.split(',').next().unwrap_or(model)),
        amount,
        tokens: tokens(row, shape)?,
    }))
}

fn tokens(row: &Row<'_>, shape: Shape) -> Result<Option<i64>, Refusal> {
    let column = match shape {
        Shape::Generic => "tokens",
        Shape::Focus
            if row
                .text("consumedunit")
                .is_some_and(|unit| unit.to_lowercase().contains("token")) =>
        {
            "consumedquantity"
        }
        _ => return Ok(None),
    };
    let Some(text) = row.text(column).filter(|text| !text.eq_ignore_ascii_case("null")) else {
        return Ok(None);
    };
    let count = Amount::parse_rounded(text).map_err(|error| row.refuse(column, error))?;
    // `1K Tokens`, `1M tokens`: a quantity may count thousands or millions.
    let unit = row.text("consumedunit").map(str::to_lowercase).unwrap_or_default();
    let per = match unit.split_whitespace().next() {
        Some("1k" | "1,000" | "1000" | "thousand") if shape == Shape::Focus => 1_000,
        Some("1m" | "1,000,000" | "1000000" | "million") if shape == Shape::Focus => 1_000_000,
        _ => 1,
    };
    let whole = i64::try_from(count.scaled().saturating_mul(per) / 10_i128.pow(12));
    whole
        .map(Some)
        .map_err(|_| row.refuse(column, "is too large for a count of tokens"))
}

fn bare_model(text: &str) -> String {
    let text = text.trim().to_lowercase();
    text.rsplit_once('/').map_or(text.clone(), |(_, model)| model.to_owned())
}

/// As `calls.provider` has it: bills call the same companies by other names.
fn provider_name(text: &str) -> String {
    let name = text.trim().to_lowercase();
    let known = match name.as_str() {
        "aws" | "amazon" | "amazon web services" | "amazon bedrock" | "bedrock" => "aws.bedrock",
        "microsoft" | "azure" | "microsoft azure" | "azure openai" => "azure.ai.openai",
        "google ai" | "google gemini" | "gemini" => "gcp.gemini",
        "google" | "google cloud" | "gcp" | "vertex ai" => "gcp.vertex_ai",
        "mistral" | "mistral ai" => "mistral_ai",
        "xai" => "x_ai",
        _ => return name,
    };
    known.to_owned()
}
