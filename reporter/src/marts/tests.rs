//! What the SQL files promise as texts: the margin marts are one query with another key, and every column has its place.

use std::collections::BTreeSet;

use super::{FINDING_MARTS, MARGIN_MARTS, Mart};

/// The query without its head, with the mart's own key, dimension and source put back to placeholders.
fn shape(mart: &Mart) -> String {
    let mut shape: String = mart
        .sql
        .lines()
        .filter(|line| !line.starts_with("--"))
        .collect::<Vec<_>>()
        .join("\n");
    for source in ["call_facts", "call_cells"] {
        shape = shape.replace(&format!("FROM {source}\n"), "FROM SOURCE\n");
    }
    if let Some(dimension) = mart.name.strip_prefix("margin_by_") {
        shape = shape.replace(&format!("dimension = '{dimension}'"), "dimension = 'customer'");
    }
    for key in mart.keys {
        shape = shape
            .replace(&format!("key AS {key}, "), "")
            .replace(&format!("date, {key}, "), "date, ");
    }
    shape
}

#[test]
fn the_margin_marts_differ_by_their_key_alone() {
    let daily = MARGIN_MARTS
        .iter()
        .find(|mart| mart.name == "margin_daily")
        .expect("there is one");
    for mart in &MARGIN_MARTS {
        assert_eq!(shape(mart), shape(daily), "{}", mart.name);
    }
}

#[test]
fn every_mart_says_in_its_head_what_it_means() {
    let mut names = BTreeSet::new();
    for mart in MARGIN_MARTS.iter().chain(&FINDING_MARTS) {
        assert!(names.insert(mart.name), "{} stands twice", mart.name);
        let head: Vec<&str> = mart.sql.lines().take_while(|line| line.starts_with("--")).collect();
        assert!(head.len() > 3, "{}: the head of the file says too little", mart.name);
        for key in mart.keys {
            assert!(mart.schema().field_with_name(key).is_ok(), "{}: {key}", mart.name);
        }
    }
}
