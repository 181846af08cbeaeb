//! Owns who talks in a call beyond the two of its segment, and tells the media plane of all of them:
//! two are relayed, more are mixed.
//!
//! | who leaves a conference             | what becomes of it                                           |
//! |-------------------------------------|--------------------------------------------------------------|
//! | the first party                     | the call ends                                                |
//! | the party of the segment            | the segment ends; whoever came first after it (an operator before an outer party) has the next one with the first party, and the others stay |
//! | one who came later                  | the segment goes on; of two a plain talk is left             |
//!
//! A conference is not transferred (603): whoever wants out of it hangs up. A segment and its recording
//! are not touched by who comes and goes beside it, so no second of a talk counts twice.

use vocab::media::{MIX_PARTIES_MAX, MediaCommand, MixParty, MixRole, RecordingKey};
use vocab::{CallId, EndedBy, Fact, LegId, OperatorId, Outcome};

use super::party::PartyLeg;
use super::who::Who;
use super::{Call, State};
use crate::context::{Context, Owner};

/// The legs that go from one call into another: of the one whom the operator consulted, and the
/// operator's own where that is the one in use.
pub(crate) struct Brought {
    party: (LegId, PartyLeg),
    own: Option<(LegId, PartyLeg)>,
}

impl Call {
    /// Tells the media plane who talks with whom, and who oversees it. While the queue whispers to the
    /// operator nobody talks yet.
    pub(super) fn tell_talk(&self, ctx: &mut Context) {
        if let (State::Talking { leg }, false) = (&self.state, self.is_whispering()) {
            self.tell_talk_with(ctx, *leg);
        }
    }

    /// The same of a segment with the one at this leg that begins, or ends before it was joined.
    pub(super) fn tell_talk_with(&self, ctx: &mut Context, leg: LegId) {
        let (call, segment) = (self.id, self.segments);
        let (caller, operator) = self.sides(leg);
        let record = self.recorded.then_some(RecordingKey { call, segment });
        let supervisor = self.supervisor_in_talk();
        if self.conference.is_empty() && supervisor.is_none() {
            ctx.media(MediaCommand::Bridge {
                call,
                caller,
                operator,
                record,
            });
            return;
        }
        let of_ours = |leg: LegId| MixParty {
            leg,
            role: match self.operator_of(leg) {
                Some(_) => MixRole::Operator,
                None => MixRole::Guest,
            },
        };
        let first = MixParty {
            leg: caller,
            role: MixRole::Caller,
        };
        let others = self.conference.iter().copied();
        let parties = [first, of_ours(operator)].into_iter();
        let parties = parties.chain(others.map(of_ours)).chain(supervisor);
        ctx.media(MediaCommand::Mix {
            call,
            parties: parties.collect(),
            record,
        });
    }

    /// Whether more than two talk.
    pub(crate) const fn is_conference(&self) -> bool {
        !self.conference.is_empty()
    }

    /// Whether there is room for one more, be it a supervisor.
    pub(crate) fn has_room(&self) -> bool {
        let supervised = usize::from(self.is_supervised());
        2 + self.conference.len() + supervised < MIX_PARTIES_MAX
    }

    /// Whether the one at this leg talks, in the segment or beside it.
    pub(super) fn takes_part(&self, leg: LegId) -> bool {
        self.is_in_talk(leg) || self.conference.contains(&leg)
    }

    /// The leg at which an operator talks in this call.
    pub(crate) fn talk_leg_of(&self, operator: OperatorId) -> Option<LegId> {
        let State::Talking { leg } = self.state else {
            return None;
        };
        let mut legs = [leg, self.first]
            .into_iter()
            .chain(self.conference.iter().copied());
        legs.find(|leg| self.operator_of(*leg) == Some(operator))
    }

    /// Whether the operator at this leg has it on hold.
    pub(crate) fn is_held_at(&mut self, leg: LegId) -> bool {
        self.session(leg).is_some_and(|session| session.held)
    }

    /// Gives the party that talks to the operator at `own` away for a conference, and ends. With
    /// `with_own` the operator's leg goes along.
    pub(crate) fn hand_over_to_conference(
        &mut self,
        ctx: &mut Context,
        (own, with_own): (LegId, bool),
        into: CallId,
    ) -> Option<Brought> {
        let party = self.peer_of(own)?;
        ctx.record(Fact::CallJoined {
            call: self.id,
            into,
        });
        // While the legs are still here: the recording of the segment ends with its bridge.
        self.end_segment(ctx, party, EndedBy::Operator);
        self.state = State::Opening;
        let party = self.give_leg(ctx, party, into).map(|leg| (party, leg));
        let own = match with_own {
            true => self.give_leg(ctx, own, into).map(|leg| (own, leg)),
            false => None,
        };
        let reason = format!("joined to call {into}");
        self.end(ctx, Outcome::Answered, EndedBy::Operator, 0, &reason);
        let party = party?;
        Some(Brought { party, own })
    }

    /// Takes a leg out of this call for another one, with all that is known of it.
    pub(super) fn give_leg(
        &mut self,
        ctx: &mut Context,
        id: LegId,
        into: CallId,
    ) -> Option<PartyLeg> {
        let mut party = if id == self.caller.id {
            let who = match self.caller_operator {
                Some(operator) => Who::Came { operator },
                None => Who::Outer {
                    number: self.caller_number.clone(),
                    trunk: self.trunk.clone(),
                },
            };
            let mut party = self.caller.detach(ctx, who);
            party.engagement = self.caller_engagement.take();
            party
        } else {
            *self.legs.remove(&id)?
        };
        party.session.disarm(ctx);
        let to = Owner {
            call: into,
            leg: id,
        };
        ctx.move_leg(self.owner(id), to);
        Some(party)
    }

    /// Takes the parties of a consultation into the talk of the operator at `own`. Where the operator's
    /// leg came along it takes the place of that one, which is hung up.
    pub(crate) fn begin_conference(
        &mut self,
        ctx: &mut Context,
        own: LegId,
        brought: Brought,
        consultation: CallId,
    ) {
        self.cut_whisper(ctx);
        if let Some((id, mut leg)) = brought.own {
            leg.release(ctx);
            leg.engagement = self.take_engagement(own);
            self.legs.insert(id, Box::new(leg));
            self.change_leg(ctx, own, id);
        }
        let (id, mut leg) = brought.party;
        leg.came();
        self.legs.insert(id, Box::new(leg));
        self.conference.push(id);
        let (call, segment) = (self.id, self.segments);
        if let Some(party) = self.party(ctx, id) {
            ctx.record(Fact::ConferenceJoined {
                call,
                segment,
                leg: id,
                party,
                consultation: Some(consultation),
            });
        }
        tracing::info!(%call, segment, leg = %id, "a party came into the talk");
        self.tell_talk(ctx);
        self.arm(ctx, id);
    }

    /// An operator who talks goes on at another leg: what was on hold at the old one is not any more.
    fn change_leg(&mut self, ctx: &mut Context, old: LegId, new: LegId) {
        let State::Talking { leg: second } = self.state else {
            return;
        };
        if let Some(place) = self.conference.iter_mut().find(|leg| **leg == old) {
            *place = new;
        } else {
            let session = self.session(old);
            if session.is_some_and(|session| core::mem::take(&mut session.held)) {
                self.hold_changed(ctx, old, false);
            }
            let stays = if old == second { self.first } else { second };
            self.first = stays;
            self.state = State::Talking { leg: new };
            let (call, segment) = (self.id, self.segments);
            if let Some(operator) = self.operator_of(new) {
                ctx.duties.talk_began(operator, call, segment);
            }
        }
        self.arm(ctx, new);
        self.hang_up_leg(ctx, old);
    }

    /// One who came into the talk later is gone; says whether it was one.
    pub(super) fn guest_left(&mut self, ctx: &mut Context, id: LegId, by: EndedBy) -> bool {
        if !self.conference.contains(&id) {
            return false;
        }
        self.record_left(ctx, id, by);
        self.conference.retain(|leg| *leg != id);
        self.tell_talk(ctx);
        // Of a talk of two that is on hold the caller hears the music again.
        if let (State::Talking { leg }, false) = (&self.state, self.is_conference()) {
            let leg = *leg;
            if self.is_held_at(leg) {
                self.play_to_held(ctx, true);
            }
        }
        true
    }

    fn record_left(&self, ctx: &mut Context, id: LegId, by: EndedBy) {
        let (call, segment) = (self.id, self.segments);
        tracing::info!(%call, segment, leg = %id, "a party left the talk");
        if let Some(party) = self.party(ctx, id) {
            ctx.record(Fact::ConferenceLeft {
                call,
                segment,
                leg: id,
                party,
                ended_by: by,
            });
        }
    }

    /// The party of the segment left a conference: who has the next one.
    pub(super) fn next_of_conference(&mut self) -> Option<LegId> {
        let of_ours = |leg: &LegId| self.operator_of(*leg).is_some();
        let next = self.conference.iter().position(of_ours).unwrap_or(0);
        (next < self.conference.len()).then(|| self.conference.remove(next))
    }

    /// The call ends, and with it the talk of all.
    pub(super) fn conference_over(&mut self, ctx: &mut Context, by: EndedBy) {
        for id in core::mem::take(&mut self.conference) {
            self.record_left(ctx, id, by);
        }
    }
}
