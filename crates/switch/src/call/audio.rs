//! Owns what a call makes of its audio: a party that is not heard, one that is silent for too long,
//! and what was measured of each leg.

use vocab::media::Side;
use vocab::{Fact, LegCounts, LegId, LegQuality, Party, Time};

use super::{Call, State};
use crate::context::Context;

impl Call {
    /// Nothing is heard of one party of a talk while the other speaks. Before a talk nobody owes the
    /// other anything.
    pub(super) fn one_way_began(&mut self, ctx: &mut Context, leg: LegId) {
        let State::Talking { leg: second } = self.state else {
            return;
        };
        let (_, operator) = self.sides(second);
        let silent = if leg == operator {
            Side::Operator
        } else {
            Side::Caller
        };
        let (call, segment) = (self.id, self.segments);
        let in_talk = self.is_in_talk(leg) && !self.is_whispering();
        let Some(session) = self.session(leg).filter(|_| in_talk) else {
            return;
        };
        if session.unheard.replace(silent).is_some() {
            return;
        }
        ctx.counts.one_way += 1;
        ctx.counts.one_way_begun += 1;
        tracing::warn!(%call, %leg, segment, ?silent, "a party of a talk is not heard");
        ctx.record(Fact::OneWayStarted {
            call,
            segment,
            silent,
        });
    }

    /// The party is heard again.
    pub(super) fn one_way_ended(&mut self, ctx: &mut Context, leg: LegId) {
        let unheard = self.session(leg).and_then(|session| session.unheard.take());
        let Some(silent) = unheard else {
            return;
        };
        let (call, segment) = (self.id, self.segments);
        ctx.counts.one_way = ctx.counts.one_way.saturating_sub(1);
        tracing::info!(%call, %leg, segment, ?silent, "the party is heard again");
        ctx.record(Fact::OneWayEnded {
            call,
            segment,
            silent,
        });
    }

    /// A talk ends, and with it that one of them was not heard.
    pub(super) fn one_way_at_end(&mut self, ctx: &mut Context, leg: LegId) {
        for leg in [self.first, leg] {
            self.one_way_ended(ctx, leg);
        }
    }

    /// A peer that ought to send has sent nothing for the silence time-out, by its own clock: it is
    /// hung up on, if it has been up for so long.
    pub(super) fn party_silent(&mut self, ctx: &mut Context, leg: LegId, silent_ms: u64) {
        let Some(limit) = ctx.settings.silence_timeout else {
            return;
        };
        let now = ctx.now;
        let long_up = |since: Time| now.since(since) >= limit;
        let up_since = self.session(leg).and_then(|session| session.up_since);
        if !self.is_up(leg) || !up_since.is_some_and(long_up) {
            return;
        }
        let (call, party) = (self.id, self.party_at(ctx, leg));
        tracing::warn!(%call, %leg, silent_ms, "a party sends no audio; it is hung up on");
        ctx.record(Fact::PartySilent {
            call,
            leg,
            party,
            silent_ms,
        });
        let seconds = silent_ms / 1_000;
        self.leg_lost(ctx, leg, &format!("no audio came for {seconds} s"));
    }

    /// The audio of a leg is over. Of a telephone that only rang there is nothing to tell.
    pub(super) fn leg_measured(
        &mut self,
        ctx: &mut Context,
        leg: LegId,
        counts: LegCounts,
        quality: LegQuality,
    ) {
        if counts.received == 0 && counts.sent == 0 {
            return;
        }
        let (call, party) = (self.id, self.party_at(ctx, leg));
        ctx.record(Fact::LegMeasured {
            call,
            leg,
            party,
            counts,
            quality,
        });
    }

    /// Who is at a leg; `None` for the caller.
    fn party_at(&self, ctx: &Context, leg: LegId) -> Option<Party> {
        if leg == self.caller.id {
            return None;
        }
        match self.newcomer_at(leg) {
            Some(operator) => ctx.operator_ref(operator).map(Party::Operator),
            None => self.party(ctx, leg),
        }
    }
}
