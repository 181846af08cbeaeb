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

#[path = "../tests/virtual_time/world/mod.rs"]
mod world;

use core::time::Duration;

use world::World;
use world::timed::CALLS;

fn main() {
    let mut world = World::timed();
    for run in 1..=4 {
        world.spent = Duration::ZERO;
        let mut facts = 0;
        for n in 0..CALLS {
            world.timed_call(n);
            facts += world.facts.len();
            world.facts.clear();
        }
        let per_call = world.spent.as_secs_f64() * 1e6 / f64::from(CALLS);
        println!(
            "run {run}: {per_call:.1} µs of CPU a call, {:.0} calls a second of a core, {} facts a call",
            1e6 / per_call,
            facts / CALLS as usize,
        );
    }
}
