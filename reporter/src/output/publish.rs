//! Writes the files of a report into a new folder and swaps it for the old one by one rename.
//!
//! A reader of `--out` sees the whole report before or the whole one after. A folder that holds something else is never
//! replaced.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::alerts::alerts;
use super::markdown::markdown;
use super::page::html;
use super::summary::summary;
use super::workbook::write_workbook;
use super::{ReportModel, Sheet};
use crate::report::{OutputFormat, ReportError};
use crate::shell::{Format, write_long};

/// Tells our folders from others.
const MARKER: &str = ".marginlake-report";
/// Files that are written at a time at the most.
const MOST_AT_A_TIME: usize = 8;

/// Writes the report to `out`, replacing an earlier report there.
pub fn publish(out: &Path, formats: &[OutputFormat], model: &ReportModel, sheets: &[Sheet]) -> Result<(), ReportError> {
    check_ours(out)?;
    let fresh = sibling(out, "new");
    remove(&fresh)?;
    write_all(&fresh, formats, model, sheets)?;
    swap(&fresh, out)
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

fn write_all(folder: &Path, formats: &[OutputFormat], model: &ReportModel, sheets: &[Sheet]) -> Result<(), ReportError> {
    let marts = folder.join("marts");
    fs::create_dir_all(&marts).map_err(|source| ReportError::Write {
        path: marts.clone(),
        source,
    })?;
    write(
        &folder.join(MARKER),
        b"Written by `marginlake report`; replaced by each run.\n",
    )?;
    let mut formats = formats.to_vec();
    formats.sort();
    formats.dedup();
    // The longest first: who comes last should not have to wait for it alone.
    let mut longest: Vec<&Sheet> = sheets.iter().collect();
    longest.sort_by_key(|sheet| std::cmp::Reverse(sheet.rows.rows()));
    let mut files: Vec<WriteFile<'_>> = Vec::new();
    for (extension, format, wanted) in [
        ("json", Format::Json, OutputFormat::Json),
        ("csv", Format::Csv, OutputFormat::Csv),
    ] {
        for sheet in longest.iter().copied().filter(|_| formats.contains(&wanted)) {
            files.push(Box::new(move || rows(folder, sheet, format, extension)));
        }
    }
    for sheet in longest.iter().copied() {
        let path = marts.join(format!("{}.parquet", sheet.name));
        files.push(Box::new(move || parquet(&path, sheet)));
    }
    for format in formats {
        files.push(match format {
            OutputFormat::Html => Box::new(|| write(&folder.join("report.html"), html(model).as_bytes())),
            OutputFormat::Md => Box::new(|| {
                write(&folder.join("report.md"), markdown(model).as_bytes())?;
                write(&folder.join("summary.txt"), summary(model).as_bytes())
            }),
            OutputFormat::Xlsx => Box::new(|| xlsx(&folder.join("report.xlsx"), model, sheets)),
            OutputFormat::Json => Box::new(|| {
                let text = serde_json::to_string_pretty(model).expect("a report is JSON: its keys are text");
                write(&folder.join("report.json"), format!("{text}\n").as_bytes())?;
                let text = serde_json::to_string_pretty(&alerts(model)).expect("alerts are JSON: they are text");
                write(&folder.join("alerts.json"), format!("{text}\n").as_bytes())
            }),
            OutputFormat::Csv => continue,
        });
    }
    side_by_side(files)
}

/// Writes one file, or few that belong together.
type WriteFile<'a> = Box<dyn FnOnce() -> Result<(), ReportError> + Send + 'a>;

/// Writes all files, as many at a time as the machine has processors, and fails as the first of them that failed.
fn side_by_side(files: Vec<WriteFile<'_>>) -> Result<(), ReportError> {
    let threads = std::thread::available_parallelism()
        .map_or(1, usize::from)
        .min(MOST_AT_A_TIME);
    let files = Mutex::new(files.into_iter().enumerate());
    let next = || files.lock().unwrap_or_else(PoisonError::into_inner).next();
    let failed = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((at, file)) = next() {
                    if let Err(error) = file() {
                        failed.lock().unwrap_or_else(PoisonError::into_inner).insert(at, error);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    failed.into_values().next().map_or(Ok(()), Err)
}

fn rows(folder: &Path, sheet: &Sheet, format: Format, extension: &str) -> Result<(), ReportError> {
    let path = folder.join(format!("{}.{extension}", sheet.name));
    let written = fs::File::create(&path).and_then(|mut file| {
        let batches = sheet.rows.batches().map_err(std::io::Error::other)?;
        let batches = batches.map(|batch| batch.map_err(std::io::Error::other));
        write_long(&sheet.rows.schema(), batches, format, &mut file)?;
        file.sync_all()
    });
    written.map_err(|source| ReportError::Write { path, source })
}

fn xlsx(path: &Path, model: &ReportModel, sheets: &[Sheet]) -> Result<(), ReportError> {
    let failed = |source| ReportError::Write {
        path: path.to_owned(),
        source,
    };
    let file = fs::File::create(path).map_err(failed)?;
    write_workbook(&file, model, sheets).map_err(|error| failed(std::io::Error::other(error)))?;
    file.sync_all().map_err(failed)
}

fn parquet(path: &Path, sheet: &Sheet) -> Result<(), ReportError> {
    sheet.rows.write_parquet(path)?;
    let synced = fs::File::open(path).and_then(|file| file.sync_all());
    synced.map_err(|source| ReportError::Write {
        path: path.to_owned(),
        source,
    })
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), ReportError> {
    let failed = |source| ReportError::Write {
        path: path.to_owned(),
        source,
    };
    let mut file = fs::File::create(path).map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed)
}

/// Swaps two folders in one step where the system can; a missing or empty target is simply renamed over.
fn swap(fresh: &Path, out: &Path) -> Result<(), ReportError> {
    let failed = |source| ReportError::Write {
        path: out.to_owned(),
        source,
    };
    if fs::rename(fresh, out).is_ok() {
        return Ok(());
    }
    exchange(fresh, out).map_err(failed)?;
    remove(fresh)
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
    let old = sibling(out, "old");
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

/// `reports` -> `.reports.new` beside it: a rename stays on one file system.
fn sibling(out: &Path, suffix: &str) -> PathBuf {
    let name = out
        .file_name()
        .map_or_else(|| "report".to_owned(), |name| name.to_string_lossy().into_owned());
    out.with_file_name(format!(".{name}.{suffix}"))
}
