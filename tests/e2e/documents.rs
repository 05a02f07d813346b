//! Documents name what exists.

use std::path::Path;

#[test]
fn every_path_that_the_architecture_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for document in ["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md", "NOTICE"] {
        let text = std::fs::read_to_string(root.join(document)).expect("the document");
        let named = text
            .split(['`', '(', ')', ' ', '\n', ',', ';', ':'])
            .map(|word| word.trim_end_matches('.'));
        let rooms = [
            "pricing/",
            "lake/",
            "collector/",
            "reporter/",
            "src/",
            "tests/",
            "examples/",
            "docs/",
            "ci/",
        ];
        for path in named.filter(|word| rooms.iter().any(|room| word.starts_with(room))) {
            assert!(root.join(path).exists(), "{document} names {path}, which does not exist");
        }
    }
}

#[test]
fn every_test_that_the_conformance_table_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("docs/otlp.md")).expect("the table");
    let mut sources = Vec::new();
    let mut folders = vec![root.join("tests/e2e"), root.join("collector/src")];
    while let Some(folder) = folders.pop() {
        for found in std::fs::read_dir(&folder).expect("a folder") {
            let path = found.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let stem = path.file_stem().expect("a name").to_string_lossy().into_owned();
                sources.push((stem, std::fs::read_to_string(&path).unwrap_or_default()));
            }
        }
    }
    let named = text.split('`').filter_map(|word| word.split_once("::"));
    let mut count = 0;
    for (file, test) in named.filter(|(file, _)| *file != "file") {
        let exists = |(stem, source): &(String, String)| stem == file && source.contains(&format!("fn {test}("));
        assert!(
            sources.iter().any(exists),
            "docs/otlp.md names {file}::{test}, which does not exist"
        );
        count += 1;
    }
    assert!(count > 30, "{count} tests are named");
}
