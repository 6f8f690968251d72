//! Certificate and key: read at the start, and again when somebody says that they are new.

use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use tokio_rustls::TlsAcceptor;

use crate::config::TlsFiles;

/// What new connections are encrypted with. Clones are the same.
#[derive(Clone)]
pub(crate) struct Tls {
    files: TlsFiles,
    current: Arc<ArcSwap<ServerConfig>>,
}

/// Why connections cannot be encrypted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    #[error("the {what} {path} cannot be read: {source}")]
    Read { what: &'static str, path: String, source: pem::Error },
    #[error("the certificate file {path} holds no certificate")]
    NoCertificate { path: String },
    #[error("certificate and key do not go together: {0}")]
    Unusable(#[from] rustls::Error),
}

impl Tls {
    pub(crate) fn load(files: &TlsFiles) -> Result<Self, TlsError> {
        let current = Arc::new(ArcSwap::from_pointee(read(files)?));
        Ok(Self { files: files.clone(), current })
    }

    /// Reads the files again. Connections that are open keep what they have; if the files are
    /// wrong, so do new ones.
    pub(crate) fn reload(&self) -> Result<(), TlsError> {
        self.current.store(Arc::new(read(&self.files)?));
        Ok(())
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.current.load_full())
    }
}

fn read(files: &TlsFiles) -> Result<ServerConfig, TlsError> {
    let wrong = |what, path: &Path| {
        let path = path.display().to_string();
        move |source| TlsError::Read { what, path, source }
    };
    let certificates = CertificateDer::pem_file_iter(&files.certificates)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(wrong("certificate file", &files.certificates))?;
    if certificates.is_empty() {
        return Err(TlsError::NoCertificate { path: files.certificates.display().to_string() });
    }
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(wrong("key file", &files.key))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(certificates, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
