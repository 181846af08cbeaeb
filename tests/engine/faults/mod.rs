//! Faults of the whole process and its surroundings, made to happen to a real engine with real calls:
//! killed at any moment, disks that are full or hang, databases that are away, a clock that jumps,
//! telephones and trunks that vanish. All are judged by [`nothing_lost`]: every call that was answered has
//! one entry, every talk a recording or a reason; and calls that have nothing to do with the fault go on.
//!
//! `HOTLINE_FAULTS_KILLS=100` kills so often, `HOTLINE_FAULTS_ROUNDS=20` makes each of the other faults so
//! many times in one test; `make soak` does.

mod clock;
mod database;
mod disks;
mod handover;
mod kills;
mod peers;
mod process;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::harness::journal::{Entry, entries};
use crate::harness::{Engine, Place, Setup, text_of, until};
use load::Load;
use rustix::process::{Pid, Signal, kill_process};

const SOON: Duration = Duration::from_secs(60);

/// How many times a fault is made in one test.
fn rounds() -> u32 {
    std::env::var("HOTLINE_FAULTS_ROUNDS").map_or(1, |rounds| rounds.parse().unwrap())
}

fn logins(number: usize) -> Vec<String> {
    (0..number).map(|n| format!("operator{n}")).collect()
}

fn engine_of(logins: &[String]) -> Engine {
    Engine::start(&Setup {
        operators: logins.to_vec(),
        ..Setup::default()
    })
}

fn process(engine: &Engine) -> Pid {
    Pid::from_raw(i32::try_from(engine.process()).unwrap()).unwrap()
}

/// So many calls in talk at once.
fn in_talk(load: &Load, calls: u64) {
    until("all calls in talk", SOON, || {
        (load.counts().talking == calls).then_some(())
    });
}

/// So many calls were talks to their proper ends, and no others were made.
fn all_talked(load: &Load, calls: u64) {
    assert!(load.wait(SOON), "{:?}", load.counts());
    let counts = load.counts();
    let ended = (counts.talked, counts.failed, counts.refused, counts.gave_up);
    assert_eq!(ended, (calls, 0, 0, 0), "{counts:?}");
}

/// The criterion of every fault: of at least `answered` calls, each has one entry with an outcome; at least
/// `talked` of them were talks; each talk has verified audio or a reason for none.
fn nothing_lost(place: &Place, answered: u64, talked: u64) -> Vec<Entry> {
    let deadline = Instant::now() + SOON;
    let all = loop {
        let all = entries(place);
        let open: Vec<_> = all.iter().filter(|entry| !entry.is_finished()).collect();
        if open.is_empty() && all.len() as u64 >= answered {
            break all;
        }
        let (there, late) = (all.len(), Instant::now() > deadline);
        assert!(
            !late,
            "{there} entries of {answered} answered calls; not finished: {open:#?}"
        );
        std::thread::sleep(Duration::from_millis(100));
    };
    let talks = |entry: &&Entry| entry.number("segments") > Some(0);
    let with_talk = all.iter().filter(talks).count() as u64;
    assert!(with_talk >= talked, "{with_talk} talks of {talked}");
    let sip: BTreeSet<&str> = all.iter().map(|entry| entry.text("sip_call_id")).collect();
    assert_eq!(sip.len(), all.len(), "a call has two entries: {all:#?}");
    // Journal against disk, as an auditor does it.
    let output = place.run(&["recordings", "verify"]);
    let said = text_of(&output);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("with verified audio"), "{said}");
    all
}

/// No call is stuck: told to end, the process has none to wait for. What a peer that vanished was told
/// is given up after 32 s (RFC 3261 §17.1.2.2, timer F), for which only the long form waits.
fn ends(mut engine: Engine) {
    if rounds() == 1 {
        return;
    }
    kill_process(process(&engine), Signal::TERM).unwrap();
    until("the end of an engine without calls", SOON, || {
        (!engine.alive()).then_some(())
    });
}
