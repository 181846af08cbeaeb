//! Owns the table of connections: which there are, how many of whom, and the queue of each. A lock
//! guards it for the moment of a look-up; nobody waits for the network under it.

use core::net::{IpAddr, Ipv6Addr};
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use sip::Flow;
use tokio::sync::{Notify, mpsc};
use tokio_rustls::rustls::client::verify_server_name;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::server::ParsedCertificate;

use crate::counts::Counts;
use crate::settings::Limits;
use crate::{Datagram, Sink};

pub(crate) struct Table {
    pub(crate) limits: Limits,
    pub(crate) sink: Arc<dyn Sink>,
    counts: Counts,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    connections: HashMap<Flow, Entry>,
    /// Connections that an address has open to us.
    accepted: HashMap<IpAddr, usize>,
    next: u64,
}

struct Entry {
    id: u64,
    begun: Begun,
    shared: Arc<Shared>,
    queue: mpsc::UnboundedSender<Vec<u8>>,
}

/// What the table and the task of a connection share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    /// Octets that wait to be written.
    queued: AtomicUsize,
    /// Somebody above knows of it.
    used: AtomicBool,
    /// What the peer of a TLS connection of ours has shown, once it was believed.
    certificate: OnceLock<CertificateDer<'static>>,
    closing: Notify,
}

/// Who began a connection, and so what is known of the peer.
#[derive(Debug)]
pub(crate) enum Begun {
    /// The peer: of its name it has proved nothing.
    ByPeer,
    /// We; its certificate is to show this name, where there is one.
    ByUs(Option<ServerName<'static>>),
}

/// A connection's place in the table, held by its task; given back when that ends.
pub(crate) struct Place {
    pub(crate) flow: Flow,
    pub(crate) table: Arc<Table>,
    pub(crate) accepted: bool,
    shared: Arc<Shared>,
    id: u64,
}

/// The messages that wait to be written.
pub(crate) struct Queue {
    messages: mpsc::UnboundedReceiver<Vec<u8>>,
    shared: Arc<Shared>,
}

impl Table {
    pub(crate) fn new(limits: Limits, sink: Arc<dyn Sink>) -> Self {
        Self {
            limits,
            sink,
            counts: Counts::default(),
            inner: Mutex::default(),
        }
    }

    pub(crate) fn counts(&self) -> &Counts {
        &self.counts
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().connections.len()
    }

    /// Tells that what was sent on a flow did not arrive.
    pub(crate) fn closed(&self, flow: Flow) {
        self.sink.closed(flow);
    }

    /// Puts a message into the queue of its connection; false if there is no such connection.
    pub(crate) fn send(&self, flow: &Flow, bytes: &[u8]) -> bool {
        let inner = self.lock();
        let Some(entry) = inner.connections.get(flow) else {
            return false;
        };
        entry.shared.used.store(true, Ordering::Relaxed);
        let waiting = entry
            .shared
            .queued
            .fetch_add(bytes.len(), Ordering::Relaxed);
        if waiting + bytes.len() > self.limits.queue {
            self.counts.queue_full.add();
            entry.shared.closing.notify_one();
            return true;
        }
        entry.queue.send(bytes.to_vec()).is_ok()
    }

    /// Before a message for a peer of this name: a connection that does not lead to it is given up, so
    /// that another is opened in its place. It leads there if we opened it for that name, or if the
    /// certificate that was believed then covers the name as well; what a peer opened proves no name
    /// (RFC 5922 §7, RFC 5923).
    ///
    /// Nobody above is told of the end: that would fail the message which is to come. What waits for
    /// an answer on the old connection runs into its time limit.
    pub(crate) fn require(&self, flow: &Flow, name: &ServerName<'_>) {
        let mut inner = self.lock();
        if inner
            .connections
            .get(flow)
            .is_some_and(|entry| !entry.leads_to(name))
            && let Some(entry) = inner.connections.remove(flow)
        {
            entry.shared.closing.notify_one();
        }
    }

    /// Closes each connection of which nobody says that it is in use.
    pub(crate) fn close_unused(&self, mut in_use: impl FnMut(&Flow) -> bool) {
        for (flow, entry) in &self.lock().connections {
            if !in_use(flow) {
                entry.shared.closing.notify_one();
            }
        }
    }

    /// A place for a connection; `None` if there are too many. An older one of the same flow is
    /// over: its peer has begun anew.
    pub(crate) fn admit(self: &Arc<Self>, flow: Flow, begun: Begun) -> Option<(Place, Queue)> {
        let accepted = matches!(begun, Begun::ByPeer);
        let mut inner = self.lock();
        let source = subscriber(flow.remote.ip());
        let of_source = inner.accepted.get(&source).copied().unwrap_or_default();
        if inner.connections.len() >= self.limits.connections
            || (accepted && of_source >= self.limits.per_address)
        {
            drop(inner);
            self.counts.turned_away.add();
            return None;
        }
        if accepted {
            *inner.accepted.entry(source).or_default() += 1;
        }
        inner.next += 1;
        let id = inner.next;
        let shared = Arc::new(Shared::default());
        let (queue, messages) = mpsc::unbounded_channel();
        let entry = Entry {
            id,
            begun,
            shared: Arc::clone(&shared),
            queue,
        };
        let replaced = inner.connections.insert(flow, entry);
        drop(inner);
        if let Some(old) = replaced {
            old.shared.closing.notify_one();
            if old.shared.used.load(Ordering::Relaxed) {
                self.closed(flow);
            }
        }
        let place = Place {
            flow,
            table: Arc::clone(self),
            accepted,
            shared: Arc::clone(&shared),
            id,
        };
        Some((place, Queue { messages, shared }))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn leads_to(&self, name: &ServerName<'_>) -> bool {
        match (&self.begun, self.shared.certificate.get()) {
            (Begun::ByPeer, _) => false,
            (Begun::ByUs(Some(asked)), _) if asked == name => true,
            (Begun::ByUs(_), Some(certificate)) => {
                let shown = ParsedCertificate::try_from(certificate);
                shown.is_ok_and(|shown| verify_server_name(&shown, name).is_ok())
            }
            (Begun::ByUs(_), None) => false,
        }
    }
}

impl Place {
    /// The peer has shown a certificate that we believe.
    pub(crate) fn believed(&self, certificate: CertificateDer<'static>) {
        // A handshake is over once.
        let _ = self.shared.certificate.set(certificate);
    }

    /// Hands a message up; waits while there is no room, so that the peer is slowed down.
    pub(crate) async fn deliver(&self, bytes: Vec<u8>) {
        self.shared.used.store(true, Ordering::Relaxed);
        let flow = self.flow;
        let mut message = Datagram { flow, bytes };
        while let Err(back) = self.table.sink.message(message) {
            message = back;
            tokio::time::sleep(ROOM_EVERY).await;
        }
    }

    /// Puts a message into the connection's own queue.
    pub(crate) fn send(&self, bytes: &[u8]) {
        self.table.send(&self.flow, bytes);
    }

    /// Returns when the connection is to be closed.
    pub(crate) async fn closing(&self) {
        self.shared.closing.notified().await;
    }
}

/// Whose an address is: an IPv6 subscriber has a whole /64 of them.
fn subscriber(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
    }
}

/// How often it is tried whether there is room for a message above.
const ROOM_EVERY: core::time::Duration = core::time::Duration::from_millis(5);

impl Drop for Place {
    fn drop(&mut self) {
        let mut inner = self.table.lock();
        if self.accepted {
            let source = subscriber(self.flow.remote.ip());
            if let Some(count) = inner.accepted.get_mut(&source) {
                *count -= 1;
                if *count == 0 {
                    inner.accepted.remove(&source);
                }
            }
        }
        let current = inner
            .connections
            .get(&self.flow)
            .is_some_and(|entry| entry.id == self.id);
        if current {
            inner.connections.remove(&self.flow);
        }
        drop(inner);
        if current && self.shared.used.load(Ordering::Relaxed) {
            self.table.closed(self.flow);
        }
    }
}

impl Queue {
    /// The next message to write; `None` when the connection is to end.
    pub(crate) async fn next(&mut self) -> Option<Vec<u8>> {
        self.messages.recv().await
    }

    /// The next message, if there is one already.
    pub(crate) fn ready(&mut self) -> Option<Vec<u8>> {
        self.messages.try_recv().ok()
    }

    /// A message has been written.
    pub(crate) fn written(&self, octets: usize) {
        self.shared.queued.fetch_sub(octets, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_subscriber_is_counted_by_its_network() {
        let of = |text: &str| subscriber(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2:a::1"), of("2001:db8:1:2:ffff::2"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }
}
