//! Owns the way from a scenario that is wrong to a smaller one that is wrong as well.

use crate::scenario::Scenario;
use crate::{Failure, live};

/// Leaves out one fault after the other, then minutes, for as long as something stays wrong. What is
/// wrong then may be another thing: it is a violation all the same.
#[must_use]
pub fn shrink(failure: Failure) -> Failure {
    let mut smallest = failure;
    let faults = smallest.scenario.faults.clone();
    for fault in faults.iter() {
        let faults = smallest.scenario.faults.without(fault);
        smallest = smaller(smallest, |scenario| Scenario { faults, ..scenario });
    }
    while smallest.scenario.minutes > 1 {
        let minutes = smallest.scenario.minutes;
        let next = smaller(smallest, |scenario| Scenario {
            minutes: minutes / 2,
            ..scenario
        });
        smallest = next;
        if smallest.scenario.minutes == minutes {
            break;
        }
    }
    smallest
}

fn smaller(failure: Failure, less: impl FnOnce(Scenario) -> Scenario) -> Failure {
    match live(&less(failure.scenario.clone())) {
        Ok(_) => failure,
        Err(smaller) => smaller,
    }
}
