//! Keys and TLS over the real wire: who may send, and whose the rows are.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Response, StatusCode};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::TokioExecutor;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio_rustls::rustls;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tonic::metadata::MetadataValue;

use crate::support::{Collector, JSON, attempt, chat, request_json, rows, run, until};

fn path(path: &Path) -> &str {
    path.to_str().expect("a path")
}

fn new_key(file: &Path, tenant: &str) -> String {
    let key = run(&["keys", "new", tenant, "--file", path(file), "--note", "a test"]);
    key.trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tenant_comes_from_the_key_over_both_protocols_and_without_a_key_nothing_is_taken() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = folder.path().join("lake");
    let keys = folder.path().join("keys");
    let (acme, globex) = (new_key(&keys, "acme-eu"), new_key(&keys, "globex"));
    assert_eq!(run(&["keys", "check", path(&keys)]), "2 keys, 2 tenants\n");
    let file = std::fs::read_to_string(&keys).expect("the key file");
    assert!(!file.contains(&acme) && file.contains("a test"));

    let collector = Collector::start_with(&lake, &["--commit-interval", "50ms", "--keys-file", path(&keys)]);
    let post = |key: Option<&str>, span: u64| {
        // A client that names a tenant by attribute changes nothing.
        let mut call = chat(1, span, "customer", 10, 1);
        let claim = serde_json::json!({ "key": "tenant", "value": { "stringValue": "somebody else" } });
        call["attributes"].as_array_mut().expect("attributes").push(claim);
        let body = request_json(&[call]).to_string();
        let key = key.map(|key| format!("authorization: {key}\r\n")).unwrap_or_default();
        let headers = format!("Content-Type: {JSON}\r\nContent-Length: {}\r\n{key}", body.len());
        collector
            .request("POST /v1/traces HTTP/1.1", &headers, body.as_bytes())
            .expect("an answer")
    };
    assert_eq!(post(Some(&format!("Bearer {acme}")), 1).status, 200);
    for refused in [None, Some("Bearer wrong"), Some("Basic eDp5")] {
        let answer = post(refused, 9);
        assert_eq!(answer.status, 401, "{refused:?}");
        assert!(answer.headers.contains("www-authenticate: bearer"), "{}", answer.headers);
    }
    assert_eq!(collector.get("/healthz").status, 200, "probes need no key");

    let mut client = TraceServiceClient::connect(format!("http://{}", collector.grpc))
        .await
        .expect("connected");
    let message: ExportTraceServiceRequest =
        serde_json::from_value(request_json(&[chat(2, 2, "customer", 10, 1)])).expect("a request");
    let mut request = tonic::Request::new(message.clone());
    let bearer = MetadataValue::try_from(format!("Bearer {globex}")).expect("ASCII");
    request.metadata_mut().insert("authorization", bearer);
    client.export(request).await.expect("accepted");
    let refused = client.export(message).await.expect_err("refused");
    assert_eq!(refused.code(), tonic::Code::Unauthenticated, "{refused:?}");
    collector.stop();
    let found = rows(
        &lake,
        "SELECT tenant, count(*) AS n FROM spans GROUP BY tenant ORDER BY tenant",
    );
    let expected = serde_json::json!([{ "tenant": "acme-eu", "n": 1 }, { "tenant": "globex", "n": 1 }]);
    assert_eq!(serde_json::Value::from(found), expected);
}

/// An authority, a server's and a client's certificate, as files and in memory.
struct Pki {
    folder: tempfile::TempDir,
    roots: rustls::RootCertStore,
    client: (CertificateDer<'static>, Vec<u8>),
}

impl Pki {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut authority = CertificateParams::new(Vec::new()).expect("parameters");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().expect("a key")).expect("an authority");
        let issue = |name: &str| {
            let key = KeyPair::generate().expect("a key");
            let parameters = CertificateParams::new(vec![name.to_owned()]).expect("parameters");
            (parameters.signed_by(&key, &authority).expect("signed"), key)
        };
        let (server, server_key) = issue("localhost");
        let (client, client_key) = issue("client");
        let mut roots = rustls::RootCertStore::empty();
        roots.add(authority.der().clone()).expect("an authority");
        for (name, text) in [
            ("ca.crt", authority.pem()),
            ("tls.crt", server.pem()),
            ("tls.key", server_key.serialize_pem()),
            ("client.crt", client.pem()),
            ("client.key", client_key.serialize_pem()),
        ] {
            std::fs::write(folder.path().join(name), text).expect("written");
        }
        Self {
            folder,
            roots,
            client: (client.der().clone(), client_key.serialize_der()),
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn get(&self, address: SocketAddr, with_certificate: bool) -> Result<Response<hyper::body::Incoming>, Error> {
        self.get_by(hyper::Version::HTTP_2, address, with_certificate).await
    }

    /// With nothing but `version` offered to the server.
    async fn get_by(
        &self,
        version: hyper::Version,
        address: SocketAddr,
        with_certificate: bool,
    ) -> Result<Response<hyper::body::Incoming>, Error> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(self.roots.clone());
        let config = if with_certificate {
            let key = PrivateKeyDer::try_from(self.client.1.clone()).expect("a key");
            builder
                .with_client_auth_cert(vec![self.client.0.clone()], key)
                .expect("a certificate")
        } else {
            builder.with_no_client_auth()
        };
        let connector = HttpsConnectorBuilder::new().with_tls_config(config).https_only();
        let connector = match version {
            hyper::Version::HTTP_11 => connector.enable_http1().build(),
            _ => connector.enable_all_versions().build(),
        };
        let client = Client::builder(TokioExecutor::new()).build::<_, Full<Bytes>>(connector);
        let address = format!("https://localhost:{}/readyz", address.port());
        client.get(address.parse().expect("an address")).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_serves_both_addresses_and_asks_for_client_certificates_where_told() {
    let pki = Pki::new();
    let folder = tempfile::tempdir().expect("a folder");
    let (cert, key, ca) = (pki.file("tls.crt"), pki.file("tls.key"), pki.file("ca.crt"));
    let tls = ["--tls-cert", path(&cert), "--tls-key", path(&key)];
    let collector = Collector::start_with(&folder.path().join("lake"), &tls);
    for address in [collector.http, collector.grpc] {
        let answer = pki.get(address, false).await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.version(), hyper::Version::HTTP_2, "h2 is negotiated");
        assert_eq!(answer.into_body().collect().await.expect("a body").to_bytes(), "ready\n");
        let old = hyper::Version::HTTP_11;
        let answer = pki.get_by(old, address, false).await.expect("an answer");
        assert_eq!((answer.status(), answer.version()), (StatusCode::OK, old));
    }
    let plain = collector.request("GET /healthz HTTP/1.1", "", b"");
    assert!(plain.is_err(), "plain text is not understood: {plain:?}");
    collector.stop();

    let mutual = [&tls[..], &["--tls-client-ca", path(&ca)]].concat();
    let collector = Collector::start_with(&folder.path().join("lake"), &mutual);
    assert!(pki.get(collector.http, false).await.is_err(), "no certificate, no answer");
    assert_eq!(
        pki.get(collector.http, true).await.expect("an answer").status(),
        StatusCode::OK
    );
    collector.stop();
}

/// The backend is another collector, so that both ends of both protocols are real.
#[test]
fn forwarding_goes_over_tls_with_a_certificate_of_its_own_and_only_to_whom_the_authority_knows() {
    let pki = Pki::new();
    let other = Pki::new();
    let (cert, key, ca) = (pki.file("tls.crt"), pki.file("tls.key"), pki.file("ca.crt"));
    let mutual = [
        "--tls-cert",
        path(&cert),
        "--tls-key",
        path(&key),
        "--tls-client-ca",
        path(&ca),
    ];
    let folder = tempfile::tempdir().expect("a folder");
    let far = folder.path().join("far");
    let backend = Collector::start_with(&far, &[&mutual[..], &["--commit-interval", "50ms"]].concat());
    let forwarding = |name: &str, protocol: &str, port: u16, authority: &Path, certificate: bool| {
        let mut section = format!(
            "[collect]\nforward = \"https://localhost:{port}\"\nforward_protocol = \"{protocol}\"\nforward_ca = \"{}\"\n",
            authority.display()
        );
        if certificate {
            let (cert, key) = (pki.file("client.crt"), pki.file("client.key"));
            section += &format!("forward_cert = \"{}\"\nforward_key = \"{}\"\n", cert.display(), key.display());
        }
        let config = folder.path().join(format!("{name}.toml"));
        std::fs::write(&config, section).expect("written");
        let lake = folder.path().join(name);
        Collector::start_with(&lake, &["--commit-interval", "50ms", "--config", path(&config)])
    };
    let post = |collector: &Collector, span: u64| {
        let body = request_json(&[chat(1, span, "acme", 10, 1)]).to_string();
        assert_eq!(collector.post("/v1/traces", JSON, body.as_bytes()).status, 200);
    };
    let (ours, stranger) = (pki.file("ca.crt"), other.file("ca.crt"));
    let collectors = [
        forwarding("http", "http", backend.http.port(), &ours, true),
        forwarding("grpc", "grpc", backend.grpc.port(), &ours, true),
        // These two reach nobody, and lose nothing of their own.
        forwarding("nameless", "http", backend.http.port(), &ours, false),
        forwarding("wary", "grpc", backend.grpc.port(), &stranger, true),
    ];
    for (span, collector) in (1..).zip(&collectors) {
        post(collector, span);
    }
    let sent = "marginlake_collector_forward_requests_total{outcome=\"sent\"}";
    let failed = "marginlake_collector_forward_failures_total";
    until("both have forwarded", || {
        collectors[..2].iter().all(|collector| collector.metric(sent) == 1)
    });
    until("both have been refused", || {
        collectors[2..].iter().all(|collector| collector.metric(failed) >= 1)
    });
    for (collector, name) in collectors.into_iter().zip(["http", "grpc", "nameless", "wary"]) {
        collector.stop();
        assert_eq!(
            rows(&folder.path().join(name), "SELECT span_id FROM spans").len(),
            1,
            "{name}"
        );
    }
    backend.stop();
    let arrived = rows(&far, "SELECT right(span_id, 1) AS span FROM spans ORDER BY span_id");
    assert_eq!(
        serde_json::Value::from(arrived),
        serde_json::json!([{ "span": "1" }, { "span": "2" }])
    );
}

#[test]
fn a_configuration_is_checked_with_its_files_before_anything_starts() {
    let folder = tempfile::tempdir().expect("a folder");
    let keys = folder.path().join("keys");
    assert_eq!(run(&["collect", "--check-config"]), "the configuration is good\n");
    std::fs::write(&keys, "mlk_a_key_in_plain_text acme\n").expect("written");
    for (arguments, expected) in [
        (vec!["--keys-file", path(&keys)], "line 1"),
        (vec!["--keys-file", "missing"], "missing"),
        (vec!["--tls-cert", "cert.pem"], "tls_key"),
    ] {
        let output = attempt(&[&["collect", "--check-config"], &arguments[..]].concat());
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
        assert!(message.contains(expected) && !message.contains("mlk_a_key"), "{message}");
    }
    let guessable = attempt(&["keys", "new", "two words", "--file", path(&keys)]);
    assert_eq!(guessable.status.code(), Some(2));
}
