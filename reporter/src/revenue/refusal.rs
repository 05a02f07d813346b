//! Why a file is refused: always the file, the line, the column, the value and what to write instead.
//!
//! A file is refused whole, before anything is written, with its first complaints together.

use std::fmt;
use std::path::PathBuf;

/// Complaints shown of one file; the rest is counted.
const SHOWN: usize = 20;
/// Longest piece of a value that is quoted back.
const QUOTED: usize = 80;

/// One complaint about one place of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// File as the run knows it.
    pub file: String,
    /// Line in the file, from 1.
    pub line: u64,
    /// Column, where one is to blame.
    pub column: Option<String>,
    /// What stands there.
    pub value: Option<String>,
    /// Completes the sentence "`value` ...".
    pub reason: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.file, self.line)?;
        if let Some(column) = &self.column {
            write!(f, "column {column}: ")?;
        }
        if let Some(value) = &self.value {
            let mut shown: String = value.chars().take(QUOTED).collect();
            if shown.len() < value.len() {
                shown.push('…');
            }
            write!(f, "{shown:?} ")?;
        }
        f.write_str(&self.reason)
    }
}

/// Why revenue could not be read.
#[derive(Debug, thiserror::Error)]
pub enum RevenueError {
    /// The file cannot be read at all.
    #[error("cannot read {}", path.display())]
    Read {
        /// As given by the user.
        path: PathBuf,
        /// From the file system.
        #[source]
        source: std::io::Error,
    },
    /// The file was read and something in it is not acceptable.
    #[error("{0}")]
    Refused(Refusals),
    /// A mapping file that is not one.
    #[error("{0}")]
    Mapping(String),
    /// A key of `--revenue-join` that no source knows.
    #[error("--revenue-join {key}=...: unknown key, known are {known}")]
    UnknownJoin {
        /// As given by the user.
        key: String,
        /// Keys that sources read.
        known: String,
    },
}

impl RevenueError {
    /// True if what the user passed is wrong (exit code 2), not what the file says (exit code 1).
    pub fn is_usage(&self) -> bool {
        match self {
            RevenueError::UnknownJoin { .. } | RevenueError::Mapping(_) => true,
            RevenueError::Read { source, .. } => source.kind() == std::io::ErrorKind::NotFound,
            RevenueError::Refused(_) => false,
        }
    }
}

impl From<Refusal> for RevenueError {
    fn from(refusal: Refusal) -> RevenueError {
        let mut refusals = Refusals::default();
        refusals.push(refusal);
        RevenueError::Refused(refusals)
    }
}

/// The complaints about one or more files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refusals {
    shown: Vec<Refusal>,
    more: usize,
}

impl Refusals {
    /// Adds one, keeping the first ones.
    pub fn push(&mut self, refusal: Refusal) {
        if self.shown.len() < SHOWN {
            self.shown.push(refusal);
        } else {
            self.more += 1;
        }
    }

    /// True if there is nothing to complain about.
    pub fn is_empty(&self) -> bool {
        self.shown.is_empty()
    }

    /// The first complaints.
    pub fn shown(&self) -> &[Refusal] {
        &self.shown
    }

    /// Fails if there is any complaint.
    pub fn into_result(self) -> Result<(), RevenueError> {
        if self.is_empty() {
            Ok(())
        } else {
            Err(RevenueError::Refused(self))
        }
    }
}

impl fmt::Display for Refusals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, refusal) in self.shown.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{refusal}")?;
        }
        if self.more > 0 {
            write!(f, "\nand {} more", self.more)?;
        }
        Ok(())
    }
}
