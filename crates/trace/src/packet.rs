//! Owns one message of the trace, and the IP and UDP headers that stand before it in a file.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use vocab::CallId;

/// Which way a message went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// A peer sent it.
    In,
    /// We sent it.
    Out,
}

/// One SIP message as it went over the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// When, in microseconds since 1970-01-01T00:00:00Z.
    pub at_us: i64,
    /// What carried it, as a Via header field names it.
    pub transport: &'static str,
    /// Our socket.
    pub local: SocketAddr,
    /// The peer's.
    pub remote: SocketAddr,
    /// Which way it went.
    pub direction: Direction,
    /// What is noted beside it: the call it belongs to, if that is known.
    pub comment: String,
    /// The message.
    pub bytes: Vec<u8>,
}

/// What the comment of a message of a call begins with.
const CALL: &str = "call ";

impl Packet {
    /// The comment of the messages of a call.
    #[must_use]
    pub fn comment_of(call: CallId) -> String {
        format!("{CALL}{call}")
    }

    /// The call it belongs to, as the comment says.
    #[must_use]
    pub fn call(&self) -> Option<CallId> {
        let id = self.comment.strip_prefix(CALL)?;
        id.get(..17)?.parse().ok()
    }

    /// Who sent it and to whom.
    const fn ends(&self) -> (SocketAddr, SocketAddr) {
        match self.direction {
            Direction::In => (self.remote, self.local),
            Direction::Out => (self.local, self.remote),
        }
    }
}

/// Octets of a UDP header.
const UDP: usize = 8;
/// Octets of an IPv4 header without options (RFC 791 §3.1), and of an IPv6 header (RFC 8200 §3).
const IPV4: usize = 20;
const IPV6: usize = 40;
/// Longest message written; the rest of a longer one is cut off. With its headers it fits the
/// length of an IPv4 packet.
pub(crate) const MESSAGE_MAX: usize = 65_000;

const PROTOCOL_UDP: u8 = 17;
const HOPS: u8 = 64;

/// The packet as IP carries it: headers and message.
pub(crate) fn frame(packet: &Packet) -> Vec<u8> {
    let message = packet
        .bytes
        .get(..MESSAGE_MAX)
        .unwrap_or(packet.bytes.as_slice());
    let (from, to) = packet.ends();
    let length = length16(UDP + message.len());
    let mut udp = Vec::with_capacity(UDP + message.len());
    udp.extend(from.port().to_be_bytes());
    udp.extend(to.port().to_be_bytes());
    udp.extend(length.to_be_bytes());
    udp.extend([0, 0]);
    udp.extend_from_slice(message);
    let (mut bytes, pseudo) = match (from.ip(), to.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => (ipv4(from, to, length), pseudo4(from, to, length)),
        (from, to) => {
            let (from, to) = (six(from), six(to));
            (ipv6(from, to, length), pseudo6(from, to, length))
        }
    };
    // RFC 768: a sum of zero is sent as all ones.
    let checksum = match checksum(&[&pseudo, &udp]) {
        0 => 0xffff,
        sum => sum,
    };
    if let Some(place) = udp.get_mut(6..UDP) {
        place.copy_from_slice(&checksum.to_be_bytes());
    }
    bytes.extend(udp);
    bytes
}

fn length16(octets: usize) -> u16 {
    u16::try_from(octets).unwrap_or(u16::MAX)
}

fn six(ip: IpAddr) -> Ipv6Addr {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    }
}

fn ipv4(from: Ipv4Addr, to: Ipv4Addr, length: u16) -> Vec<u8> {
    let total = length.saturating_add(length16(IPV4));
    let [high, low] = total.to_be_bytes();
    // Version 4, five words of header; "don't fragment".
    let mut header = vec![0x45, 0, high, low, 0, 0, 0x40, 0, HOPS, PROTOCOL_UDP, 0, 0];
    header.extend(from.octets());
    header.extend(to.octets());
    let sum = checksum(&[&header]);
    if let Some(place) = header.get_mut(10..12) {
        place.copy_from_slice(&sum.to_be_bytes());
    }
    header
}

fn ipv6(from: Ipv6Addr, to: Ipv6Addr, length: u16) -> Vec<u8> {
    let [high, low] = length.to_be_bytes();
    let mut header = vec![0x60, 0, 0, 0, high, low, PROTOCOL_UDP, HOPS];
    header.extend(from.octets());
    header.extend(to.octets());
    header
}

fn pseudo4(from: Ipv4Addr, to: Ipv4Addr, length: u16) -> Vec<u8> {
    let [high, low] = length.to_be_bytes();
    let mut sum = from.octets().to_vec();
    sum.extend(to.octets());
    sum.extend([0, PROTOCOL_UDP, high, low]);
    sum
}

fn pseudo6(from: Ipv6Addr, to: Ipv6Addr, length: u16) -> Vec<u8> {
    let [high, low] = length.to_be_bytes();
    let mut sum = from.octets().to_vec();
    sum.extend(to.octets());
    sum.extend([0, 0, high, low, 0, 0, 0, PROTOCOL_UDP]);
    sum
}

/// The Internet checksum (RFC 1071) over pieces of which all but the last have an even length.
fn checksum(pieces: &[&[u8]]) -> u16 {
    let mut sum = 0_u32;
    for piece in pieces {
        for pair in piece.chunks(2) {
            let high = pair.first().copied().unwrap_or(0);
            let low = pair.get(1).copied().unwrap_or(0);
            sum += u32::from(u16::from_be_bytes([high, low]));
        }
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(0)
}

/// Addresses and message of a packet as [`frame`] wrote it: source, destination, message.
pub(crate) fn unframe(bytes: &[u8]) -> Option<(SocketAddr, SocketAddr, &[u8])> {
    let (from, to, udp): (IpAddr, IpAddr, &[u8]) = match bytes.first()? >> 4 {
        4 if *bytes.get(9)? == PROTOCOL_UDP => {
            let from: [u8; 4] = bytes.get(12..16)?.try_into().ok()?;
            let to: [u8; 4] = bytes.get(16..20)?.try_into().ok()?;
            (from.into(), to.into(), bytes.get(IPV4..)?)
        }
        6 if *bytes.get(6)? == PROTOCOL_UDP => {
            let from: [u8; 16] = bytes.get(8..24)?.try_into().ok()?;
            let to: [u8; 16] = bytes.get(24..40)?.try_into().ok()?;
            (from.into(), to.into(), bytes.get(IPV6..)?)
        }
        _ => return None,
    };
    let port = |at: usize| {
        let octets: [u8; 2] = udp.get(at..at + 2)?.try_into().ok()?;
        Some(u16::from_be_bytes(octets))
    };
    let (from, to) = (
        SocketAddr::new(from, port(0)?),
        SocketAddr::new(to, port(2)?),
    );
    Some((from, to, udp.get(UDP..)?))
}
