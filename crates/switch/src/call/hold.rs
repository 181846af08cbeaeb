//! Owns hold: a party that wants no audio for a while (RFC 3264 §8.4: `sendonly`, `inactive`, or the old
//! `c=0.0.0.0`). The journal gets its time; the caller hears the queue's music meanwhile, an operator
//! nothing.
//!
//! Our own side of the session is not touched: no re-INVITE goes to the other party, which may be
//! one that takes none. Nobody is hung up on for silence, however long.

use vocab::media::{MediaCommand, Remote};
use vocab::{Fact, HeldBy, LegId};

use super::{Call, State};
use crate::context::Context;

/// Whether a description of a peer puts us on hold.
pub(super) const fn holds(remote: &Remote) -> bool {
    !remote.send
}

impl Call {
    /// The peer of a leg said where its audio goes; it may have changed its mind about wanting any.
    pub(super) fn note_hold(&mut self, ctx: &mut Context, leg: LegId, remote: &Remote) {
        let held = holds(remote);
        let Some(session) = self.session(leg) else {
            return;
        };
        if core::mem::replace(&mut session.held, held) == held {
            return;
        }
        if self.is_in_talk(leg) {
            self.hold_changed(ctx, leg, held);
        }
    }

    /// A talk begins: a caller may have been holding the line since the queue.
    pub(super) fn hold_at_start(&mut self, ctx: &mut Context) {
        if let State::Talking { leg } = self.state {
            for leg in [self.first, leg] {
                if self.session(leg).is_some_and(|session| session.held) {
                    self.hold_changed(ctx, leg, true);
                }
            }
        }
    }

    /// A talk ends: what of it was on hold ends with it.
    pub(super) fn hold_at_end(&mut self, ctx: &mut Context, operator: LegId) {
        for leg in [self.first, operator] {
            if self.session(leg).is_some_and(|session| session.held) {
                self.hold_changed(ctx, leg, false);
            }
        }
    }

    pub(super) fn hold_changed(&mut self, ctx: &mut Context, leg: LegId, held: bool) {
        self.cut_whisper(ctx);
        let (call, segment) = (self.id, self.segments);
        let by = if self.operator_of(leg).is_some() {
            HeldBy::Operator
        } else {
            HeldBy::Caller
        };
        ctx.record(if held {
            Fact::HoldStarted { call, segment, by }
        } else {
            Fact::HoldEnded { call, segment, by }
        });
        tracing::info!(%call, segment, ?by, held, "hold");
        self.tell_hold(ctx);
        // The first party is played to; whom it holds hears nothing. In a conference the others talk on.
        if leg != self.first && !self.is_conference() {
            self.play_to_held(ctx, held);
        }
    }

    /// The ACD shows who is on hold.
    fn tell_hold(&mut self, ctx: &mut Context) {
        let State::Talking { leg } = self.state else {
            return;
        };
        let both = [self.first, leg];
        let held = both
            .into_iter()
            .any(|leg| self.session(leg).is_some_and(|session| session.held));
        for operator in both.into_iter().filter_map(|leg| self.operator_of(leg)) {
            ctx.acd.handle(ctx.now, acd::Input::Held { operator, held });
        }
    }

    pub(super) fn play_to_held(&mut self, ctx: &mut Context, held: bool) {
        let Some(music) = self.place.as_ref().and_then(|place| place.music) else {
            return;
        };
        if held {
            self.play(ctx, music, true);
        } else {
            let (call, leg) = (self.id, self.first);
            ctx.media(MediaCommand::Stop { call, leg });
        }
    }
}
