//! Flag over environment over file over default; and, for `--print-config`, where each value came from.

use std::fmt::Write as _;
use std::path::Path;

use crate::exit::Usage;

/// Collects what was decided while it is decided.
#[derive(Debug)]
pub(super) struct Settings {
    /// The configuration file, as errors and comments name it.
    file: String,
    /// The flags of this run, to tell them from the environment.
    flags: Vec<String>,
    shown: Vec<Shown>,
}

#[derive(Debug)]
struct Shown {
    key: &'static str,
    value: Option<String>,
    origin: String,
}

/// One value as text, with its origin.
#[derive(Debug)]
pub(super) struct Given {
    text: Option<String>,
    origin: String,
}

impl Settings {
    pub(super) fn new(file: Option<&Path>, flags: impl Iterator<Item = String>) -> Self {
        Self {
            file: file.map_or_else(|| "the configuration".into(), |path| path.display().to_string()),
            flags: flags.filter(|word| word.starts_with("--")).collect(),
            shown: Vec::new(),
        }
    }

    /// The value of `key`: what clap found (flag or environment), what the file says, or the default.
    pub(super) fn pick(
        &mut self,
        key: &'static str,
        given: Option<String>,
        written: Option<String>,
        default: Option<&str>,
    ) -> Given {
        let (text, origin) = match (given, written, default) {
            (Some(text), _, _) => (Some(text), self.of_clap(key)),
            (None, Some(text), _) => (Some(text), format!("{}, [collect] {key}", self.file)),
            (None, None, Some(text)) => (Some(text.to_owned()), "default".to_owned()),
            (None, None, None) => (None, "not set".to_owned()),
        };
        self.shown.push(Shown {
            key,
            value: text.clone(),
            origin: origin.clone(),
        });
        Given { text, origin }
    }

    /// For the last key, where nothing names a value: what a variable of the OpenTelemetry specification says.
    pub(super) fn or_standard(&mut self, given: Given, variable: &str) -> Given {
        let standard = std::env::var(variable).ok().filter(|value| !value.is_empty());
        if given.text.is_some() || standard.is_none() {
            return given;
        }
        let origin = format!("environment, {variable}");
        if let Some(last) = self.shown.last_mut() {
            (last.value, last.origin) = (standard.clone(), origin.clone());
        }
        Given { text: standard, origin }
    }

    /// Hides the values of headers that were picked last.
    pub(super) fn redact_headers(&mut self) {
        let Some(last) = self.shown.last_mut() else { return };
        let hidden = last.value.as_deref().map(|text| {
            let names = text.split(',').filter_map(|pair| Some(pair.split_once('=')?.0.trim()));
            names.map(|name| format!("{name}=(redacted)")).collect::<Vec<_>>().join(",")
        });
        last.value = hidden;
    }

    /// `[collect]` as it is in force, each key with its origin.
    pub(super) fn to_toml(&self) -> String {
        let mut text = String::from("[collect]\n");
        for Shown { key, value, origin } in &self.shown {
            let _ = match value {
                Some(value) => writeln!(text, "{key} = {}  # {origin}", toml::Value::from(value.as_str())),
                None => writeln!(text, "#{key}  # {origin}"),
            };
        }
        text
    }

    fn of_clap(&self, key: &str) -> String {
        let flag = format!("--{}", key.replace('_', "-"));
        let is_flag = self.flags.iter().any(|word| {
            word.strip_prefix(flag.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
        });
        if is_flag {
            flag
        } else {
            format!("environment, MARGINLAKE_{}", key.to_ascii_uppercase())
        }
    }
}

impl Given {
    /// The value, read; the error names the origin, the value and the accepted form.
    pub(super) fn read<T>(self, read: impl FnOnce(&str) -> Result<T, String>) -> Result<Option<T>, Usage> {
        let Some(text) = self.text else { return Ok(None) };
        match read(&text) {
            Ok(value) => Ok(Some(value)),
            Err(error) => Err(Usage(format!("{}: {text:?}: {error}", self.origin))),
        }
    }

    /// As [`Given::read`], for what may be a secret: the error does not repeat it.
    pub(super) fn read_secret<T>(self, read: impl FnOnce(&str) -> Result<T, String>) -> Result<Option<T>, Usage> {
        let Some(text) = self.text else { return Ok(None) };
        read(&text)
            .map(Some)
            .map_err(|error| Usage(format!("{}: {error}", self.origin)))
    }

    /// The value of a key that has a default.
    pub(super) fn required<T>(self, read: impl FnOnce(&str) -> Result<T, String>) -> Result<T, Usage> {
        let origin = self.origin.clone();
        self.read(read)?.ok_or_else(|| Usage(format!("{origin}: a value is needed")))
    }

    pub(super) fn text(self) -> Option<String> {
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flag_over_environment_over_file_over_default_and_each_is_named() {
        let flags = ["collect", "--grpc-addr=a", "--http-addr", "b"].map(str::to_owned);
        let mut settings = Settings::new(Some(Path::new("m.toml")), flags.into_iter());
        let some = |text: &str| Some(text.to_owned());
        let found = [
            settings.pick("grpc_addr", some("a"), some("file"), Some("default")),
            settings.pick("http_addr", some("b"), None, Some("default")),
            settings.pick("collector_id", some("env"), some("file"), Some("default")),
            settings.pick("durability", None, some("file"), Some("default")),
            settings.pick("max_log", None, None, Some("8GiB")),
            settings.pick("keys_file", None, None, None),
        ]
        .map(|given| given.text.unwrap_or_default());
        assert_eq!(found, ["a", "b", "env", "file", "8GiB", ""]);
        settings.pick("forward_headers", some("authorization=Bearer abc,x=y"), None, None);
        settings.redact_headers();
        assert_eq!(
            settings.to_toml(),
            "[collect]\n\
             grpc_addr = \"a\"  # --grpc-addr\n\
             http_addr = \"b\"  # --http-addr\n\
             collector_id = \"env\"  # environment, MARGINLAKE_COLLECTOR_ID\n\
             durability = \"file\"  # m.toml, [collect] durability\n\
             max_log = \"8GiB\"  # default\n\
             #keys_file  # not set\n\
             forward_headers = \"authorization=(redacted),x=(redacted)\"  # environment, MARGINLAKE_FORWARD_HEADERS\n"
        );
    }

    #[test]
    fn a_bad_value_names_where_it_came_from() {
        let mut settings = Settings::new(Some(Path::new("m.toml")), std::iter::empty());
        let given = settings.pick("max_log", None, Some("much".into()), None);
        let error = given.read(|_| Err::<u64, _>("not a size".into())).expect_err("refused");
        assert_eq!(error.to_string(), "m.toml, [collect] max_log: \"much\": not a size");
    }
}
