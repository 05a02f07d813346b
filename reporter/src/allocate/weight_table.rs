//! A table of weights, `dimension,key,weight`: what the user says each key is worth, where revenue is shared out by it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;

use super::{CustomerWeights, Dimension};
use crate::revenue::refusal::Refusals;
use crate::revenue::table::{Header, Row, TextFile, read_bytes};
use crate::revenue::{Amount, Refusal, RevenueError};

const COLUMNS: [&str; 3] = ["dimension", "key", "weight"];

/// Weights by dimension and key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WeightTable(HashMap<Dimension, HashMap<String, i128>>);

impl WeightTable {
    /// Reads the file.
    pub fn read(path: &Path) -> Result<WeightTable, RevenueError> {
        let name = path
            .file_name()
            .map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned());
        WeightTable::parse(&TextFile::new(&name, &read_bytes(path)?)?)
    }

    fn parse(file: &TextFile) -> Result<WeightTable, RevenueError> {
        let mut table = WeightTable::default();
        let refusals = RefCell::new(Refusals::default());
        let on_header = |header: &Header| match COLUMNS.into_iter().find(|column| !header.has(column)) {
            None => Ok(()),
            Some(column) => Err(Refusal {
                file: file.name.clone(),
                line: 1,
                column: Some(column.to_owned()),
                value: None,
                reason: "is missing: a table of weights has dimension,key,weight".to_owned(),
            }
            .into()),
        };
        let on_row = |row: Row<'_>| {
            if let Err(refusal) = table.take(&row) {
                refusals.borrow_mut().push(refusal);
            }
        };
        file.visit(on_header, on_row, |refusal| refusals.borrow_mut().push(refusal))?;
        refusals.into_inner().into_result()?;
        Ok(table)
    }

    fn take(&mut self, row: &Row<'_>) -> Result<(), Refusal> {
        let text = row.text("dimension").unwrap_or("");
        let dimension = Dimension::ALL.into_iter().find(|dimension| dimension.name() == text);
        let Some(dimension) = dimension.filter(|dimension| *dimension != Dimension::Customer) else {
            let known: Vec<&str> = Dimension::ALL.iter().skip(1).map(|dimension| dimension.name()).collect();
            return Err(row.refuse(
                "dimension",
                format!("is no dimension to allocate to: use one of {}", known.join(", ")),
            ));
        };
        let Some(key) = row.text("key") else {
            return Err(row.refuse("key", "is empty: a weight is of a key"));
        };
        let weight = Amount::parse_major(row.text("weight").unwrap_or("")).map_err(|error| row.refuse("weight", error))?;
        if weight.is_negative() {
            return Err(row.refuse("weight", "is negative: weights are zero or more"));
        }
        let keys = self.0.entry(dimension).or_default();
        match keys.insert(key.to_owned(), weight.scaled()) {
            None => Ok(()),
            Some(_) => Err(row.refuse("key", "has a weight in an earlier line")),
        }
    }

    /// True if it says anything of the dimension.
    pub fn knows(&self, dimension: Dimension) -> bool {
        self.0.contains_key(&dimension)
    }

    /// Weighs the keys that customers used; a key that the table does not name weighs nothing.
    pub fn weigh(&self, dimension: Dimension, weights: &mut CustomerWeights) {
        let Some(keys) = self.0.get(&dimension) else { return };
        for weight in weights.iter_mut() {
            weight.weight = keys.get(&*weight.key).copied().unwrap_or(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Weight;
    use super::*;

    fn parsed(text: &str) -> Result<WeightTable, RevenueError> {
        WeightTable::parse(&TextFile::new("weights.csv", text.as_bytes())?)
    }

    #[test]
    fn keys_weigh_what_the_table_says_and_others_nothing() {
        let table = parsed("dimension,key,weight\nfeature,chat,3\nfeature,search,0.5\n").unwrap();
        assert!(table.knows(Dimension::Feature) && !table.knows(Dimension::Model));
        let mut weights = CustomerWeights::default();
        for key in ["chat", "other", "search"] {
            let weight = Weight {
                key: key.into(),
                first_day: 0,
                weight: 1,
            };
            weights.add("acme", 0, weight);
        }
        table.weigh(Dimension::Feature, &mut weights);
        let of: Vec<i128> = weights.of("acme", 0).iter().map(|weight| weight.weight).collect();
        assert_eq!(of, [3_000_000_000_000, 0, 500_000_000_000]);
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_its_line() {
        for (text, expected) in [
            ("dimension,key\n", "weights.csv:1: column weight: is missing"),
            (
                "dimension,key,weight\ncustomer,a,1\n",
                "weights.csv:2: column dimension: \"customer\" is no dimension",
            ),
            (
                "dimension,key,weight\nfeature,a,1\nfeature,a,2\n",
                "weights.csv:3: column key: \"a\" has a weight",
            ),
            (
                "dimension,key,weight\nfeature,a,-1\n",
                "weights.csv:2: column weight: \"-1\" is negative",
            ),
        ] {
            let error = parsed(text).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
