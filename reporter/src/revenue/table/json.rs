//! JSON as rows: one object a line (NDJSON), a list of objects, or an API's answer with its list under `data`.
//!
//! Nested objects become columns joined by dots, lists stay JSON text in their cell, and a number keeps the digits it was
//! written with: no figure passes through a float. What is not valid JSON refuses the file with its line.

use std::collections::HashMap;

use csv::StringRecord;
use serde::de::IgnoredAny;

use super::super::refusal::Refusal;

/// Columns that one file may have: metadata with a new key in each row would need memory without end.
const MOST_COLUMNS: usize = 2_000;

/// A column's name and what stands in its cell.
type Named = (String, String);

/// A place in the text where an object starts.
#[derive(Debug, Clone, Copy)]
struct Object<'a> {
    line: u64,
    text: &'a str,
}

/// True if the text looks like JSON and not like a table.
pub(super) fn is_json(text: &str) -> bool {
    text.trim_start().starts_with(['{', '['])
}

/// The column names of all objects, in the order of their first appearance.
pub(super) fn header(file: &str, text: &str, explode: Option<&str>) -> Result<Vec<String>, Refusal> {
    let mut names: Vec<String> = Vec::new();
    let mut known: HashMap<String, usize> = HashMap::new();
    for object in objects(file, text)? {
        rows_of(object.text, explode, &mut |cells| {
            for (name, _) in cells {
                if !known.contains_key(name.as_str()) && known.len() <= MOST_COLUMNS {
                    known.insert(name.clone(), names.len());
                    names.push(name.clone());
                }
            }
        });
        if names.len() > MOST_COLUMNS {
            let reason = format!("has more than {MOST_COLUMNS} different keys: export fewer fields");
            return Err(refuse(file, object.line, reason));
        }
    }
    if names.is_empty() {
        return Err(refuse(file, 1, "holds no objects".to_owned()));
    }
    Ok(names)
}

/// Calls `take` for each row with its line and its cells in the order of `names`.
pub(super) fn visit(
    file: &str,
    text: &str,
    names: &[String],
    explode: Option<&str>,
    mut take: impl FnMut(u64, &StringRecord),
) -> Result<(), Refusal> {
    let at: HashMap<&str, usize> = names.iter().enumerate().map(|(index, name)| (name.as_str(), index)).collect();
    let mut cells: Vec<String> = vec![String::new(); names.len()];
    for object in objects(file, text)? {
        rows_of(object.text, explode, &mut |row| {
            cells.iter_mut().for_each(String::clear);
            for (name, value) in row {
                if let Some(index) = at.get(name.as_str()) {
                    cells[*index].clone_from(value);
                }
            }
            take(object.line, &StringRecord::from(cells.as_slice()));
        });
    }
    Ok(())
}

/// The objects of the file, each valid JSON.
fn objects<'a>(file: &str, text: &'a str) -> Result<Vec<Object<'a>>, Refusal> {
    let first = text.trim_start().lines().next().unwrap_or("").trim();
    let by_line = first.starts_with('{') && first.ends_with('}') && valid(first).is_ok();
    if by_line && valid(text).is_err() {
        return lines(file, text);
    }
    valid(text).map_err(|error| {
        let reason = format!("is not valid JSON, the file may be torn: {error}");
        refuse(file, (error.line() as u64).max(1), reason)
    })?;
    let document = text.trim();
    let start = text.len() - text.trim_start().len();
    let list = match document.starts_with('[') {
        true => Some(document),
        false => member(document, "data")
            // A page of a list, as OpenMeter gives it; other documents have items of their own.
            .or_else(|| member(document, "totalCount").and_then(|_| member(document, "items")))
            .filter(|data| data.starts_with('[')),
    };
    if member(document, "has_more") == Some("true") {
        let reason = "is one page of a longer list (has_more is true): export all pages".to_owned();
        return Err(refuse(file, 1, reason));
    }
    let line_at = |part: &str| {
        let offset = part.as_ptr() as usize - text.as_ptr() as usize;
        1 + text[start.min(offset)..offset].bytes().filter(|byte| *byte == b'\n').count() as u64
            + text[..start].bytes().filter(|byte| *byte == b'\n').count() as u64
    };
    let Some(list) = list else {
        return Ok(vec![Object {
            line: line_at(document),
            text: document,
        }]);
    };
    let mut line = 1;
    let mut from = 0;
    let parts = elements(list).into_iter().map(|part| {
        // Counted from the last one on, so that a long list is read once.
        let offset = part.as_ptr() as usize - text.as_ptr() as usize;
        line += text[from..offset].bytes().filter(|byte| *byte == b'\n').count() as u64;
        from = offset;
        Object { line, text: part }
    });
    let parts: Vec<Object<'a>> = parts.collect();
    match parts.iter().find(|part| !part.text.starts_with('{')) {
        Some(odd) => Err(refuse(
            file,
            odd.line,
            "has something in its list that is no object".to_owned(),
        )),
        None => Ok(parts),
    }
}

fn lines<'a>(file: &str, text: &'a str) -> Result<Vec<Object<'a>>, Refusal> {
    let mut objects = Vec::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let number = index as u64 + 1;
        let object = line.trim();
        valid(object).map_err(|error| {
            let last = text.trim_end().ends_with(object) && index + 1 >= text.trim_end().lines().count();
            let torn = if last {
                "the file ends in a torn line"
            } else {
                "the line is torn"
            };
            refuse(file, number, format!("{torn}: it is not valid JSON ({error})"))
        })?;
        if !object.starts_with('{') {
            return Err(refuse(
                file,
                number,
                "is not a JSON object: one object a line is expected".to_owned(),
            ));
        }
        objects.push(Object {
            line: number,
            text: object,
        });
    }
    Ok(objects)
}

fn valid(text: &str) -> Result<IgnoredAny, serde_json::Error> {
    serde_json::from_str(text)
}

fn refuse(file: &str, line: u64, reason: String) -> Refusal {
    Refusal {
        file: file.to_owned(),
        line,
        column: None,
        value: None,
        reason,
    }
}

/// The rows of one object: itself, or with `explode` the elements of that list, the outer object under `parent.`.
fn rows_of(object: &str, explode: Option<&str>, take: &mut dyn FnMut(&[Named])) {
    let mut cells = Vec::new();
    let list = explode.and_then(|path| path.split('.').try_fold(object, member));
    let Some(list) = list.filter(|list| list.starts_with('[')) else {
        flatten(object, "", &mut cells);
        return take(&cells);
    };
    let mut outer = Vec::new();
    flatten(object, "parent.", &mut outer);
    for element in elements(list) {
        cells.clear();
        flatten(element, "", &mut cells);
        cells.extend(outer.iter().cloned());
        take(&cells);
    }
}

/// Cells of an object, nested ones joined by dots.
fn flatten(object: &str, prefix: &str, cells: &mut Vec<Named>) {
    for (key, value) in members(object) {
        let name = format!("{prefix}{key}");
        match value.as_bytes().first() {
            Some(b'{') => flatten(value, &format!("{name}."), cells),
            Some(b'"') => cells.push((name, unquoted(value))),
            Some(b'n') => cells.push((name, String::new())),
            _ => cells.push((name, value.to_owned())),
        }
    }
}

fn unquoted(text: &str) -> String {
    serde_json::from_str(text).unwrap_or_default()
}

/// The raw text of one member of an object.
fn member<'a>(object: &'a str, key: &str) -> Option<&'a str> {
    object
        .starts_with('{')
        .then(|| members(object))?
        .find(|(name, _)| name == key)
        .map(|(_, value)| value)
}

/// Keys and raw values of an object that is known to be valid.
fn members(object: &str) -> impl Iterator<Item = (String, &str)> {
    parts(object).into_iter().filter_map(|part| {
        let key_end = skip_value(part.as_bytes(), 0);
        let colon = key_end + part[key_end..].find(':')?;
        Some((unquoted(&part[..key_end]), part[colon + 1..].trim()))
    })
}

fn elements(list: &str) -> Vec<&str> {
    parts(list)
}

/// What stands between the brackets of a valid object or list, at its commas.
fn parts(text: &str) -> Vec<&str> {
    let bytes = text.as_bytes();
    let mut parts = Vec::new();
    let end = bytes.len().saturating_sub(1);
    let mut start = 1;
    let mut at = 1;
    while at < end {
        match bytes[at] {
            b'"' | b'{' | b'[' => at = skip_value(bytes, at),
            b',' => {
                parts.push(text[start..at].trim());
                at += 1;
                start = at;
            }
            _ => at += 1,
        }
    }
    let last = text.get(start..end).unwrap_or("").trim();
    if !last.is_empty() {
        parts.push(last);
    }
    parts
}

/// The end of the string, object or list that starts at `at` in valid JSON.
fn skip_value(bytes: &[u8], mut at: usize) -> usize {
    let mut depth = 0_usize;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                at += 1;
                while at < bytes.len() && bytes[at] != b'"' {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
        if depth == 0 {
            break;
        }
    }
    at.min(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, explode: Option<&str>) -> Result<Vec<String>, String> {
        let names = header("a.json", text, explode).map_err(|refusal| refusal.to_string())?;
        let mut rows = vec![names.join("|")];
        visit("a.json", text, &names, explode, |line, record| {
            rows.push(format!("{line}:{}", record.iter().collect::<Vec<_>>().join("|")));
        })
        .map_err(|refusal| refusal.to_string())?;
        Ok(rows)
    }

    #[test]
    fn numbers_keep_the_digits_they_were_written_with() {
        let rows = read(
            "{\"a\":0.10000000000000000000001,\"b\":1e3,\"c\":12345678901234567890.50}\n",
            None,
        )
        .unwrap();
        assert_eq!(rows[1], "1:0.10000000000000000000001|1e3|12345678901234567890.50");
    }

    #[test]
    fn lines_lists_and_answers_are_read_alike() {
        let expected = vec!["id|m.k|l", "1:1|x, \"y\"|[1,2]", "2:2||"];
        let objects = [
            "{\"id\":1,\"m\":{\"k\":\"x, \\\"y\\\"\"},\"l\":[1,2]}",
            "{\"id\":2,\"m\":{},\"l\":null}",
        ];
        assert_eq!(read(&format!("{}\n{}\n", objects[0], objects[1]), None).unwrap(), expected);
        assert_eq!(read(&format!("[{},\n{}]", objects[0], objects[1]), None).unwrap(), expected);
        let answer = format!("{{\"has_more\":false,\"data\":[{},\n{}]}}", objects[0], objects[1]);
        assert_eq!(read(&answer, None).unwrap(), expected);
    }

    #[test]
    fn a_nested_list_becomes_rows_beside_its_parent() {
        let text = "[{\"id\":\"in\",\"lines\":{\"data\":[{\"id\":\"l1\"},{\"id\":\"l2\"}]}}]";
        let rows = read(text, Some("lines.data")).unwrap();
        assert_eq!(rows[0], "id|parent.id|parent.lines.data");
        assert!(rows[1].starts_with("1:l1|in|") && rows[2].starts_with("1:l2|in|"), "{rows:?}");
    }

    #[test]
    fn a_torn_end_or_page_is_refused_with_its_line() {
        for (text, message) in [
            (
                "{\"a\":1}\n{\"a\":",
                "a.json:2: the file ends in a torn line: it is not valid JSON",
            ),
            ("[{\"a\":1},\n{\"a\":", "a.json:2: is not valid JSON, the file may be torn"),
            (
                "{\"a\":1}\n[1]\n",
                "a.json:2: is not a JSON object: one object a line is expected",
            ),
            (
                "{\"has_more\":true,\"data\":[{\"a\":1}]}",
                "a.json:1: is one page of a longer list",
            ),
            ("[]", "a.json:1: holds no objects"),
        ] {
            let error = read(text, None).unwrap_err();
            assert!(error.starts_with(message), "{error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[\\[{][\\PC\\n]{0,60}") {
            let _ = read(&text, None);
            let _ = read(&text, Some("a.b"));
        }
    }
}
