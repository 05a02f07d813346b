//! Everything that the outputs show, gathered once from the marts.

use std::collections::BTreeMap;

use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use serde::Serialize;

use super::coverage::Coverage;
use super::margin::{MarginFigures, MarginLine, lines, visit};
use super::unit_cost::UnitCost;
use super::unmatched::UnmatchedCustomer;
use super::{Sheet, display};
use crate::allocate::Dimension;
use crate::insight::{Change, Findings, Lever, Loss, Margins};
use crate::marts::{Window, usage_days};
use crate::report::ReportOptions;
use crate::revenue::LoadReport;
use crate::revenue::time::{Day, day_text};

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
    /// By customer.
    pub by_customer: Vec<MarginLine>,
    /// By feature.
    pub by_feature: Vec<MarginLine>,
    /// By model.
    pub by_model: Vec<MarginLine>,
    /// By user; like the next three empty where no call names one.
    pub by_user: Vec<MarginLine>,
    /// By conversation.
    pub by_conversation: Vec<MarginLine>,
    /// By task.
    pub by_task: Vec<MarginLine>,
    /// By agent.
    pub by_agent: Vec<MarginLine>,
    /// What a unit costs.
    pub units: Vec<UnitCost>,
    /// By day, in the report's currency.
    pub by_day: Vec<(String, MarginFigures)>,
    /// How the revenue files were read.
    pub revenue_files: Vec<String>,
    /// What was in the bills.
    pub bill_files: Vec<String>,
}

impl ReportModel {
    /// Gathers the report from the marts and the session that made them.
    pub async fn build(
        session: &SessionContext,
        sheets: &[Sheet],
        load: &LoadReport,
        options: &ReportOptions,
        window: Window,
        change: Option<Change>,
    ) -> Result<ReportModel, DataFusionError> {
        let sheet = |name: &str| sheets.iter().find(|sheet| sheet.name == name).map(|sheet| &sheet.rows);
        let by = |dimension: Dimension| {
            sheet(&format!("margin_by_{}", dimension.name())).map_or(Vec::new(), |rows| lines(rows, dimension.key_column()))
        };
        // A dimension that no call names says nothing.
        let named = |dimension: Dimension| {
            Some(by(dimension))
                .filter(|lines| lines.iter().any(MarginLine::is_used))
                .unwrap_or_default()
        };
        let (by_user, by_conversation) = (named(Dimension::User), named(Dimension::Conversation));
        let (by_task, by_agent) = (named(Dimension::Task), named(Dimension::Agent));
        let (by_customer, by_feature, by_model) = (by(Dimension::Customer), by(Dimension::Feature), by(Dimension::Model));
        let currency = options.currency.to_string();

        let mut days: BTreeMap<Day, MarginFigures> = BTreeMap::new();
        let mut total = MarginFigures::default();
        if let Some(rows) = sheet("margin_daily") {
            visit(rows, None, |day, _, row_currency, figures| {
                if row_currency == currency {
                    total.add(&figures);
                    days.entry(day).or_default().add(&figures);
                }
            });
        }
        let days: Vec<(Day, MarginFigures)> = days.into_iter().collect();
        let usage = usage_days(session).await?;
        let span = i128::from(window.to - window.from + 1);
        let margins = Margins {
            customers: &by_customer,
            features: &by_feature,
            change: change.as_ref(),
            days: span,
            currency: &currency,
        };
        let found = Findings::of(session, &margins).await?;
        let units = sheet("unit_costs").map_or(Vec::new(), |rows| UnitCost::read(rows, &currency));
        Ok(ReportModel {
            from: day_text(window.from),
            to: day_text(window.to),
            as_of: options
                .as_of
                .map(|time| time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)),
            coverage: Coverage::measure(session, &by_customer, &by_feature, &currency).await?,
            warnings: warnings(usage, window, load, &by_customer, &currency),
            unmatched: sheet("unmatched_customers").map_or(Vec::new(), |rows| UnmatchedCustomer::read(rows, &currency)),
            change,
            losses: found.losses,
            levers: found.levers,
            by_day: days.into_iter().map(|(day, figures)| (day_text(day), figures)).collect(),
            bill_files: Vec::new(),
            revenue_files: load.to_string().lines().map(str::to_owned).collect(),
            total,
            currency,
            units,
            by_customer,
            by_feature,
            by_model,
            by_user,
            by_conversation,
            by_task,
            by_agent,
        })
    }

    /// The dimensions that have anything to say, by name.
    pub fn dimensions(&self) -> Vec<(&'static str, &[MarginLine])> {
        let all = [
            ("customer", &self.by_customer),
            ("feature", &self.by_feature),
            ("model", &self.by_model),
            ("user", &self.by_user),
            ("conversation", &self.by_conversation),
            ("task", &self.by_task),
            ("agent", &self.by_agent),
        ];
        all.into_iter()
            .filter(|(_, lines)| !lines.is_empty())
            .map(|(name, lines)| (name, lines.as_slice()))
            .collect()
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

fn warnings(
    usage: Option<(Day, Day)>,
    window: Window,
    load: &LoadReport,
    by_customer: &[MarginLine],
    currency: &str,
) -> Vec<String> {
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
    for line in by_customer.iter().filter(|line| line.currency != currency) {
        let amount = display::money(line.figures.revenue - line.figures.cogs(), &line.currency);
        warnings.push(format!(
            "{amount} (revenue less cost) stays in {} for want of an exchange rate and is in no total.",
            line.currency
        ));
    }
    warnings
}
