//! Each preset on a file as its system writes it, and the mapping language on files that no preset knows.

mod billing;
mod language;
mod stores;
mod stripe;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::revenue::policy::{Policies, StoreFees};
use crate::revenue::{Loaded, RevenueInputs, RevenueLine, load};

/// Files by name; those named in `joins` are second files.
struct Case<'a> {
    files: &'a [(&'a str, &'a str)],
    joins: &'a [(&'a str, &'a str)],
    mapping: Option<&'a str>,
    policies: Policies,
}

fn case<'a>(files: &'a [(&'a str, &'a str)]) -> Case<'a> {
    Case {
        files,
        joins: &[],
        mapping: None,
        policies: Policies::default(),
    }
}

impl Case<'_> {
    fn load(&self) -> Result<Loaded, String> {
        let folder = TempDir::new().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let inputs = RevenueInputs {
            files: self.files.iter().map(|(name, text)| write(name, text)).collect(),
            joins: self
                .joins
                .iter()
                .map(|(key, text)| ((*key).to_owned(), write(&format!("{key}.csv"), text)))
                .collect(),
            mappings: self.mapping.iter().map(|text| write("mapping.toml", text)).collect(),
            policies: self.policies.clone(),
        };
        load(&inputs).map_err(|error| error.to_string())
    }

    #[track_caller]
    fn check(&self, expected: &[&str]) -> Loaded {
        let loaded = self.load().unwrap();
        let of = |line: &RevenueLine| {
            format!(
                "{} {} {} {} {} {}+{}",
                line.line_id,
                line.ids().next().unwrap_or("-"),
                line.kind.as_deref().unwrap_or("-"),
                line.amount,
                line.currency,
                &line.period.start.to_rfc3339()[..10],
                line.period.days()
            )
        };
        let mut shown: Vec<String> = loaded.lines.iter().map(of).collect();
        shown.extend(loaded.costs.iter().map(|line| format!("cost {}", of(line))));
        shown.extend(
            loaded
                .report
                .excluded()
                .iter()
                .map(|(reason, count)| format!("excluded {reason} {count}")),
        );
        assert_eq!(shown, expected);
        loaded
    }
}

fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(path)
}

#[test]
fn every_preset_is_valid_and_named_as_its_file() {
    for (name, title) in crate::revenue::presets::names() {
        let text = crate::revenue::presets::text(name).unwrap_or_else(|| panic!("{name} is not the name of its file"));
        assert!(!title.is_empty() && text.starts_with('#'), "{name}");
    }
}
