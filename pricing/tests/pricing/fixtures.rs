//! The files under `tests/fixtures`, read.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;

pub(crate) fn crate_folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn fixture(name: &str) -> PathBuf {
    crate_folder().join("tests/fixtures").join(name)
}

pub(crate) fn seed() -> String {
    unpacked("genai-prices-0.2.3.seed.json.gz")
}

pub(crate) fn litellm() -> String {
    unpacked("litellm-1.109.1.model_prices_and_context_window_backup.json.gz")
}

fn unpacked(name: &str) -> String {
    let mut text = String::new();
    let file = File::open(fixture(name)).expect("the fixture exists");
    GzDecoder::new(file)
        .read_to_string(&mut text)
        .expect("the fixture is gzipped text");
    text
}
