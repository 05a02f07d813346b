//! Completion at the prompt: SQL words, tables and columns of the lake.

use rustyline::completion::{Completer, Pair};
use rustyline::{Context, Helper, Highlighter, Hinter, Validator};

const WORDS: [&str; 40] = [
    "SELECT",
    "FROM",
    "WHERE",
    "GROUP BY",
    "ORDER BY",
    "HAVING",
    "LIMIT",
    "JOIN",
    "LEFT JOIN",
    "ON",
    "USING",
    "AS",
    "AND",
    "OR",
    "NOT",
    "IN",
    "IS NULL",
    "IS NOT NULL",
    "BETWEEN",
    "LIKE",
    "CASE",
    "WHEN",
    "THEN",
    "ELSE",
    "END",
    "WITH",
    "UNION ALL",
    "DISTINCT",
    "COUNT",
    "SUM",
    "MIN",
    "MAX",
    "DATE",
    "DESC",
    "ASC",
    "COALESCE",
    "EXPLAIN",
    "SHOW TABLES",
    "DESCRIBE",
    "CAST",
];

/// Completes the word before the cursor.
#[derive(Helper, Highlighter, Hinter, Validator)]
pub(super) struct Names {
    names: Vec<String>,
}

impl Names {
    /// `names` are tables and columns.
    pub(super) fn new(names: impl IntoIterator<Item = String>) -> Self {
        let mut names: Vec<String> = names.into_iter().chain(WORDS.map(str::to_owned)).collect();
        names.sort();
        names.dedup();
        Self { names }
    }

    fn matching(&self, word: &str) -> Vec<Pair> {
        let lower = word.to_ascii_lowercase();
        let starts = |name: &&String| name.to_ascii_lowercase().starts_with(&lower);
        let pair = |name: &String| Pair {
            display: name.clone(),
            replacement: name.clone(),
        };
        self.names.iter().filter(starts).map(pair).collect()
    }
}

impl Completer for Names {
    type Candidate = Pair;

    fn complete(&self, line: &str, position: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let before = &line[..position];
        let start = before
            .rfind(|c: char| !(c.is_alphanumeric() || c == '_'))
            .map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
        let word = &before[start..];
        let found = if word.is_empty() { Vec::new() } else { self.matching(word) };
        Ok((start, found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_columns_and_words_are_offered_whatever_the_case() {
        let names = Names::new(["calls".to_owned(), "cost_usd".to_owned()]);
        let offered = |word| {
            names
                .matching(word)
                .into_iter()
                .map(|pair| pair.replacement)
                .collect::<Vec<_>>()
        };
        assert_eq!(offered("ca"), ["CASE", "CAST", "calls"]);
        assert_eq!(offered("cost_"), ["cost_usd"]);
    }
}
