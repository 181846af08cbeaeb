//! Owns the keys of which the peer of a leg is told by INFO, where its trunk wants them so: one after the
//! other, as INFOs may overtake each other. What it does not take is pressed in its audio instead.
//!
//! | state   | a key             | 2xx               | challenge that we meet | another answer            | none in time        |
//! |---------|-------------------|-------------------|------------------------|---------------------------|---------------------|
//! | Idle    | INFO → Told       | -                 | -                      | -                         | -                   |
//! | Told    | waits             | next INFO or Idle | the same INFO again    | all to the audio, Refused | all left, → Refused |
//! | Refused | goes to the audio | -                 | -                      | -                         | -                   |
//!
//! After the half minute in which no answer came nobody means those keys any more.

use core::time::Duration;
use std::collections::VecDeque;

use sip::{ClientTx, Message, Method};
use vocab::LegId;
use vocab::media::MediaCommand;

use super::Call;
use super::midcall::Parts;
use crate::context::Context;

/// Keys that wait; further ones are left out, as where they are tones.
const KEYS_MAX: usize = 16;
/// How long we say that a key was pressed: nobody tells us, and 40 ms are enough (ITU-T Q.24).
const PRESSED: Duration = Duration::from_millis(100);

/// The keys of one leg's peer.
#[derive(Debug, Default)]
pub(super) struct Signalled {
    /// The first is the one that was told, if one was.
    keys: VecDeque<char>,
    state: Telling,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Telling {
    #[default]
    Idle,
    /// The answer to this INFO is awaited.
    Told { tx: ClientTx },
    /// The peer takes none.
    Refused,
}

impl Signalled {
    /// The leg is over: whatever is answered is of no interest.
    pub(super) fn forget(&self, ctx: &mut Context) {
        if let Telling::Told { tx } = self.state {
            ctx.forget_client(tx);
        }
    }
}

impl Call {
    /// The media plane has a key for a peer who is to be told of it.
    pub(super) fn press_by_signalling(&mut self, ctx: &mut Context, leg: LegId, key: char) {
        let confirmed = self.is_confirmed(leg);
        let Some(session) = self.session(leg) else {
            return;
        };
        let refused = session.signalled.state == Telling::Refused;
        if refused || !confirmed || session.informs == Some(false) {
            self.press_in_audio(ctx, leg, key);
            return;
        }
        if session.signalled.keys.len() >= KEYS_MAX {
            tracing::warn!(call = %self.id, %leg, "too many keys at once");
            return;
        }
        session.signalled.keys.push_back(key);
        if session.signalled.state == Telling::Idle {
            self.tell_key(ctx, leg, false);
        }
    }

    /// Sends the first key that waits. `again`: a challenge to it was answered just now.
    fn tell_key(&mut self, ctx: &mut Context, leg: LegId, again: bool) {
        let owner = self.owner(leg);
        let Some(Parts {
            dialog, session, ..
        }) = self.parts(leg)
        else {
            return;
        };
        let Some(key) = session.signalled.keys.front() else {
            session.signalled.state = Telling::Idle;
            return;
        };
        let info = sip::session::info_of_key(dialog.request(Method::Info), *key, PRESSED);
        let tx = session.send(ctx, Some(owner), dialog, (info, again));
        session.signalled.state = Telling::Told { tx };
    }

    /// An answer to an INFO of ours, or none in time; says whether it was one.
    pub(crate) fn key_answered(
        &mut self,
        ctx: &mut Context,
        leg: LegId,
        tx: ClientTx,
        response: Option<&Message>,
    ) -> bool {
        let told = Telling::Told { tx };
        let Some(parts) = self.parts(leg) else {
            return false;
        };
        if parts.session.signalled.state != told {
            return false;
        }
        let status = response.and_then(Message::status);
        if status.is_some_and(|status| status < 200) {
            return true;
        }
        let session = parts.session;
        let again =
            response.is_some_and(|refusal| session.is_challenged(ctx, tx, parts.dialog, refusal));
        ctx.forget_client(tx);
        if again {
            self.tell_key(ctx, leg, true);
        } else if status.is_some_and(|status| status < 300) {
            session.signalled.keys.pop_front();
            self.tell_key(ctx, leg, false);
        } else {
            session.signalled.state = Telling::Refused;
            let keys = core::mem::take(&mut session.signalled.keys);
            tracing::info!(call = %self.id, %leg, status, "a peer takes no keys by INFO");
            for key in keys.into_iter().filter(|_| response.is_some()) {
                self.press_in_audio(ctx, leg, key);
            }
        }
        true
    }

    fn press_in_audio(&self, ctx: &mut Context, leg: LegId, digit: char) {
        let call = self.id;
        if self.is_up(leg) {
            ctx.media(MediaCommand::Press { call, leg, digit });
        }
    }
}
