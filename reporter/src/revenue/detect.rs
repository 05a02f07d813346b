//! How a file's header tells which mapping reads it.
//!
//! Detection never guesses: a header that fits no mapping or two mappings is refused, and so is one that looks like a
//! mapping's but has columns which could change what its amounts mean.

use super::mapping::Mapping;
use super::mapping::refuse_file;
use super::refusal::Refusal;
use super::table::Header;

/// Finds the mapping of a file by its header: one of the user's own, which go first, or a preset.
pub(super) fn detect<'a>(
    file: &str,
    header: &Header,
    own: &'a [Mapping],
    presets: &'a [Mapping],
) -> Result<&'a Mapping, Refusal> {
    let fits = |mapping: &&Mapping| mapping.detect.missing(header).is_empty();
    let found = match own.iter().any(|mapping| fits(&mapping)) {
        true => choose(file, header, own.iter().filter(fits).collect()),
        false if !own.is_empty() && presets.iter().filter(fits).count() == 0 => Err(unknown(file, header, own)),
        false => match presets.iter().filter(fits).collect::<Vec<_>>() {
            fitting if fitting.is_empty() => Err(unknown(file, header, presets)),
            fitting => choose(file, header, fitting),
        },
    }?;
    match &found.detect.refuse {
        Some(reason) => Err(refuse_file(file, None, format!("looks like the {}, {reason}", found.title))),
        None => Ok(found),
    }
}

/// What of the header decided, for people.
pub(super) fn because(mapping: &Mapping, header: &Header) -> String {
    let columns = mapping.detect.required.iter().filter_map(|required| {
        let spellings = required.split('|').map(super::table::header::normalise);
        spellings
            .into_iter()
            .find(|name| header.has(name))
            .map(|name| header.written(&name))
    });
    let columns: Vec<String> = columns.collect();
    if columns.is_empty() {
        return "the mapping given for it asks for no columns".to_owned();
    }
    format!("the header has {}", columns.join(", "))
}

fn choose<'a>(file: &str, header: &Header, fitting: Vec<&'a Mapping>) -> Result<&'a Mapping, Refusal> {
    let clean: Vec<&&Mapping> = fitting
        .iter()
        .filter(|mapping| mapping.detect.foreign(header).is_empty())
        .collect();
    match (clean.as_slice(), fitting.as_slice()) {
        ([mapping], _) => Ok(mapping),
        ([], [mapping, ..]) => {
            let foreign = mapping.detect.foreign(header);
            let reason = format!(
                "the header has the columns of the {} and also {}, which could change what an amount means: \
                 export the file in one of the known shapes, or say what it means by --revenue-mapping",
                mapping.title,
                foreign.join(", ")
            );
            Err(refuse_file(
                file,
                Some(&header.written(&super::table::header::normalise(&foreign[0]))),
                reason,
            ))
        }
        (several, _) => {
            let titles: Vec<&str> = several.iter().map(|mapping| mapping.title.as_str()).collect();
            let reason = format!(
                "the header fits more than one source ({}): name the right one by --revenue-mapping",
                titles.join(" and ")
            );
            Err(refuse_file(file, None, reason))
        }
    }
}

fn unknown(file: &str, header: &Header, mappings: &[Mapping]) -> Refusal {
    // The share of its columns that a header has, then the number of them, then the first in the list.
    let score = |mapping: &&Mapping| {
        let (all, missing) = (mapping.detect.required.len(), mapping.detect.missing(header).len());
        ((all - missing) * 1_000 / all.max(1), all - missing)
    };
    let mut nearest = &mappings[0];
    for mapping in mappings {
        if score(&mapping) > score(&nearest) {
            nearest = mapping;
        }
    }
    let missing = nearest.detect.missing(header);
    let hint = if header.width() == 1 {
        "; fields must be separated by commas"
    } else {
        ""
    };
    let word = if missing.len() == 1 { "is" } else { "are" };
    let reason = format!(
        "the header fits no known source; nearest is the {}, of which {} {word} missing{hint}",
        nearest.title,
        missing.join(", ")
    );
    refuse_file(file, missing.first().map(String::as_str), reason)
}
