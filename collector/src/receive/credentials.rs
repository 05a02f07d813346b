//! Keys and certificates from files, read again when the files change, so that rotating them needs no restart.
//!
//! All files are read together and take effect together: a certificate whose private key is not there yet is refused,
//! and the old pair stays until the new one is whole. A bad file never opens the door and never closes it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio_rustls::rustls;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;

use super::auth::Keys;

/// How often the files are looked at.
const RELOAD_INTERVAL: Duration = Duration::from_secs(10);

/// Files that say who may send. Without any, everybody who reaches the addresses may.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Security {
    /// Bearer keys with their tenants.
    pub keys_file: Option<PathBuf>,
    /// Certificate and private key of the collector.
    pub tls: Option<TlsFiles>,
}

/// Files of a TLS server, all PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate chain, the collector's own first.
    pub certificate: PathBuf,
    /// Its private key.
    pub private_key: PathBuf,
    /// Authorities whose client certificates are required; without it clients need none.
    pub client_authorities: Option<PathBuf>,
}

/// A file of keys or certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SecurityError {
    /// The file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        #[source]
        source: std::io::Error,
    },
    /// A key file has a bad line.
    #[error("key file {path}: {reason}")]
    Keys {
        /// The file.
        path: PathBuf,
        /// Line and reason.
        reason: String,
    },
    /// A certificate or private key cannot be used.
    #[error("{path}: {reason}")]
    Tls {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

impl Security {
    /// Reads all files once, to say what is wrong with them.
    pub fn check(&self) -> Result<(), SecurityError> {
        Loaded::read(self).map(drop)
    }
}

/// What the files said when they were last read whole.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    pub(super) keys: Option<Keys>,
    pub(super) tls: Option<Arc<rustls::ServerConfig>>,
    fingerprint: [u8; 32],
}

/// The current credentials.
#[derive(Debug)]
pub(crate) struct Credentials {
    files: Security,
    loaded: RwLock<Arc<Loaded>>,
}

impl Credentials {
    pub(crate) fn load(files: Security) -> Result<Self, SecurityError> {
        let loaded = RwLock::new(Arc::new(Loaded::read(&files)?));
        Ok(Self { files, loaded })
    }

    pub(crate) fn current(&self) -> Arc<Loaded> {
        Arc::clone(&self.loaded.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes what the files say now; whether that is anything new.
    pub(crate) fn reload(&self) -> Result<bool, SecurityError> {
        let loaded = Loaded::read(&self.files)?;
        if loaded.fingerprint == self.current().fingerprint {
            return Ok(false);
        }
        *self.loaded.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(loaded);
        Ok(true)
    }

    /// Looks at the files from time to time, for as long as the collector runs.
    pub(crate) async fn follow(self: Arc<Self>) {
        if self.files == Security::default() {
            return;
        }
        loop {
            tokio::time::sleep(RELOAD_INTERVAL).await;
            match self.reload() {
                Ok(true) => tracing::info!("keys and certificates read again"),
                Ok(false) => {}
                Err(error) => tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "keys and certificates are kept as they were"
                ),
            }
        }
    }
}

impl Loaded {
    fn read(files: &Security) -> Result<Self, SecurityError> {
        let mut hash = Sha256::new();
        let mut bytes = |path: &Path| -> Result<Vec<u8>, SecurityError> {
            let found = std::fs::read(path).map_err(|source| SecurityError::Read {
                path: path.to_owned(),
                source,
            })?;
            hash.update((found.len() as u64).to_le_bytes());
            hash.update(&found);
            Ok(found)
        };
        let keys = match &files.keys_file {
            Some(path) => Some(keys(path, &bytes(path)?)?),
            None => None,
        };
        let tls = match &files.tls {
            Some(tls) => {
                let certificates = certificates(&tls.certificate, &bytes(&tls.certificate)?)?;
                let private_key = private_key(&tls.private_key, &bytes(&tls.private_key)?)?;
                let authorities = match &tls.client_authorities {
                    Some(path) => Some(authorities(path, &bytes(path)?)?),
                    None => None,
                };
                Some(Arc::new(server(tls, certificates, private_key, authorities)?))
            }
            None => None,
        };
        Ok(Self {
            keys,
            tls,
            fingerprint: hash.finalize().into(),
        })
    }
}

fn keys(path: &Path, bytes: &[u8]) -> Result<Keys, SecurityError> {
    let refuse = |reason: String| SecurityError::Keys {
        path: path.to_owned(),
        reason,
    };
    let text = std::str::from_utf8(bytes).map_err(|_| refuse("it is not text".into()))?;
    Keys::parse(text).map_err(|error| refuse(error.to_string()))
}

fn tls_error(path: &Path, reason: impl Into<String>) -> SecurityError {
    SecurityError::Tls {
        path: path.to_owned(),
        reason: reason.into(),
    }
}

pub(crate) fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, SecurityError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|error| tls_error(path, format!("not PEM: {error}")))?;
    if found.is_empty() {
        return Err(tls_error(path, "no certificate in it; PEM is expected"));
    }
    Ok(found)
}

pub(crate) fn private_key(path: &Path, pem: &[u8]) -> Result<PrivateKeyDer<'static>, SecurityError> {
    // The error of the reader says where it stopped, never what it read.
    PrivateKeyDer::from_pem_slice(pem).map_err(|_| tls_error(path, "no private key in it; PEM without a passphrase is expected"))
}

pub(crate) fn authorities(path: &Path, pem: &[u8]) -> Result<rustls::RootCertStore, SecurityError> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in certificates(path, pem)? {
        roots
            .add(certificate)
            .map_err(|error| tls_error(path, format!("not an authority: {error}")))?;
    }
    Ok(roots)
}

/// The one provider of cryptography that we use, whatever else the process has linked.
pub(crate) fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn server(
    files: &TlsFiles,
    certificates: Vec<CertificateDer<'static>>,
    private_key: PrivateKeyDer<'static>,
    authorities: Option<rustls::RootCertStore>,
) -> Result<rustls::ServerConfig, SecurityError> {
    let builder = rustls::ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| tls_error(&files.certificate, error.to_string()))?;
    let builder = match (authorities, &files.client_authorities) {
        (Some(authorities), Some(path)) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(authorities), provider())
                .build()
                .map_err(|error| tls_error(path, error.to_string()))?;
            builder.with_client_cert_verifier(verifier)
        }
        _ => builder.with_no_client_auth(),
    };
    let mut config = builder
        .with_single_cert(certificates, private_key)
        .map_err(|error| tls_error(&files.private_key, format!("does not fit the certificate: {error}")))?;
    // gRPC clients insist on h2; both ports answer both protocols.
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::super::auth::{key_line, new_key};
    use super::*;

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn new() -> Self {
            Self(tempfile::tempdir().expect("a folder"))
        }

        fn write(&self, name: &str, text: &str) -> PathBuf {
            let path = self.0.path().join(name);
            std::fs::write(&path, text).expect("written");
            path
        }

        fn pair(&self) -> TlsFiles {
            let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
            TlsFiles {
                certificate: self.write("cert.pem", &made.cert.pem()),
                private_key: self.write("key.pem", &made.signing_key.serialize_pem()),
                client_authorities: None,
            }
        }
    }

    #[test]
    fn files_that_change_take_effect_and_bad_ones_change_nothing() {
        let folder = Folder::new();
        let line = |tenant| key_line(&new_key(), tenant, "").expect("a line");
        let keys_file = folder.write("keys", &line("acme"));
        let security = Security {
            keys_file: Some(keys_file),
            tls: Some(folder.pair()),
        };
        let credentials = Credentials::load(security).expect("loaded");
        assert!(!credentials.reload().expect("readable"), "nothing has changed");
        let before = credentials.current();
        folder.write("keys", "not a key line");
        let message = credentials.reload().expect_err("refused").to_string();
        assert!(message.contains("line 1") && message.contains("keys"), "{message}");
        assert_eq!(credentials.current().keys, before.keys, "the old keys stay");
        folder.write("keys", &line("globex"));
        // A new certificate without its private key is half a rotation.
        let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        folder.write("cert.pem", &other.cert.pem());
        assert!(credentials.reload().is_err());
        folder.write("key.pem", &other.signing_key.serialize_pem());
        assert!(credentials.reload().expect("whole again"));
        assert_ne!(credentials.current().keys, before.keys);
    }

    #[test]
    fn each_bad_file_is_named() {
        let folder = Folder::new();
        let good = folder.pair();
        let empty = folder.write("empty.pem", "");
        let missing = folder.0.path().join("missing.pem");
        for (certificate, private_key, client_authorities, named) in [
            (&missing, &good.private_key, None, "missing.pem"),
            (&empty, &good.private_key, None, "empty.pem"),
            (&good.certificate, &empty, None, "empty.pem"),
            (&good.certificate, &good.private_key, Some(empty.clone()), "empty.pem"),
        ] {
            let files = TlsFiles {
                certificate: certificate.clone(),
                private_key: private_key.clone(),
                client_authorities,
            };
            let security = Security {
                keys_file: None,
                tls: Some(files),
            };
            let message = security.check().expect_err("refused").to_string();
            assert!(message.contains(named), "{message}");
        }
    }
}
