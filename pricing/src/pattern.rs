//! Patterns of model names, and how they match. Always against the lower-cased name, and always anchored.
//!
//! | text | matches |
//! | --- | --- |
//! | `gpt-5.5` | that name |
//! | `gpt-5.5-####-##-##` | `#` is one digit |
//! | `claude-sonnet-4-5*` | the name and what continues it at a separator: `-20250929`, `@default`, not `0` |
//! | `claude-sonnet-4-5**` | whatever begins so |
//! | `*opus-5` , `*opus-5-v1*` | whatever ends so; whatever contains it |
//!
//! The separator rule is ours: a plain prefix would price `claude-opus-4-10` as `claude-opus-4-1`. A date may
//! go on inside its digits: `claude-sonnet-4-2025*` is meant to match `claude-sonnet-4-20250514`.

use std::sync::OnceLock;

use crate::document::PatternEntry;

/// A compiled pattern.
#[derive(Debug)]
pub(crate) enum Pattern {
    Equals(Box<str>),
    Prefix(Box<str>),
    AnyPrefix(Box<str>),
    Suffix(Box<str>),
    Contains(Box<str>),
    Glob(Box<str>),
    Compound {
        all: Vec<Pattern>,
        none: Vec<Pattern>,
    },
    Regex {
        text: Box<str>,
        compiled: OnceLock<Option<regex::Regex>>,
    },
}

/// Why a pattern is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// An empty pattern, or one that matches every name.
    #[error("the pattern {0:?} would match every name")]
    MatchesEverything(String),
    /// The regular expression does not compile.
    #[error("the regular expression {regex:?} is not valid: {reason}")]
    Regex {
        /// The expression.
        regex: String,
        /// What the parser says.
        reason: String,
    },
}

impl Pattern {
    pub(crate) fn new(entry: &PatternEntry) -> Result<Self, PatternError> {
        match entry {
            PatternEntry::Glob(text) => Self::glob(text),
            PatternEntry::Compound(compound) => {
                let each = |texts: &[String]| texts.iter().map(|text| Self::glob(text)).collect::<Result<Vec<_>, _>>();
                if compound.all.is_empty() {
                    return Err(PatternError::MatchesEverything(format!("{compound:?}")));
                }
                Ok(Self::Compound {
                    all: each(&compound.all)?,
                    none: each(&compound.none)?,
                })
            }
            PatternEntry::Regex(pattern) => Ok(Self::Regex {
                text: pattern.regex.as_str().into(),
                compiled: OnceLock::new(),
            }),
        }
    }

    /// Compiles what is otherwise compiled on first use, so that a mistake is found when a file is checked.
    pub(crate) fn validate(entry: &PatternEntry) -> Result<(), PatternError> {
        if let PatternEntry::Regex(pattern) = entry {
            regex::Regex::new(&pattern.regex).map_err(|error| PatternError::Regex {
                regex: pattern.regex.clone(),
                reason: error.to_string(),
            })?;
        }
        Self::new(entry).map(|_| ())
    }

    pub(crate) fn glob(text: &str) -> Result<Self, PatternError> {
        let folded = text.trim().to_lowercase();
        let body = folded.trim_matches('*');
        if body.is_empty() {
            return Err(PatternError::MatchesEverything(text.to_owned()));
        }
        if body.contains(['*', '#']) {
            return Ok(Self::Glob(folded.into()));
        }
        let boxed: Box<str> = body.into();
        Ok(
            match (folded.starts_with('*'), folded.ends_with("**"), folded.ends_with('*')) {
                (false, _, false) => Self::Equals(boxed),
                (false, true, _) => Self::AnyPrefix(boxed),
                (false, false, true) => Self::Prefix(boxed),
                (true, _, false) => Self::Suffix(boxed),
                (true, _, true) => Self::Contains(boxed),
            },
        )
    }

    /// Whether the pattern matches a name that is already trimmed and lower-cased.
    pub(crate) fn matches(&self, name: &str) -> bool {
        match self {
            Self::Equals(text) => name == &**text,
            Self::Prefix(text) => name.starts_with(&**text) && continues_at_separator(text, &name[text.len()..]),
            Self::AnyPrefix(text) => name.starts_with(&**text),
            Self::Suffix(text) => name.ends_with(&**text),
            Self::Contains(text) => name.contains(&**text),
            Self::Glob(text) => glob_matches(text.as_bytes(), name.as_bytes()),
            Self::Compound { all, none } => {
                all.iter().all(|pattern| pattern.matches(name)) && !none.iter().any(|pattern| pattern.matches(name))
            }
            Self::Regex { text, compiled } => compiled
                .get_or_init(|| regex::Regex::new(text).ok())
                .as_ref()
                .is_some_and(|regex| regex.is_match(name)),
        }
    }
}

/// Whether `rest` continues `prefix` without lengthening its last word or number.
fn continues_at_separator(prefix: &str, rest: &str) -> bool {
    let (Some(last), Some(next)) = (prefix.bytes().last(), rest.bytes().next()) else {
        return true;
    };
    if !last.is_ascii_alphanumeric() || !next.is_ascii_alphanumeric() {
        return true;
    }
    if !last.is_ascii_digit() || !next.is_ascii_digit() {
        return false;
    }
    let digits_before = prefix.bytes().rev().take_while(u8::is_ascii_digit).count();
    let digits_after = rest.bytes().take_while(u8::is_ascii_digit).count();
    matches!(digits_before + digits_after, 4 | 6 | 8)
}

/// `*` is any run of bytes, `#` one digit, all else itself.
fn glob_matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(b'#') if name[n].is_ascii_digit() => (p, n) = (p + 1, n + 1),
            Some(&byte) if byte == name[n] && byte != b'#' => (p, n) = (p + 1, n + 1),
            _ => match star {
                Some((at, from)) => {
                    (p, n) = (at + 1, from + 1);
                    star = Some((at, from + 1));
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&byte| byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_anchored_and_ends_at_a_separator() {
        for (pattern, name, expected) in [
            ("gpt-5.5", "gpt-5.5", true),
            ("gpt-5.5", "gpt-5.5-pro", false),
            ("gpt-5.5-####-##-##", "gpt-5.5-2026-04-23", true),
            ("gpt-5.5-####-##-##", "gpt-5.5-2026-04-2x", false),
            ("claude-opus-4-1*", "claude-opus-4-1-20250805", true),
            ("claude-opus-4-1*", "claude-opus-4-1@20250805", true),
            ("claude-opus-4-1*", "claude-opus-4-10", false),
            ("claude-sonnet-4-2025*", "claude-sonnet-4-20250514", true),
            ("gpt-4o-realtime*", "gpt-4o-realtimer", false),
            ("gpt-4o-realtime**", "gpt-4o-realtimer", true),
            ("*claude-opus-5", "eu.anthropic.claude-opus-5", true),
            ("*claude-opus-5", "claude-opus-5-5", false),
            ("*opus-5-v1*", "us.anthropic.claude-opus-5-v1:0", true),
            ("a*c#", "abbc7", true),
            ("a*c#", "abbcx", false),
        ] {
            let compiled = Pattern::glob(pattern).expect("a pattern");
            assert_eq!(compiled.matches(name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn a_pattern_that_matches_everything_is_refused() {
        for text in ["", "*", "**", "  "] {
            assert!(Pattern::glob(text).is_err(), "{text:?}");
        }
    }
}
