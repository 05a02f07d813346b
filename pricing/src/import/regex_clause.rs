//! Match clauses of genai-prices as our patterns.
//!
//! Its regular expressions are few in kind: literals with digits, small alternations and two look-aheads. Each
//! becomes globs that a reviewer can read and that match without a regex engine. What is of another kind is kept
//! as a regular expression, if Rust's engine takes it, and reported.

use serde::Deserialize;

use crate::document::{CompoundPattern, PatternEntry, RegexPattern};

/// A clause as genai-prices writes it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Clause {
    Or(Vec<Clause>),
    And(Vec<Clause>),
    Equals(String),
    StartsWith(String),
    EndsWith(String),
    Contains(String),
    Regex(String),
}

/// The look-aheads that mean "and not": expression, then the globs that must not match.
const LOOK_AHEADS: [(&str, &[&str]); 2] = [
    ("^(?!.*-[tT][tT][sS](?:$|-))", &["*-tts", "*-tts-*"]),
    ("^(?![^/]+/)", &["*/*"]),
];

/// The patterns of a clause (any of which may match), and the regular expressions that had to stay.
pub(super) fn patterns(clause: &Clause) -> Result<(Vec<PatternEntry>, Vec<String>), String> {
    let (mut entries, mut kept) = (Vec::new(), Vec::new());
    collect(clause, &mut entries, &mut kept)?;
    Ok((entries, kept))
}

fn collect(clause: &Clause, entries: &mut Vec<PatternEntry>, kept: &mut Vec<String>) -> Result<(), String> {
    match clause {
        Clause::Or(clauses) => clauses.iter().try_for_each(|clause| collect(clause, entries, kept)),
        Clause::And(clauses) => {
            entries.push(PatternEntry::Compound(conjunction(clauses)?));
            Ok(())
        }
        Clause::Regex(regex) => match expand(regex) {
            Some((globs, none)) => {
                for glob in globs {
                    entries.push(match none {
                        [] => PatternEntry::Glob(glob),
                        none => PatternEntry::Compound(CompoundPattern {
                            all: vec![glob],
                            none: owned(none),
                        }),
                    });
                }
                Ok(())
            }
            None => {
                regex::Regex::new(regex).map_err(|error| error.to_string())?;
                kept.push(regex.clone());
                entries.push(PatternEntry::Regex(RegexPattern { regex: regex.clone() }));
                Ok(())
            }
        },
        literal => {
            entries.push(PatternEntry::Glob(glob(literal)?));
            Ok(())
        }
    }
}

fn glob(clause: &Clause) -> Result<String, String> {
    Ok(match clause {
        Clause::Equals(text) => text.to_lowercase(),
        Clause::StartsWith(text) => format!("{}*", text.to_lowercase()),
        Clause::EndsWith(text) => format!("*{}", text.to_lowercase()),
        Clause::Contains(text) => format!("*{}*", text.to_lowercase()),
        other => return Err(format!("cannot write {other:?} as one pattern")),
    })
}

fn conjunction(clauses: &[Clause]) -> Result<CompoundPattern, String> {
    let mut compound = CompoundPattern::default();
    for clause in clauses {
        match clause {
            Clause::Regex(regex) => match LOOK_AHEADS.iter().find(|(expression, _)| expression == regex) {
                Some((_, none)) => compound.none.extend(owned(none)),
                None => {
                    return Err(format!("cannot write the regular expression {regex:?} as part of an and"));
                }
            },
            literal => compound.all.push(glob(literal)?),
        }
    }
    Ok(compound)
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// The globs that together match what the expression matches, and the globs that must not.
fn expand(regex: &str) -> Option<(Vec<String>, &'static [&'static str])> {
    let (body, none) = match LOOK_AHEADS.iter().find(|(expression, _)| regex.starts_with(expression)) {
        Some((expression, none)) => (&regex[expression.len()..], *none),
        None => (regex.strip_prefix('^')?, &[][..]),
    };
    let (body, ending) = match body.strip_suffix('$') {
        Some(body) => (body, ""),
        None => (body, "**"),
    };
    let alternatives = expand_sequence(body)?;
    (alternatives.len() <= 64).then(|| (alternatives.into_iter().map(|text| text + ending).collect(), none))
}

fn expand_sequence(mut rest: &str) -> Option<Vec<String>> {
    let mut results = vec![String::new()];
    while let Some(first) = rest.chars().next() {
        let (choices, after) = match first {
            '\\' => {
                let escaped = rest[1..].chars().next()?;
                let after = &rest[1 + escaped.len_utf8()..];
                match escaped {
                    'd' => (vec!["#".to_owned()], after),
                    'w' | 's' | 'b' | 'D' | 'W' | 'S' | 'B' => return None,
                    literal => (vec![literal.to_string()], after),
                }
            }
            '(' => {
                let close = closing(rest)?;
                let inner = rest[1..close].strip_prefix("?:").unwrap_or(&rest[1..close]);
                if inner.starts_with('?') {
                    return None;
                }
                let mut choices = Vec::new();
                for branch in branches(inner) {
                    choices.extend(expand_sequence(branch)?);
                }
                (choices, &rest[close + 1..])
            }
            '[' => {
                let close = rest.find(']')?;
                let class = &rest[1..close];
                if class.contains(['\\', '^']) || (class.len() > 1 && class[1..class.len() - 1].contains('-')) {
                    return None;
                }
                (class.chars().map(String::from).collect(), &rest[close + 1..])
            }
            '.' | '*' | '+' | '?' | '|' | '{' | '}' | '^' | '$' | ')' | ']' | '#' => return None,
            literal => (vec![literal.to_lowercase().to_string()], &rest[literal.len_utf8()..]),
        };
        let (choices, after) = repeat(choices, after)?;
        results = results
            .iter()
            .flat_map(|head| choices.iter().map(move |tail| format!("{head}{tail}")))
            .collect();
        rest = after;
    }
    Some(results)
}

/// Applies `?` or `{n}` where one follows.
fn repeat(mut choices: Vec<String>, after: &str) -> Option<(Vec<String>, &str)> {
    if let Some(after) = after.strip_prefix('?') {
        choices.push(String::new());
        return Some((choices, after));
    }
    if let Some(count) = after.strip_prefix('{') {
        let close = count.find('}')?;
        let times: usize = count[..close].parse().ok()?;
        let [only] = choices.as_slice() else {
            return None;
        };
        return (times <= 32).then(|| (vec![only.repeat(times)], &count[close + 1..]));
    }
    Some((choices, after))
}

/// The index of the parenthesis that closes the first one.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' if depth == 1 => return Some(index),
            b')' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// The alternatives of a group, split at the bars outside inner groups.
fn branches(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0_usize, 0);
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            b'|' if depth == 0 => {
                parts.push(&text[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seeds_expressions_become_globs() {
        for (regex, globs) in [
            (
                r"^claude-opus-5[-@]\d{8}$",
                vec!["claude-opus-5-########", "claude-opus-5@########"],
            ),
            (r"^gemini-3\.5-flash-\d", vec!["gemini-3.5-flash-#**"]),
            (r"^composer-2\.5\[fast=true\]$", vec!["composer-2.5[fast=true]"]),
            (r"^o[134]", vec!["o1**", "o3**", "o4**"]),
            (
                r"^(typesafe/)?jev-1\.14(-\d{2})?$",
                vec!["typesafe/jev-1.14-##", "typesafe/jev-1.14", "jev-1.14-##", "jev-1.14"],
            ),
        ] {
            let (expanded, none) = expand(regex).expect("a known kind");
            assert_eq!(expanded, globs, "{regex}");
            assert!(none.is_empty());
        }
    }

    #[test]
    fn a_look_ahead_becomes_and_not() {
        let (globs, none) = expand(r"^(?![^/]+/)(?:labs-)?(?:mi|code)stral").expect("a known kind");
        assert_eq!(globs, ["labs-mistral**", "labs-codestral**", "mistral**", "codestral**"]);
        assert_eq!(none, ["*/*"]);
    }

    #[test]
    fn other_kinds_stay_expressions() {
        assert_eq!(expand(r"^gpt-.+-preview$"), None);
        assert_eq!(expand(r"gpt"), None);
        let (entries, kept) = patterns(&Clause::Regex("^gpt-.+$".to_owned())).expect("valid");
        assert_eq!((entries.len(), kept.len()), (1, 1));
    }
}
