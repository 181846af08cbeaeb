//! Owns the rings shared with the kernel, and all memory that an operation under way may touch:
//! a buffer that is being sent from lies here as a [`Flight`], one that is being received into in
//! [`Buffers`]. Refuses to know sockets by more than a number and a descriptor.

use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;
use std::time::Duration;

use io_uring::types::{CancelBuilder, Fd, SubmitArgs, Timespec};
use io_uring::{IoUring, cqueue, opcode};

use super::buffers::{Buffers, GROUP};
use super::room::{NAME, NAME_BYTES};
use super::tag::Tag;
use crate::pool::{Buffer, Pool};

/// Operations that can wait for the next entry into the kernel.
const SUBMISSIONS: u32 = 1_024;
/// Completions that can wait for us; beyond it the kernel keeps a list, and nothing is lost.
const COMPLETIONS: u32 = 8_192;
/// Buffers, in all: those of the ring for what arrives, and those to send from.
const ROOMS: u16 = 1_536;
/// Buffers kept to send from that did not bring a packet: prompts.
const SPARES: usize = 512;
/// Packets that end a pause at once: half of the buffers.
const CROWD: usize = 512;
/// How long the end of the set waits for operations under way.
const CANCEL_TIMEOUT: Timespec = Timespec::new().sec(2);
/// Stands for "as long as it takes": a return without cause is allowed.
const LONG: Duration = Duration::from_secs(3_600);

/// The rings, and what the kernel may touch.
pub(super) struct Ring {
    // First: it is dropped before the memory that the kernel knows of.
    ring: IoUring,
    buffers: Buffers,
    flights: Box<[Option<Flight>]>,
    spare: Vec<Buffer>,
    /// How much of an address each receive asks for.
    message: Box<libc::msghdr>,
    /// Whether the owner's thread has begun. From then on no other may enter.
    enabled: bool,
    min_wait: bool,
}

/// A packet on its way out.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) buffer: Buffer,
    /// Where it lies in the buffer.
    pub(super) range: Range<usize>,
    /// Octets of its address in the buffer; 0: the socket's peer.
    pub(super) address_bytes: u32,
    pub(super) socket: u32,
    pub(super) generation: u32,
    /// Whether this is its second try.
    pub(super) again: bool,
}

/// An operation that is done, or a part of a standing one.
#[derive(Debug)]
pub(super) enum Done {
    /// The standing receive of a socket brought a packet, as many octets of a room as are filled,
    /// or an error. Without `stands` it is over.
    Received {
        socket: u32,
        generation: u32,
        packet: Option<(Buffer, usize)>,
        stands: bool,
    },
    /// A packet is sent; or not, for this reason.
    Sent(Flight, Option<io::Error>),
    /// Somebody used the waker. Without `stands` it is watched no more.
    Woken { stands: bool },
}

// SAFETY: what keeps `Ring` from being `Send` is `message`, whose pointers are null and stay so. The
// kernel is told which thread is the owner by `register_enable_rings`, at the first entry.
unsafe impl Send for Ring {}

impl Ring {
    pub(super) fn new() -> io::Result<Self> {
        let mut builder = IoUring::builder();
        builder
            .dontfork()
            .setup_r_disabled()
            .setup_cqsize(COMPLETIONS)
            .setup_submit_all()
            // Work of the kernel for us is done when we enter, all at once, not by interruptions.
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_taskrun_flag();
        let ring = builder.build(SUBMISSIONS)?;
        if !ring.params().is_feature_nodrop() || !ring.params().is_feature_ext_arg() {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let min_wait = ring.params().is_feature_min_timeout();
        let (pool, spare) = Pool::new(ROOMS);
        let buffers = Buffers::register(&ring.submitter(), pool, ROOMS)?;
        // SAFETY: all zero is what the C structure has for "no memory, no address".
        let mut message: Box<libc::msghdr> = Box::new(unsafe { std::mem::zeroed() });
        message.msg_namelen = NAME_BYTES as u32;
        let mut this = Self {
            ring,
            buffers,
            flights: (0..ROOMS).map(|_| None).collect(),
            spare: Vec::with_capacity(usize::from(ROOMS)),
            message,
            enabled: false,
            min_wait,
        };
        for buffer in spare {
            this.take_home(buffer);
        }
        Ok(this)
    }

    pub(super) const fn pool(&self) -> &Arc<Pool> {
        self.buffers.pool()
    }

    /// A buffer that is not needed any more.
    pub(super) fn take_home(&mut self, buffer: Buffer) {
        if self.spare.len() < SPARES {
            self.spare.push(buffer);
        } else if let Some(buffer) = self.buffers.give(buffer) {
            self.spare.push(buffer);
        }
    }

    /// A buffer to send from.
    pub(super) fn spare(&mut self) -> Option<Buffer> {
        self.spare.pop()
    }

    /// Whether the kernel has a buffer for what arrives.
    pub(super) const fn can_receive(&self) -> bool {
        !self.buffers.is_exhausted()
    }

    /// Receives from a socket until told otherwise. False: no place before the next entry.
    pub(super) fn receive(&mut self, fd: &impl AsFd, tag: Tag) -> bool {
        let fd = Fd(fd.as_fd().as_raw_fd());
        let message: *const libc::msghdr = &raw const *self.message;
        let entry = opcode::RecvMsgMulti::new(fd, message, GROUP)
            .flags(libc::MSG_TRUNC as u32)
            .build()
            .user_data(tag.to_bits());
        // SAFETY: `message` lives as long as the ring; packets go into `buffers` only.
        unsafe { self.ring.submission().push(&entry) }.is_ok()
    }

    /// Watches a descriptor until told otherwise. False as with [`Self::receive`].
    pub(super) fn watch(&mut self, fd: &impl AsFd) -> bool {
        let entry = opcode::PollAdd::new(Fd(fd.as_fd().as_raw_fd()), libc::POLLIN as u32)
            .multi(true)
            .build()
            .user_data(Tag::Wake.to_bits());
        // SAFETY: no memory of ours is named.
        unsafe { self.ring.submission().push(&entry) }.is_ok()
    }

    /// Sends a packet; it comes back in [`Done::Sent`], or at once if there is no place before the
    /// next entry.
    pub(super) fn send(&mut self, fd: &impl AsFd, flight: Flight) -> Result<(), Flight> {
        let fd = Fd(fd.as_fd().as_raw_fd());
        let room = self.buffers.pool().address(&flight.buffer);
        let room_bytes = self.buffers.pool().bytes(&flight.buffer).len();
        let index = flight.buffer.index();
        let (true, Some(place)) = (
            flight.range.start <= flight.range.end && flight.range.end <= room_bytes,
            self.flights.get_mut(index),
        ) else {
            return Err(flight);
        };
        let tag = Tag::Send(flight.buffer.number());
        let to = match flight.address_bytes {
            0 => std::ptr::null(),
            _ => room.wrapping_add(NAME).cast::<libc::sockaddr>(),
        };
        let (from, length) = (
            room.wrapping_add(flight.range.start),
            flight.range.len() as u32,
        );
        let entry = opcode::Send::new(fd, from, length)
            .flags(libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL)
            .dest_addr(to)
            .dest_addr_len(flight.address_bytes)
            .build()
            .user_data(tag.to_bits());
        *place = Some(flight);
        // SAFETY: address and packet lie in the room, and its token in `flights`, until the kernel
        // says that it is done.
        if unsafe { self.ring.submission().push(&entry) }.is_ok() {
            return Ok(());
        }
        match self.flights.get_mut(index).and_then(Option::take) {
            Some(flight) => Err(flight),
            None => Ok(()),
        }
    }

    /// Hands over what was pushed, and lets the kernel do what it has put off. Does not sleep.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.enable()?;
        bearable(self.ring.submit())
    }

    /// Hands over what was pushed, lets packets gather, then sleeps until anything is done.
    pub(super) fn sleep(&mut self, gather: Duration, timeout: Option<Duration>) -> io::Result<()> {
        self.enable()?;
        let mut timeout = timeout.unwrap_or(LONG);
        let gather = gather.min(timeout);
        let mut args = SubmitArgs::new();
        let mut want = 1;
        if !gather.is_zero() {
            if self.min_wait {
                // What is handed over now counts as done, too.
                want = CROWD + self.ring.submission().len();
                args = args.min_wait_usec(u32::try_from(gather.as_micros()).unwrap_or(u32::MAX));
            } else {
                bearable(self.ring.submit())?;
                std::thread::sleep(gather);
                timeout = timeout.saturating_sub(gather);
            }
        }
        if timeout.is_zero() {
            return bearable(self.ring.submit());
        }
        let timeout = Timespec::new()
            .sec(timeout.as_secs())
            .nsec(timeout.subsec_nanos());
        let args = args.timespec(&timeout);
        bearable(self.ring.submitter().submit_with_args(want, &args))
    }

    /// Ends a standing receive. Its last completion may come with the next entry.
    pub(super) fn cancel(&mut self, tag: Tag) {
        // Not found: it is over by itself, and said so or will.
        let one = CancelBuilder::user_data(tag.to_bits());
        let _ = self
            .ring
            .submitter()
            .register_sync_cancel(Some(CANCEL_TIMEOUT), one);
    }

    /// What the kernel has done since the last look.
    pub(super) fn next(&mut self) -> Option<Done> {
        loop {
            let entry = self.ring.completion().next()?;
            let (result, flags) = (entry.result(), entry.flags());
            let stands = cqueue::more(flags);
            match Tag::from_bits(entry.user_data()) {
                Some(Tag::Receive { socket, generation }) => {
                    let buffer = cqueue::buffer_select(flags);
                    let buffer = buffer.and_then(|number| self.buffers.take(number));
                    let packet = match (buffer, usize::try_from(result)) {
                        (Some(buffer), Ok(filled)) => Some((buffer, filled)),
                        (Some(buffer), Err(_)) => {
                            self.take_home(buffer);
                            None
                        }
                        (None, _) => None,
                    };
                    return Some(Done::Received {
                        socket,
                        generation,
                        packet,
                        stands,
                    });
                }
                Some(Tag::Send(number)) => {
                    let place = self.flights.get_mut(usize::from(number));
                    if let Some(flight) = place.and_then(Option::take) {
                        let error = (result < 0).then(|| io::Error::from_raw_os_error(-result));
                        return Some(Done::Sent(flight, error));
                    }
                }
                Some(Tag::Wake) => return Some(Done::Woken { stands }),
                None => {}
            }
        }
    }

    fn enable(&mut self) -> io::Result<()> {
        if !self.enabled {
            self.ring.submitter().register_enable_rings()?;
            self.enabled = true;
        }
        Ok(())
    }
}

impl Drop for Ring {
    /// Waits until no operation is under way: then nobody touches the memory any more.
    fn drop(&mut self) {
        let quiet = if self.enabled {
            let all = CancelBuilder::any();
            let cancelled = self
                .ring
                .submitter()
                .register_sync_cancel(Some(CANCEL_TIMEOUT), all);
            let quiet = cancelled.map_or_else(
                |problem| problem.kind() == io::ErrorKind::NotFound,
                |()| true,
            );
            // What is cancelled is ended by an entry; then the sockets and their ports are free.
            quiet && self.ring.submit().is_ok()
        } else {
            // Nothing was ever handed over.
            true
        };
        if !quiet {
            // Dropped by another thread than the owner's, or a kernel that does not let go.
            self.buffers.leak();
        }
    }
}

/// What an entry may answer without anything being wrong: time is up, a signal came, completions
/// must be taken before more can be handed over.
fn bearable(result: io::Result<usize>) -> io::Result<()> {
    match result {
        Err(problem) => match problem.raw_os_error() {
            Some(libc::ETIME | libc::EINTR | libc::EAGAIN | libc::EBUSY) => Ok(()),
            _ => Err(problem),
        },
        Ok(_) => Ok(()),
    }
}
