//! Who and what loses money, why, and what it would take.

use std::collections::BTreeMap;

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Decimal128Type};
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use serde::Serialize;

use super::bridge::{Change, Growth, grouped};
use super::lever::{Known, Lever};
use super::quality::{Quality, quality};
use super::receipts::{Usage, usage_by};
use crate::allocate::{Dimension, UNATTRIBUTED};
use crate::output::display::{money, percent_text};
use crate::output::{MarginFigures, MarginLine, Sums, Top, percent};
use crate::revenue::Amount;
use crate::revenue::time::{Moment, TimeFormat};

/// Losses that are shown.
const LOSSES: usize = 10;
/// Features for which levers are looked for, the dearest first.
const FEATURES: usize = 5;
/// So many customers that pay nothing are one row: they have one cause and one lever.
const FREE_TOGETHER: i64 = 3;
/// Levers that are shown.
const LEVERS: usize = 8;
/// So many times the median paying customer's cost makes a whale.
const WHALE: i128 = 5;

/// A key that costs more than it earns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Loss {
    /// `customer`, `feature`.
    pub dimension: &'static str,
    /// Key.
    pub key: String,
    /// How much it lost, positive.
    #[serde(serialize_with = "crate::output::exact")]
    pub lost: Amount,
    /// The same for a month of 30 days.
    #[serde(serialize_with = "crate::output::exact")]
    pub lost_per_month: Amount,
    /// Why.
    pub cause: String,
    /// What to do, with what it is worth.
    pub lever: String,
}

/// What loses money and what would help.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// The largest losses over customers and features.
    pub losses: Vec<Loss>,
    /// The levers that are worth most, of losing customers and of the dearest features.
    pub levers: Vec<Lever>,
}

/// What is known beside a key's own figures.
#[derive(Debug, Clone, Copy)]
struct Setting<'a> {
    change: Option<&'a Change>,
    /// Days of the report.
    days: i128,
    currency: &'a str,
    /// Cost of the median customer that pays and uses something.
    median: Option<Amount>,
    /// What everybody used.
    all: &'a Usage,
    /// What outcomes say about models, by feature.
    quality: &'a BTreeMap<String, Vec<Quality>>,
}

impl Findings {
    /// Looks at the margins, and at the receipts behind those that lose.
    pub(crate) async fn of(
        session: &SessionContext,
        customers: &Sums,
        features: &Sums,
        change: Option<&Change>,
        (days, currency): (i128, &str),
    ) -> Result<Findings, DataFusionError> {
        let all = usage_by(session, "'all'", "NOT no_rate")
            .await?
            .remove("all")
            .unwrap_or_default();
        let quality = quality(session, currency).await?;
        let setting = Setting {
            change,
            days,
            currency,
            median: customers.median_cost(),
            all: &all,
            quality: &quality,
        };
        let mut findings = Findings::default();
        let together = free_together(customers, &setting);
        let losing = losing(customers, features, together.is_some());
        let dearest = &features.dearest.lines()[..features.dearest.lines().len().min(FEATURES)];
        let of = |dimension: Dimension| losing.iter().filter(move |(of, _)| *of == dimension).map(|(_, line)| line);
        let by_customer = Receipts::of(session, Dimension::Customer, of(Dimension::Customer)).await?;
        let by_feature = Receipts::of(session, Dimension::Feature, of(Dimension::Feature).chain(dearest)).await?;
        if let Some((loss, lever)) = together {
            findings.losses.push(loss);
            findings.levers.push(lever);
        }
        for (dimension, line) in &losing {
            let receipts = if *dimension == Dimension::Customer {
                &by_customer
            } else {
                &by_feature
            };
            let (loss, levers) = loss(*dimension, line, &receipts.known(*dimension, line, &setting), &setting);
            findings.losses.push(loss);
            findings.levers.extend(levers);
        }
        let loses = |key: &str| of(Dimension::Feature).any(|line| line.key == key);
        for line in dearest.iter().filter(|line| !loses(&line.key)) {
            let levers = by_feature.known(Dimension::Feature, line, &setting).levers();
            findings.levers.extend(levers.into_iter().take(2));
        }
        findings
            .losses
            .sort_by(|left, right| (right.lost, left.dimension, &left.key).cmp(&(left.lost, right.dimension, &right.key)));
        findings.losses.truncate(LOSSES);
        findings.levers.sort_by(|left, right| {
            (right.per_month, left.dimension, &left.key).cmp(&(left.per_month, right.dimension, &right.key))
        });
        findings.levers.truncate(LEVERS);
        Ok(findings)
    }
}

/// The largest losses, customers first where they are equal. A model has no revenue of its own: its margin follows from
/// who uses it, so it is not looked at.
fn losing(customers: &Sums, features: &Sums, without_free: bool) -> Vec<(Dimension, MarginLine)> {
    let customers = match without_free {
        true => &customers.losses_not_free,
        false => &customers.losses,
    };
    let of = |dimension, top: &Top| top.lines().iter().map(|line| (dimension, line.clone())).collect::<Vec<_>>();
    let mut losing = of(Dimension::Customer, customers);
    losing.extend(of(Dimension::Feature, &features.losses));
    losing.sort_by_key(|(dimension, line)| (line.figures.gross_margin(), *dimension, line.key.clone()));
    losing.truncate(LOSSES);
    losing
}

/// All customers that pay nothing as one loss, where there are several.
fn free_together(customers: &Sums, setting: &Setting<'_>) -> Option<(Loss, Lever)> {
    let (count, figures) = (customers.free, &customers.of_free);
    let dearest = customers.dearest_free.lines().first().filter(|_| count >= FREE_TOGETHER)?;
    let lost = -figures.gross_margin();
    let lost_per_month = lost.ratio(30, setting.days).unwrap_or(lost);
    let shown = |amount| money(amount, setting.currency);
    let key = format!("{} customers that pay nothing", grouped(count.into()));
    let action = "limit free use, or let it lead to a paid plan: this is what they cost".to_owned();
    let loss = Loss {
        dimension: "customers",
        key: key.clone(),
        lost,
        lost_per_month,
        cause: format!(
            "use {} and pay nothing; the dearest is {} with {}",
            shown(figures.cogs()),
            dearest.key,
            shown(dearest.figures.cogs())
        ),
        lever: action.clone(),
    };
    let lever = Lever {
        kind: "cap",
        dimension: "customers",
        key,
        action,
        per_month: lost_per_month,
    };
    Some((loss, lever))
}

/// What the keys of one dimension used.
#[derive(Debug, Default)]
struct Receipts {
    usage: BTreeMap<String, Usage>,
    other: BTreeMap<String, Vec<(String, Amount)>>,
    nothing: Usage,
}

impl Receipts {
    async fn of<'a>(
        session: &SessionContext,
        dimension: Dimension,
        lines: impl Iterator<Item = &'a MarginLine>,
    ) -> Result<Receipts, DataFusionError> {
        let keys: Vec<String> = lines.map(|line| format!("'{}'", line.key.replace('\'', "''"))).collect();
        if keys.is_empty() {
            return Ok(Receipts::default());
        }
        let key = format!("coalesce(nullif({}, ''), '{UNATTRIBUTED}')", dimension.key_column());
        let condition = format!("NOT no_rate AND {key} IN ({})", keys.join(", "));
        Ok(Receipts {
            usage: usage_by(session, &key, &condition).await?,
            other: other_costs(session, &key, &condition).await?,
            nothing: Usage::new(),
        })
    }

    fn known<'a>(&'a self, dimension: Dimension, line: &'a MarginLine, setting: &Setting<'a>) -> Known<'a> {
        let growth = setting.change.filter(|_| dimension == Dimension::Feature).and_then(|change| {
            let growth = change.grown.iter().find(|growth| growth.feature == line.key)?;
            Some((growth, days_of(change)?))
        });
        Known {
            dimension: dimension.name(),
            key: &line.key,
            figures: &line.figures,
            usage: self.usage.get(&line.key).unwrap_or(&self.nothing),
            all: setting.all,
            other: self.other.get(&line.key).map_or(&[], Vec::as_slice),
            quality: match dimension {
                Dimension::Feature => setting.quality.get(&line.key).map_or(&[], Vec::as_slice),
                _ => &[],
            },
            growth,
            days: setting.days,
            currency: setting.currency,
        }
    }
}

fn days_of(change: &Change) -> Option<i128> {
    let day = |text: &str| Moment::parse(text, TimeFormat::Iso).ok().map(Moment::day);
    Some(i128::from(day(&change.after_to)? - day(&change.after_from)? + 1))
}

/// Costs of goods that are not tokens, by the rule that priced them, the dearest first.
async fn other_costs(
    session: &SessionContext,
    key: &str,
    condition: &str,
) -> Result<BTreeMap<String, Vec<(String, Amount)>>, DataFusionError> {
    let sql = format!(
        "SELECT {key} AS key, item AS rule, CAST(sum(amount) AS DECIMAL(38, 12)) AS cost FROM receipts \
         WHERE cost_class = 'other_cogs' AND item IS NOT NULL AND {condition} GROUP BY 1, 2 ORDER BY cost DESC, rule"
    );
    let mut costs: BTreeMap<String, Vec<(String, Amount)>> = BTreeMap::new();
    for batch in session.sql(&sql).await?.collect().await? {
        let text = |column: usize| arrow::compute::cast(batch.column(column), &DataType::Utf8);
        let (keys, rules) = (text(0)?, text(1)?);
        let (keys, rules) = (keys.as_string::<i32>(), rules.as_string::<i32>());
        let amounts = batch.column(2).as_primitive::<Decimal128Type>();
        for row in 0..batch.num_rows() {
            let cost = Amount::from_scaled(amounts.value(row));
            costs
                .entry(keys.value(row).to_owned())
                .or_default()
                .push((rules.value(row).to_owned(), cost));
        }
    }
    Ok(costs)
}

fn loss(dimension: Dimension, line: &MarginLine, known: &Known<'_>, setting: &Setting<'_>) -> (Loss, Vec<Lever>) {
    let figures = &line.figures;
    let lost = -figures.gross_margin();
    let lost_per_month = known.a_month(lost);
    let shown = |amount| money(amount, setting.currency);
    let mut levers = match (dimension, line.key.as_str()) {
        (Dimension::Customer, UNATTRIBUTED) => vec![known.lever(
            "attribution",
            lost_per_month,
            "set the customer id on these calls: their cost is charged to nobody".to_owned(),
        )],
        (_, UNATTRIBUTED) => vec![known.lever(
            "attribution",
            lost_per_month,
            format!("set the {} on these calls: their cost cannot be judged", dimension.name()),
        )],
        _ if figures.revenue <= Amount::ZERO => {
            let action = "cap free use, or move it to a paid plan that covers its cost".to_owned();
            vec![known.lever("cap", lost_per_month, action)]
        }
        _ => {
            let price = known.lever(
                "price",
                lost_per_month,
                format!("charge {} more a month, or cap its use, to break even", shown(lost_per_month)),
            );
            let mut levers = known.levers();
            levers.push(price);
            levers
        }
    };
    // Cutting cost first; a price that follows cost is the way out where that is not enough.
    let lever = match (levers.first(), levers.last()) {
        (Some(first), Some(last)) if first != last && first.per_month < lost_per_month => {
            format!("{}; {}", first.action, last.action)
        }
        (Some(first), _) => first.action.clone(),
        _ => String::new(),
    };
    levers.truncate(1);
    let loss = Loss {
        dimension: dimension.name(),
        key: line.key.clone(),
        lost,
        lost_per_month,
        cause: cause(dimension, line, known, setting),
        lever,
    };
    (loss, levers)
}

fn cause(dimension: Dimension, line: &MarginLine, known: &Known<'_>, setting: &Setting<'_>) -> String {
    let figures = &line.figures;
    let shown = |amount| money(amount, setting.currency);
    let mut causes = vec![match line.key.as_str() {
        UNATTRIBUTED => format!("{} calls name no {}", grouped(figures.calls.into()), dimension.name()),
        _ if figures.revenue <= Amount::ZERO => format!("uses {} and pays nothing", shown(figures.cogs())),
        _ => format!(
            "costs {} of what it earns",
            percent_text(percent(figures.cogs(), figures.revenue))
        ),
    }];
    if dimension == Dimension::Customer
        && figures.revenue > Amount::ZERO
        && let Some(times) = times_of_median(figures, setting)
    {
        causes.push(format!("uses {times} times what the median paying customer uses"));
    }
    if let Some((Growth { before, after, .. }, _)) = known.growth {
        causes.push(format!(
            "its calls grew from {} to {} tokens",
            grouped(*before),
            grouped(*after)
        ));
    }
    let other = known
        .other
        .first()
        .and_then(|(rule, cost)| Some((rule, percent(*cost, figures.cogs())?)));
    let driver = known.driver();
    match (other, driver) {
        (Some((rule, share)), _) if driver.is_none_or(|(_, of_model)| share > of_model) => {
            causes.push(format!("{} of its cost is {rule}", percent_text(Some(share))));
        }
        (_, Some((model, share))) => causes.push(format!("{} of its cost is {model}", percent_text(Some(share)))),
        _ => {}
    }
    causes.join("; ")
}

/// How many times the median paying customer's cost this is, for a whale.
fn times_of_median(figures: &MarginFigures, setting: &Setting<'_>) -> Option<i128> {
    let times = figures.cogs().scaled().checked_div(setting.median?.scaled())?;
    (times >= WHALE).then_some(times)
}
