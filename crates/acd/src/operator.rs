//! Owns one operator's machine: what the operator is doing, and what an observer sees of it.
//!
//! It refuses to choose calls, and it holds no timers: a phase carries its deadline and the core
//! sets it.
//!
//! ```text
//! input \ phase   Idle       Offered                 Talking      WrapUp     Resting
//! offer           Offered    (not chosen: only Idle operators are in the pool)
//! ringing         -          Offered, ringing        -            -          -
//! accepted        -          Talking                 -            -          -
//! declined        -          Idle, or Resting from   -            -          -
//!                            the second in a row
//! unanswered      -          Resting                 -            -          -
//! withdrawn       -          Idle, place kept        -            -          -
//! freed           -          -                       WrapUp/Idle  -          -
//! wrap-up over    -          -                       -            Idle       -
//! rest over       -          -                       -            -          Idle
//! last other call WrapUp if  -                       -            -          WrapUp if there is
//! ended           there is one                                               one
//! reachable       Idle       Offered                 Talking      WrapUp     Idle if the telephone
//!                                                                            was at fault
//! unpaused        Idle       Offered                 Talking      WrapUp     Idle if the person
//!                                                                            was at fault
//! ```
//! `-` is ignored: a late or repeated signal about something that is over. Losing the telephone and
//! pausing change no phase: an offer may still be answered and a talk goes on; what they change is
//! what follows. Other calls, which no queue gave, are counted beside the phase: an operator in one
//! is not free. The last of them may end in a wrap-up, in `Idle` and `Resting` only.
//! Seen from outside, a phase with a call in it wins; then `OtherCall`, `WrapUp`, `Unreachable`,
//! `Paused`, `Resting`, `Free`.

use core::time::Duration;
use std::collections::BTreeMap;

use vocab::{OfferId, OperatorState, Time};

use crate::pool::Membership;
use crate::settings::DECLINES_IN_A_ROW_MAX;

/// What an operator is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Idle,
    Offered { offer: OfferId, ringing: bool },
    Talking { wrap_up: Duration },
    WrapUp { until: Time },
    Resting { until: Time, fault: Fault },
}

/// What made an operator rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nobody answered, or somebody kept declining.
    Person,
    /// The telephone could not be reached.
    Telephone,
}

/// What happened to an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Happened {
    Offered { offer: OfferId },
    Ringing,
    Accepted { wrap_up: Duration },
    Declined { rest: Duration },
    Unanswered { rest: Duration, fault: Fault },
    Withdrawn,
    Freed,
    WrapUpOver,
    RestOver,
    CameBack,
    Unpaused,
    OtherCallsOver { wrap_up: Duration },
}

/// One operator.
#[derive(Debug)]
pub(crate) struct Operator {
    /// In the table of operators. One that is not gets no offers and goes when nothing holds it.
    pub(crate) listed: bool,
    pub(crate) reachable: bool,
    pub(crate) paused: bool,
    pub(crate) skills: BTreeMap<String, u8>,
    pub(crate) memberships: Vec<Membership>,
    pub(crate) phase: Phase,
    /// Orders operators of one level: longest idle first.
    pub(crate) idle_since: Time,
    /// Whether the operator stands in the pool's sets, under `idle_since` and `memberships`.
    pub(crate) pooled: bool,
    /// Calls that no queue gave.
    other_calls: u32,
    declines_in_a_row: u8,
    shown: OperatorState,
    shown_since: Time,
}

impl Operator {
    pub(crate) const fn new(now: Time) -> Self {
        Self {
            listed: false,
            reachable: false,
            paused: false,
            skills: BTreeMap::new(),
            memberships: Vec::new(),
            phase: Phase::Idle,
            idle_since: now,
            pooled: false,
            other_calls: 0,
            declines_in_a_row: 0,
            shown: OperatorState::Unreachable,
            shown_since: now,
        }
    }

    /// May get an offer now.
    pub(crate) fn is_free(&self) -> bool {
        self.listed && self.shown == OperatorState::Free
    }

    /// Whether anything would be lost if the record went.
    pub(crate) fn is_forgettable(&self) -> bool {
        !self.listed
            && !self.reachable
            && !self.paused
            && self.other_calls == 0
            && self.phase == Phase::Idle
    }

    /// Whether nothing holds the operator: no phase and no other call.
    pub(crate) fn is_idle(&self) -> bool {
        self.phase == Phase::Idle && self.other_calls == 0
    }

    /// A call began that no queue gave.
    pub(crate) fn other_call_began(&mut self, now: Time) {
        self.other_calls += 1;
        self.show(now);
    }

    /// Such a call ended.
    pub(crate) fn other_call_ended(&mut self, now: Time, wrap_up: Duration) {
        self.other_calls = self.other_calls.saturating_sub(1);
        if self.other_calls == 0 {
            self.happened(now, Happened::OtherCallsOver { wrap_up });
            self.available_since(now);
        } else {
            self.show(now);
        }
    }

    /// What an observer sees, and since when.
    pub(crate) const fn shown(&self) -> (OperatorState, Time) {
        (self.shown, self.shown_since)
    }

    /// Moves the machine by its table.
    pub(crate) fn happened(&mut self, now: Time, what: Happened) {
        let before = self.phase;
        self.phase = self.next(now, what);
        self.count_declines(before, what);
        self.show(now);
        let place_kept = what == Happened::Withdrawn || matches!(what, Happened::Offered { .. });
        if self.phase != before && !place_kept {
            self.idle_since = now;
        }
    }

    /// A telephone came or went.
    pub(crate) fn set_reachable(&mut self, now: Time, reachable: bool) {
        if self.reachable == reachable {
            return;
        }
        self.reachable = reachable;
        if reachable {
            self.declines_in_a_row = 0;
            self.available_since(now);
            self.happened(now, Happened::CameBack);
        } else {
            self.show(now);
        }
    }

    /// The person chose.
    pub(crate) fn set_paused(&mut self, now: Time, paused: bool) {
        if self.paused == paused {
            return;
        }
        self.paused = paused;
        if paused {
            self.show(now);
        } else {
            self.declines_in_a_row = 0;
            self.available_since(now);
            self.happened(now, Happened::Unpaused);
        }
    }

    fn next(&self, now: Time, what: Happened) -> Phase {
        use Phase::{Idle, Offered, Resting, Talking, WrapUp};
        let phase = self.phase;
        match (what, phase) {
            (Happened::Offered { offer }, Idle) => Offered {
                offer,
                ringing: false,
            },
            // A second offer is never chosen.
            (
                Happened::Offered { .. },
                Offered { .. } | Talking { .. } | WrapUp { .. } | Resting { .. },
            ) => phase,
            (Happened::Ringing, Offered { offer, .. }) => Offered {
                offer,
                ringing: true,
            },
            (Happened::Accepted { wrap_up }, Offered { .. }) => Talking { wrap_up },
            (Happened::Declined { rest }, Offered { .. }) => self.after_decline(now, rest),
            (Happened::Unanswered { rest, fault }, Offered { .. }) => Resting {
                until: now + rest,
                fault,
            },
            (Happened::Withdrawn, Offered { .. }) => Idle,
            // Said of an offer that is over.
            (
                Happened::Ringing
                | Happened::Accepted { .. }
                | Happened::Declined { .. }
                | Happened::Unanswered { .. }
                | Happened::Withdrawn,
                Idle | Talking { .. } | WrapUp { .. } | Resting { .. },
            ) => phase,
            (Happened::Freed, Talking { wrap_up }) if wrap_up.is_zero() => Idle,
            (Happened::Freed, Talking { wrap_up }) => WrapUp {
                until: now + wrap_up,
            },
            // A second Freed must not start the wrap-up again.
            (Happened::Freed, Idle | Offered { .. } | WrapUp { .. } | Resting { .. }) => phase,
            (Happened::OtherCallsOver { wrap_up }, Idle | Resting { .. }) if !wrap_up.is_zero() => {
                WrapUp {
                    until: now + wrap_up,
                }
            }
            // A call of a queue is up or was just over: its own wrap-up counts.
            (
                Happened::OtherCallsOver { .. },
                Idle | Offered { .. } | Talking { .. } | WrapUp { .. } | Resting { .. },
            ) => phase,
            (Happened::WrapUpOver, WrapUp { .. }) => Idle,
            (Happened::RestOver, Resting { .. }) => Idle,
            (
                Happened::CameBack,
                Resting {
                    fault: Fault::Telephone,
                    ..
                },
            ) => Idle,
            (
                Happened::Unpaused,
                Resting {
                    fault: Fault::Person,
                    ..
                },
            ) => Idle,
            // Deadlines of a phase that is over, and signals that shorten no talk and no wrap-up.
            (Happened::WrapUpOver, Idle | Offered { .. } | Talking { .. } | Resting { .. })
            | (
                Happened::RestOver | Happened::CameBack | Happened::Unpaused,
                Idle | Offered { .. } | Talking { .. } | WrapUp { .. },
            )
            | (
                Happened::CameBack,
                Resting {
                    fault: Fault::Person,
                    ..
                },
            )
            | (
                Happened::Unpaused,
                Resting {
                    fault: Fault::Telephone,
                    ..
                },
            ) => phase,
        }
    }

    fn after_decline(&self, now: Time, rest: Duration) -> Phase {
        if self.declines_in_a_row + 1 < DECLINES_IN_A_ROW_MAX {
            return Phase::Idle;
        }
        Phase::Resting {
            until: now + rest,
            fault: Fault::Person,
        }
    }

    fn count_declines(&mut self, before: Phase, what: Happened) {
        if !matches!(before, Phase::Offered { .. }) {
            return;
        }
        match what {
            Happened::Declined { .. } => {
                self.declines_in_a_row = (self.declines_in_a_row + 1).min(DECLINES_IN_A_ROW_MAX);
            }
            Happened::Accepted { .. } => self.declines_in_a_row = 0,
            Happened::Offered { .. }
            | Happened::Ringing
            | Happened::Unanswered { .. }
            | Happened::Withdrawn
            | Happened::Freed
            | Happened::WrapUpOver
            | Happened::RestOver
            | Happened::CameBack
            | Happened::Unpaused
            | Happened::OtherCallsOver { .. } => {}
        }
    }

    /// Becoming available starts the idle time anew, unless something else will when it is over.
    fn available_since(&mut self, now: Time) {
        if self.phase == Phase::Idle {
            self.idle_since = now;
        }
    }

    fn show(&mut self, now: Time) {
        let shown = match self.phase {
            Phase::Offered { ringing: false, .. } => OperatorState::Reserved,
            Phase::Offered { ringing: true, .. } => OperatorState::Ringing,
            Phase::Talking { .. } => OperatorState::Talking,
            Phase::Idle | Phase::WrapUp { .. } | Phase::Resting { .. } if self.other_calls > 0 => {
                OperatorState::OtherCall
            }
            Phase::WrapUp { .. } => OperatorState::WrapUp,
            Phase::Idle | Phase::Resting { .. } if !self.reachable => OperatorState::Unreachable,
            Phase::Idle | Phase::Resting { .. } if self.paused => OperatorState::Paused,
            Phase::Resting { .. } => OperatorState::Resting,
            Phase::Idle => OperatorState::Free,
        };
        if shown != self.shown {
            self.shown = shown;
            self.shown_since = now;
        }
    }
}
