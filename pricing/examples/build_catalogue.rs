//! Makes the files under `catalogue/` from the seeds: `cargo run -p marginlake-pricing --example build_catalogue --
//! genai-prices.seed.json [litellm.json]`. `marginlake prices import` does the same for users.

use std::error::Error;
use std::path::Path;

use marginlake_pricing::import::{Corrections, Import};
use marginlake_pricing::loader;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("catalogue");
    let mut arguments = std::env::args().skip(1);
    let seed = arguments
        .next()
        .ok_or("expected the genai-prices seed as the first argument")?;
    let mut import = Import::from_genai_prices(&loader::read_text(Path::new(&seed))?)?;
    if let Some(litellm) = arguments.next() {
        import.add_litellm_gaps(&loader::read_text(Path::new(&litellm))?)?;
    }
    import.correct(&Corrections::parse(&loader::read_text(&folder.join("corrections.toml"))?)?)?;
    loader::write(&import.document, &folder)?;
    let report = import.notes.join("\n") + "\n";
    std::fs::write(folder.join("IMPORT.txt"), report)?;
    Ok(())
}
