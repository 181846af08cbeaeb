//! CPU of the switch for a complete call of two legs, INVITE to BYE: `cargo bench -p switch`.
//!
//! Real octets in, octets and facts out, in virtual time; sockets, media and the journal's files are not
//! counted. The goal for the whole call is 250 µs.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark that fails is to stop"
)]

#[path = "../tests/world/mod.rs"]
mod world;

use core::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use world::World;

/// Below the number of legs that the world's media plane has ports for.
const CALLS: u32 = 5_000;

fn main() {
    let mut world = World::new().with_operators(1);
    for run in 1..=4 {
        world.clock = thread_time;
        world.spent = Duration::ZERO;
        let mut facts = 0;
        for n in 0..CALLS {
            if n % 30 == 0 {
                // The registration is not the call's.
                let spent = world.spent;
                assert_eq!(world.register(1, "secret"), 200);
                world.spent = spent;
            }
            world.whole_call();
            facts += world.facts.len();
            world.facts.clear();
            world.commands.clear();
            world.clear();
        }
        let per_call = world.spent.as_secs_f64() * 1e6 / f64::from(CALLS);
        println!(
            "run {run}: {per_call:.1} µs of CPU a call, {:.0} calls a second of a core, {} facts a call",
            1e6 / per_call,
            facts / CALLS as usize,
        );
    }
}

fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}
