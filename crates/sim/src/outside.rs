//! Owns the people outside: whom the engine calls by the trunk. Some answer, some are busy, some
//! never come, and the carrier itself may be full.

use core::time::Duration;

use sip::{Message, Method, Output, ServerTx};

use crate::endpoint::Endpoint;
use crate::legs::{Heard, Legs};
use crate::random::Random;
use crate::room::{Alarm, Room};

/// How long somebody talks.
const TALK: Duration = Duration::from_secs(45);

/// How long the carrier lets it ring.
const CARRIER: Duration = Duration::from_secs(120);

/// All of them, at the trunk's address.
pub(crate) struct Outside {
    random: Random,
    legs: Legs,
}

impl Outside {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed, 5),
            legs: Legs::new("outside"),
        }
    }

    /// Legs that are not over.
    pub(crate) fn up(&self) -> usize {
        self.legs.len()
    }

    pub(crate) fn alarm(&mut self, room: &mut Room, endpoint: &mut Endpoint, alarm: &Alarm) {
        match *alarm {
            Alarm::PickUp(leg, status) => self.legs.answer(endpoint, room.now, leg, status),
            Alarm::OutsideDone(leg) => self.legs.hang_up(endpoint, room.now, leg),
            _ => {}
        }
    }

    /// Something of theirs, and of no caller, happened at the trunk.
    pub(crate) fn happened(&mut self, room: &mut Room, endpoint: &mut Endpoint, happened: Output) {
        let now = room.now;
        match happened {
            Output::Request { tx, request, .. } => {
                let fresh = request.to().is_ok_and(|to| to.params.get("tag").is_none());
                if fresh && request.method() == Some(&Method::Invite) {
                    self.called(room, endpoint, tx, &request);
                } else {
                    self.legs.in_dialog(endpoint, now, tx, &request);
                }
            }
            Output::Ack { tx, .. } => {
                if let Some(leg) = self.legs.acknowledged(tx) {
                    let talk = self.random.exponential(TALK);
                    room.alarm(talk, Alarm::OutsideDone(leg.number));
                }
            }
            Output::Cancelled { tx } => self.legs.cancelled(endpoint, now, tx),
            Output::AckMissing { tx } => self.legs.never_acknowledged(endpoint, now, tx),
            Output::Response { tx, response } => {
                let heard = self.legs.heard(endpoint, now, tx, &response);
                debug_assert_eq!(heard, Heard::Nothing, "nobody here dials");
            }
            Output::TimedOut { tx } | Output::Failed { tx } => self.legs.unheard(tx),
            Output::Send { .. } => {}
        }
    }

    fn called(&mut self, room: &mut Room, endpoint: &mut Endpoint, tx: ServerTx, invite: &Message) {
        let fate = self.random.below(100);
        if fate < 12 {
            // The carrier is full: the next way, or the end.
            let tag = endpoint.token();
            return endpoint.respond(room.now, tx, invite.respond(503, Some(&tag)));
        }
        let leg = self.legs.ring(endpoint, room.now, tx, invite);
        let soon = self
            .random
            .between(Duration::from_millis(300), Duration::from_secs(12));
        let (delay, status) = match fate {
            12..75 => (soon, 200),
            75..85 => (soon, 486),
            85..90 => (soon, 404),
            // Nobody comes, until the carrier has enough of it.
            _ => (CARRIER, 480),
        };
        room.alarm(delay, Alarm::PickUp(leg, status));
    }
}
