//! Owns what the tests of the transport share: a sink that remembers, certificates, clients.

#![allow(clippy::unwrap_used, clippy::panic, unreachable_pub)]
#![allow(dead_code, reason = "each test file uses its part")]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sip::{Flow, Transport as Protocol};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use transport::{Datagram, Identity, Inherited, Limits, Settings, Sink, Transport, Trust};

/// Longest wait for anything; nothing here takes a tenth of it on an idle machine.
pub const WITHIN: Duration = Duration::from_secs(20);

/// What happened.
#[derive(Debug)]
pub enum Seen {
    Message(Datagram),
    Closed(Flow),
}

#[derive(Clone)]
pub struct Collector {
    seen: mpsc::UnboundedSender<Seen>,
    full: Arc<AtomicBool>,
}

impl Sink for Collector {
    fn message(&self, message: Datagram) -> Result<(), Datagram> {
        if self.full.load(Ordering::SeqCst) {
            return Err(message);
        }
        let _ = self.seen.send(Seen::Message(message));
        Ok(())
    }

    fn closed(&self, flow: Flow) {
        let _ = self.seen.send(Seen::Closed(flow));
    }
}

/// A certificate for names, with its files.
pub struct Certificate {
    pub folder: TempDir,
}

impl Certificate {
    pub fn of(names: &[&str]) -> Self {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("certificate.pem"), made.cert.pem()).unwrap();
        let key = made.signing_key.serialize_pem();
        std::fs::write(folder.path().join("key.pem"), key).unwrap();
        Self { folder }
    }

    pub fn file(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }

    pub fn key(&self) -> PathBuf {
        self.folder.path().join("key.pem")
    }

    pub fn identity(&self) -> Identity {
        Identity::load(&self.file(), &self.key()).unwrap()
    }

    pub fn trust(&self) -> Trust {
        Trust::load(&self.file()).unwrap()
    }

    /// A client that believes this certificate alone.
    pub fn client(&self) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_file(self.file()).unwrap())
            .unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        TlsConnector::from(Arc::new(config))
    }
}

/// A transport with all five kinds of socket, and what happened on it.
pub struct World {
    pub transport: Transport,
    pub certificate: Certificate,
    seen: mpsc::UnboundedReceiver<Seen>,
    full: Arc<AtomicBool>,
}

impl World {
    pub fn new(limits: Limits) -> Self {
        Self::on("127.0.0.1:0", limits)
    }

    pub fn on(address: &str, limits: Limits) -> Self {
        Self::with(address, limits, Vec::new())
    }

    /// One that goes on with the sockets of another.
    pub fn with(address: &str, limits: Limits, inherited: Vec<Inherited>) -> Self {
        let certificate = Certificate::of(&["localhost", "127.0.0.1", "::1"]);
        let any: Vec<SocketAddr> = vec![address.parse().unwrap()];
        let settings = Settings {
            udp: any.clone(),
            tcp: None,
            tls: any.clone(),
            ws: any.clone(),
            wss: any,
            identity: Some(certificate.identity()),
            trust: Some(certificate.trust()),
            origins: vec!["https://desk.example".to_owned()],
            limits,
        };
        let (seen, inbox) = mpsc::unbounded_channel();
        let full = Arc::new(AtomicBool::new(false));
        let sink = Collector {
            seen,
            full: Arc::clone(&full),
        };
        Self {
            transport: Transport::take_over(settings, inherited, sink).unwrap(),
            certificate,
            seen: inbox,
            full,
        }
    }

    pub fn address(&self, protocol: Protocol) -> SocketAddr {
        let all = self.transport.addresses();
        all.iter().find(|(one, _)| *one == protocol).unwrap().1
    }

    /// Whether there is no room above.
    pub fn set_full(&self, full: bool) {
        self.full.store(full, Ordering::SeqCst);
    }

    pub async fn next(&mut self) -> Seen {
        timeout(WITHIN, self.seen.recv()).await.unwrap().unwrap()
    }

    pub async fn message(&mut self) -> Datagram {
        match self.next().await {
            Seen::Message(message) => message,
            Seen::Closed(flow) => panic!("{flow:?} was closed"),
        }
    }

    pub async fn closed(&mut self) -> Flow {
        match self.next().await {
            Seen::Closed(flow) => flow,
            Seen::Message(message) => panic!("{message:?} came"),
        }
    }

    pub fn nothing_more(&mut self) {
        if let Ok(seen) = self.seen.try_recv() {
            panic!("{seen:?}");
        }
    }

    /// A stream to the listener of TCP or TLS.
    pub async fn connect(&self, protocol: Protocol) -> Stream {
        let address = self.address(protocol);
        let tcp = TcpStream::connect(address).await.unwrap();
        match protocol {
            Protocol::Tcp | Protocol::Ws => Box::pin(tcp),
            Protocol::Tls | Protocol::Wss => {
                let name = ServerName::try_from("localhost").unwrap();
                let tls = self.certificate.client().connect(name, tcp).await;
                Box::pin(tls.unwrap())
            }
            Protocol::Udp => panic!("no stream"),
        }
    }

    /// Waits until so many connections are there.
    pub async fn connections(&self, wanted: usize) {
        let all = async {
            while self.transport.connections() != wanted {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        if timeout(WITHIN, all).await.is_err() {
            panic!("{} connections, not {wanted}", self.transport.connections());
        }
    }
}

pub trait Io: AsyncRead + AsyncWrite + Send {}
impl<T: AsyncRead + AsyncWrite + Send> Io for T {}
pub type Stream = Pin<Box<dyn Io>>;

/// Reads until these octets have come.
pub async fn expect(stream: &mut Stream, wanted: &[u8]) {
    let mut buffer = vec![0; wanted.len()];
    let read = timeout(WITHIN, stream.read_exact(&mut buffer)).await;
    read.unwrap().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&buffer),
        String::from_utf8_lossy(wanted)
    );
}

/// All that comes until the other side closes.
pub async fn rest(stream: &mut Stream) -> String {
    let mut all = Vec::new();
    let _ = timeout(WITHIN, stream.read_to_end(&mut all)).await.unwrap();
    String::from_utf8_lossy(&all).into_owned()
}

pub async fn write(stream: &mut Stream, bytes: impl AsRef<[u8]>) {
    stream.write_all(bytes.as_ref()).await.unwrap();
    stream.flush().await.unwrap();
}

/// A request with a body, so that framing matters.
pub fn request(number: u32) -> String {
    let body = format!("body {number}\r\n\r\n");
    format!(
        "MESSAGE sip:1300@127.0.0.1 SIP/2.0\r\n\
         Via: SIP/2.0/TCP 127.0.0.1:5060;branch=z9hG4bK{number}\r\n\
         From: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: {number}\r\nCSeq: 1 MESSAGE\r\n\
         Content-Type: text/plain\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}
