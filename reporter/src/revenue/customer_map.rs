//! Which of our customers a revenue line belongs to: the mapping file, then the ids that the line itself carries.
//!
//! One line goes to one customer on each day; nothing here can multiply revenue. A line that names nobody belongs to
//! nobody: it is `(unmatched)`, never spread.

use std::collections::HashMap;
use std::path::Path;

use rustc_hash::FxHashSet;

use super::email::EmailKey;
use super::line::RevenueLine;
use super::refusal::{Refusal, Refusals, RevenueError};
use super::table::{Header, Row, TextFile, read_bytes};
use super::time::{Day, TimeFormat};

const COLUMNS: [&str; 5] = ["customer_id", "source", "source_customer_id", "valid_from", "valid_to"];

/// The user's mapping file: `customer_id,source,source_customer_id,valid_from,valid_to`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CustomerMap {
    entries: HashMap<String, Vec<Entry>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    customer_id: String,
    /// `None` for every source.
    source: Option<String>,
    from: Day,
    /// Exclusive.
    to: Day,
}

/// Everything that decides about a line's customer.
#[derive(Debug, Clone, Default)]
pub struct CustomerLadder {
    /// The mapping file, or an empty one.
    pub map: CustomerMap,
    /// Customers that have usage in the lake.
    pub with_usage: FxHashSet<String>,
    email_key: Option<EmailKey>,
    /// Customers with usage by what an address would be among them.
    emails: HashMap<String, String>,
}

impl CustomerLadder {
    /// A ladder of these rungs; e-mail only if `email_key` says how.
    pub fn new(map: CustomerMap, with_usage: FxHashSet<String>, email_key: Option<EmailKey>) -> CustomerLadder {
        let emails = match &email_key {
            Some(_) => with_usage
                .iter()
                .map(|customer| (customer.to_lowercase(), customer.clone()))
                .collect(),
            None => HashMap::new(),
        };
        CustomerLadder {
            map,
            with_usage,
            email_key,
            emails,
        }
    }

    /// The customer of `line` on `day`; `None` is `(unmatched)`.
    ///
    /// In order: the mapping file as of that day, since the user wrote it for exactly this; the id of the selling
    /// system that the billing system keeps, then the billing system's own and its aliases, each if that customer has
    /// usage; then e-mail, where that is asked for; then the first id without usage, which makes a row of revenue
    /// without cost.
    pub fn customer<'a>(&'a self, line: &'a RevenueLine, day: Day) -> Option<&'a str> {
        let own = [&line.source_customer_id, &line.external_customer_id].into_iter().flatten();
        let mut mapped = own.chain(&line.aliases).chain(&line.email);
        mapped
            .find_map(|id| self.map.lookup(id, &line.source, day))
            .or_else(|| line.ids().find(|id| self.with_usage.contains(*id)))
            .or_else(|| self.by_email(line))
            .or_else(|| line.ids().next())
    }

    fn by_email<'a>(&'a self, line: &'a RevenueLine) -> Option<&'a str> {
        let email = line.email.as_deref()?;
        self.emails.get(&self.email_key.as_ref()?.of(email)).map(String::as_str)
    }

    /// True if the customer can be another one on another day.
    pub fn changes_by_day(&self, line: &RevenueLine) -> bool {
        let own = [&line.source_customer_id, &line.external_customer_id].into_iter().flatten();
        own.chain(&line.aliases)
            .chain(&line.email)
            .any(|id| self.map.entries.contains_key(&**id))
    }
}

impl CustomerMap {
    /// Reads the mapping file. Two customers for one source id on one day are refused.
    pub fn read(path: &Path) -> Result<CustomerMap, RevenueError> {
        let name = path
            .file_name()
            .map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned());
        CustomerMap::parse(&TextFile::new(&name, &read_bytes(path)?)?)
    }

    fn parse(file: &TextFile) -> Result<CustomerMap, RevenueError> {
        let mut map = CustomerMap::default();
        let refusals = std::cell::RefCell::new(Refusals::default());
        let on_header = |header: &Header| {
            let Some(missing) = COLUMNS[..3].iter().find(|column| !header.has(column)) else {
                return Ok(());
            };
            let reason = format!("is missing: a customer map has {}", COLUMNS.join(","));
            Err(Refusal {
                file: file.name.clone(),
                line: 1,
                column: Some((*missing).to_owned()),
                value: None,
                reason,
            }
            .into())
        };
        let on_row = |row: Row<'_>| {
            if let Err(refusal) = map.take(&row) {
                refusals.borrow_mut().push(refusal);
            }
        };
        file.visit(on_header, on_row, |refusal| refusals.borrow_mut().push(refusal))?;
        refusals.into_inner().into_result()?;
        Ok(map)
    }

    fn take(&mut self, row: &Row<'_>) -> Result<(), Refusal> {
        let required = |column| {
            row.text(column)
                .map(str::to_owned)
                .ok_or_else(|| row.refuse(column, "is empty: an id is required"))
        };
        let source_customer_id = required("source_customer_id")?;
        let day = |column| -> Result<Option<Day>, Refusal> {
            Ok(row.optional_moment(column, TimeFormat::Iso)?.map(|moment| moment.day()))
        };
        let entry = Entry {
            customer_id: required("customer_id")?,
            source: row.text("source").filter(|source| *source != "*").map(str::to_owned),
            from: day("valid_from")?.unwrap_or(Day::MIN),
            to: day("valid_to")?.unwrap_or(Day::MAX),
        };
        if entry.to <= entry.from {
            return Err(row.refuse(
                "valid_to",
                "is not after valid_from (the first day on which the entry no longer holds)",
            ));
        }
        let entries = self.entries.entry(source_customer_id).or_default();
        let overlaps = |other: &Entry| entry.from < other.to && other.from < entry.to && entry.source == other.source;
        if entries
            .iter()
            .any(|other| overlaps(other) && other.customer_id != entry.customer_id)
        {
            return Err(row.refuse("source_customer_id", "is mapped to two customers on the same day"));
        }
        entries.push(entry);
        Ok(())
    }

    /// An entry for the very source wins over one for every source.
    fn lookup(&self, id: &str, source: &str, day: Day) -> Option<&str> {
        let entries = self.entries.get(id)?;
        let valid = |entry: &&Entry| entry.from <= day && day < entry.to;
        let family = source.split('_').next().unwrap_or(source);
        let rank = |entry: &Entry| match entry.source.as_deref() {
            Some(named) if named == source => Some(0),
            Some(named) if named == family => Some(1),
            Some(_) => None,
            None => Some(2),
        };
        let candidates = entries.iter().filter(valid).filter_map(|entry| Some((rank(entry)?, entry)));
        candidates
            .min_by_key(|(rank, _)| *rank)
            .map(|(_, entry)| entry.customer_id.as_str())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::currency::Currency;
    use super::super::money::Amount;
    use super::super::time::{Moment, Period};
    use super::*;

    pub(crate) fn line(source_customer_id: Option<&str>, external: Option<&str>) -> RevenueLine {
        let start = Moment::midnight(20_000);
        RevenueLine {
            source: "stripe_invoice_line_items".into(),
            source_file: "lines.csv".into(),
            source_row: 2,
            line_id: "il_1".into(),
            version: None,
            aliases: Vec::new(),
            email: None,
            subscription_id: None,
            document: None,
            seats: None,
            original_period: None,
            source_customer_id: source_customer_id.map(Into::into),
            external_customer_id: external.map(Into::into),
            user_id: None,
            feature: None,
            plan: None,
            kind: None,
            status: None,
            description: None,
            amount: Amount::ZERO,
            currency: Currency::USD,
            period: Period { start, end: start },
            booked_at: None,
            settled_at: None,
        }
    }

    fn map(rows: &str) -> Result<CustomerMap, RevenueError> {
        let text = format!("customer_id,source,source_customer_id,valid_from,valid_to\n{rows}");
        CustomerMap::parse(&TextFile::new("map.csv", text.as_bytes())?)
    }

    fn day(text: &str) -> Day {
        Moment::parse(text, TimeFormat::Iso).unwrap().day()
    }

    #[test]
    fn the_ladder_ends_in_nobody() {
        let map = map("mapped,stripe,cus_map,,\n").unwrap();
        let ladder = CustomerLadder::new(map, ["acme", "cus_used"].map(str::to_owned).into_iter().collect(), None);
        for (source_id, external, expected) in [
            (Some("cus_map"), Some("acme"), Some("mapped")),
            (Some("cus_1"), Some("acme"), Some("acme")),
            (Some("cus_used"), Some("unused"), Some("cus_used")),
            (Some("cus_1"), Some("unused"), Some("unused")),
            (Some("cus_1"), None, Some("cus_1")),
            (None, None, None),
        ] {
            assert_eq!(
                ladder.customer(&line(source_id, external), 20_000),
                expected,
                "{source_id:?} {external:?}"
            );
        }
    }

    #[test]
    fn a_customer_merged_in_march_moves_in_march() {
        let map = map("acme-old,,cus_1,,2026-03-01\nacme,,cus_1,2026-03-01,\n").unwrap();
        let ladder = CustomerLadder::new(map, FxHashSet::default(), None);
        let line = line(Some("cus_1"), None);
        assert_eq!(ladder.customer(&line, day("2026-02-28")), Some("acme-old"));
        assert_eq!(ladder.customer(&line, day("2026-03-01")), Some("acme"));
    }

    #[test]
    fn a_mapping_that_is_ambiguous_is_refused() {
        for (rows, message) in [
            (
                "a,,cus_1,,\nb,,cus_1,2026-01-01,\n",
                "map.csv:3: column source_customer_id: \"cus_1\" is mapped to two customers on the same day",
            ),
            (
                ",,cus_1,,\n",
                "map.csv:2: column customer_id: \"\" is empty: an id is required",
            ),
            (
                "a,,cus_1,2026-01-02,2026-01-01\n",
                "map.csv:2: column valid_to: \"2026-01-01\" is not after valid_from (the first day on which the entry no longer holds)",
            ),
        ] {
            assert_eq!(map(rows).unwrap_err().to_string(), message);
        }
    }
}
