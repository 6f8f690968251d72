//! Whose certificates a client believes.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use crate::error::Error;

/// Who is believed when a server says who it is.
#[derive(Debug, Clone)]
pub enum Trust {
    /// Those that the machine believes.
    System,
    /// These and nobody else.
    These(Arc<Vec<Certificate<'static>>>),
}

impl Trust {
    /// The certificates of a PEM file, if there is one; a server's own certificate will do.
    pub fn of(file: Option<&Path>) -> Result<Self, Error> {
        let Some(path) = file else { return Ok(Self::System) };
        let shown = path.display().to_string();
        let text = std::fs::read(path).map_err(|source| Error::File { path: shown.clone(), source })?;
        let certificate = |item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        };
        let certificates: Vec<_> = parse_pem(&text).filter_map(certificate).collect();
        if certificates.is_empty() {
            return Err(Error::NoCertificate(shown));
        }
        Ok(Self::These(Arc::new(certificates)))
    }

    /// For an agent of the HTTP client.
    pub fn config(&self) -> TlsConfig {
        let roots = match self {
            Self::System => RootCerts::PlatformVerifier,
            Self::These(certificates) => RootCerts::Specific(Arc::clone(certificates)),
        };
        // Both are said, so that nothing is left to a process-wide default.
        TlsConfig::builder()
            .root_certs(roots)
            .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
            .build()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_a_certificate_is_refused_by_name() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("ca.pem");
        let refused = |path: &Path| Trust::of(Some(path)).unwrap_err().to_string();
        assert!(refused(&path).contains("ca.pem"));
        for text in ["", "nothing", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"] {
            std::fs::write(&path, text).unwrap();
            assert!(refused(&path).contains("ca.pem"), "{text}");
        }
        assert!(matches!(Trust::of(None), Ok(Trust::System)));
    }
}
