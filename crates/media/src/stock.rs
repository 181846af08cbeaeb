//! Owns pairs of ports that are bound before a leg wants them: its port is known at once, and nobody
//! waits for a thread that lets packets gather. Refuses to bind them, which their thread does.

use crossbeam_channel::{Receiver, Sender, unbounded};

use crate::ports::Pair;

/// Pairs kept ready in each thread: a leg every 3 ms, should the thread be away for 50 ms.
const READY: usize = 16;

/// The pairs of one thread that no leg has yet: it puts them in, whoever opens a leg takes them out.
#[derive(Clone)]
pub(crate) struct Stock {
    into: Sender<Pair>,
    out_of: Receiver<Pair>,
}

impl Stock {
    pub(crate) fn new() -> Self {
        let (into, out_of) = unbounded();
        Self { into, out_of }
    }

    pub(crate) fn is_low(&self) -> bool {
        self.out_of.len() < READY
    }

    pub(crate) fn put(&self, pair: Pair) {
        // This is the other end, too: it is there.
        let _ = self.into.send(pair);
    }

    pub(crate) fn take(&self) -> Option<Pair> {
        self.out_of.try_recv().ok()
    }
}
