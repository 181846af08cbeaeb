//! Owns the memory packets are received into, or the right to memory that a backend lends. Made
//! once; filling and reading allocate nothing.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;

use crate::SocketId;
use crate::pool::{Buffer, Pool};

/// Longest packet that is delivered, octets. Longer ones are dropped: no audio is that long, and
/// it is more than an Ethernet frame carries.
pub const PACKET_BYTES_MAX: usize = 1_536;

/// Packets received at one go.
#[derive(Debug)]
pub struct Batch {
    memory: Box<[u8]>,
    entries: Vec<Entry>,
    packets_max: usize,
    /// Whose buffers the entries hold, if they are lent.
    pool: Option<Arc<Pool>>,
}

#[derive(Debug)]
struct Entry {
    socket: SocketId,
    from: SocketAddr,
    /// Where the packet lies in its buffer, or in the room of its place in the batch.
    start: usize,
    length: usize,
    buffer: Option<Buffer>,
}

/// One received packet. The bytes may be changed in place, to be sent on from there.
#[derive(Debug)]
pub struct Packet<'a> {
    /// The socket it came to.
    pub socket: SocketId,
    /// Who sent it.
    pub from: SocketAddr,
    place: Place<'a>,
}

#[derive(Debug)]
enum Place<'a> {
    /// In the memory of the batch, which goes on behind it.
    Own { room: &'a mut [u8], length: usize },
    /// In a buffer that a backend has lent; it may have it back with the packet.
    Lent {
        pool: &'a Arc<Pool>,
        buffer: &'a mut Option<Buffer>,
        range: Range<usize>,
    },
}

impl Packet<'_> {
    /// What it holds.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match &self.place {
            Place::Own { room, length } => room.get(..*length).unwrap_or_default(),
            Place::Lent {
                pool,
                buffer,
                range,
            } => buffer
                .as_ref()
                .and_then(|buffer| pool.bytes(buffer).get(range.clone()))
                .unwrap_or_default(),
        }
    }

    /// What it holds, to be changed.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        match &mut self.place {
            Place::Own { room, length } => room.get_mut(..*length).unwrap_or_default(),
            Place::Lent {
                pool,
                buffer,
                range,
            } => buffer
                .as_mut()
                .and_then(|buffer| pool.bytes_mut(buffer).get_mut(range.clone()))
                .unwrap_or_default(),
        }
    }

    /// Makes the packet so long, from its beginning: what is behind it counts as part of it, or part
    /// of it does not count any more. Whatever was there is there; never more than
    /// [`PACKET_BYTES_MAX`].
    pub fn resize(&mut self, bytes: usize) {
        let bytes = bytes.min(PACKET_BYTES_MAX);
        match &mut self.place {
            Place::Own { length, .. } => *length = bytes,
            Place::Lent { range, .. } => range.end = range.start + bytes,
        }
    }

    /// The buffer with the packet, and where `part` of the packet lies in it, if it is one of this
    /// pool.
    pub(crate) fn into_buffer(
        mut self,
        of: &Arc<Pool>,
        part: &Range<usize>,
    ) -> Result<(Buffer, Range<usize>), Self> {
        if let Place::Lent {
            pool,
            buffer,
            range,
        } = &mut self.place
            && Arc::ptr_eq(pool, of)
            && part.start <= part.end
            && part.end <= range.len()
            && let Some(buffer) = buffer.take()
        {
            return Ok((buffer, range.start + part.start..range.start + part.end));
        }
        Err(self)
    }
}

impl Batch {
    /// Room for so many packets.
    #[must_use]
    pub fn new(packets_max: usize) -> Self {
        Self {
            memory: vec![0; packets_max * (PACKET_BYTES_MAX + 1)].into_boxed_slice(),
            entries: Vec::with_capacity(packets_max),
            packets_max,
            pool: None,
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
        let mut rooms = self.memory.chunks_exact_mut(PACKET_BYTES_MAX + 1);
        let pool = self.pool.as_ref();
        self.entries.iter_mut().filter_map(move |entry| {
            let range = entry.start..entry.start + entry.length;
            let place = match pool {
                Some(pool) => Place::Lent {
                    pool,
                    buffer: &mut entry.buffer,
                    range,
                },
                None => Place::Own {
                    room: rooms.next()?.get_mut(entry.start..)?,
                    length: entry.length,
                },
            };
            Some(Packet {
                socket: entry.socket,
                from: entry.from,
                place,
            })
        })
    }

    /// Makes place for packets that are written into the batch's own memory.
    pub(crate) fn clear(&mut self) {
        self.abandon();
        self.pool = None;
    }

    /// Makes place for packets in buffers of `pool`; those it holds go to `back`.
    pub(crate) fn reclaim(&mut self, pool: &Arc<Pool>, back: impl FnMut(Buffer)) {
        if self.pool.as_ref().is_some_and(|own| Arc::ptr_eq(own, pool)) {
            let buffers = self.entries.drain(..).filter_map(|entry| entry.buffer);
            buffers.for_each(back);
        } else {
            self.abandon();
            self.pool = Some(Arc::clone(pool));
        }
    }

    /// Whether no further packet fits.
    pub(crate) fn is_full(&self) -> bool {
        self.entries.len() >= self.packets_max
    }

    /// Memory for the next packet, one octet longer than the longest legal one so that a cut
    /// packet shows; `None` if the batch is full.
    pub(crate) fn room(&mut self) -> Option<&mut [u8]> {
        if self.is_full() {
            return None;
        }
        let start = self.entries.len() * (PACKET_BYTES_MAX + 1);
        self.memory.get_mut(start..start + PACKET_BYTES_MAX + 1)
    }

    /// Keeps what was written into `room`, unless it is too long.
    pub(crate) fn keep(&mut self, socket: SocketId, from: SocketAddr, length: usize) {
        if length <= PACKET_BYTES_MAX && !self.is_full() {
            self.entries.push(Entry {
                socket,
                from,
                start: 0,
                length,
                buffer: None,
            });
        }
    }

    /// Keeps a packet that lies in a buffer of the pool that `reclaim` named.
    pub(crate) fn lend(
        &mut self,
        socket: SocketId,
        from: SocketAddr,
        buffer: Buffer,
        range: Range<usize>,
    ) {
        self.entries.push(Entry {
            socket,
            from,
            start: range.start,
            length: range.len(),
            buffer: Some(buffer),
        });
    }

    fn abandon(&mut self) {
        let buffers = self.entries.drain(..).filter_map(|entry| entry.buffer);
        if let Some(pool) = &self.pool {
            pool.adopt(buffers);
        }
    }
}

impl Drop for Batch {
    /// What is lent must not be lost to its owner.
    fn drop(&mut self) {
        self.abandon();
    }
}
