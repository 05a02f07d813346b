//! A reader of JSON and of Python's `repr` that builds nothing: it calls back once per scalar.
//!
//! Both notations occur as attribute values (LiteLLM and LangSmith send the `repr` of dictionaries, Haystack and
//! smolagents that of objects, `Usage(input_tokens=1)`). Bounded in size and depth, never recursive, tolerant of what we
//! do not need: escapes stay as sent, numbers stay text.

use std::borrow::Cow;

/// The largest text that is read, in bytes.
pub(crate) const MAX_BYTES: usize = 1 << 20;
/// The deepest nesting that is read.
pub(crate) const MAX_DEPTH: usize = 32;

/// Why a text was not read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ScanError {
    TooLarge,
    TooDeep,
    Syntax,
}

/// One value that is not a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scalar<'a> {
    /// A string without its quotes; escapes are as sent.
    Text(&'a str),
    /// A number as sent.
    Number(&'a str),
    True,
    False,
    Null,
}

/// Where a scalar stands: the keys that lead to it, and which container each key belongs to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'p, 'a> {
    /// Keys from the outermost; array levels are `[]`.
    pub(crate) path: &'p [&'a str],
    /// For each key the number of its container, counted as they open: two objects at one path differ here.
    pub(crate) containers: &'p [u32],
}

/// What a string of JSON says, its escapes undone; `None` where one is broken. Python's `json.dumps` escapes every letter
/// beyond ASCII, so that names need it.
pub(crate) fn plain(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('\\') {
        return Some(Cow::Borrowed(text));
    }
    serde_json::from_str(&format!("\"{text}\"")).ok().map(Cow::Owned)
}

/// Calls `visit` with the path of keys (array levels are `[]`) and the value of each scalar, in the text's order.
pub(crate) fn scan<'a>(text: &'a str, mut visit: impl FnMut(&[&'a str], Scalar<'a>)) -> Result<(), ScanError> {
    scan_places(text, |place, scalar| visit(place.path, scalar))
}

/// [`scan`] for those who must tell one object from the next.
pub(crate) fn scan_places<'a>(text: &'a str, mut visit: impl FnMut(Place<'_, 'a>, Scalar<'a>)) -> Result<(), ScanError> {
    if text.len() > MAX_BYTES {
        return Err(ScanError::TooLarge);
    }
    let mut reader = Reader { text, at: 0 };
    let mut path = [""; MAX_DEPTH];
    let mut containers = [0u32; MAX_DEPTH];
    let mut closers = [0u8; MAX_DEPTH];
    let (mut depth, mut opened_so_far) = (0, 0u32);
    loop {
        // A value stands here.
        reader.skip_constructor();
        let opened = match reader.peek().ok_or(ScanError::Syntax)? {
            open @ (b'{' | b'[' | b'(') => {
                if depth == MAX_DEPTH {
                    return Err(ScanError::TooDeep);
                }
                reader.at += 1;
                opened_so_far += 1;
                containers[depth] = opened_so_far;
                closers[depth] = match open {
                    b'{' => b'}',
                    b'[' => b']',
                    _ => b')',
                };
                depth += 1;
                true
            }
            _ => {
                let in_call = depth > 0 && closers[depth - 1] == b')';
                let scalar = reader.scalar(in_call)?;
                let place = Place {
                    path: &path[..depth],
                    containers: &containers[..depth],
                };
                visit(place, scalar);
                false
            }
        };
        // Close what ends here, then step to the next value.
        let mut first = opened;
        loop {
            if depth == 0 {
                return Ok(());
            }
            let closer = closers[depth - 1];
            let next = reader.peek().ok_or(ScanError::Syntax)?;
            if next == closer {
                reader.at += 1;
                depth -= 1;
                first = false;
                continue;
            }
            if !first {
                if next != b',' {
                    return Err(ScanError::Syntax);
                }
                reader.at += 1;
                // Python writes a comma after the last element of a tuple.
                if reader.peek() == Some(closer) {
                    continue;
                }
            }
            path[depth - 1] = match closer {
                b'}' => reader.key()?,
                b')' => reader.keyword().unwrap_or("[]"),
                _ => "[]",
            };
            break;
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while bytes.get(self.at)?.is_ascii_whitespace() {
            self.at += 1;
        }
        Some(bytes[self.at])
    }

    fn key(&mut self) -> Result<&'a str, ScanError> {
        let key = match self.peek() {
            Some(b'"' | b'\'') => self.string()?,
            // Python dictionaries may have numbers as keys.
            _ => self.word(),
        };
        if self.peek() != Some(b':') {
            return Err(ScanError::Syntax);
        }
        self.at += 1;
        Ok(key)
    }

    /// `Usage(input_tokens=…)`: steps over the name, so that the arguments are a container.
    fn skip_constructor(&mut self) {
        if !self.peek().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_') {
            return;
        }
        let start = self.at;
        self.word();
        if self.text.as_bytes().get(self.at) != Some(&b'(') {
            self.at = start;
        }
    }

    /// The name of a keyword argument, `name=`.
    fn keyword(&mut self) -> Option<&'a str> {
        let start = self.at;
        let name = self.word();
        if !name.is_empty() && self.text.as_bytes().get(self.at) == Some(&b'=') {
            self.at += 1;
            return Some(name);
        }
        self.at = start;
        None
    }

    /// `<Role.ASSISTANT: 'assistant'>`: an object without a literal.
    fn opaque(&mut self) -> Result<Scalar<'a>, ScanError> {
        loop {
            match self.text.as_bytes().get(self.at).ok_or(ScanError::Syntax)? {
                b'"' | b'\'' => {
                    self.string()?;
                }
                b'>' => {
                    self.at += 1;
                    return Ok(Scalar::Null);
                }
                _ => self.at += 1,
            }
        }
    }

    fn scalar(&mut self, in_call: bool) -> Result<Scalar<'a>, ScanError> {
        match self.peek() {
            Some(b'"' | b'\'') => return self.string().map(Scalar::Text),
            Some(b'<') if in_call => return self.opaque(),
            _ => {}
        }
        match self.word() {
            "true" | "True" => Ok(Scalar::True),
            "false" | "False" => Ok(Scalar::False),
            "null" | "None" | "undefined" | "NaN" | "nan" | "inf" | "-inf" | "Infinity" | "-Infinity" => Ok(Scalar::Null),
            number if number.starts_with(|first: char| first == '-' || first.is_ascii_digit()) => Ok(Scalar::Number(number)),
            // A constant of the program, as an argument.
            name if in_call && !name.is_empty() => Ok(Scalar::Null),
            _ => Err(ScanError::Syntax),
        }
    }

    fn word(&mut self) -> &'a str {
        let start = self.at;
        let bytes = self.text.as_bytes();
        while bytes
            .get(self.at)
            .is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.' | b'_'))
        {
            self.at += 1;
        }
        &self.text[start..self.at]
    }

    fn string(&mut self) -> Result<&'a str, ScanError> {
        let bytes = self.text.as_bytes();
        let quote = bytes[self.at];
        let start = self.at + 1;
        let mut at = start;
        loop {
            match bytes.get(at) {
                None => return Err(ScanError::Syntax),
                Some(b'\\') => at += 2,
                Some(byte) if *byte == quote => break,
                Some(_) => at += 1,
            }
        }
        self.at = at + 1;
        // A quote and a backslash are ASCII, so both ends are character borders.
        Ok(&self.text[start..at])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<String>, ScanError> {
        let mut seen = Vec::new();
        scan(text, |path, scalar| seen.push(format!("{}={scalar:?}", path.join("."))))?;
        Ok(seen)
    }

    #[test]
    fn json_and_python_repr_read_alike() {
        let json = read(r#"{"a": 1, "b": {"c": [2, {"d": null}], "e": "x"}, "f": true}"#);
        let python = read("{'a': 1, 'b': {'c': (2, {'d': None},), 'e': 'x'}, 'f': True}");
        assert_eq!(json, python);
        assert_eq!(
            json.unwrap().join(" "),
            r#"a=Number("1") b.c.[]=Number("2") b.c.[].d=Null b.e=Text("x") f=True"#
        );
    }

    #[test]
    fn the_repr_of_an_object_reads_as_one() {
        let seen =
            read("Reply(_role=<Role.AI: 'a>b'>, _meta={'usage': Usage(prompt_tokens=7, extra=NOT_GIVEN)}, at=d.date(2026, 1))");
        assert_eq!(
            seen.unwrap().join(" "),
            r#"_role=Null _meta.usage.prompt_tokens=Number("7") _meta.usage.extra=Null at.[]=Number("2026") at.[]=Number("1")"#
        );
    }

    #[test]
    fn two_objects_at_one_path_are_two() {
        let mut seen = Vec::new();
        scan_places(r#"[{"a": 1, "b": 2}, {"a": 3}]"#, |place, _| {
            seen.push(place.containers.to_vec())
        })
        .unwrap();
        assert_eq!(seen, [[1, 2], [1, 2], [1, 3]]);
    }

    #[test]
    fn empty_containers_and_escapes_are_read() {
        let seen = read(r#"{"a": [], "b": {}, "c": "say \"hi\" {", "d": -1.5e3}"#).unwrap();
        assert_eq!(seen, [r#"c=Text("say \\\"hi\\\" {")"#, r#"d=Number("-1.5e3")"#]);
    }

    #[test]
    fn bad_texts_are_errors() {
        for (text, expected) in [
            ("", ScanError::Syntax),
            ("{", ScanError::Syntax),
            ("{\"a\"", ScanError::Syntax),
            ("{\"a\":", ScanError::Syntax),
            ("{\"a\":1", ScanError::Syntax),
            ("[1 2]", ScanError::Syntax),
            ("\"open", ScanError::Syntax),
            ("\"\\", ScanError::Syntax),
            ("hello", ScanError::Syntax),
            ("hello(", ScanError::Syntax),
            ("f(<", ScanError::Syntax),
            ("{\"a\": <b>}", ScanError::Syntax),
        ] {
            assert_eq!(read(text), Err(expected), "{text}");
        }
        assert_eq!(read(&"[".repeat(100_000)), Err(ScanError::TooDeep));
        assert_eq!(read(&"f(".repeat(100_000)), Err(ScanError::TooDeep));
        assert_eq!(read(&" ".repeat(MAX_BYTES + 1)), Err(ScanError::TooLarge));
    }
}
