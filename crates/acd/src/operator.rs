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
//! held, taken up  -          -                       Talking      -          -
//! declined        -          Idle, or Resting from   -            -          -
//!                            the second in a row
//! unanswered      -          Resting                 -            -          -
//! withdrawn       -          Idle, place kept        -            -          -
//! entry complete  -          -                       noted        Idle if it -
//!                                                                 waits for
//!                                                                 that
//! ready           -          -                       -            Idle if    -
//!                                                                 optional
//! freed           -          -                       WrapUp/Idle  -          -
//! wrap-up over    -          -                       -            Idle       -
//! rest over       -          -                       -            -          Idle
//! last other call WrapUp if  -                       -            -          WrapUp if there is
//! ended           there is one                                               one
//! reachable       Idle       Offered                 Talking      WrapUp     Idle if the telephone
//!                                                                            was at fault
//! available       Idle       Offered                 Talking      WrapUp     Idle if the person
//!                                                                            was at fault
//! ```
//! `-` is ignored: a late or repeated signal about something that is over. Losing the telephone and
//! another status change no phase: an offer may still be answered and a talk goes on; what they
//! change is what follows. Other calls, which no queue gave, are counted beside the phase: an operator in one
//! is not free. The last of them may end in a wrap-up, in `Idle` and `Resting` only. One whom the other core
//! of a handover holds is not free either, and is shown as in another call.
//! Seen from outside, a phase with a call in it wins; then `OtherCall`, `WrapUp`, `Unreachable`,
//! `Paused`, `Resting`, `Free`.
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use vocab::{CallId, OfferId, OfferResult, OperatorState, QueueId, Time};

use crate::group::Place;
use crate::order::CallKey;
use crate::settings::{
    Attendance, Consequence, Membership, OperatorSettings, QueueSettings, WrapUp,
};
use crate::status::{Presence, Status};

/// What an operator is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Idle,
    Offered { offer: OfferId, ringing: bool },
    Talking(Talk),
    WrapUp { until: Time, of: Work },
    Resting { until: Time, fault: Fault },
}

/// A talk of a queue's call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Talk {
    pub(crate) call: CallId,
    pub(crate) queue: QueueId,
    pub(crate) wrap_up: WrapUp,
    pub(crate) since: Time,
    pub(crate) held: bool,
    /// The journal entry was completed before the talk was over.
    pub(crate) complete: bool,
}

/// What a wrap-up waits for, besides its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// Nothing.
    Fixed,
    /// The operator.
    Optional,
    /// The journal entry of a call.
    Entry(CallId),
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
    Offered {
        offer: OfferId,
    },
    Ringing,
    Accepted(Talk),
    Held(bool),
    EntryComplete(CallId),
    Ready,
    Failed {
        rest: Option<Duration>,
        fault: Fault,
    },
    Withdrawn,
    Freed,
    WrapUpOver,
    RestOver,
    CameBack,
    Available,
    OtherCallsOver {
        wrap_up: WrapUp,
    },
}

/// One operator.
#[derive(Debug)]
pub(crate) struct Operator {
    /// In the table of operators. One that is not gets no offers and goes when nothing holds it.
    pub(crate) listed: bool,
    pub(crate) reachable: bool,
    pub(crate) status: Status,
    pub(crate) attendance: Attendance,
    /// The line signed in to.
    pub(crate) line: Option<String>,
    pub(crate) skills: BTreeMap<String, u8>,
    pub(crate) queues: Vec<Membership>,
    pub(crate) ring_time: Option<Duration>,
    pub(crate) weight: u16,
    /// Place in the table of operators.
    pub(crate) position: u32,
    pub(crate) places: Vec<Place>,
    pub(crate) phase: Phase,
    /// Orders operators of one level: longest idle first.
    pub(crate) idle_since: Time,
    /// Whether the operator stands among the free ones of every place.
    pub(crate) pooled: bool,
    /// Calls that wait for this operator and no other.
    pub(crate) own_calls: BTreeSet<CallKey>,
    /// Calls taken and time talked, today.
    pub(crate) calls_taken: u32,
    pub(crate) talked: Duration,
    /// The work under way, from the answer on: which queue's, and since when.
    work: Option<(QueueId, Time)>,
    /// Work that is over, to be taken into the queue's estimates.
    pub(crate) work_done: Option<(QueueId, Duration)>,
    /// Calls that no queue gave.
    other_calls: u32,
    /// Held by the other core of a handover: see `lease`.
    pub(crate) elsewhere: bool,
    /// Was busy here since the other core gave the operator.
    pub(crate) worked: bool,
    /// Was given to a core that wants operators, since it said so last.
    pub(crate) asked: bool,
    /// Came back from it all the same: of no use there as things stand.
    pub(crate) returned: bool,
    /// Failures in a row, by kind.
    in_a_row: [u8; 4],
    shown: OperatorState,
    shown_since: Time,
}

impl Operator {
    pub(crate) const fn new(now: Time) -> Self {
        Self {
            listed: false,
            reachable: false,
            status: Status::Available,
            attendance: Attendance::ByTelephone,
            line: None,
            skills: BTreeMap::new(),
            queues: Vec::new(),
            ring_time: None,
            weight: 1,
            position: 0,
            places: Vec::new(),
            phase: Phase::Idle,
            idle_since: now,
            pooled: false,
            own_calls: BTreeSet::new(),
            calls_taken: 0,
            talked: Duration::ZERO,
            work: None,
            work_done: None,
            other_calls: 0,
            elsewhere: false,
            worked: false,
            asked: false,
            returned: false,
            in_a_row: [0; 4],
            shown: OperatorState::Unreachable,
            shown_since: now,
        }
    }

    /// Takes what the table says. The rest of the operator goes on, except that another kind of
    /// attendance makes one Off or Available who is signed in nowhere.
    pub(crate) fn set(&mut self, now: Time, position: u32, settings: OperatorSettings) {
        let attended = self.attendance;
        self.listed = true;
        self.position = position;
        self.skills = settings.skills;
        self.queues = settings.queues;
        self.ring_time = settings.ring_time;
        self.weight = settings.weight;
        self.attendance = settings.attendance;
        if self.attendance != attended {
            if self.line.is_none() {
                self.status = self.status_at_first();
            }
            self.show(now);
        }
    }

    /// The status of one who has chosen none.
    const fn status_at_first(&self) -> Status {
        match self.attendance {
            Attendance::ByTelephone => Status::Available,
            Attendance::BySignIn => Status::Off,
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
            && self.line.is_none()
            && self.status == self.status_at_first()
            && self.other_calls == 0
            && self.phase == Phase::Idle
    }

    /// Whether nothing holds the operator: no phase and no other call.
    pub(crate) fn is_idle(&self) -> bool {
        self.phase == Phase::Idle && self.other_calls == 0
    }

    pub(crate) fn presence(&self) -> Presence {
        match self.status {
            _ if !self.listed => Presence::Away,
            Status::Off => Presence::Away,
            Status::Available if self.reachable => Presence::Serving,
            // Without a sign-in a telephone is all that tells of a person.
            Status::Available if self.attendance == Attendance::ByTelephone => Presence::Away,
            Status::Available => Presence::Unreachable,
            Status::Break { .. } | Status::Training | Status::AfterCallWork | Status::NotReady => {
                Presence::OnBreak
            }
        }
    }

    /// A call began that no queue gave.
    pub(crate) fn other_call_began(&mut self, now: Time) {
        self.other_calls += 1;
        self.show(now);
    }

    /// Such a call ended.
    pub(crate) fn other_call_ended(&mut self, now: Time, wrap_up: WrapUp) {
        self.other_calls = self.other_calls.saturating_sub(1);
        if self.other_calls == 0 {
            self.worked = true;
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
        self.count_work(now, before);
        let was_busy = !matches!(before, Phase::Idle | Phase::Offered { .. });
        self.worked |= was_busy && self.phase == Phase::Idle;
        self.show(now);
        let place_kept = what == Happened::Withdrawn || matches!(what, Happened::Offered { .. });
        if self.phase != before && !place_kept {
            self.idle_since = now;
        }
    }

    /// Whether a call of no queue is under way.
    pub(crate) const fn has_other_call(&self) -> bool {
        self.other_calls > 0
    }

    /// The operator goes to the other core, or comes from there.
    pub(crate) fn set_elsewhere(&mut self, now: Time, elsewhere: bool) {
        if self.elsewhere == elsewhere {
            return;
        }
        self.elsewhere = elsewhere;
        self.worked = false;
        self.show(now);
        if !elsewhere {
            self.available_since(now);
        }
    }

    /// A telephone came or went.
    pub(crate) fn set_reachable(&mut self, now: Time, reachable: bool) {
        if self.reachable == reachable {
            return;
        }
        self.reachable = reachable;
        if reachable {
            self.in_a_row = [0; 4];
            self.available_since(now);
            self.happened(now, Happened::CameBack);
        } else {
            self.show(now);
        }
    }

    /// Another status holds.
    pub(crate) fn set_status(&mut self, now: Time, status: Status) {
        if self.status == status {
            return;
        }
        self.status = status;
        if self.status == Status::Available {
            self.in_a_row = [0; 4];
            self.available_since(now);
            self.happened(now, Happened::Available);
        } else {
            self.show(now);
        }
    }

    /// An offer failed by the operator's doing; returns whether the operator is not ready any more.
    pub(crate) fn offer_failed(
        &mut self,
        now: Time,
        result: OfferResult,
        consequence: &Consequence,
        rest: Duration,
    ) -> bool {
        let (kind, fault) = match result {
            OfferResult::Busy => (0, Fault::Person),
            OfferResult::Rejected => (1, Fault::Person),
            OfferResult::NoAnswer => (2, Fault::Person),
            OfferResult::Unreachable => (3, Fault::Telephone),
            OfferResult::Answered | OfferResult::CallerGone | OfferResult::Withdrawn => {
                self.happened(now, Happened::Withdrawn);
                return false;
            }
        };
        let reached = |count: u8, from: u8| from > 0 && count >= from;
        let count = self.in_a_row.get_mut(kind).map_or(1, |count| {
            *count = count.saturating_add(1);
            *count
        });
        let rest = reached(count, consequence.rest_from).then_some(rest);
        self.happened(now, Happened::Failed { rest, fault });
        reached(count, consequence.not_ready_from) && self.status == Status::Available
    }

    /// How long an offer of a queue rings here: by the word of the membership, of the operator, of the
    /// queue.
    pub(crate) fn ring_time_in(&self, queue: &QueueSettings) -> Duration {
        let member = self.queues.iter().find(|one| one.queue == queue.id);
        let own = member.and_then(|one| one.ring_time).or(self.ring_time);
        own.unwrap_or(queue.ring_time)
    }

    /// Nothing follows the talk of this call.
    pub(crate) fn owes_no_work(&mut self, of: CallId) {
        if let Phase::Talking(talk) = &mut self.phase
            && talk.call == of
        {
            talk.wrap_up = WrapUp::None;
        }
    }

    /// A new day.
    pub(crate) const fn begin_day(&mut self) {
        self.calls_taken = 0;
        self.talked = Duration::ZERO;
    }

    fn count_work(&mut self, now: Time, before: Phase) {
        let talk = |phase| match phase {
            Phase::Talking(talk) => Some(talk),
            Phase::Idle | Phase::Offered { .. } | Phase::WrapUp { .. } | Phase::Resting { .. } => {
                None
            }
        };
        match (talk(before), talk(self.phase)) {
            (None, Some(talk)) => {
                self.in_a_row = [0; 4];
                self.calls_taken = self.calls_taken.saturating_add(1);
                self.work = Some((talk.queue, now));
            }
            (Some(talk), None) => self.talked += now.since(talk.since),
            (Some(_), Some(_)) | (None, None) => {}
        }
        let at_work = matches!(self.phase, Phase::Talking(_) | Phase::WrapUp { .. });
        if !at_work && let Some((queue, since)) = self.work.take() {
            self.work_done = Some((queue, now.since(since)));
        }
    }

    fn next(&self, now: Time, what: Happened) -> Phase {
        use Phase::{Idle, Offered, Resting, Talking};
        let phase = self.phase;
        match (what, phase) {
            (Happened::Offered { offer }, Idle) => Offered {
                offer,
                ringing: false,
            },
            (Happened::Ringing, Offered { offer, .. }) => Offered {
                offer,
                ringing: true,
            },
            (Happened::Accepted(talk), Offered { .. }) => Talking(talk),
            (Happened::Failed { rest: None, .. } | Happened::Withdrawn, Offered { .. }) => Idle,
            (
                Happened::Failed {
                    rest: Some(rest),
                    fault,
                },
                Offered { .. },
            ) => Resting {
                until: now + rest,
                fault,
            },
            (Happened::Held(held), Talking(talk)) => Talking(Talk { held, ..talk }),
            (Happened::EntryComplete(call), Talking(talk)) if talk.call == call => Talking(Talk {
                complete: true,
                ..talk
            }),
            (
                Happened::EntryComplete(call),
                Phase::WrapUp {
                    of: Work::Entry(of),
                    ..
                },
            ) if of == call => Idle,
            (
                Happened::Ready,
                Phase::WrapUp {
                    of: Work::Optional, ..
                },
            ) => Idle,
            (Happened::Freed, Talking(talk)) if talk.complete => match talk.wrap_up {
                WrapUp::UntilEntry(_) => Idle,
                other => after_talk(now, other, talk.call),
            },
            (Happened::Freed, Talking(talk)) => after_talk(now, talk.wrap_up, talk.call),
            (Happened::OtherCallsOver { wrap_up }, Idle | Resting { .. })
                if !wrap_up.longest().is_zero() =>
            {
                // No entry of a queue's call: only the time counts.
                Phase::WrapUp {
                    until: now + wrap_up.longest(),
                    of: match wrap_up {
                        WrapUp::Optional(_) | WrapUp::UntilEntry(_) => Work::Optional,
                        WrapUp::Fixed(_) | WrapUp::None => Work::Fixed,
                    },
                }
            }
            (Happened::WrapUpOver, Phase::WrapUp { .. }) | (Happened::RestOver, Resting { .. }) => {
                Idle
            }
            (
                Happened::CameBack,
                Resting {
                    fault: Fault::Telephone,
                    ..
                },
            )
            | (
                Happened::Available,
                Resting {
                    fault: Fault::Person,
                    ..
                },
            ) => Idle,
            // Said of what is over: an offer that ended, a second Freed, which must not start the
            // wrap-up again, a deadline of a phase that was left. Nothing shortens a talk or a
            // fixed wrap-up, and a second offer is never chosen.
            (
                Happened::Offered { .. }
                | Happened::Ringing
                | Happened::Accepted(_)
                | Happened::Held(_)
                | Happened::EntryComplete(_)
                | Happened::Ready
                | Happened::Failed { .. }
                | Happened::Withdrawn
                | Happened::Freed
                | Happened::WrapUpOver
                | Happened::RestOver
                | Happened::CameBack
                | Happened::Available
                | Happened::OtherCallsOver { .. },
                Idle | Offered { .. } | Talking(_) | Phase::WrapUp { .. } | Resting { .. },
            ) => phase,
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
            Phase::Talking(Talk { held: true, .. }) => OperatorState::Held,
            Phase::Talking(_) => OperatorState::Talking,
            Phase::Idle | Phase::WrapUp { .. } | Phase::Resting { .. }
                if self.other_calls > 0 || self.elsewhere =>
            {
                OperatorState::OtherCall
            }
            Phase::WrapUp { .. } => OperatorState::WrapUp,
            Phase::Idle | Phase::Resting { .. } if !self.reachable => OperatorState::Unreachable,
            Phase::Idle | Phase::Resting { .. } if self.status != Status::Available => {
                OperatorState::Paused
            }
            Phase::Resting { .. } => OperatorState::Resting,
            Phase::Idle => OperatorState::Free,
        };
        if shown != OperatorState::Free {
            self.returned = false;
        }
        if shown != self.shown {
            self.shown = shown;
            self.shown_since = now;
        }
    }
}

fn after_talk(now: Time, wrap_up: WrapUp, call: CallId) -> Phase {
    let of = match wrap_up {
        WrapUp::None => return Phase::Idle,
        WrapUp::Fixed(_) => Work::Fixed,
        WrapUp::Optional(_) => Work::Optional,
        WrapUp::UntilEntry(_) => Work::Entry(call),
    };
    if wrap_up.longest().is_zero() {
        return Phase::Idle;
    }
    Phase::WrapUp {
        until: now + wrap_up.longest(),
        of,
    }
}
