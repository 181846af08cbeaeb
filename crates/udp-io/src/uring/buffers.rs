//! Owns the ring of buffers from which the kernel takes one for each packet that arrives
//! (io_uring_register_buf_ring(3)).

use std::cell::UnsafeCell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::Submitter;
use io_uring::types::BufRingEntry;

use crate::pool::{Buffer, Lent, Pool, ROOM_BYTES};

/// The only group of buffers of a ring.
pub(super) const GROUP: u16 = 0;
/// Entries of the ring; a power of two.
pub(super) const ENTRIES: u16 = 1_024;
const PAGE_BYTES: usize = 4_096;
/// A whole page, as the kernel wants it.
const PAGES: usize = ENTRIES as usize * size_of::<BufRingEntry>() / PAGE_BYTES;

#[repr(C, align(4096))]
struct Page(UnsafeCell<[u8; PAGE_BYTES]>);

/// Buffers that the kernel may write packets into.
pub(super) struct Buffers {
    pool: Arc<Pool>,
    entries: Box<[Page]>,
    /// Where the next buffer goes; wraps, as the kernel's does.
    tail: u16,
    lent: Lent,
    waiting: u16,
}

impl Buffers {
    /// Tells the kernel of an empty ring for buffers of `pool`, which has `rooms`.
    pub(super) fn register(
        submitter: &Submitter<'_>,
        pool: Arc<Pool>,
        rooms: u16,
    ) -> io::Result<Self> {
        let page = |_| Page(UnsafeCell::new([0; PAGE_BYTES]));
        let entries: Box<[Page]> = (0..PAGES).map(page).collect();
        // SAFETY: the pages are aligned, as long as the number of entries says, and stay where they
        // are: `super::ring::Ring` drops its descriptor before them, or leaks them.
        unsafe {
            submitter.register_buf_ring_with_flags(entries.as_ptr() as u64, ENTRIES, GROUP, 0)?;
        }
        Ok(Self {
            pool,
            entries,
            tail: 0,
            lent: Lent::new(rooms),
            waiting: 0,
        })
    }

    /// Gives a buffer to the kernel, or gives it back if the kernel has as many as it can hold.
    pub(super) fn give(&mut self, buffer: Buffer) -> Option<Buffer> {
        let Some(first) = self.entries.first().filter(|_| self.waiting < ENTRIES) else {
            return Some(buffer);
        };
        let base: *mut BufRingEntry = first.0.get().cast();
        let address = self.pool.address(&buffer) as u64;
        let number = self.lent.give(buffer);
        let place = usize::from(self.tail % ENTRIES);
        // SAFETY: `place` is within the pages, which hold `ENTRIES` entries. The kernel does not
        // read an entry before the tail below has passed it, and has read this one long ago, as no
        // more than `ENTRIES` wait.
        let entry = unsafe { &mut *base.add(place) };
        entry.set_addr(address);
        entry.set_len(ROOM_BYTES as u32);
        entry.set_bid(number);
        self.tail = self.tail.wrapping_add(1);
        self.waiting += 1;
        // SAFETY: the tail is a field of the first entry, two octets and aligned so; everybody
        // writes it as an atomic.
        let tail = unsafe { AtomicU16::from_ptr(BufRingEntry::tail(base).cast_mut()) };
        // Release: the kernel sees the entry before it sees the tail.
        tail.store(self.tail, Ordering::Release);
        None
    }

    /// The kernel has put a packet into the buffer of this number, or names none of ours.
    pub(super) fn take(&mut self, number: u16) -> Option<Buffer> {
        let buffer = self.lent.take(number)?;
        self.waiting -= 1;
        Some(buffer)
    }

    /// Whether the kernel has none.
    pub(super) const fn is_exhausted(&self) -> bool {
        self.waiting == 0
    }

    pub(super) const fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// Never frees what the kernel may still write to.
    pub(super) fn leak(&mut self) {
        Box::leak(std::mem::take(&mut self.entries));
        std::mem::forget(Arc::clone(&self.pool));
    }
}
