//! Owns the descriptor by which another thread wakes the owner of a set of real sockets.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Wake;

use rustix::event::{EventfdFlags, eventfd};

/// Wakes the owner of a set. `pending` spares the system call when it is being woken anyway.
pub(crate) struct Wakeup {
    fd: OwnedFd,
    pending: AtomicBool,
}

impl Wakeup {
    pub(crate) fn new() -> io::Result<Arc<Self>> {
        let fd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Arc::new(Self {
            fd,
            pending: AtomicBool::new(false),
        }))
    }

    /// What is readable once somebody has woken.
    pub(crate) const fn fd(&self) -> &OwnedFd {
        &self.fd
    }

    /// The owner is awake and will look for messages.
    pub(crate) fn rest(&self) {
        let mut count = [0; 8];
        // Cannot fail in a way that matters: an empty counter is what we want.
        let _ = rustix::io::read(&self.fd, &mut count[..]);
        // After the read: whoever set it before has also left its message before, and the owner
        // looks for messages after `wait`.
        self.pending.store(false, Ordering::SeqCst);
    }
}

impl Wake for Wakeup {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.pending.swap(true, Ordering::SeqCst) {
            // A full counter (2^64 - 2 wake-ups unread) wakes as well.
            let _ = rustix::io::write(&self.fd, &1_u64.to_ne_bytes());
        }
    }
}
