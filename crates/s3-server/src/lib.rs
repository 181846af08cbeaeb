//! A small S3 server for tests: real HTTP on a loopback address, in memory, that fails by order.
//!
//! The contract: it has what a client of one bucket needs (PUT, GET with ranges, HEAD, DELETE,
//! multipart uploads, listing their parts), checks each signature (AWS Signature Version 4) and the
//! SHA-256 of each body, and remembers what it was asked.
//!
//! ```
//! let server = s3_server::Server::start("calls", "AK", "secret")?;
//! server.order(s3_server::Fault::Unavailable, 2);
//! assert!(server.endpoint().starts_with("http://127."));
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! Non-goals: any use but in tests; listing, versions, access rules, virtual hosts.

mod answer;
mod http;
mod sign;

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A connection is closed before anything is read.
    Refuse,
    /// The connection is cut in the middle of this part.
    CutPart(u32),
    /// A request is answered with 503.
    Unavailable,
    /// A deletion is answered with 503.
    Undeletable,
    /// An octet of what is put is changed.
    Flip,
    /// A completed upload is not told of: the connection is cut after it.
    Untold,
}

#[derive(Debug)]
pub(crate) struct Upload {
    pub(crate) name: String,
    pub(crate) parts: BTreeMap<u32, (String, Vec<u8>)>,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) objects: BTreeMap<String, Vec<u8>>,
    pub(crate) uploads: BTreeMap<String, Upload>,
    pub(crate) begun: u64,
    pub(crate) orders: Vec<(Fault, usize)>,
    pub(crate) requests: Vec<String>,
}

impl State {
    /// Whether this is to go wrong now.
    pub(crate) fn fails(&mut self, fault: Fault) -> bool {
        let order = self.orders.iter_mut().find(|(one, _)| *one == fault);
        let Some((_, times)) = order.filter(|(_, times)| *times > 0) else {
            return false;
        };
        *times -= 1;
        true
    }
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) bucket: String,
    pub(crate) access_key: String,
    pub(crate) secret: String,
    state: Mutex<State>,
    stopped: AtomicBool,
}

impl Shared {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running server; it ends when it is dropped.
#[derive(Debug)]
pub struct Server {
    endpoint: String,
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Server {
    /// Starts one that has one bucket and knows one key, at a free port.
    ///
    /// # Errors
    /// If no socket can be had.
    pub fn start(bucket: &str, access_key: &str, secret: &str) -> io::Result<Self> {
        Self::start_with(bucket, (access_key, secret), None)
    }

    /// The same behind TLS, with a certificate and its key, both DER.
    ///
    /// # Errors
    /// If no socket can be had, or the certificate is none.
    pub fn start_tls(
        bucket: &str,
        access: (&str, &str),
        (certificate, key): (Vec<u8>, Vec<u8>),
    ) -> io::Result<Self> {
        let key = PrivatePkcs8KeyDer::from(key).into();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.into()], key)
            .map_err(io::Error::other)?;
        Self::start_with(bucket, access, Some(Arc::new(config)))
    }

    fn start_with(
        bucket: &str,
        (access_key, secret): (&str, &str),
        tls: Option<Arc<ServerConfig>>,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            bucket: bucket.to_owned(),
            access_key: access_key.to_owned(),
            secret: secret.to_owned(),
            state: Mutex::default(),
            stopped: AtomicBool::new(false),
        });
        let protocol = if tls.is_some() { "https" } else { "http" };
        let of_thread = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if of_thread.stopped.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(stream) = stream else { return };
                if of_thread.state().fails(Fault::Refuse) {
                    continue;
                }
                let (shared, tls) = (Arc::clone(&of_thread), tls.clone());
                thread::spawn(move || match tls {
                    Some(config) => {
                        if let Ok(connection) = ServerConnection::new(config) {
                            serve(StreamOwned::new(connection, stream), &shared);
                        }
                    }
                    None => serve(stream, &shared),
                });
            }
        });
        Ok(Self {
            endpoint: format!("{protocol}://{address}"),
            address,
            shared,
        })
    }

    /// Where it is.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.endpoint.clone()
    }

    /// Lets something go wrong, so many times.
    pub fn order(&self, fault: Fault, times: usize) {
        self.shared.state().orders.push((fault, times));
    }

    /// From now on all goes well.
    pub fn recover(&self) {
        self.shared.state().orders.clear();
    }

    /// The names of all objects, in order.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.shared.state().objects.keys().cloned().collect()
    }

    /// The octets of an object.
    #[must_use]
    pub fn object(&self, name: &str) -> Option<Vec<u8>> {
        self.shared.state().objects.get(name).cloned()
    }

    /// Changes an object from behind, or takes it away.
    pub fn tamper(&self, name: &str, octets: Option<Vec<u8>>) {
        let mut state = self.shared.state();
        match octets {
            Some(octets) => state.objects.insert(name.to_owned(), octets),
            None => state.objects.remove(name),
        };
    }

    /// Uploads that were begun and neither completed nor aborted.
    #[must_use]
    pub fn uploads(&self) -> usize {
        self.shared.state().uploads.len()
    }

    /// Throws away what was begun, as a store does after some days.
    pub fn expire_uploads(&self) {
        self.shared.state().uploads.clear();
    }

    /// What was asked since the last time: method, name, and what follows the question mark.
    pub fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.state().requests)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        drop(TcpStream::connect(self.address));
    }
}

/// All requests of a connection; to return from here cuts it.
fn serve(stream: impl Read + Write, shared: &Shared) {
    let mut reader = io::BufReader::new(stream);
    while let Ok(Some(head)) = http::head(&mut reader) {
        if shared.stopped.load(Ordering::Relaxed) {
            return;
        }
        let Some(reply) = answer::answer(&head, &mut reader, shared) else {
            return;
        };
        if http::reply(reader.get_mut(), &head.method, &reply).is_err() {
            return;
        }
    }
}
