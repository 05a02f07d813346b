//! Writes the files of a report into a new folder and swaps it for the old one by one rename.
//!
//! A reader of `--out` sees the whole report before or the whole one after. A folder that holds something else is never
//! replaced.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::alerts::alerts;
use super::long_file::LongFile;
use super::markdown::markdown;
use super::page::html;
use super::summary::summary;
use super::workbook::write_workbook;
use super::writers::Writers;
use super::{ReportModel, Sheet};
use crate::report::{OutputFormat, ReportError};
use crate::shell::{Format, LongWriter, write_batch};

/// Tells our folders from others.
const MARKER: &str = ".marginlake-report";

/// A report on its way to `out`. Files of marts are begun as soon as their rows are made. What is dropped unfinished leaves
/// nothing behind.
pub struct Publication {
    out: PathBuf,
    formats: BTreeSet<OutputFormat>,
    /// Marts whose files are begun.
    begun: BTreeSet<&'static str>,
    /// Dropped before the folder that they write to.
    writers: Writers,
    /// No other run writes into it, not even one that takes this one for dead.
    fresh: TempDir,
}

impl Publication {
    /// Begins a new folder beside `out`; what a killed run left there goes.
    pub fn begin(out: &Path, formats: &[OutputFormat]) -> Result<Publication, ReportError> {
        check_ours(out)?;
        remove_left_over(out)?;
        let fresh = new_folder(out).map_err(failed(out))?;
        let marts = fresh.path().join("marts");
        fs::create_dir_all(&marts).map_err(failed(&marts))?;
        write(
            &fresh.path().join(MARKER),
            b"Written by `marginlake report`; replaced by each run.\n",
        )?;
        Ok(Publication {
            out: out.to_owned(),
            formats: formats.iter().copied().collect(),
            begun: BTreeSet::new(),
            writers: Writers::new(),
            fresh,
        })
    }

    /// The rows of a mart are final: its files can be written.
    pub(crate) fn made(&mut self, sheet: &Sheet) {
        if !self.begun.insert(sheet.name) {
            return;
        }
        let texts = [(OutputFormat::Csv, Format::Csv), (OutputFormat::Json, Format::Json)];
        let texts: Vec<Format> = texts
            .into_iter()
            .filter(|(wanted, _)| self.formats.contains(wanted))
            .map(|(_, format)| format)
            .collect();
        if !texts.is_empty() {
            let (folder, sheet) = (self.fresh.path().to_owned(), sheet.clone());
            self.writers.add(Box::new(move || rows(&folder, &sheet, &texts)));
        }
        let path = self.fresh.path().join("marts").join(format!("{}.parquet", sheet.name));
        let sheet = sheet.clone();
        self.writers.add(Box::new(move || parquet(&path, &sheet)));
    }

    /// Writes the rest and swaps the folder for an earlier report in `out`.
    pub(crate) fn finish(mut self, model: &ReportModel, sheets: &[Sheet]) -> Result<(), ReportError> {
        // The longest first: who comes last should not have to wait for it alone.
        let mut longest: Vec<&Sheet> = sheets.iter().collect();
        longest.sort_by_key(|sheet| std::cmp::Reverse(sheet.rows.rows()));
        longest.into_iter().for_each(|sheet| self.made(sheet));
        let folder = self.fresh.path();
        for format in &self.formats {
            match format {
                OutputFormat::Html => write(&folder.join("report.html"), html(model).as_bytes())?,
                OutputFormat::Md => {
                    write(&folder.join("report.md"), markdown(model).as_bytes())?;
                    write(&folder.join("summary.txt"), summary(model).as_bytes())?;
                }
                OutputFormat::Xlsx => xlsx(&folder.join("report.xlsx"), model, sheets)?,
                OutputFormat::Json => {
                    let text = serde_json::to_string_pretty(model).expect("a report is JSON: its keys are text");
                    write(&folder.join("report.json"), format!("{text}\n").as_bytes())?;
                    let text = serde_json::to_string_pretty(&alerts(model)).expect("alerts are JSON: they are text");
                    write(&folder.join("alerts.json"), format!("{text}\n").as_bytes())?;
                }
                OutputFormat::Csv => {}
            }
        }
        let Publication { out, writers, fresh, .. } = self;
        writers.finish()?;
        check_ours(&out)?;
        swap(fresh.path(), &out)
    }
}

impl fmt::Debug for Publication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publication").field("out", &self.out).finish_non_exhaustive()
    }
}

/// Fails if `out` holds what we did not write. Called before a run, so that it fails early, and again here.
pub(crate) fn check_ours(out: &Path) -> Result<(), ReportError> {
    let is_empty = match fs::read_dir(out) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
        Err(source) => {
            return Err(ReportError::Write {
                path: out.to_owned(),
                source,
            });
        }
    };
    if is_empty || out.join(MARKER).exists() {
        Ok(())
    } else {
        Err(ReportError::ForeignOut { path: out.to_owned() })
    }
}

/// The rows of a mart as text, read once for all formats.
fn rows(folder: &Path, sheet: &Sheet, formats: &[Format]) -> Result<(), ReportError> {
    let schema = sheet.rows.schema();
    let mut files = Vec::new();
    for format in formats {
        let path = folder.join(format!("{}.{}", sheet.name, format.name()));
        let file = LongFile::create(&path).map_err(failed(&path))?;
        files.push((LongWriter::new(file, &schema, *format), path));
    }
    for batch in sheet.rows.batches()? {
        // They are on one disk: an error of one is an error of all.
        write_batch(&batch?, files.iter_mut().map(|(file, _)| file)).map_err(failed(&files[0].1))?;
    }
    for (file, path) in files {
        let synced = file.finish().and_then(LongFile::finish);
        synced.map_err(failed(&path))?;
    }
    Ok(())
}

fn xlsx(path: &Path, model: &ReportModel, sheets: &[Sheet]) -> Result<(), ReportError> {
    let file = fs::File::create(path).map_err(failed(path))?;
    write_workbook(&file, model, sheets).map_err(|error| failed(path)(std::io::Error::other(error)))?;
    file.sync_all().map_err(failed(path))
}

fn parquet(path: &Path, sheet: &Sheet) -> Result<(), ReportError> {
    sheet.rows.write_parquet(path)?;
    let synced = fs::File::open(path).and_then(|file| file.sync_all());
    synced.map_err(failed(path))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), ReportError> {
    let mut file = fs::File::create(path).map_err(failed(path))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed(path))
}

fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> ReportError {
    let path = path.to_owned();
    move |source| ReportError::Write { path, source }
}

/// What `out` gets, beside it, so that a rename stays on one file system.
fn new_folder(out: &Path) -> std::io::Result<TempDir> {
    let parent = parent(out);
    fs::create_dir_all(parent)?;
    let prefix = new_prefix(out);
    let mut folder = tempfile::Builder::new();
    folder.prefix(&prefix);
    // Whoever may read what this user makes may read the report.
    #[cfg(unix)]
    folder.permissions(<fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o777));
    folder.tempdir_in(parent)
}

/// `reports` -> `.reports.new.`
fn new_prefix(out: &Path) -> String {
    format!(".{}.new.", name(out))
}

/// Folders of runs that were killed. One run at a time publishes to `out`.
fn remove_left_over(out: &Path) -> Result<(), ReportError> {
    let prefix = new_prefix(out);
    for entry in fs::read_dir(parent(out)).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(&prefix) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

fn parent(out: &Path) -> &Path {
    match out.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// Swaps two folders in one step where the system can; a missing or empty target is simply renamed over.
fn swap(fresh: &Path, out: &Path) -> Result<(), ReportError> {
    if fs::rename(fresh, out).is_ok() {
        return Ok(());
    }
    exchange(fresh, out).map_err(failed(out))
}

#[cfg(target_os = "linux")]
fn exchange(fresh: &Path, out: &Path) -> std::io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    match renameat_with(CWD, fresh, CWD, out, RenameFlags::EXCHANGE) {
        Ok(()) => Ok(()),
        // Some network file systems cannot exchange.
        Err(_) => replace_in_two_steps(fresh, out),
    }
}

#[cfg(not(target_os = "linux"))]
fn exchange(fresh: &Path, out: &Path) -> std::io::Result<()> {
    replace_in_two_steps(fresh, out)
}

/// For a moment there is no report; never half of one.
fn replace_in_two_steps(fresh: &Path, out: &Path) -> std::io::Result<()> {
    let old = out.with_file_name(format!(".{}.old", name(out)));
    if old.exists() {
        fs::remove_dir_all(&old)?;
    }
    fs::rename(out, &old)?;
    fs::rename(fresh, out)?;
    fs::remove_dir_all(&old)
}

fn remove(folder: &Path) -> Result<(), ReportError> {
    match fs::remove_dir_all(folder) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(ReportError::Write {
            path: folder.to_owned(),
            source,
        }),
        _ => Ok(()),
    }
}

fn name(out: &Path) -> String {
    out.file_name()
        .map_or_else(|| "report".to_owned(), |name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, RecordBatch};

    use super::*;

    fn sheet() -> Sheet {
        let column = Arc::new(Int64Array::from(vec![1, 2])) as ArrayRef;
        Sheet::of("some_mart", RecordBatch::try_from_iter([("calls", column)]).unwrap())
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<String> = entries.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_is_dropped_unfinished_and_what_a_killed_run_left_go_and_the_earlier_report_stays() {
        let folder = TempDir::new().unwrap();
        let out = folder.path().join("reports");
        fs::create_dir(&out).unwrap();
        fs::write(out.join(MARKER), "").unwrap();
        fs::create_dir_all(folder.path().join(".reports.new.killed/marts")).unwrap();
        let mut publication = Publication::begin(&out, &[OutputFormat::Csv]).unwrap();
        publication.made(&sheet());
        let during = names(folder.path());
        assert!(during.len() == 2 && during[0].starts_with(".reports.new."), "{during:?}");
        assert!(!during.contains(&".reports.new.killed".to_owned()), "{during:?}");
        drop(publication);
        assert_eq!(names(folder.path()), ["reports"]);
        assert_eq!(names(&out), [MARKER]);
    }

    #[test]
    fn a_run_that_was_taken_for_dead_does_not_write_into_the_folder_of_the_next() {
        let folder = TempDir::new().unwrap();
        let out = folder.path().join("reports");
        let mut asleep = Publication::begin(&out, &[OutputFormat::Csv]).unwrap();
        let next = Publication::begin(&out, &[OutputFormat::Csv]).unwrap();
        asleep.made(&sheet());
        let Publication { writers, .. } = asleep;
        writers.finish().expect_err("its folder is gone");
        let made = names(next.fresh.path());
        assert_eq!(made, [MARKER, "marts"]);
    }

    #[cfg(unix)]
    #[test]
    fn who_may_read_what_this_user_makes_may_read_the_report() {
        use std::os::unix::fs::PermissionsExt;
        let folder = TempDir::new().unwrap();
        let usual = folder.path().join("usual");
        fs::create_dir(&usual).unwrap();
        let publication = Publication::begin(&folder.path().join("reports"), &[]).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(publication.fresh.path()), mode(&usual));
    }
}
