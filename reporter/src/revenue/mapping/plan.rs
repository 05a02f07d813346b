//! A mapping bound to the columns of one file: each value knows its position, so that a row is read without a lookup
//! by name.

use std::sync::Arc;

use super::amount::{self, Decimal, Term};
use super::condition::Condition;
use super::dates::Dates;
use super::document::{Conditions, Fields, LineDocument, Mapping, refuse_file};
use super::joins::{JoinTable, Joins};
use super::value::{Columns, Value, joined_columns};
use crate::revenue::line::{Exclusion, Text};
use crate::revenue::refusal::Refusal;
use crate::revenue::table::Header;

/// What to do with each row of a file.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(super) source: Text,
    pub(super) null: Vec<String>,
    pub(super) decimal: Decimal,
    pub(super) dates: Dates,
    pub(super) carry: Option<(usize, Vec<usize>)>,
    /// Second files with the value that names their row.
    pub(super) joins: Vec<(Option<Arc<JoinTable>>, Value)>,
    pub(super) exclude: Vec<(Exclusion, Vec<Condition>)>,
    pub(super) expect: Vec<(Value, Vec<String>, String)>,
    pub(super) lines: Vec<LinePlan>,
    pub(super) spread: Vec<Term>,
    /// False if no column says which document a row belongs to.
    pub(crate) names_documents: bool,
}

/// How one line is made of a row.
#[derive(Debug)]
pub(super) struct LinePlan {
    pub(super) when: Vec<Condition>,
    pub(super) kinds: Vec<(Text, Vec<Condition>)>,
    pub(super) amount: Vec<Term>,
    pub(super) suffix: String,
    pub(super) skip_zero: bool,
    pub(super) end_inclusive: bool,
    pub(super) reversed_is_start: bool,
    pub(super) line_id: Vec<Value>,
    pub(super) aliases: Vec<Value>,
    pub(super) version: Value,
    pub(super) customer: Value,
    pub(super) external_customer: Value,
    pub(super) email: Value,
    pub(super) user: Value,
    pub(super) feature: Value,
    pub(super) plan: Value,
    pub(super) subscription: Value,
    pub(super) seats: Value,
    pub(super) kind: Value,
    pub(super) status: Value,
    pub(super) description: Value,
    pub(super) currency: Value,
    pub(super) start: Value,
    pub(super) end: Value,
    pub(super) original_start: Value,
    pub(super) original_end: Value,
    pub(super) booked_at: Value,
    pub(super) settled_at: Value,
    pub(super) document: Value,
}

impl Plan {
    /// Binds `mapping` to a file. A column that the amount needs and the file lacks is refused.
    pub(crate) fn bind(mapping: &Mapping, file: &str, header: &Header, joins: &Joins) -> Result<Plan, Refusal> {
        let keys: Vec<&str> = mapping.join_keys().collect();
        let tables = joined_columns(&keys, joins);
        let columns = Columns { header, joins: &tables };
        let position = |column: &String| {
            header
                .position(&crate::revenue::table::header::normalise(column))
                .ok_or_else(|| refuse_file(file, Some(column), "is missing from the header".to_owned()))
        };
        let carry = match &mapping.format.carry {
            Some(carry) => Some((
                position(&carry.key)?,
                carry.columns.iter().map(position).collect::<Result<Vec<_>, _>>()?,
            )),
            None => None,
        };
        let checked = "was checked when the mapping was read";
        let one = [LineDocument::default()];
        let lines = if mapping.line.is_empty() { &one[..] } else { &mapping.line };
        let lines: Vec<LinePlan> = lines.iter().map(|line| LinePlan::bind(mapping, line, &columns)).collect();
        Ok(Plan {
            source: mapping.name.as_str().into(),
            null: mapping.format.null.clone(),
            decimal: mapping.decimal().expect(checked),
            dates: mapping.dates().expect(checked),
            carry,
            joins: tables
                .iter()
                .zip(&mapping.join)
                .map(|((_, table), join)| (table.clone(), Value::bind(&join.on, &columns)))
                .collect(),
            exclude: mapping
                .exclude
                .iter()
                .map(|exclude| {
                    (
                        Exclusion::new(exclude.reason.as_str()),
                        Condition::bind(exclude.when.all(), &columns),
                    )
                })
                .collect(),
            expect: mapping
                .expect
                .iter()
                .map(|expect| {
                    (
                        Value::bind(&expect.column, &columns),
                        expect.one_of.clone(),
                        expect.what.clone(),
                    )
                })
                .collect(),
            spread: mapping
                .spread
                .as_ref()
                .map(|spread| amount::bind(&spread.amount, mapping.unit, &columns))
                .unwrap_or_default(),
            names_documents: lines.iter().any(|line| !line.document.is_absent()),
            lines,
        })
    }
}

impl LinePlan {
    fn bind(mapping: &Mapping, line: &LineDocument, columns: &Columns<'_>) -> LinePlan {
        let value = |of: fn(&Fields) -> &Option<String>| {
            let written = of(&line.fields).as_deref().or(of(&mapping.fields).as_deref());
            Value::bind_optional(written, columns)
        };
        let several = |of: fn(&Fields) -> &Option<super::document::OneOrMore>| -> Vec<Value> {
            let written = of(&line.fields).as_ref().or(of(&mapping.fields).as_ref());
            let written = written.map_or(&[][..], |written| written.all());
            written.iter().map(|written| Value::bind(written, columns)).collect()
        };
        let flag = |of: fn(&Fields) -> Option<bool>| of(&line.fields).or(of(&mapping.fields)).unwrap_or(false);
        LinePlan {
            when: Condition::bind(line.when.as_ref().map_or(&[], Conditions::all), columns),
            kinds: line
                .kinds
                .iter()
                .map(|kind| (kind.kind.as_str().into(), Condition::bind(kind.when.all(), columns)))
                .collect(),
            amount: amount::bind(line.amount.as_ref().unwrap_or(&mapping.amount), mapping.unit, columns),
            suffix: line.suffix.clone(),
            skip_zero: line.skip_zero,
            end_inclusive: flag(|fields| fields.end_inclusive),
            reversed_is_start: flag(|fields| fields.reversed_is_start),
            line_id: several(|fields| &fields.line_id),
            aliases: several(|fields| &fields.aliases),
            version: value(|fields| &fields.version),
            customer: value(|fields| &fields.customer),
            external_customer: value(|fields| &fields.external_customer),
            email: value(|fields| &fields.email),
            user: value(|fields| &fields.user),
            feature: value(|fields| &fields.feature),
            plan: value(|fields| &fields.plan),
            subscription: value(|fields| &fields.subscription),
            seats: value(|fields| &fields.seats),
            kind: value(|fields| &fields.kind),
            status: value(|fields| &fields.status),
            description: value(|fields| &fields.description),
            currency: value(|fields| &fields.currency),
            start: value(|fields| &fields.start),
            end: value(|fields| &fields.end),
            original_start: value(|fields| &fields.original_start),
            original_end: value(|fields| &fields.original_end),
            booked_at: value(|fields| &fields.booked_at),
            settled_at: value(|fields| &fields.settled_at),
            document: value(|fields| &fields.document),
        }
    }
}
