//! Everything that the outputs show, gathered once from the marts.

use std::collections::BTreeMap;

use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use serde::Serialize;

use super::coverage::Coverage;
use super::display;
use super::findings::Rows;
use super::margin::{MarginFigures, MarginLine, visit};
use super::sums::{Sums, Top};
use super::unit_cost::UnitCost;
use super::unmatched::UnmatchedCustomer;
use crate::allocate::Dimension;
use crate::insight::{Change, Findings, Lever, Loss};
use crate::marts::{Window, usage_days};
use crate::report::ReportOptions;
use crate::revenue::time::{Day, day_text};
use crate::revenue::{Amount, LoadReport};
use crate::settle::unrecognised::Unrecognised;

/// Dimensions that are shown even where nothing names their keys.
const SPOKEN: [Dimension; 3] = [Dimension::Customer, Dimension::Feature, Dimension::Model];
/// Features that the first screen names on each side.
const NAMED_FEATURES: usize = 2;

/// A report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReportModel {
    /// First day.
    pub from: String,
    /// Last day, inclusive.
    pub to: String,
    /// Currency of the report.
    pub currency: String,
    /// What the user named as the report's time.
    pub as_of: Option<String>,
    /// Everything in the report's currency.
    pub total: MarginFigures,
    /// Can it be trusted.
    pub coverage: Coverage,
    /// The largest that are on one side of the customer join only: first those that pay, then those that cost.
    pub unmatched: Vec<UnmatchedCustomer>,
    /// What a reader must know before the figures.
    pub warnings: Vec<String>,
    /// What changed.
    pub change: Option<Change>,
    /// Who and what loses money.
    pub losses: Vec<Loss>,
    /// What would help most.
    pub levers: Vec<Lever>,
    /// Customers that cost more than they pay.
    pub losers: Losers,
    /// The features that make most, and those that lose most.
    pub best_features: Vec<MarginLine>,
    /// See `best_features`.
    pub worst_features: Vec<MarginLine>,
    /// By customer: the largest, and the rows in brackets.
    pub by_customer: Vec<MarginLine>,
    /// By feature.
    pub by_feature: Vec<MarginLine>,
    /// By model.
    pub by_model: Vec<MarginLine>,
    /// By plan; like the next ones empty where nothing names one.
    pub by_plan: Vec<MarginLine>,
    /// By user.
    pub by_user: Vec<MarginLine>,
    /// By conversation.
    pub by_conversation: Vec<MarginLine>,
    /// By task.
    pub by_task: Vec<MarginLine>,
    /// By agent.
    pub by_agent: Vec<MarginLine>,
    /// By prompt and its version.
    pub by_prompt: Vec<MarginLine>,
    /// How many keys of each dimension are not among them.
    pub more: BTreeMap<&'static str, i64>,
    /// Emitters whose usage no rule takes: their calls are in no figure.
    pub unrecognised: Vec<Unrecognised>,
    /// Days that an earlier report showed otherwise, those that moved most.
    pub moved: Vec<MovedDay>,
    /// How many days moved.
    pub moved_days: usize,
    /// What the report was made from.
    pub made: Made,
    /// A few rows of what the finding marts say.
    pub found: Rows,
    /// What a unit costs.
    pub units: Vec<UnitCost>,
    /// What came in within the report's days, in the report's currency: beside revenue, never part of a margin. `None` where no
    /// export says when anything was paid.
    #[serde(serialize_with = "exact_or_null")]
    pub cash_received: Option<Amount>,
    /// By day, in the report's currency.
    pub by_day: Vec<(String, MarginFigures)>,
    /// How the revenue files were read.
    pub revenue_files: Vec<String>,
    /// What was in the bills.
    pub bill_files: Vec<String>,
}

impl ReportModel {
    /// Gathers the report from the marts of the session that made them.
    pub async fn build(
        session: &SessionContext,
        load: &LoadReport,
        options: &ReportOptions,
        window: Window,
        change: Option<Change>,
    ) -> Result<ReportModel, DataFusionError> {
        let currency = options.currency.to_string();
        let mut more = BTreeMap::new();
        let mut by = BTreeMap::new();
        let customers = Sums::of(session, Dimension::Customer, &currency).await?;
        let features = Sums::of(session, Dimension::Feature, &currency).await?;
        for dimension in Dimension::ALL {
            let (lines, others) = match dimension {
                Dimension::Customer => customers.shown(&currency),
                Dimension::Feature => features.shown(&currency),
                other => Sums::of(session, other, &currency).await?.shown(&currency),
            };
            // A dimension that nothing names says nothing.
            if SPOKEN.contains(&dimension) || lines.iter().any(MarginLine::is_used) {
                more.insert(dimension.name(), others);
                by.insert(dimension, lines);
            }
        }
        let mut by = |dimension| by.remove(&dimension).unwrap_or_default();
        let (mut days, mut total) = (Vec::new(), MarginFigures::default());
        for batch in session.table("margin_daily").await?.collect().await? {
            visit(&batch, None, |day, _, row_currency, figures| {
                if row_currency == currency {
                    total.add(&figures);
                    days.push((day_text(day), figures));
                }
            });
        }
        days.sort_by(|left, right| left.0.cmp(&right.0));
        let usage = usage_days(session).await?;
        let span = i128::from(window.to - window.from + 1);
        let found = Findings::of(session, &customers, &features, change.as_ref(), (span, &currency)).await?;
        let units = session.table("unit_costs").await?.collect().await?;
        let mut units: Vec<UnitCost> = units.iter().flat_map(|rows| UnitCost::read(rows, &currency)).collect();
        units.sort_by(|left, right| left.unit.cmp(&right.unit));
        let unmatched = session.table("unmatched_customers").await?.collect().await?;
        let unmatched = unmatched
            .iter()
            .flat_map(|rows| UnmatchedCustomer::read(rows, &currency))
            .collect();
        let models = by(Dimension::Model);
        Ok(ReportModel {
            from: day_text(window.from),
            to: day_text(window.to),
            as_of: options
                .as_of
                .map(|time| time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)),
            coverage: Coverage::measure(session, &customers, &features, &currency).await?,
            warnings: warnings(usage, window, load, &customers.foreign),
            unmatched,
            change,
            losses: found.losses,
            levers: found.levers,
            losers: Losers::of(&customers),
            best_features: some(&features.best),
            worst_features: some(&features.worst),
            unrecognised: Vec::new(),
            moved: Vec::new(),
            moved_days: 0,
            made: Made::default(),
            found: Rows::read(session, &currency, &models).await?,
            by_day: days,
            bill_files: Vec::new(),
            cash_received: None,
            revenue_files: load.to_string().lines().map(str::to_owned).collect(),
            total,
            units,
            by_customer: by(Dimension::Customer),
            by_feature: by(Dimension::Feature),
            by_model: models,
            by_plan: by(Dimension::Plan),
            by_user: by(Dimension::User),
            by_conversation: by(Dimension::Conversation),
            by_task: by(Dimension::Task),
            by_agent: by(Dimension::Agent),
            by_prompt: by(Dimension::Prompt),
            more,
            currency: options.currency.to_string(),
        })
    }

    /// The dimensions that have anything to say, by name.
    pub fn dimensions(&self) -> Vec<(&'static str, &[MarginLine])> {
        let all = [
            ("customer", &self.by_customer),
            ("feature", &self.by_feature),
            ("model", &self.by_model),
            ("plan", &self.by_plan),
            ("user", &self.by_user),
            ("conversation", &self.by_conversation),
            ("task", &self.by_task),
            ("agent", &self.by_agent),
            ("prompt", &self.by_prompt),
        ];
        all.into_iter()
            .filter(|(_, lines)| !lines.is_empty())
            .map(|(name, lines)| (name, lines.as_slice()))
            .collect()
    }

    /// How many keys of a dimension stay unnamed where so many are shown.
    pub fn more_than(&self, dimension: &str, shown: usize) -> i64 {
        let lines = self.dimensions().into_iter().find(|(name, _)| *name == dimension);
        let named = lines.map_or(0, |(_, lines)| lines.iter().filter(|line| !line.key.starts_with('(')).count());
        named.saturating_sub(shown) as i64 + self.more.get(dimension).copied().unwrap_or(0)
    }

    /// Exact totals, as `run_manifest` keeps them.
    pub fn totals(&self) -> BTreeMap<String, String> {
        let total = &self.total;
        let money = [
            ("revenue", total.revenue),
            ("model_cost", total.model_cost),
            ("other_cogs", total.other_cogs),
            ("gross_margin", total.gross_margin()),
            ("variable_cost", total.variable_cost),
            ("not_cogs_cost", total.not_cogs_cost),
        ];
        let counts = [("calls", total.calls), ("unpriced_calls", total.unpriced_calls)];
        let mut totals: BTreeMap<String, String> = money
            .into_iter()
            .map(|(name, amount)| (name.to_owned(), amount.to_string()))
            .collect();
        totals.extend(counts.into_iter().map(|(name, count)| (name.to_owned(), count.to_string())));
        let coverage = self
            .coverage
            .shares
            .iter()
            .filter_map(|share| Some((format!("coverage_{}", share.name), share.percent()?.to_string())));
        totals.extend(coverage);
        totals.extend(self.cash_received.map(|cash| ("cash_received".to_owned(), cash.to_string())));
        totals
    }

    /// The report in one sentence.
    pub fn verdict(&self) -> String {
        let total = &self.total;
        let (margin, currency) = (total.gross_margin(), &self.currency);
        let money = |amount| display::money(amount, currency);
        let bound = if total.unpriced_calls > 0 { "at most " } else { "" };
        let (revenue, cost) = (money(total.revenue), display::cost(total, currency));
        match total.gross_margin_pct() {
            Some(_) if margin.is_negative() => format!("You lose {} on {revenue} of revenue: cost is {cost}.", money(-margin)),
            Some(percent) => format!(
                "You make {bound}{} on {revenue} of revenue, a gross margin of {bound}{}.",
                money(margin),
                display::percent_text(Some(percent))
            ),
            None => format!("There is no revenue in these days; the cost is {cost}."),
        }
    }
}

/// Customers that cost more than they pay.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Losers {
    /// How many.
    pub count: i64,
    /// Of how many with a known cost.
    pub of: i64,
    /// What they lose together, positive.
    #[serde(serialize_with = "super::margin::exact")]
    pub lost: Amount,
    /// The one that loses most.
    pub worst: Option<String>,
}

impl Losers {
    fn of(customers: &Sums) -> Losers {
        Losers {
            count: customers.losing,
            of: customers.known,
            lost: -customers.of_losing.gross_margin(),
            worst: customers.worst.lines().first().map(|line| line.key.clone()),
        }
    }
}

/// A day that an earlier report showed otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MovedDay {
    /// The day.
    pub day: String,
    /// By how much revenue moved.
    #[serde(serialize_with = "super::margin::exact")]
    pub revenue: Amount,
    /// By how much cost of goods moved.
    #[serde(serialize_with = "super::margin::exact")]
    pub cogs: Amount,
    /// By how many calls.
    #[serde(serialize_with = "super::margin::exact")]
    pub calls: Amount,
}

/// What a report was made from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Made {
    /// Files and their SHA-256.
    pub inputs: BTreeMap<String, String>,
    /// What was decided, by name.
    pub policies: BTreeMap<String, String>,
}

/// As many as the first screen names.
fn some(top: &Top) -> Vec<MarginLine> {
    top.lines().iter().take(NAMED_FEATURES).cloned().collect()
}

fn exact_or_null<S: serde::Serializer>(amount: &Option<Amount>, serializer: S) -> Result<S::Ok, S::Error> {
    match amount {
        Some(amount) => super::margin::exact(amount, serializer),
        None => serializer.serialize_none(),
    }
}

fn warnings(usage: Option<(Day, Day)>, window: Window, load: &LoadReport, foreign: &[MarginLine]) -> Vec<String> {
    let mut warnings = Vec::new();
    match usage {
        None => warnings.push("The lake has no calls: the costs of these days are missing.".to_owned()),
        Some((first, last)) if window.from < first || last < window.to => warnings.push(format!(
            "Calls are known from {} to {} only: outside of these days there is revenue without cost, and margins look better than they are. Use --from and --to to report the days that have both.",
            day_text(first),
            day_text(last)
        )),
        Some(_) => {}
    }
    for (reason, count) in load.excluded() {
        warnings.push(format!("{count} revenue rows are left out: {}.", reason.name()));
    }
    for line in foreign {
        let amount = display::money(line.figures.revenue - line.figures.cogs(), &line.currency);
        warnings.push(format!(
            "{amount} (revenue less cost) stays in {} for want of an exchange rate and is in no total.",
            line.currency
        ));
    }
    warnings
}
