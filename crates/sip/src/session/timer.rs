//! Owns the session timer (RFC 4028): how long a session lasts without a refresh, who refreshes it, and when
//! it is over.

use core::time::Duration;

use vocab::Time;

use super::extensions::supports;
use crate::wire::{HeaderName, Message, Method, Params};

/// The tag of RFC 4028.
const TAG: &str = "timer";
/// No session expires faster (RFC 4028 §4).
const LEAST_S: u32 = 90;

/// What we want of session timers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionTimerSettings {
    /// How long a session lasts without a refresh, in seconds. 0: no session timers of our own;
    /// a peer's are still kept.
    pub expires_s: u32,
    /// The shortest time that we take, in seconds.
    pub min_s: u32,
}

impl Default for SessionTimerSettings {
    fn default() -> Self {
        Self {
            expires_s: 1_800,
            min_s: LEAST_S,
        }
    }
}

/// A Session-Expires value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionExpiry {
    /// The time, in seconds.
    pub seconds: u32,
    /// `Some(true)`: the UAC of that transaction refreshes.
    pub uac_refreshes: Option<bool>,
}

impl SessionExpiry {
    /// Reads the field of a message; `None` if there is none or it is faulty.
    #[must_use]
    pub fn of(message: &Message) -> Option<Self> {
        let value = message.headers.first(&HeaderName::SessionExpires)?;
        let (seconds, rest) = value.split_once(';').unwrap_or((value, ""));
        let params = Params::parse(&format!(";{rest}")).unwrap_or_default();
        Some(Self {
            seconds: seconds.trim().parse().ok()?,
            uac_refreshes: match params.value("refresher") {
                Some(who) if who.eq_ignore_ascii_case("uac") => Some(true),
                Some(who) if who.eq_ignore_ascii_case("uas") => Some(false),
                Some(_) | None => None,
            },
        })
    }
}

fn min_se(message: &Message) -> u32 {
    let value = message.headers.first(&HeaderName::MinSe);
    let seconds = value.and_then(|value| value.split(';').next()?.trim().parse().ok());
    seconds.unwrap_or(0)
}

/// What time has brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionDue {
    /// Refresh the session now: UPDATE or re-INVITE.
    Refresh,
    /// No refresh came: end the session with BYE.
    Expired,
}

/// The timer of one session.
///
/// | state       | agreed, we refresh | agreed, peer refreshes | refresh due        | end due |
/// |-------------|--------------------|------------------------|--------------------|---------|
/// | Off         | → Refreshing       | → Watching             | -                  | -       |
/// | Refreshing  | from now on        | → Watching             | Refresh, → Pending | -       |
/// | Pending     | → Refreshing       | → Watching             | -                  | Expired |
/// | Watching    | → Refreshing       | from now on            | -                  | Expired |
///
/// "Agreed" is a 2xx to INVITE or UPDATE, either way (RFC 4028 §7.2, §9). A refresh goes out after half
/// of the time (§10); a session that the peer does not refresh is over min(32 s, a third) early (§10). With a
/// peer that knows no session timers we refresh alone, and any final answer but 408 and 481 shows
/// that it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionTimer {
    settings: SessionTimerSettings,
    /// What we ask for; a 422 raises it.
    wanted_s: u32,
    /// The largest Min-SE that was seen (§7.4: it stays in force for the session).
    min_s: u32,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Off,
    Refreshing {
        at: Time,
        end: Time,
        seconds: u32,
        agreed: bool,
    },
    Pending {
        end: Time,
        seconds: u32,
        agreed: bool,
    },
    Watching {
        end: Time,
        seconds: u32,
    },
}

impl SessionTimer {
    /// A timer that does not run yet.
    #[must_use]
    pub fn new(settings: SessionTimerSettings) -> Self {
        let min_s = settings.min_s.max(LEAST_S);
        let wanted_s = match settings.expires_s {
            0 => 0,
            seconds => seconds.max(min_s),
        };
        Self {
            settings: SessionTimerSettings {
                expires_s: wanted_s,
                min_s,
            },
            wanted_s,
            min_s,
            state: State::Off,
        }
    }

    /// Puts what we ask for into an INVITE or UPDATE of ours.
    pub fn propose(&self, request: &mut Message) {
        request.headers.push(HeaderName::Supported, TAG);
        if self.min_s > LEAST_S {
            request
                .headers
                .set(HeaderName::MinSe, self.min_s.to_string());
        }
        let (seconds, role) = match self.state {
            State::Off => (self.wanted_s, ""),
            // §7.4: a refresh keeps the roles, as seen from this transaction.
            State::Refreshing { seconds, .. } | State::Pending { seconds, .. } => {
                (seconds, ";refresher=uac")
            }
            State::Watching { seconds, .. } => (seconds, ";refresher=uas"),
        };
        let seconds = if seconds == 0 {
            0
        } else {
            seconds.max(self.min_s)
        };
        if seconds > 0 {
            let value = format!("{seconds}{role}");
            request.headers.set(HeaderName::SessionExpires, value);
        }
    }

    /// Looks at an INVITE or UPDATE of the peer before it is taken.
    ///
    /// # Errors
    /// The Min-SE to put into a 422: the peer asks for less than we take (§6). Only a peer that knows
    /// the extension can be told so; for another one it is a proxy's wish, and it is raised.
    pub fn check(&self, request: &Message) -> Result<(), u32> {
        let asked = SessionExpiry::of(request).map(|asked| asked.seconds);
        if asked.is_some_and(|asked| asked < self.settings.min_s) && supports(request, TAG) {
            return Err(self.settings.min_s);
        }
        Ok(())
    }

    /// Takes a request of the peer, and puts what is agreed into our 2xx (§9).
    pub fn accept(&mut self, now: Time, request: &Message, response: &mut Message) {
        let knows = supports(request, TAG);
        let asked = SessionExpiry::of(request);
        self.min_s = self.min_s.max(min_se(request));
        // Ours if it is shorter, but never below the peer's minimum.
        let wanted = match (asked, self.settings.expires_s) {
            (Some(asked), 0) => asked.seconds,
            (Some(asked), ours) => asked.seconds.min(ours),
            (None, ours) => ours,
        };
        if wanted == 0 {
            self.state = State::Off;
            return;
        }
        let seconds = wanted.max(self.min_s);
        // Table 2: a peer that does not know it cannot refresh; the choice of one that does counts.
        let peer_refreshes = knows && asked.is_some_and(|asked| asked.uac_refreshes != Some(false));
        let role = if peer_refreshes { "uac" } else { "uas" };
        let value = format!("{seconds};refresher={role}");
        response.headers.set(HeaderName::SessionExpires, value);
        if knows && asked.is_some() {
            response.headers.push(HeaderName::Require, TAG);
        } else {
            response.headers.push(HeaderName::Supported, TAG);
        }
        self.start(now, seconds, peer_refreshes, knows);
    }

    /// A 2xx to an INVITE or UPDATE of ours came (§7.2).
    pub fn accepted(&mut self, now: Time, response: &Message) {
        match SessionExpiry::of(response) {
            Some(agreed) if agreed.seconds > 0 => {
                let peer = agreed.uac_refreshes == Some(false);
                self.start(now, agreed.seconds.max(LEAST_S), peer, true);
            }
            // The peer does not know it, or lets it go: then it is ours alone.
            Some(_) | None => match self.wanted_s {
                0 => self.state = State::Off,
                seconds => self.start(now, seconds, false, false),
            },
        }
    }

    /// A 422 came (§7.3): the request is to be sent again with more. False if it says nothing new.
    pub fn too_small(&mut self, response: &Message) -> bool {
        let min = min_se(response);
        if min <= self.wanted_s.max(LEAST_S) && min <= self.min_s {
            return false;
        }
        self.min_s = self.min_s.max(min);
        if self.wanted_s > 0 {
            self.wanted_s = self.wanted_s.max(min);
        }
        match &mut self.state {
            State::Refreshing { seconds, .. }
            | State::Pending { seconds, .. }
            | State::Watching { seconds, .. } => *seconds = (*seconds).max(min),
            State::Off => {}
        }
        true
    }

    /// A refresh of ours was answered with an error that shows that the peer lives. With a peer
    /// that knows no session timers that is as good as a 2xx.
    pub fn refused(&mut self, now: Time) {
        match self.state {
            State::Pending {
                seconds,
                agreed: false,
                ..
            } => self.start(now, seconds, false, false),
            // §10: again before it is over, at half of what is left.
            State::Pending {
                end,
                seconds,
                agreed: true,
            } => {
                let at = now + end.since(now) / 2;
                // Too late for another: the end will come.
                if at > now + Duration::from_secs(1) {
                    self.state = State::Refreshing {
                        at,
                        end,
                        seconds,
                        agreed: true,
                    };
                }
            }
            State::Off | State::Refreshing { .. } | State::Watching { .. } => {}
        }
    }

    fn start(&mut self, now: Time, seconds: u32, peer_refreshes: bool, agreed: bool) {
        let whole = Duration::from_secs(u64::from(seconds));
        self.state = if peer_refreshes {
            // §10: "the minimum of 32 seconds and one third of the session interval".
            let margin = Duration::from_secs(32).min(whole / 3);
            State::Watching {
                end: now + (whole - margin),
                seconds,
            }
        } else {
            State::Refreshing {
                at: now + whole / 2,
                end: now + whole,
                seconds,
                agreed,
            }
        };
    }

    /// What is due now.
    pub fn due(&mut self, now: Time) -> Option<SessionDue> {
        match self.state {
            State::Refreshing {
                at,
                end,
                seconds,
                agreed,
            } if at <= now => {
                self.state = State::Pending {
                    end,
                    seconds,
                    agreed,
                };
                Some(SessionDue::Refresh)
            }
            State::Pending { end, .. } | State::Watching { end, .. } if end <= now => {
                self.state = State::Off;
                Some(SessionDue::Expired)
            }
            State::Off
            | State::Refreshing { .. }
            | State::Pending { .. }
            | State::Watching { .. } => None,
        }
    }

    /// When to ask [`due`](Self::due).
    #[must_use]
    pub const fn next_deadline(&self) -> Option<Time> {
        match self.state {
            State::Off => None,
            State::Refreshing { at, .. } => Some(at),
            State::Pending { end, .. } | State::Watching { end, .. } => Some(end),
        }
    }

    /// The session is over.
    pub const fn stop(&mut self) {
        self.state = State::Off;
    }
}

/// Whether a peer takes a method, by the Allow of a message of it; `None` if it does not say.
#[must_use]
pub fn allows(message: &Message, method: &Method) -> Option<bool> {
    message.headers.first(&HeaderName::Allow)?;
    Some(message.headers.lists(&HeaderName::Allow, method.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Uri;

    fn s(seconds: u64) -> Time {
        Time::from_millis(seconds * 1_000)
    }

    fn timer(expires_s: u32, min_s: u32) -> SessionTimer {
        SessionTimer::new(SessionTimerSettings { expires_s, min_s })
    }

    fn invite(fields: &[(HeaderName, &str)]) -> Message {
        let mut invite = Message::request(Method::Invite, Uri::parse("sip:a@192.0.2.1").unwrap());
        for (name, value) in fields {
            invite.headers.push(name.clone(), *value);
        }
        invite
    }

    fn ok(fields: &[(HeaderName, &str)]) -> Message {
        let mut ok = Message::response(200, "");
        for (name, value) in fields {
            ok.headers.push(name.clone(), *value);
        }
        ok
    }

    use HeaderName::{MinSe, SessionExpires, Supported};

    /// Our settings, the fields of the INVITE, Session-Expires of our 200, what is due.
    type Case<'a> = ((u32, u32), &'a [(HeaderName, &'a str)], &'a str, &'a str);

    /// The Session-Expires of our 200, and what is due when.
    fn as_uas(settings: (u32, u32), fields: &[(HeaderName, &str)]) -> (String, String) {
        let mut timer = timer(settings.0, settings.1);
        let mut response = ok(&[]);
        timer.accept(s(0), &invite(fields), &mut response);
        let said = response
            .headers
            .first(&SessionExpires)
            .unwrap_or("-")
            .to_owned();
        let due = timer.next_deadline().map_or("-".to_owned(), |at| {
            format!("{:?} at {}", timer.due(at).unwrap(), at.as_millis() / 1_000)
        });
        (said, due)
    }

    #[test]
    fn who_refreshes_and_how_often_follows_table_2_of_the_rfc() {
        let cases: &[Case] = &[
            // A peer that knows nothing of it: we refresh.
            ((1_800, 90), &[], "1800;refresher=uas", "Refresh at 900"),
            ((0, 90), &[], "-", "-"),
            // A proxy asked for it, the peer knows nothing.
            (
                (1_800, 90),
                &[(SessionExpires, "600")],
                "600;refresher=uas",
                "Refresh at 300",
            ),
            // A peer that knows it leaves the choice: it is its own.
            (
                (1_800, 90),
                &[(Supported, "timer"), (SessionExpires, "90")],
                "90;refresher=uac",
                "Expired at 60",
            ),
            (
                (1_800, 90),
                &[(Supported, "timer"), (SessionExpires, "1800;refresher=uac")],
                "1800;refresher=uac",
                "Expired at 1768",
            ),
            (
                (1_800, 90),
                &[(Supported, "timer"), (SessionExpires, "1800;refresher=uas")],
                "1800;refresher=uas",
                "Refresh at 900",
            ),
            // It knows it and asks for none: ours.
            (
                (1_800, 90),
                &[(Supported, "timer")],
                "1800;refresher=uas",
                "Refresh at 900",
            ),
            // Ours is shorter; the peer's minimum is kept.
            (
                (600, 90),
                &[
                    (Supported, "timer"),
                    (SessionExpires, "3600;refresher=uac"),
                    (MinSe, "900"),
                ],
                "900;refresher=uac",
                "Expired at 868",
            ),
            (
                (0, 90),
                &[(Supported, "timer"), (SessionExpires, "120")],
                "120;refresher=uac",
                "Expired at 88",
            ),
        ];
        for (settings, fields, said, due) in cases {
            let expected = ((*said).to_owned(), (*due).to_owned());
            assert_eq!(
                as_uas(*settings, fields),
                expected,
                "{settings:?} {fields:?}"
            );
        }
    }

    #[test]
    fn a_time_below_our_minimum_is_refused_with_it() {
        let timer = timer(1_800, 120);
        let fields = [(Supported, "timer"), (SessionExpires, "90")];
        assert_eq!(timer.check(&invite(&fields)), Err(120));
        assert_eq!(timer.check(&invite(&fields[1..])), Ok(()));
        let enough = [(Supported, "timer"), (SessionExpires, "120;refresher=uas")];
        assert_eq!(timer.check(&invite(&enough)), Ok(()));
        assert_eq!(timer.check(&invite(&[])), Ok(()));
    }

    #[test]
    fn a_422_raises_what_we_ask_for_once() {
        let mut timer = timer(100, 90);
        let asked = |timer: &SessionTimer| {
            let mut request = invite(&[]);
            timer.propose(&mut request);
            let of = |name| request.headers.first(name).unwrap_or("-").to_owned();
            (of(&SessionExpires), of(&MinSe))
        };
        assert_eq!(asked(&timer), ("100".to_owned(), "-".to_owned()));
        let refusal = ok(&[(MinSe, "300")]);
        assert!(timer.too_small(&refusal));
        assert_eq!(asked(&timer), ("300".to_owned(), "300".to_owned()));
        assert!(!timer.too_small(&refusal));
        assert!(!timer.too_small(&ok(&[])));
    }

    #[test]
    fn as_uac_we_refresh_unless_the_peer_says_that_it_does() {
        for (fields, due) in [
            (vec![], (SessionDue::Refresh, 900)),
            (
                vec![(SessionExpires, "600;refresher=uac")],
                (SessionDue::Refresh, 300),
            ),
            (vec![(SessionExpires, "600")], (SessionDue::Refresh, 300)),
            (
                vec![(SessionExpires, "90;refresher=uas")],
                (SessionDue::Expired, 60),
            ),
            (
                vec![(SessionExpires, "nonsense")],
                (SessionDue::Refresh, 900),
            ),
        ] {
            let mut timer = timer(1_800, 90);
            timer.accepted(s(0), &ok(&fields));
            let at = timer.next_deadline().unwrap();
            assert_eq!(
                (timer.due(at).unwrap(), at.as_millis() / 1_000),
                due,
                "{fields:?}"
            );
        }
    }

    #[test]
    fn an_unanswered_refresh_ends_the_session_and_an_answered_one_does_not() {
        let mut timer = timer(1_800, 90);
        timer.accepted(s(0), &ok(&[(SessionExpires, "1800;refresher=uac")]));
        assert_eq!(timer.due(s(899)), None);
        assert_eq!(timer.due(s(900)), Some(SessionDue::Refresh));
        assert_eq!(timer.next_deadline(), Some(s(1_800)));
        timer.accepted(s(901), &ok(&[(SessionExpires, "1800;refresher=uac")]));
        assert_eq!(timer.due(s(1_801)), Some(SessionDue::Refresh));
        // Refused: again at half of what is left, and then it is over.
        timer.refused(s(1_801));
        assert_eq!(timer.due(s(2_251)), Some(SessionDue::Refresh));
        assert_eq!(timer.due(s(2_701)), Some(SessionDue::Expired));
        assert_eq!(timer.next_deadline(), None);
    }

    #[test]
    fn a_peer_without_session_timers_lives_as_long_as_it_answers_anything() {
        let mut timer = timer(1_800, 90);
        timer.accepted(s(0), &ok(&[]));
        for n in 1..5 {
            assert_eq!(timer.due(s(900 * n)), Some(SessionDue::Refresh));
            timer.refused(s(900 * n));
        }
        timer.due(s(4_500));
        assert_eq!(timer.due(s(5_400)), Some(SessionDue::Expired));
    }
}
