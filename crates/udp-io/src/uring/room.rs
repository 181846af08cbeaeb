//! Owns what lies where in a room of the pool: the kernel's words on a packet, an address, the
//! packet.
//!
//! | octets | received (struct io_uring_recvmsg_out) | to be sent |
//! |---|---|---|
//! | 0..16 | lengths of name, control and payload, flags; each 32 bits, the machine's order | |
//! | 16..44 | who sent it (struct sockaddr_in or sockaddr_in6) | where it goes |
//! | 44.. | the packet | the packet |

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use crate::PACKET_BYTES_MAX;
use crate::pool::HEAD_BYTES;

/// Where the address begins.
pub(super) const NAME: usize = 16;
/// Octets kept for an address: those of the longer kind.
pub(super) const NAME_BYTES: usize = size_of::<libc::sockaddr_in6>();

const _: () = assert!(NAME + NAME_BYTES == HEAD_BYTES);

/// Who sent a packet and how long it is, from a room that `filled` octets were written into.
/// `None` if it was longer than a packet may be.
pub(super) fn read(room: &[u8], filled: usize) -> Option<(SocketAddr, usize)> {
    let lengths = room.get(..NAME)?;
    let word = |index: usize| -> Option<usize> {
        let word = lengths.get(index * 4..index * 4 + 4)?;
        usize::try_from(u32::from_ne_bytes(word.try_into().ok()?)).ok()
    };
    let length = word(2)?;
    if length > PACKET_BYTES_MAX || HEAD_BYTES + length > filled {
        return None;
    }
    Some((read_address(room.get(NAME..HEAD_BYTES)?)?, length))
}

fn read_address(name: &[u8]) -> Option<SocketAddr> {
    let family = u16::from_ne_bytes(*name.first_chunk()?);
    let port = u16::from_be_bytes(name.get(2..4)?.try_into().ok()?);
    if family == libc::AF_INET as u16 {
        let address: [u8; 4] = name.get(4..8)?.try_into().ok()?;
        return Some(SocketAddr::from((Ipv4Addr::from(address), port)));
    }
    if family == libc::AF_INET6 as u16 {
        let flow = u32::from_ne_bytes(name.get(4..8)?.try_into().ok()?);
        let address: [u8; 16] = name.get(8..24)?.try_into().ok()?;
        let scope = u32::from_ne_bytes(name.get(24..28)?.try_into().ok()?);
        return Some(SocketAddrV6::new(Ipv6Addr::from(address), port, flow, scope).into());
    }
    None
}

/// Writes where a packet goes; how many octets of the address count.
pub(super) fn write_address(room: &mut [u8], to: SocketAddr) -> u32 {
    let mut name = [0; NAME_BYTES];
    let (family, length) = match to {
        SocketAddr::V4(_) => (libc::AF_INET, size_of::<libc::sockaddr_in>()),
        SocketAddr::V6(_) => (libc::AF_INET6, NAME_BYTES),
    };
    let mut at = 0;
    let mut put = |octets: &[u8]| {
        if let Some(place) = name.get_mut(at..at + octets.len()) {
            place.copy_from_slice(octets);
        }
        at += octets.len();
    };
    put(&(family as u16).to_ne_bytes());
    put(&to.port().to_be_bytes());
    match to {
        SocketAddr::V4(to) => put(&to.ip().octets()),
        SocketAddr::V6(to) => {
            put(&to.flowinfo().to_ne_bytes());
            put(&to.ip().octets());
            put(&to.scope_id().to_ne_bytes());
        }
    }
    if let Some(place) = room.get_mut(NAME..HEAD_BYTES) {
        place.copy_from_slice(&name);
    }
    length as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_it_was_written() {
        let v6 = SocketAddrV6::new("fe80::1:2".parse().unwrap(), 65_535, 7, 3);
        for address in ["10.1.2.3:4".parse().unwrap(), SocketAddr::from(v6)] {
            let mut room = [0xff; 2_000];
            assert!(write_address(&mut room, address) > 0);
            assert_eq!(read_address(&room[NAME..]), Some(address));
        }
    }

    #[test]
    fn what_the_kernel_could_not_mean_is_no_packet() {
        let mut room = [0; 2_000];
        write_address(&mut room, "10.1.2.3:4".parse().unwrap());
        let mut read_length = |length: usize, filled: usize| {
            room[8..12].copy_from_slice(&(length as u32).to_ne_bytes());
            read(&room, filled).map(|(_, length)| length)
        };
        assert_eq!(read_length(172, HEAD_BYTES + 172), Some(172));
        assert_eq!(read_length(0, HEAD_BYTES), Some(0));
        assert_eq!(read_length(172, HEAD_BYTES + 171), None);
        assert_eq!(read_length(PACKET_BYTES_MAX + 1, 2_000), None);
        assert_eq!(read(&[0; 40], 40), None, "no family");
        assert_eq!(read(&[], 0), None);
    }
}
