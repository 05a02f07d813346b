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
