//! The demo's lake is made anew by each run, and nothing that the demo did not make is ever deleted.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::Context;

use crate::exit::Usage;

/// Tells the demo's lakes from others.
const MARKER: &str = ".marginlake-demo";

/// An empty folder with our marker, in place of an earlier demo's.
pub(super) fn prepare(lake: &Path) -> anyhow::Result<()> {
    let shown = lake.display();
    if lake.to_string_lossy().contains("://") {
        return Err(Usage(format!("--lake {shown}: the demo's lake is a local folder")).into());
    }
    let failed = || format!("cannot make the demo's lake in {shown}");
    match fs::read_dir(lake) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(failed),
        Ok(_) if lake.join(MARKER).exists() => fs::remove_dir_all(lake).with_context(failed)?,
        Ok(entries) => {
            if entries.count() == 0 {
                return mark(lake);
            }
            let why = "holds files that the demo did not make; name another folder, or remove this one yourself";
            return Err(Usage(format!("--lake {shown} {why}")).into());
        }
    }
    fs::create_dir_all(lake).with_context(failed)?;
    mark(lake)
}

fn mark(lake: &Path) -> anyhow::Result<()> {
    let text = "Made by `marginlake demo`, which replaces this folder on each run.\n";
    fs::write(lake.join(MARKER), text).with_context(|| format!("cannot write to {}", lake.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_the_demo_did_not_make_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("thesis.txt"), "five years of work").expect("written");
        let error = prepare(folder.path()).expect_err("refused");
        assert!(error.downcast_ref::<Usage>().is_some());
        assert!(folder.path().join("thesis.txt").exists());
    }

    #[test]
    fn an_earlier_demo_is_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        let lake = folder.path().join("deep/lake");
        prepare(&lake).expect("made");
        fs::create_dir(lake.join("spans")).expect("made");
        prepare(&lake).expect("made again");
        assert!(!lake.join("spans").exists() && lake.join(MARKER).exists());
    }

    #[test]
    fn a_remote_lake_is_refused() {
        assert!(prepare(Path::new("s3://bucket/lake")).is_err());
    }
}
