//! How well revenue and calls meet, both ways by money, and the largest that do not. Each line counts whole, for the
//! customer of its first day.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet};
use std::fmt;

use super::currency::Currency;
use super::customer_map::CustomerLadder;
use super::line::RevenueLine;
use super::money::Amount;
use super::recognise::DailyUsage;

/// Unmatched customers shown on each side.
const SHOWN: usize = 10;

/// Both directions of the customer join.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Matches {
    /// By currency: revenue of customers that have calls, and all of it.
    pub revenue: BTreeMap<Currency, (Amount, Amount)>,
    /// Cost in USD of customers that have revenue, and of all calls that name a customer.
    pub cost: (Amount, Amount),
    /// Largest revenue without calls; `None` names nobody.
    pub without_calls: Vec<(Option<String>, Currency, Amount)>,
    /// Largest cost in USD without revenue.
    pub without_revenue: Vec<(String, Amount)>,
}

impl Matches {
    /// Joins lines with what each customer cost.
    pub fn new(lines: &[RevenueLine], customers: &CustomerLadder, usage: &DailyUsage) -> Matches {
        let mut matches = Matches::default();
        let mut paying: HashSet<&str> = HashSet::new();
        let mut alone: BTreeMap<(Option<&str>, Currency), Amount> = BTreeMap::new();
        for line in lines {
            let customer = customers.customer(line, line.period.first_day());
            let (matched, all) = matches.revenue.entry(line.currency).or_default();
            *all += line.amount;
            match customer.filter(|customer| customers.with_usage.contains(*customer)) {
                Some(_) => *matched += line.amount,
                None => *alone.entry((customer, line.currency)).or_default() += line.amount,
            }
            paying.extend(customer);
        }
        for (customer, days) in usage {
            let cost: Amount = days.values().copied().map(Amount::from_scaled).sum();
            matches.cost.1 += cost;
            match paying.contains(customer.as_str()) {
                true => matches.cost.0 += cost,
                false => matches.without_revenue.push((customer.clone(), cost)),
            }
        }
        let named =
            |((customer, currency), amount): ((Option<&str>, Currency), Amount)| (customer.map(str::to_owned), currency, amount);
        matches.without_calls = alone.into_iter().map(named).collect();
        matches.without_calls.sort_by_key(|(_, _, amount)| Reverse(*amount));
        matches
            .without_revenue
            .sort_by(|left, right| (Reverse(left.1), &left.0).cmp(&(Reverse(right.1), &right.0)));
        matches.without_calls.truncate(SHOWN);
        matches.without_revenue.truncate(SHOWN);
        matches
    }
}

impl fmt::Display for Matches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |(part, whole): &(Amount, Amount)| {
            let percent = (!whole.is_negative() && !whole.is_zero())
                .then(|| part.ratio(100 * 10_i128.pow(12), whole.scaled()))
                .flatten();
            percent.map_or_else(String::new, |percent| format!(" ({} %)", percent.rounded(1)))
        };
        for (currency, pair) in &self.revenue {
            let (part, whole) = (pair.0, pair.1);
            writeln!(
                f,
                "matched     {part} of {whole} {currency}{} is of customers with calls",
                percent(pair)
            )?;
        }
        let (part, whole) = (self.cost.0.rounded(2), self.cost.1.rounded(2));
        writeln!(
            f,
            "matched     {part} of {whole} USD{} of cost is of customers with revenue",
            percent(&self.cost)
        )?;
        for (customer, currency, amount) in &self.without_calls {
            let customer = customer.as_deref().unwrap_or("(unmatched: names nobody)");
            writeln!(f, "no calls    {amount} {currency} {customer}")?;
        }
        for (customer, cost) in &self.without_revenue {
            writeln!(f, "no revenue  {} USD {customer}", cost.rounded(2))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rustc_hash::FxHashSet;

    use std::collections::HashMap;

    use super::super::customer_map::CustomerMap;
    use super::super::customer_map::tests::line;
    use super::*;

    fn usd(text: &str) -> Amount {
        Amount::parse_major(text).unwrap()
    }

    #[test]
    fn match_rates_are_by_money_both_ways_and_the_largest_unmatched_come_first() {
        let paid = |customer: Option<&str>, amount: &str| RevenueLine {
            amount: usd(amount),
            ..line(customer, None)
        };
        let lines = [
            paid(Some("acme"), "75"),
            paid(Some("idle"), "5"),
            paid(None, "20"),
            paid(Some("acme"), "0"),
        ];
        let usage: DailyUsage = HashMap::from([
            (
                "acme".to_owned(),
                BTreeMap::from([(1, usd("3").scaled()), (2, usd("1").scaled())]),
            ),
            ("free".to_owned(), BTreeMap::from([(1, usd("12").scaled())])),
        ]);
        let with_usage = usage.keys().cloned().collect();
        let ladder = CustomerLadder::new(CustomerMap::default(), with_usage, None);
        let matches = Matches::new(&lines, &ladder, &usage);
        let expected = "\
matched     75 of 100 USD (75.0 %) is of customers with calls
matched     4.00 of 16.00 USD (25.0 %) of cost is of customers with revenue
no calls    20 USD (unmatched: names nobody)
no calls    5 USD idle
no revenue  12.00 USD free
";
        assert_eq!(matches.to_string(), expected);
    }

    #[test]
    fn an_email_matches_only_where_that_is_asked_for() {
        let mut shop = line(None, None);
        shop.email = Some("a@example.com".into());
        let with_usage = || ["A@example.com".to_owned()].into_iter().collect();
        let off = CustomerLadder::new(CustomerMap::default(), with_usage(), None);
        assert_eq!(off.customer(&shop, 20_000), None);
        let plain = CustomerLadder::new(
            CustomerMap::default(),
            with_usage(),
            Some(super::super::email::EmailKey::Plain),
        );
        assert_eq!(plain.customer(&shop, 20_000), Some("A@example.com"));
        let key = super::super::email::EmailKey::Hmac(b"secret".to_vec());
        let hashed = FxHashSet::from_iter([key.of("a@example.com")]);
        let hmac = CustomerLadder::new(CustomerMap::default(), hashed.clone(), Some(key));
        assert_eq!(hmac.customer(&shop, 20_000), hashed.iter().next().map(String::as_str));
    }
}
