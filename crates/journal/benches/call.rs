//! CPU of a complete call of two legs with the journal on: `cargo bench -p journal --bench call`.
//!
//! The switch gets real octets in virtual time, the running journal gets its facts and writes, syncs and follows
//! with SQL as it does in service. Sockets, media and the SIP trace are not counted. The goal is 250 µs a call.
//!
//! Two extremes: calls as fast as they go, where many facts share a sync, and facts so far apart
//! that each has a sync of its own, as on an idle engine. Service lies between.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark that fails is to stop"
)]

#[path = "../../switch/tests/virtual_time/world/mod.rs"]
mod world;

use core::time::Duration;
use std::fs;

use journal::{Journal, Settings, start};
use world::World;
use world::timed::{CALLS, thread_time};

/// Calls of a run in which each fact has a sync of its own.
const APART: u32 = 100;
/// Longer than the least time between two syncs.
const PAUSE: Duration = Duration::from_millis(8);

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings::new(
        folder.path().join("events"),
        folder.path().join("journal.db"),
    );
    let mut world = World::timed();
    // The boot that the world's facts bear.
    let (journal, _) = start(settings, 1, |_up_to| {}).unwrap();
    append(&mut world, &journal, None);
    settle(&journal);
    for run in 1..=3 {
        report(run, "together", CALLS, None, &mut world, &journal);
    }
    for run in 1..=2 {
        report(run, "apart", APART, Some(PAUSE), &mut world, &journal);
    }
    let stopped = journal.stop();
    assert_eq!((stopped.not_in_sql, stopped.lost), (0, 0));
}

/// Makes the calls and says what each cost, by the thread that spent it.
fn report(
    run: u32,
    kind: &str,
    calls: u32,
    pause: Option<Duration>,
    world: &mut World,
    journal: &Journal,
) {
    let (file, sql) = (thread_ran("journal-file"), thread_ran("journal-sql"));
    let (mut facts, mut appending) = (0, Duration::ZERO);
    world.spent = Duration::ZERO;
    for n in 0..calls {
        world.timed_call(n);
        facts += world.facts.len();
        appending += append(world, journal, pause);
    }
    settle(journal);
    let per_call = |spent: Duration| spent.as_secs_f64() * 1e6 / f64::from(calls);
    let (switch, handing) = (per_call(world.spent), per_call(appending));
    let file = per_call(thread_ran("journal-file").saturating_sub(file));
    let sql = per_call(thread_ran("journal-sql").saturating_sub(sql));
    println!(
        "{kind}, run {run}: {:.1} µs of CPU a call without SQL: switch {switch:.1}, handing over {handing:.1}, \
         event file {file:.1}; SQL {sql:.1}; {} facts a call",
        switch + handing + file,
        facts / calls as usize,
    );
}

/// Waits until everything is in SQL; from then on both threads have their names.
fn settle(journal: &Journal) {
    while journal.lag() > 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Gives the world's facts to the journal; the CPU of that.
fn append(world: &mut World, journal: &Journal, pause: Option<Duration>) -> Duration {
    let mut spent = Duration::ZERO;
    for fact in world.facts.drain(..) {
        let begin = thread_time();
        journal.append(fact);
        spent += thread_time() - begin;
        if let Some(pause) = pause {
            std::thread::sleep(pause);
        }
    }
    spent
}

/// CPU so far of the thread of that name, by the scheduler's clock.
fn thread_ran(name: &str) -> Duration {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let task = tasks
        .map(|task| task.unwrap().path())
        .find(|task| fs::read_to_string(task.join("comm")).is_ok_and(|comm| comm.trim() == name))
        .unwrap();
    let schedstat = fs::read_to_string(task.join("schedstat")).unwrap();
    let ran = schedstat.split(' ').next().unwrap().parse().unwrap();
    Duration::from_nanos(ran)
}
