//! Owns the memory packets are received into. Made once; filling and reading allocate nothing.

use std::net::SocketAddr;

use crate::SocketId;

/// Longest packet that is delivered, octets. Longer ones are dropped: no audio is that long, and
/// it is more than an Ethernet frame carries.
pub const PACKET_BYTES_MAX: usize = 1_536;

/// Packets received at one go.
#[derive(Debug)]
pub struct Batch {
    memory: Box<[u8]>,
    entries: Vec<Entry>,
    packets_max: usize,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    socket: SocketId,
    from: SocketAddr,
    length: usize,
}

/// One received packet. The bytes may be changed in place, to be sent on from there.
#[derive(Debug)]
pub struct Packet<'a> {
    /// The socket it came to.
    pub socket: SocketId,
    /// Who sent it.
    pub from: SocketAddr,
    /// What it holds.
    pub bytes: &'a mut [u8],
}

impl Batch {
    /// Room for so many packets.
    #[must_use]
    pub fn new(packets_max: usize) -> Self {
        Self {
            memory: vec![0; packets_max * (PACKET_BYTES_MAX + 1)].into_boxed_slice(),
            entries: Vec::with_capacity(packets_max),
            packets_max,
        }
    }

    /// How many packets there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The packets, in the order in which they were received.
    pub fn packets(&mut self) -> impl Iterator<Item = Packet<'_>> {
        let rooms = self.memory.chunks_exact_mut(PACKET_BYTES_MAX + 1);
        self.entries.iter().zip(rooms).filter_map(|(entry, room)| {
            let bytes = room.get_mut(..entry.length)?;
            Some(Packet {
                socket: entry.socket,
                from: entry.from,
                bytes,
            })
        })
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }

    /// Memory for the next packet, one octet longer than the longest legal one so that a cut
    /// packet shows; `None` if the batch is full.
    pub(crate) fn room(&mut self) -> Option<&mut [u8]> {
        if self.entries.len() >= self.packets_max {
            return None;
        }
        let start = self.entries.len() * (PACKET_BYTES_MAX + 1);
        self.memory.get_mut(start..start + PACKET_BYTES_MAX + 1)
    }

    /// Keeps what was written into `room`, unless it is too long.
    pub(crate) fn keep(&mut self, socket: SocketId, from: SocketAddr, length: usize) {
        if length <= PACKET_BYTES_MAX && self.entries.len() < self.packets_max {
            self.entries.push(Entry {
                socket,
                from,
                length,
            });
        }
    }
}
