//! Owns the two ends of TLS: what we show to those who connect to us, whom we believe when we
//! connect. TLS 1.2 and 1.3, by rustls with ring.

use core::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// A certificate or key that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file is not there or holds no PEM of this kind.
    #[error("{}: expected {what} in PEM, {problem}", file.display())]
    File {
        /// Which.
        file: PathBuf,
        /// What was to be in it.
        what: &'static str,
        /// What was wrong.
        problem: String,
    },
    /// Certificate and key do not belong together, or are of a kind that is not known.
    #[error("{}: the key does not fit the certificate, {problem}", key.display())]
    Mismatch {
        /// The key's file.
        key: PathBuf,
        /// What rustls said.
        problem: String,
    },
    /// No authority is known.
    #[error("no certificate authorities are installed on this machine")]
    NoRoots,
}

/// Our certificate and key.
#[derive(Clone)]
pub struct Identity(Arc<ServerConfig>);

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity")
    }
}

/// The authorities whose certificates we believe.
#[derive(Clone)]
pub struct Trust(Arc<ClientConfig>);

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Trust")
    }
}

impl Identity {
    /// Reads a chain of certificates, ours first, and its key.
    ///
    /// # Errors
    /// If a file cannot be read, or the two do not belong together.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let chain = certificates(certificate)?;
        let private =
            PrivateKeyDer::from_pem_file(key).map_err(|problem| unread(key, "a key", &problem))?;
        let mismatch = |problem: rustls::Error| TlsError::Mismatch {
            key: key.to_owned(),
            problem: problem.to_string(),
        };
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(mismatch)?
            .with_no_client_auth()
            .with_single_cert(chain, private)
            .map_err(mismatch)?;
        Ok(Self(Arc::new(config)))
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.0))
    }
}

impl Trust {
    /// The authorities of a file.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn load(file: &Path) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        let (added, _) = roots.add_parsable_certificates(certificates(file)?);
        if added == 0 {
            let (file, what) = (file.to_owned(), "certificates");
            let problem = "none of them can be read".to_owned();
            return Err(TlsError::File {
                file,
                what,
                problem,
            });
        }
        Self::of(roots)
    }

    /// The authorities that this machine believes.
    ///
    /// # Errors
    /// If there are none.
    pub fn system() -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs();
        let (added, _) = roots.add_parsable_certificates(found.certs);
        if added == 0 {
            return Err(TlsError::NoRoots);
        }
        Self::of(roots)
    }

    fn of(roots: RootCertStore) -> Result<Self, TlsError> {
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            // Cannot be: ring knows both versions.
            .map_err(|_| TlsError::NoRoots)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(Arc::new(config)))
    }

    pub(crate) fn connector(&self) -> TlsConnector {
        TlsConnector::from(Arc::clone(&self.0))
    }
}

/// Named outright: a second provider in the build must not make the choice.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        Ok(_) => Err(unread(file, "a certificate", &pem::Error::NoItemsFound)),
        Err(problem) => Err(unread(file, "a certificate", &problem)),
    }
}

fn unread(file: &Path, what: &'static str, problem: &pem::Error) -> TlsError {
    let problem = match problem {
        pem::Error::Io(error) => error.to_string(),
        pem::Error::NoItemsFound => "found none".to_owned(),
        other => format!("found {other}"),
    };
    let file = file.to_owned();
    TlsError::File {
        file,
        what,
        problem,
    }
}
