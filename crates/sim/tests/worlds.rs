//! Worlds with all faults at once. `HOTLINE_SIM_SEEDS=1000` lives so many of them, or those
//! of `7..7`; 200 without it.

#![allow(clippy::unwrap_used, clippy::panic)]

use sim::{Fault, Faults, Scenario, live, shrink};

fn scenario(seed: u64, faults: Faults) -> Scenario {
    Scenario {
        seed,
        minutes: 10,
        faults,
    }
}

fn must_hold(scenario: &Scenario) -> sim::Report {
    live(scenario).unwrap_or_else(|failure| panic!("{}", shrink(failure)))
}

#[test]
fn nothing_is_wrong_in_worlds_where_everything_goes_wrong() {
    let text = std::env::var("HOTLINE_SIM_SEEDS").unwrap_or_else(|_| "200".to_owned());
    let (first, last) = text.split_once("..").unwrap_or(("1", &text));
    let (first, last): (u64, u64) = (first.parse().unwrap(), last.parse().unwrap());
    let seeds = last + 1 - first;
    let mut calls = 0;
    let mut injected = std::collections::BTreeMap::new();
    for seed in first..=last {
        let report = must_hold(&scenario(seed, Faults::all()));
        calls += report.calls;
        for (fault, times) in report.injected {
            *injected.entry(fault).or_insert(0) += times;
        }
    }
    println!("{calls} calls, {injected:?}");
    assert!(calls > seeds * 20);
    let missing: Vec<_> = Fault::ALL
        .into_iter()
        .filter(|fault| !injected.contains_key(fault) && *fault != Fault::Delay)
        .collect();
    assert!(missing.is_empty(), "never struck: {missing:?}");
}

#[test]
fn a_world_without_faults_serves_nearly_everybody_who_waits() {
    let report = must_hold(&scenario(3, Faults::none()));
    assert!(report.answered > report.abandoned, "{report:?}");
    assert!(report.injected.is_empty());
}

#[test]
fn the_same_seed_is_the_same_world() {
    let one = must_hold(&scenario(5, Faults::all()));
    assert_eq!(one, must_hold(&scenario(5, Faults::all())));
}
