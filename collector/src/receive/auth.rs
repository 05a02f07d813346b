//! Who may send, and for which tenant: bearer keys, kept as hashes in a file.
//!
//! ```text
//! # one key a line: hash, tenant, and what it is for
//! sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 acme   backend in production
//! ```
//! A key is 244 random bits, so a plain SHA-256 cannot be guessed back and needs no salt. A key that is presented is
//! hashed and compared with every line in constant time. The tenant is the key's; no client can name another.

use hyper::header::{AUTHORIZATION, HeaderMap};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::answer::{Failure, Kind};

/// What stands before the hash.
const ALGORITHM: &str = "sha256:";
/// Shorter keys could be guessed from their hash.
const SHORTEST_KEY: usize = 24;

/// The keys of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys(Vec<Key>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    hash: [u8; 32],
    tenant: String,
}

/// A line of a key file cannot be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("line {line}: {reason}")]
pub struct KeysError {
    /// Counted from 1; 0 where the whole file is meant.
    pub line: usize,
    /// What is wrong; never the line itself, which may hold a key by mistake.
    pub reason: &'static str,
}

impl Keys {
    /// Reads a key file.
    pub fn parse(text: &str) -> Result<Self, KeysError> {
        let mut keys: Vec<Key> = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let refuse = |reason| KeysError { line: at + 1, reason };
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let mut words = line.split_whitespace();
            let hash = words.next().and_then(|word| word.strip_prefix(ALGORITHM));
            let hash =
                hash.ok_or_else(|| refuse("does not begin with sha256: (make lines with `marginlake keys new TENANT`)"))?;
            let hash: [u8; 32] = hex::decode(hash)
                .ok()
                .and_then(|bytes| bytes.try_into().ok())
                .ok_or_else(|| refuse("the hash is not 64 hexadecimal digits"))?;
            let tenant = words.next().ok_or_else(|| refuse("no tenant follows the hash"))?.to_owned();
            if keys.iter().any(|key| key.hash == hash) {
                return Err(refuse("this key stands in an earlier line"));
            }
            keys.push(Key { hash, tenant });
        }
        if keys.is_empty() {
            return Err(KeysError {
                line: 0,
                reason: "the file has no key: nobody could send",
            });
        }
        Ok(Self(keys))
    }

    /// How many keys there are; at least one.
    #[expect(clippy::len_without_is_empty, reason = "a file without keys is refused")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// How many tenants the keys belong to.
    pub fn tenants(&self) -> usize {
        let tenants: std::collections::BTreeSet<_> = self.0.iter().map(|key| &key.tenant).collect();
        tenants.len()
    }

    /// The tenant of a presented key. Looks at every line, so that the time tells nothing about any.
    fn tenant(&self, presented: &str) -> Option<&str> {
        let presented: [u8; 32] = Sha256::digest(presented.as_bytes()).into();
        let mut found = None;
        for key in &self.0 {
            if bool::from(key.hash.ct_eq(&presented)) {
                found = Some(key.tenant.as_str());
            }
        }
        found
    }

    /// The tenant of a request, or why it is refused.
    pub(super) fn authenticate(&self, headers: &HeaderMap) -> Result<String, Failure> {
        let refuse = |message: &str| Failure::new(Kind::Unauthenticated, message);
        let header = headers
            .get(AUTHORIZATION)
            .ok_or_else(|| refuse("a key is needed: send the header `Authorization: Bearer KEY`"))?;
        let presented = header.to_str().ok().and_then(bearer);
        let presented = presented.ok_or_else(|| refuse("the header Authorization is not `Bearer KEY`"))?;
        let tenant = self.tenant(presented).ok_or_else(|| refuse("the key is not known"))?;
        Ok(tenant.to_owned())
    }
}

/// The scheme is case-insensitive (RFC 9110, 11.1).
fn bearer(value: &str) -> Option<&str> {
    let (scheme, key) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(key.trim())
}

/// A new random key.
pub fn new_key() -> String {
    let half = || uuid::Uuid::new_v4().simple().to_string();
    format!("mlk_{}{}", half(), half())
}

/// The line of a key file for `key`; fails where key or tenant cannot stand in one.
pub fn key_line(key: &str, tenant: &str, note: &str) -> Result<String, &'static str> {
    if key.len() < SHORTEST_KEY || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("a key must be at least 24 printable characters without spaces, since only its hash protects it");
    }
    if tenant.is_empty() || tenant.contains(char::is_whitespace) || tenant.len() > 256 {
        return Err("a tenant must be one word of at most 256 bytes");
    }
    let note = note.replace(char::is_control, " ");
    let line = format!("{ALGORITHM}{} {tenant} {note}", hex::encode(Sha256::digest(key.as_bytes())));
    Ok(line.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(AUTHORIZATION, value.parse().expect("a header"))])
    }

    #[test]
    fn the_tenant_is_the_keys() {
        let (acme, globex) = (new_key(), new_key());
        let line = |key: &str, tenant| key_line(key, tenant, "for a test").expect("a line");
        let file = format!("# keys\n\n{}\n  {}\n", line(&acme, "acme"), line(&globex, "globex"));
        assert!(!file.contains(&acme), "only the hash is kept");
        let keys = Keys::parse(&file).expect("keys");
        for (value, tenant) in [
            (format!("Bearer {acme}"), Some("acme")),
            (format!("bearer  {globex} "), Some("globex")),
            (format!("Basic {acme}"), None),
            (acme.clone(), None),
            (format!("Bearer {acme}x"), None),
            ("Bearer ".into(), None),
        ] {
            let found = keys.authenticate(&headers(&value));
            assert_eq!(found.as_deref().ok(), tenant, "{value}");
            if let Err(failure) = found {
                assert_eq!((failure.http_status(), failure.grpc_code()), (401, 16));
                assert!(!failure.message.contains("mlk_"), "a key is never repeated");
            }
        }
        assert!(keys.authenticate(&HeaderMap::new()).is_err());
    }

    #[test]
    fn a_bad_line_is_named_and_not_repeated() {
        for (text, line) in [
            ("", 0),
            ("# nothing\n", 0),
            ("\nmlk_secret acme", 2),
            ("sha256:abc acme", 1),
            ("sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", 1),
        ] {
            let error = Keys::parse(text).expect_err("refused");
            assert_eq!(error.line, line, "{text:?}");
            assert!(!error.to_string().contains("mlk_secret"));
        }
        let twice = key_line(&new_key(), "acme", "").expect("a line");
        assert_eq!(Keys::parse(&format!("{twice}\n{twice}")).expect_err("refused").line, 2);
    }

    #[test]
    fn what_could_be_guessed_or_misread_makes_no_line() {
        assert!(key_line("password", "acme", "").is_err());
        assert!(key_line(&new_key(), "two words", "").is_err());
        assert!(key_line(&new_key(), "", "").is_err());
    }
}
