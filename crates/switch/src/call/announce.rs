//! Owns what a waiting caller is told between the music: place and expected wait, at the times of
//! the plan. It never holds an operator up: the bridge of a talk stops whatever plays.

use core::time::Duration;
use std::collections::VecDeque;

use dialplan::announcements::told;
use vocab::media::PromptId;

use super::{Call, State};
use crate::context::{Context, Timer, TimerKey};

/// An announcement under way, or the next one.
#[derive(Debug, Default)]
pub(super) struct Announcement {
    /// What plays now, by its token.
    playing: Option<u32>,
    /// What is to be heard after it.
    rest: VecDeque<PromptId>,
    /// When the next one begins.
    timer: Option<TimerKey>,
}

impl Call {
    /// The next announcement comes after so long, or never; an earlier one is dropped.
    pub(super) fn announce_later(&mut self, ctx: &mut Context, time: Option<Duration>) {
        let Announcement { timer, .. } = core::mem::take(&mut self.announcement);
        if let Some(timer) = timer {
            ctx.clear_timers(&[timer]);
            self.timers.retain(|one| *one != timer);
        }
        self.announcement.timer = time.map(|time| {
            let timer = ctx.set_timer(self.id, time, Timer::Announce);
            self.timers.push(timer);
            timer
        });
    }

    /// It is time to tell the caller how the place in the queue is.
    pub(super) fn announce(&mut self, ctx: &mut Context) {
        self.announcement.timer = None;
        let every = self.place.as_ref().and_then(|place| place.announce);
        let (State::Queued { .. }, Some(every)) = (&self.state, every) else {
            return;
        };
        let prompts = if ctx.acd.is_offered(self.id) {
            // Somebody is about to answer: there is no place any more.
            VecDeque::new()
        } else {
            self.told_of_place(ctx)
        };
        self.announcement.rest = prompts;
        if !self.tell_next(ctx) {
            self.announce_later(ctx, Some(every.every));
        }
    }

    /// Whether a part of an announcement plays.
    pub(super) const fn is_announcing(&self) -> bool {
        self.announcement.playing.is_some()
    }

    fn told_of_place(&self, ctx: &Context) -> VecDeque<PromptId> {
        let place = ctx.acd.position(self.id).unwrap_or_default();
        let wait = ctx.acd.estimate(self.id).map(|estimate| estimate.median);
        let names = told(place, wait);
        let prompts = names
            .iter()
            .filter_map(|name| self.prompts.find(name, &self.language));
        prompts.collect()
    }

    /// Plays the next part; says whether there was one.
    fn tell_next(&mut self, ctx: &mut Context) -> bool {
        let next = self.announcement.rest.pop_front();
        self.announcement.playing = next.map(|prompt| self.play(ctx, prompt, false));
        self.announcement.playing.is_some()
    }

    /// A prompt was played to its end; says whether it was a part of an announcement.
    pub(super) fn announced(&mut self, ctx: &mut Context, token: u32) -> bool {
        if self.announcement.playing != Some(token) {
            return false;
        }
        if !matches!(self.state, State::Queued { .. }) || self.tell_next(ctx) {
            return true;
        }
        let Some(place) = &self.place else {
            return true;
        };
        let (music, every) = (place.music, place.announce.map(|announce| announce.every));
        if let Some(music) = music {
            self.play(ctx, music, true);
        }
        self.announce_later(ctx, every);
        true
    }
}
