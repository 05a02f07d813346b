//! Which customer a user belongs to: a file of the user's, valid in time.
//!
//! Asked last, for calls that tell their user and not their customer. Revenue's customers have a file of their own.

use std::collections::HashMap;
use std::path::Path;

use chrono::{Datelike, NaiveDate};

use super::RulesError;
use crate::settle::record::{Attributed, Dimension, Record, Text};

/// What `attribution_source` says.
const SOURCE: &str = "mapping";
const HEADER: &str = "user_id,customer_id,valid_from,valid_to";

#[derive(Debug, Clone)]
struct Entry {
    customer: Text,
    /// Days since 1970-01-01, half open.
    days: std::ops::Range<i32>,
}

/// Customers by user.
#[derive(Debug, Default)]
pub(super) struct Users(HashMap<String, Vec<Entry>>);

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    user_id: String,
    customer_id: String,
    #[serde(default)]
    valid_from: Option<NaiveDate>,
    #[serde(default)]
    valid_to: Option<NaiveDate>,
}

impl Users {
    /// Reads the file and its bytes. Two customers for one user on one day are refused.
    pub(super) fn read(path: &Path) -> Result<(Users, Vec<u8>), RulesError> {
        let wrong = |reason: String| RulesError::Users {
            file: path.display().to_string(),
            reason,
        };
        let bytes = std::fs::read(path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
        let users = Users::parse(&bytes).map_err(wrong)?;
        Ok((users, bytes))
    }

    pub(super) fn parse(bytes: &[u8]) -> Result<Users, String> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(bytes);
        let mut users = Users::default();
        let headers = reader.headers().map_err(|error| error.to_string())?.clone();
        let mut line = csv::StringRecord::new();
        while reader.read_record(&mut line).map_err(|error| error.to_string())? {
            let number = line.position().map_or(0, csv::Position::line);
            let row: Row = line
                .deserialize(Some(&headers))
                .map_err(|error| format!("line {number}: {error}; the columns are {HEADER}"))?;
            users.take(row).map_err(|reason| format!("line {number}: {reason}"))?;
        }
        Ok(users)
    }

    fn take(&mut self, row: Row) -> Result<(), String> {
        if row.user_id.is_empty() || row.customer_id.is_empty() {
            return Err("user_id and customer_id are required".to_owned());
        }
        let day = |date: Option<NaiveDate>, open: i32| date.map_or(open, |date| date.num_days_from_ce() - EPOCH);
        let days = day(row.valid_from, i32::MIN)..day(row.valid_to, i32::MAX);
        if days.is_empty() {
            return Err("valid_to, the first day on which it no longer holds, is not after valid_from".to_owned());
        }
        let entries = self.0.entry(row.user_id).or_default();
        let overlaps = |other: &&Entry| days.start < other.days.end && other.days.start < days.end;
        if let Some(other) = entries.iter().find(overlaps)
            && *other.customer != *row.customer_id
        {
            return Err(format!("this user belongs to {} on some of these days", other.customer));
        }
        entries.push(Entry {
            customer: row.customer_id.into(),
            days,
        });
        Ok(())
    }

    /// Gives a record without a customer that of its user.
    pub(super) fn attribute(&self, record: &mut Record) {
        if self.0.is_empty() || record.attributed(Dimension::Customer).is_some() {
            return;
        }
        let entries = record.attributed(Dimension::User).and_then(|user| self.0.get(&*user.value));
        let entry = entries.and_then(|entries| entries.iter().find(|entry| entry.days.contains(&record.date)));
        if let Some(entry) = entry {
            record.attribution[Dimension::Customer as usize] = Some(Attributed {
                value: entry.customer.clone(),
                source: SOURCE.into(),
            });
        }
    }
}

/// 1970-01-01 in days from the beginning of the common era.
const EPOCH: i32 = 719_163;
