//! The built-in catalogue is what the importer makes of its sources, and nothing else.

use std::fs;

use marginlake_pricing::import::{Corrections, Import};
use marginlake_pricing::{Catalogue, loader};

use crate::fixtures::{crate_folder, litellm, seed};

#[test]
fn the_reviewable_files_are_the_embedded_catalogue() {
    let folder = loader::read(&crate_folder().join("catalogue")).expect("the folder is a catalogue");
    assert!(folder == *Catalogue::embedded().document(), "run the example build_catalogue");
}

#[test]
fn the_embedded_catalogue_is_made_of_its_sources_and_our_corrections() {
    let mut import = Import::from_genai_prices(&seed()).expect("the seed is well formed");
    import.add_litellm_gaps(&litellm()).expect("the map is well formed");
    let corrections = fs::read_to_string(crate_folder().join("catalogue/corrections.toml")).expect("the corrections");
    import
        .correct(&Corrections::parse(&corrections).expect("well formed"))
        .expect("each matches something");
    assert!(
        import.document == *Catalogue::embedded().document(),
        "run the example build_catalogue"
    );
}

#[test]
fn the_hash_names_the_canonical_form() {
    let embedded = Catalogue::embedded();
    let again = Catalogue::new(embedded.document().clone()).expect("valid");
    assert_eq!(embedded.hash(), again.hash());
    assert_eq!(embedded.hash().len(), 64);
}

#[test]
fn a_correction_that_matches_nothing_is_refused() {
    let mut import = Import::from_genai_prices(&seed()).expect("the seed is well formed");
    let text = "[[minimum]]\nprovider = \"groq\"\nmodels = [\"gone\"]\nminimum = { audio_seconds = 1 }\nnote = \"n\"\n";
    assert!(import.correct(&Corrections::parse(text).expect("well formed")).is_err());
}
