//! Owns one subscription as the notifier has it: its dialog, its end, and what it is still owed.

use core::time::Duration;
use std::sync::Arc;

use vocab::Time;

use super::Content;
use super::dialog_info::{self, Extent};
use super::request::{BadSubscribe, Event, seconds_up};
use crate::dialog::Dialog;
use crate::transaction::Flow;
use crate::wire::{HeaderName, Message, Method};

/// NOTIFYs without an answer at which even a new SUBSCRIBE brings none at once: a telephone that is
/// silent to the first two will be to the third.
const UNANSWERED_MAX: u8 = 2;

/// Why a subscription ends (RFC 6665 §4.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Its time is over, or the subscriber wants no more.
    Timeout,
    /// We stop; come again.
    Deactivated,
    /// The subscriber may not see it any more.
    Rejected,
    /// There is nothing left to see.
    NoResource,
}

impl Reason {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Deactivated => "deactivated",
            Self::Rejected => "rejected",
            Self::NoResource => "noresource",
        }
    }

    /// Whether the last NOTIFY says how things stand.
    pub(super) const fn is_told_with_state(self) -> bool {
        match self {
            Self::Timeout => true,
            Self::Deactivated | Self::Rejected | Self::NoResource => false,
        }
    }
}

/// Where a subscription stands (RFC 6665 §4.2.1, and the notifier's side of figure 1).
///
/// | state  | SUBSCRIBE     | with Expires: 0 | state changed | time to tell    | NOTIFY: 2xx | NOTIFY: Retry-After | NOTIFY: refused, silent | time over | we end it |
/// |--------|---------------|-----------------|---------------|-----------------|-------------|---------------------|-------------------------|-----------|-----------|
/// | Active | Active, owes all | Ending       | owes news     | Active, NOTIFY  | -           | owes all, later     | Gone                    | Ending    | Ending    |
/// | Ending | 481           | 481             | -             | Ended, NOTIFY   | -           | -                   | Gone                    | -         | -         |
/// | Ended  | 481           | 481             | -             | -               | Gone        | Gone                | Gone                    | -         | -         |
///
/// The time to tell: what is owed all is told at once, news no sooner than the pace allows and with no
/// NOTIFY out, so that they arrive in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Until then.
    Active { until: Time },
    /// The last NOTIFY is to be sent.
    Ending { reason: Reason },
    /// The last NOTIFY is out.
    Ended,
}

/// What the subscriber is to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owed {
    Nothing,
    /// What changed, if it has.
    News,
    /// All there is, whether it changed or not.
    Everything,
}

/// Whether a subscription is still there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    /// It is.
    Here,
    /// There is nothing left of it.
    Gone,
}

#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) dialog: Dialog,
    pub(super) event: Event,
    pub(super) subscriber: Arc<str>,
    pub(super) resource: Arc<str>,
    pub(super) phase: Phase,
    owed: Owed,
    /// No NOTIFY before.
    not_before: Time,
    /// NOTIFYs without an answer.
    out: u8,
    /// Of the next document.
    version: u32,
    /// What was told last.
    told: Option<Content>,
}

impl Subscription {
    pub(super) fn new(
        dialog: Dialog,
        event: Event,
        (subscriber, resource): (Arc<str>, Arc<str>),
    ) -> Self {
        Self {
            dialog,
            event,
            subscriber,
            resource,
            phase: Phase::Ended,
            owed: Owed::Everything,
            not_before: Time::ZERO,
            out: 0,
            version: 0,
            told: None,
        }
    }

    /// It lasts so long from now on, and all is told; not any longer: all is told a last time.
    pub(super) fn extend(&mut self, now: Time, lasts: Duration) {
        self.owed = Owed::Everything;
        self.not_before = now;
        self.phase = if lasts.is_zero() {
            let reason = Reason::Timeout;
            Phase::Ending { reason }
        } else {
            let until = now + lasts;
            Phase::Active { until }
        };
    }

    /// A SUBSCRIBE in its dialog.
    pub(super) fn renew(
        &mut self,
        now: Time,
        event: &Event,
        (lasts, request, flow): (Duration, &Message, Flow),
    ) -> Result<(), BadSubscribe> {
        // RFC 6665 §4.5.1: one dialog, one subscription; another event in it is nobody's.
        if !matches!(self.phase, Phase::Active { .. }) || *event != self.event {
            return Err(BadSubscribe::Unknown);
        }
        self.dialog.accept(request).map_err(|status| match status {
            500 => BadSubscribe::Overtaken,
            _ => BadSubscribe::Malformed,
        })?;
        self.dialog.refresh_target(request);
        self.dialog.follow(flow);
        self.extend(now, lasts);
        Ok(())
    }

    pub(super) fn changed(&mut self) {
        if self.owed == Owed::Nothing {
            self.owed = Owed::News;
        }
    }

    pub(super) fn end(&mut self, now: Time, reason: Reason) {
        if matches!(self.phase, Phase::Active { .. }) {
            self.phase = Phase::Ending { reason };
            self.owed = Owed::Everything;
            self.not_before = now;
        }
    }

    /// When it has to be looked at, if nothing happens before.
    pub(super) fn due(&self) -> Option<Time> {
        let room = match self.owed {
            Owed::Nothing => false,
            Owed::News => self.out == 0,
            Owed::Everything => self.out < UNANSWERED_MAX,
        };
        let tell = room.then_some(self.not_before);
        match self.phase {
            Phase::Active { until } => Some(tell.map_or(until, |tell| tell.min(until))),
            Phase::Ending { .. } => tell,
            Phase::Ended => None,
        }
    }

    /// Time has passed: whether something is to be told now.
    pub(super) fn on_time(&mut self, now: Time) -> bool {
        if let Phase::Active { until } = self.phase
            && until <= now
        {
            self.end(now, Reason::Timeout);
        }
        self.due().is_some_and(|due| due <= now)
    }

    /// The NOTIFY that is due, without Contact; `None` if there is nothing new to tell.
    pub(super) fn notify(
        &mut self,
        now: Time,
        pace: Duration,
        content: Option<Content>,
    ) -> Option<Message> {
        let state = match self.phase {
            Phase::Active { until } => format!("active;expires={}", seconds_up(until.since(now))),
            Phase::Ending { reason } => format!("terminated;reason={}", reason.as_str()),
            Phase::Ended => return None,
        };
        // A subscription that ends may end without a word about the state.
        let body = content.as_ref().map(|content| self.print(content));
        self.owed = Owed::Nothing;
        let body = match body {
            Some(None) => return None,
            Some(text) => text,
            None => None,
        };
        if matches!(self.phase, Phase::Ending { .. }) {
            self.phase = Phase::Ended;
        }
        self.told = content;
        self.not_before = now + pace;
        self.out = self.out.saturating_add(1);
        let mut notify = self.dialog.request(Method::Notify);
        let headers = &mut notify.headers;
        headers.push(HeaderName::Event, self.event.to_header());
        headers.push(HeaderName::SubscriptionState, state);
        if let Some(text) = body {
            self.version = self.version.wrapping_add(1);
            let kind = self.event.package.content_type();
            notify = notify.with_body(kind, text.into_bytes());
        }
        Some(notify)
    }

    /// The text that is owed; `None` if nothing changed and no more than that is wanted.
    fn print(&self, content: &Content) -> Option<String> {
        let all = self.owed == Owed::Everything;
        let mut entity = self.dialog.local.uri.clone();
        entity.headers = None;
        match (content, &self.told) {
            (Content::Dialogs(now), Some(Content::Dialogs(told))) if !all => {
                dialog_info::print(&entity, self.version, &Extent::Since(told), now)
            }
            (Content::Dialogs(now), _) => {
                dialog_info::print(&entity, self.version, &Extent::Full, now)
            }
            (Content::Messages(now), told) => {
                let same = !all && told.as_ref() == Some(content);
                (!same).then(|| now.print(&entity))
            }
        }
    }

    /// A final answer to a NOTIFY; `None`: none came (RFC 6665 §4.2.2).
    pub(super) fn answered(&mut self, now: Time, answer: Option<&Message>) -> Left {
        self.out = self.out.saturating_sub(1);
        let Some(answer) = answer else {
            return Left::Gone;
        };
        if answer.status().is_some_and(|status| status < 300) {
            self.dialog.refresh_target(answer);
        } else {
            let Some(wait) = rest(answer).filter(|_| self.phase != Phase::Ended) else {
                return Left::Gone;
            };
            self.owed = Owed::Everything;
            self.not_before = now + wait;
        }
        if self.phase == Phase::Ended && self.out == 0 {
            return Left::Gone;
        }
        Left::Here
    }
}

/// For how long a refusal wants no NOTIFY; `None` if it wants none ever. What says that there is no such
/// dialog, event or telephone is never for a while (RFC 5057 §5.1).
fn rest(answer: &Message) -> Option<Duration> {
    if matches!(
        answer.status(),
        Some(404 | 405 | 408 | 410 | 416 | 480..=485 | 489 | 501 | 604)
    ) {
        return None;
    }
    let value = answer.headers.first(&HeaderName::RetryAfter)?;
    let seconds = value.split(['(', ';', ' ']).next().unwrap_or_default();
    seconds.trim().parse().ok().map(Duration::from_secs)
}
