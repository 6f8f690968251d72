//! Encrypted connections, with certificates of the test's own making.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use harness::{Server, Signal, gestalt, until};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, Stream};
use tempfile::TempDir;

/// A certificate and its key as files, as an operator has them.
struct Files {
    home: TempDir,
}

impl Files {
    fn new() -> Self {
        Self { home: tempfile::tempdir().expect("a folder") }
    }

    fn certificate(&self) -> PathBuf {
        self.home.path().join("cert.pem")
    }

    fn key(&self) -> PathBuf {
        self.home.path().join("key.pem")
    }

    /// Writes a fresh pair and returns the certificate.
    fn renew(&self) -> CertificateDer<'static> {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
        fs::write(self.certificate(), made.cert.pem()).expect("a file");
        fs::write(self.key(), made.signing_key.serialize_pem()).expect("a file");
        made.cert.der().clone()
    }

    fn server(&self) -> Server {
        let text = |path: PathBuf| path.display().to_string();
        let (certificate, key) = (text(self.certificate()), text(self.key()));
        Server::with(&[("GESTALT_TLS_CERT", &certificate), ("GESTALT_TLS_KEY", &key)])
    }
}

/// Asks for `/healthz`, trusting this certificate and no other.
fn ask(url: &str, trusted: &CertificateDer<'static>) -> Result<String, std::io::Error> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).expect("a certificate");
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("127.0.0.1").expect("a name");
    let mut session = ClientConnection::new(Arc::new(config), name).expect("a session");
    let address = url.strip_prefix("https://").expect("an encrypted address");
    let mut stream = TcpStream::connect(address)?;
    let mut stream = Stream::new(&mut session, &mut stream);
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: gestalt\r\nConnection: close\r\n\r\n")?;
    let mut reply = String::new();
    match stream.read_to_string(&mut reply) {
        Err(error) if reply.is_empty() => Err(error),
        _ => Ok(reply),
    }
}

#[test]
fn connections_are_encrypted() {
    let files = Files::new();
    let certificate = files.renew();
    let server = files.server();
    let reply = ask(&server.url(), &certificate).expect("an answer");
    assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
    let stranger = Files::new().renew();
    assert!(ask(&server.url(), &stranger).is_err(), "another certificate is not trusted");

    let mut plain = TcpStream::connect(server.url().replace("https://", "")).expect("a connection");
    plain.write_all(b"GET /healthz HTTP/1.1\r\nHost: gestalt\r\n\r\n").expect("a request");
    let mut reply = Vec::new();
    let _ = plain.read_to_end(&mut reply);
    assert!(!reply.starts_with(b"HTTP/"), "nothing is answered in the clear");
}

#[test]
fn certificates_are_renewed_without_a_restart() {
    let files = Files::new();
    let first = files.renew();
    let server = files.server();
    server.announce("the old certificate stays");
    let second = files.renew();
    ask(&server.url(), &first).expect("nothing has changed before the signal");
    server.signal(Signal::HUP);
    until("the new certificate", || ask(&server.url(), &second).ok());
    assert!(ask(&server.url(), &first).is_err());

    fs::write(files.certificate(), "no certificate").expect("a file");
    server.signal(Signal::HUP);
    until("the complaint", || server.log().contains("the old certificate stays").then_some(()));
    ask(&server.url(), &second).expect("the one that was good is still in use");
}

#[test]
fn wrong_files_are_told_at_the_start() {
    let files = Files::new();
    files.renew();
    let other = Files::new();
    other.renew();
    let empty = files.home.path().join("empty.pem");
    fs::write(&empty, "").expect("a file");
    let missing = files.home.path().join("missing.pem");
    for (certificate, key, word) in [
        (missing.as_path(), files.key().as_path(), "missing.pem"),
        (files.certificate().as_path(), missing.as_path(), "missing.pem"),
        (empty.as_path(), files.key().as_path(), "empty.pem"),
        (files.certificate().as_path(), other.key().as_path(), "do not go together"),
    ] {
        let error = refused(&files, &[("--tls-cert", certificate), ("--tls-key", key)]);
        assert!(error.contains(word), "{word}: {error}");
    }
    let half = refused(&files, &[("--tls-cert", &files.certificate())]);
    assert!(half.contains("tls_key"), "{half}");
}

/// What a server that does not start says.
fn refused(files: &Files, settings: &[(&str, &Path)]) -> String {
    let mut command = gestalt(&["serve", "--listen", "127.0.0.1:0", "--data"]);
    command.arg(files.home.path().join("data"));
    for (name, value) in settings {
        command.arg(name).arg(value);
    }
    let output = command.output().expect("the binary starts");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(error.lines().count(), 1, "{error}");
    error
}

/// `gestalt` as a client, with a home of its own and in the folder of the certificates.
fn client(files: &Files, environment: &[(&str, &str)], arguments: &[&str]) -> Result<String, String> {
    let mut command = gestalt(arguments);
    command.env("HOME", files.home.path()).env_remove("XDG_CONFIG_HOME").current_dir(files.home.path());
    let output = command.envs(environment.iter().copied()).output().expect("the binary starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match output.status.code() {
        Some(0) => Ok(text(&output.stdout)),
        Some(1) => Err(text(&output.stderr)),
        code => panic!("{arguments:?}: {code:?}: {}", text(&output.stderr)),
    }
}

#[test]
fn the_command_line_speaks_with_those_it_believes_only() {
    let files = Files::new();
    files.renew();
    let server = files.server();
    let (url, credentials) = (server.url(), server.data().join("credentials.json").display().to_string());
    let log_in = ["login", "--url", &url, "--credentials", &credentials];
    let stranger = client(&files, &[], &log_in).expect_err("nobody vouches for the certificate");
    assert!(stranger.contains("certificate") && stranger.lines().count() == 1, "{stranger}");
    let missing = client(&files, &[("GESTALT_CA_CERT", "none.pem")], &log_in).expect_err("no such file");
    assert!(missing.contains("none.pem"), "{missing}");

    client(&files, &[], &[&log_in[..], &["--ca-cert", "cert.pem"]].concat()).expect("it is believed");
    client(&files, &[], &["graph", "create", "people"]).expect("the login remembers whom to believe");
    let listed = client(&files, &[], &["graph", "list"]).expect("a list");
    assert!(listed.contains("people"), "{listed}");
    files.renew();
    server.signal(Signal::HUP);
    until("the file to count, and not what it once held", || client(&files, &[], &["graph", "list"]).ok());
    client(&files, &[], &["logout"]).expect("the token is ended");
}

#[test]
fn another_keystone_may_be_asked_in_private() {
    let files = Files::new();
    files.renew();
    let keystone = files.server();
    let credentials = keystone.data().join("credentials.json").display().to_string();
    let log_in = ["login", "--url", &keystone.url(), "--credentials", &credentials, "--ca-cert", "cert.pem"];
    client(&files, &[], &log_in).expect("a token");
    let kept = fs::read_to_string(files.home.path().join(".config/gestalt/profiles.toml")).expect("profiles");
    let token = kept.split("\ntoken = \"").nth(1).and_then(|rest| rest.split('"').next()).expect("a token");

    let (url, believed) = (format!("{}/v3", keystone.url()), files.certificate().display().to_string());
    let believing = Server::with(&[("GESTALT_KEYSTONE_URL", &url), ("GESTALT_KEYSTONE_CA_CERT", &believed)]);
    let asked = |server: &Server| {
        let environment = [("GESTALT_URL", server.url()), ("GESTALT_TOKEN", token.to_owned())];
        let environment = environment.each_ref().map(|(name, value)| (*name, value.as_str()));
        client(&files, &environment, &["graph", "list"])
    };
    asked(&believing).expect("the token is good");
    let doubting = Server::with(&[("GESTALT_KEYSTONE_URL", &url)]);
    doubting.announce("cannot be asked");
    assert!(asked(&doubting).expect_err("nobody gets in").contains("Keystone"));

    let nothing = files.home.path().join("empty.pem");
    fs::write(&nothing, "").expect("a file");
    let settings = [("--keystone-url", Path::new(&url)), ("--keystone-ca-cert", nothing.as_path())];
    assert!(refused(&files, &settings).contains("keystone_ca_cert"));
}
