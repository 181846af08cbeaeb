//! Whole calls by a clock: what the benchmarks of the switch and of the journal share.

use core::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use super::World;

/// Calls of a run: below the number of legs that the world's media plane has ports for.
pub const CALLS: u32 = 5_000;

impl World {
    /// One operator, and a clock that reads the CPU of this thread.
    pub fn timed() -> Self {
        let mut world = Self::new().with_operators(1);
        world.clock = thread_time;
        world
    }

    /// The call number `n` of a run. Its facts stay; what else it leaves is cleared.
    pub fn timed_call(&mut self, n: u32) {
        if n.is_multiple_of(30) {
            // The registration is not the call's.
            let spent = self.spent;
            assert_eq!(self.register(1, "secret"), 200);
            self.spent = spent;
        }
        self.whole_call();
        self.commands.clear();
        self.clear();
    }
}

/// CPU of this thread so far.
pub fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}
