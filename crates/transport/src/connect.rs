//! Owns the opening of connections: TCP, and TLS with the peer's certificate checked.

use core::net::SocketAddr;
use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use sip::{Flow, Transport as Protocol};
use tokio::net::{TcpSocket, TcpStream};
use tokio::runtime::Handle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::connection;
use crate::settings::Settings;
use crate::table::{Begun, Place, Queue, Table};

/// Names of peers remembered; beyond it the memory starts anew, and a name is told again before
/// the next connection.
const NAMES_MAX: usize = 4_096;

pub(crate) struct Connector {
    table: Arc<Table>,
    tls: Option<TlsConnector>,
    names: Mutex<HashMap<Flow, ServerName<'static>>>,
    runtime: Handle,
}

impl Connector {
    pub(crate) fn new(settings: &Settings, table: &Arc<Table>) -> Self {
        Self {
            table: Arc::clone(table),
            tls: settings.trust.as_ref().map(crate::Trust::connector),
            names: Mutex::default(),
            runtime: Handle::current(),
        }
    }

    pub(crate) fn expect_name(&self, flow: Flow, name: &str) {
        let Ok(name) = ServerName::try_from(name.to_owned()) else {
            return;
        };
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if names.len() >= NAMES_MAX {
            names.clear();
        }
        self.table.require(&flow, &name);
        names.insert(flow, name);
    }

    /// Opens the connection of a flow in the background, with its first message in the queue.
    pub(crate) fn open(&self, flow: Flow, bytes: &[u8]) {
        let name = self.name(flow);
        let asked = (flow.transport == Protocol::Tls).then(|| name.clone());
        let Some((place, queue)) = self.table.admit(flow, Begun::ByUs(asked)) else {
            self.table.closed(flow);
            return;
        };
        place.send(bytes);
        let tls = self.tls.clone();
        self.runtime.spawn(async move {
            if let Err(error) = open(place, queue, tls, name).await {
                tracing::debug!(remote = %flow.remote, %error, "no connection");
            }
        });
    }

    /// Whom the certificate must name.
    fn name(&self, flow: Flow) -> ServerName<'static> {
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let told = names.get(&flow).cloned();
        told.unwrap_or_else(|| ServerName::IpAddress(flow.remote.ip().to_canonical().into()))
    }
}

async fn open(
    place: Place,
    queue: Queue,
    tls: Option<TlsConnector>,
    name: ServerName<'static>,
) -> io::Result<()> {
    let Flow {
        transport, remote, ..
    } = place.flow;
    let counts = Arc::clone(&place.table);
    let failed = |error| {
        counts.counts().unconnected.add();
        error
    };
    let limits = place.table.limits;
    let late = |_| io::Error::from(io::ErrorKind::TimedOut);
    let stream = timeout(limits.connect, connect(place.flow.local, remote)).await;
    let stream = stream.map_err(late).flatten().map_err(failed)?;
    if transport != Protocol::Tls {
        connection::run(stream, place, queue).await;
        return Ok(());
    }
    let no_trust = || io::Error::other("no certificate authorities are known");
    let tls = tls.ok_or_else(no_trust).map_err(failed)?;
    let secured = timeout(limits.message, tls.connect(name, stream)).await;
    let stream = match secured.map_err(late).flatten() {
        Ok(stream) => stream,
        Err(error) => {
            tracing::warn!(%remote, %error, "the peer's certificate or TLS was refused");
            return Err(failed(error));
        }
    };
    let (_, session) = stream.get_ref();
    if let Some([certificate, ..]) = session.peer_certificates() {
        place.believed(certificate.clone().into_owned());
    }
    connection::run(stream, place, queue).await;
    Ok(())
}

/// Leaves from the address that we listen on, by a passing port.
async fn connect(local: SocketAddr, remote: SocketAddr) -> io::Result<TcpStream> {
    let socket = match remote {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    if !local.ip().is_unspecified() {
        socket.bind(SocketAddr::new(local.ip(), 0))?;
    }
    let stream = socket.connect(remote).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
