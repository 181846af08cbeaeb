//! Owns memory that is shared with the kernel, cut into rooms of one packet each, and the right to
//! touch a room: a [`Buffer`], of which there is never more than one for each room.
//!
//! Who has the token may read and write; who gives it to the kernel has it no more. So "a buffer
//! is read while the kernel writes into it" is a program that does not compile, and the `unsafe`
//! here rests on one sentence: tokens are made in [`Pool::new`] and by nobody else, and the
//! rings that keep numbers in their place give back each only once.

use std::cell::UnsafeCell;
use std::sync::{Arc, Mutex, PoisonError};

use crate::PACKET_BYTES_MAX;

/// Octets before the packet: what the kernel says of it, and room for an address. See
/// [`crate::uring`].
pub(crate) const HEAD_BYTES: usize = 44;
/// Octets of a room: head, the longest packet, one octet more so that a cut one shows, filled up
/// to whole cache lines.
pub(crate) const ROOM_BYTES: usize = (HEAD_BYTES + PACKET_BYTES_MAX + 1).next_multiple_of(64);

/// Rooms for packets.
pub(crate) struct Pool {
    rooms: Box<[Room]>,
    /// Buffers of batches that are gone. A lock, as such a batch may die on any thread; per packet
    /// nobody comes here.
    orphans: Mutex<Vec<Buffer>>,
}

/// The only right to a room of the pool that made it.
#[derive(Debug)]
pub(crate) struct Buffer(u16);

#[repr(C, align(64))]
struct Room(UnsafeCell<[u8; ROOM_BYTES]>);

// SAFETY: a room is reached only through its `Buffer`, of which there is one, by the borrow rules
// of that token; the list of orphans has a lock.
unsafe impl Sync for Pool {}

impl Pool {
    /// So many rooms and the tokens to them.
    pub(crate) fn new(count: u16) -> (Arc<Self>, Vec<Buffer>) {
        let room = |_| Room(UnsafeCell::new([0; ROOM_BYTES]));
        let pool = Self {
            rooms: (0..count).map(room).collect(),
            orphans: Mutex::new(Vec::new()),
        };
        (Arc::new(pool), (0..count).map(Buffer).collect())
    }

    /// What is in a room.
    pub(crate) fn bytes<'a>(&'a self, buffer: &'a Buffer) -> &'a [u8] {
        let Some(room) = self.rooms.get(buffer.index()) else {
            return &[];
        };
        // SAFETY: the token is borrowed, so nobody writes: not the kernel, which is lent a room
        // only for its token, and not `bytes_mut`, which needs the token for itself.
        unsafe { &*room.0.get() }
    }

    /// What is in a room, to be changed.
    pub(crate) fn bytes_mut<'a>(&'a self, buffer: &'a mut Buffer) -> &'a mut [u8] {
        let Some(room) = self.rooms.get(buffer.index()) else {
            return &mut [];
        };
        // SAFETY: the token is borrowed for us alone, so nobody else reads or writes the room.
        unsafe { &mut *room.0.get() }
    }

    /// Where a room lies, for the kernel. Stays there as long as the pool lives.
    pub(crate) fn address(&self, buffer: &Buffer) -> *mut u8 {
        self.rooms
            .get(buffer.index())
            .map_or(std::ptr::null_mut(), |room| room.0.get().cast())
    }

    /// Takes buffers of a batch that is gone.
    pub(crate) fn adopt(&self, buffers: impl Iterator<Item = Buffer>) {
        let mut orphans = self.orphans.lock().unwrap_or_else(PoisonError::into_inner);
        orphans.extend(buffers);
    }

    /// One of the buffers whose batch is gone.
    pub(crate) fn orphan(&self) -> Option<Buffer> {
        let mut orphans = self.orphans.lock().unwrap_or_else(PoisonError::into_inner);
        orphans.pop()
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pool({} rooms)", self.rooms.len())
    }
}

impl Buffer {
    /// Its number.
    pub(crate) const fn number(&self) -> u16 {
        self.0
    }

    /// Its number as an index.
    pub(crate) fn index(&self) -> usize {
        usize::from(self.0)
    }
}

/// Tokens that the kernel has, by number: the only place where one is made anew.
#[derive(Debug)]
pub(crate) struct Lent(Box<[bool]>);

impl Lent {
    /// None of so many is lent.
    pub(crate) fn new(count: u16) -> Self {
        Self(vec![false; usize::from(count)].into_boxed_slice())
    }

    /// A token is given away for its number.
    pub(crate) fn give(&mut self, buffer: Buffer) -> u16 {
        if let Some(lent) = self.0.get_mut(buffer.index()) {
            *lent = true;
        }
        buffer.number()
    }

    /// The token for a number that came back; `None` if it was not away.
    pub(crate) fn take(&mut self, number: u16) -> Option<Buffer> {
        let lent = self.0.get_mut(usize::from(number))?;
        std::mem::take(lent).then_some(Buffer(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_was_not_given_away_makes_no_token() {
        let (_pool, mut buffers) = Pool::new(2);
        let mut lent = Lent::new(2);
        assert!(lent.take(1).is_none());
        let number = lent.give(buffers.pop().unwrap());
        assert_eq!(number, 1);
        assert!(lent.take(number).is_some());
        assert!(lent.take(number).is_none(), "twice");
        assert!(lent.take(9).is_none());
    }

    #[test]
    fn rooms_do_not_overlap() {
        let (pool, mut buffers) = Pool::new(3);
        for buffer in &mut buffers {
            let number = buffer.number() as u8;
            pool.bytes_mut(buffer).fill(number);
        }
        for buffer in &buffers {
            let number = buffer.number() as u8;
            assert!(pool.bytes(buffer).iter().all(|octet| *octet == number));
            assert_eq!(pool.bytes(buffer).len(), ROOM_BYTES);
        }
    }
}
