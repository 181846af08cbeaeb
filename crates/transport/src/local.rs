//! Owns the question which address of ours a peer sees, where the socket is bound to all.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::collections::HashMap;
use std::net::UdpSocket;

/// Peers remembered; beyond it the memory starts anew, so that a flood of addresses costs little.
const REMEMBERED: usize = 4_096;

/// The local addresses that lead to peers, as the kernel's routes say.
#[derive(Debug)]
pub(crate) struct LocalAddresses {
    bound: SocketAddr,
    known: HashMap<IpAddr, IpAddr>,
}

impl LocalAddresses {
    pub(crate) fn new(bound: SocketAddr) -> Self {
        Self {
            bound,
            known: HashMap::new(),
        }
    }

    /// The address of ours that `remote` reaches us on.
    pub(crate) fn toward(&mut self, remote: SocketAddr) -> SocketAddr {
        if !self.bound.ip().is_unspecified() {
            return self.bound;
        }
        if self.known.len() >= REMEMBERED {
            self.known.clear();
        }
        let bound = self.bound;
        let ip = *self
            .known
            .entry(remote.ip())
            .or_insert_with(|| route(remote).unwrap_or_else(|| bound.ip()));
        SocketAddr::new(ip, bound.port())
    }
}

/// The address of ours, among those we listen on, from which `remote` is to be reached; `None` if
/// none is of its family.
#[must_use]
pub fn local_toward(listening: &[SocketAddr], remote: SocketAddr) -> Option<SocketAddr> {
    listening
        .iter()
        .find(|bound| bound.is_ipv4() == remote.is_ipv4())
        .map(|bound| LocalAddresses::new(*bound).toward(remote))
}

/// A connected UDP socket sends nothing, and knows its own address.
pub(crate) fn route(remote: SocketAddr) -> Option<IpAddr> {
    let any: IpAddr = match remote.ip() {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(remote).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_on_all_addresses_names_the_one_on_the_way_to_the_peer() {
        let mut local = LocalAddresses::new("0.0.0.0:5060".parse().unwrap());
        let peer = "127.0.0.1:9".parse().unwrap();
        assert_eq!(local.toward(peer), "127.0.0.1:5060".parse().unwrap());
    }

    #[test]
    fn a_socket_on_one_address_names_it() {
        let mut local = LocalAddresses::new("127.0.0.7:5060".parse().unwrap());
        let peer = "127.0.0.1:9".parse().unwrap();
        assert_eq!(local.toward(peer), "127.0.0.7:5060".parse().unwrap());
    }
}
