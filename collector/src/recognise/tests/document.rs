//! `docs/conventions.md` says what the profiles say. With `MARGINLAKE_WRITE_DOCS=1` the test writes the page's tables.

use std::fs;
use std::path::{Path, PathBuf};

use marginlake_lake::schema::Dimension;

use crate::recognise::attribution::Told;
use crate::recognise::profile::{CacheSplit, InputMode, OutputMode, Profile};
use crate::recognise::profiles;

fn page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/conventions.md")
}

fn row(profile: &Profile) -> String {
    let input = match profile.input {
        InputMode::Unknown => "inside, assumed",
        InputMode::Inclusive => "inside",
        InputMode::Exclusive => "beside",
        InputMode::ExclusiveForAnthropic => "as provider",
        InputMode::TotalTells => "as its total says",
    };
    let reasoning = match profile.output {
        OutputMode::Inside => "inside",
        OutputMode::Beside => "beside",
        OutputMode::Unknown | OutputMode::Raw => "as provider",
    };
    let split = match profile.split {
        CacheSplit::Reported => "none",
        CacheSplit::ReadsOnly => "none read, writes unknown",
        CacheSplit::Unknown | CacheSplit::Never => "unknown",
    };
    format!(
        "| {} | `{}` | {input} | {split} | {reasoning} | {} | {} |\n",
        profile.emitter, profile.id, profile.cannot, profile.fix
    )
}

fn emitters() -> String {
    let mut rows: Vec<String> = profiles().map(row).collect();
    rows.sort_by_key(|row| row.to_lowercase());
    let head = "| Emitter | `convention` | Cached tokens | No count | Reasoning | It cannot tell | What helps |\n\
                | --- | --- | --- | --- | --- | --- | --- |\n";
    format!("{head}{}", rows.concat())
}

fn attribution() -> String {
    let list = |names: &[&str]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let rows: String = Dimension::ALL
        .into_iter()
        .map(|dimension| {
            format!(
                "| `{}` | {} ({}) |\n",
                dimension.column(),
                list(dimension.defaults()),
                list(dimension.metadata_names())
            )
        })
        .collect();
    format!("| Column | Attributes, the first that is present |\n| --- | --- |\n{rows}")
}

#[test]
fn the_page_says_what_the_profiles_say() {
    let mut text = fs::read_to_string(page()).expect("the page is part of the repository");
    for (name, table) in [("emitters", emitters()), ("attribution", attribution())] {
        let (open, close) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
        let start = text.find(&open).expect("the page has a place for the table") + open.len();
        let end = text.find(&close).expect("the page has an end of the table");
        if std::env::var_os("MARGINLAKE_WRITE_DOCS").is_some() {
            text.replace_range(start..end, &table);
        } else {
            assert_eq!(
                &text[start..end],
                table,
                "run the test with MARGINLAKE_WRITE_DOCS=1 to write the table"
            );
        }
    }
    if std::env::var_os("MARGINLAKE_WRITE_DOCS").is_some() {
        fs::write(page(), text).expect("the page is writable");
    }
}

#[test]
fn every_profile_has_its_own_id_and_something_to_say() {
    let mut ids: Vec<_> = profiles().map(|profile| profile.id).collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "two profiles share an id");
    for profile in profiles() {
        assert!(!profile.cannot.is_empty() && !profile.fix.is_empty(), "{}", profile.id);
    }
}
