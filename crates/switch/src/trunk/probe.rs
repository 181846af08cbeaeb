//! Owns the watch over one server of a trunk: OPTIONS at intervals, and what their answers or
//! silence say. Refuses to send.
//!
//! | state | answered | 408, 5xx, silence | failures reached |
//! |-------|----------|-------------------|------------------|
//! | Up    | Up       | Up, one failure   | Down             |
//! | Down  | Up       | Down              | -                |

use core::time::Duration;

use vocab::Time;

use super::settings::Probe;

/// How long an answer may take; a server that is slower is no way for a caller.
const ANSWER_WAIT: Duration = Duration::from_secs(4);

/// The watch over one server.
#[derive(Debug)]
pub(super) struct Watch {
    settings: Probe,
    due: Time,
    /// A probe is out.
    asking: bool,
    failures: u32,
    pub(super) down: bool,
}

/// What is due.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// A probe is to be sent.
    Probe,
    /// The probe that was out had no answer; whether this changed the state.
    Silent(Change),
    /// Nothing.
    Nothing,
}

/// Whether the state changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// It is down now.
    WentDown,
    /// It is up again.
    CameBack,
    /// No.
    None,
}

impl Watch {
    pub(super) const fn new(settings: Probe) -> Self {
        Self {
            settings,
            due: Time::ZERO,
            asking: false,
            failures: 0,
            down: false,
        }
    }

    pub(super) const fn due(&self) -> Time {
        self.due
    }

    pub(super) fn on_time(&mut self, now: Time) -> Due {
        if self.due > now {
            return Due::Nothing;
        }
        if self.asking {
            self.asking = false;
            let wait = self.settings.every.saturating_sub(ANSWER_WAIT);
            self.due = now + wait.max(Duration::from_secs(1));
            return Due::Silent(self.failed());
        }
        self.asking = true;
        self.due = now + ANSWER_WAIT;
        Due::Probe
    }

    /// A final answer came. Any of them but a want of service shows that somebody is there.
    pub(super) fn answered(&mut self, now: Time, status: u16) -> Change {
        self.asking = false;
        self.due = now + self.settings.every;
        if matches!(status, 408 | 500 | 502..=599) {
            return self.failed();
        }
        self.failures = 0;
        if core::mem::take(&mut self.down) {
            Change::CameBack
        } else {
            Change::None
        }
    }

    fn failed(&mut self) -> Change {
        self.failures = self.failures.saturating_add(1);
        if !self.down && self.failures >= self.settings.failures {
            self.down = true;
            return Change::WentDown;
        }
        Change::None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_makes_a_server_down_and_an_answer_brings_it_back() {
        let mut watch = Watch::new(Probe {
            every: Duration::from_secs(30),
            failures: 2,
        });
        let mut now = Time::ZERO;
        let mut seen = Vec::new();
        for _ in 0..6 {
            now = now.max(watch.due());
            seen.push(watch.on_time(now));
        }
        assert_eq!(
            seen,
            [
                Due::Probe,
                Due::Silent(Change::None),
                Due::Probe,
                Due::Silent(Change::WentDown),
                Due::Probe,
                Due::Silent(Change::None)
            ]
        );
        assert_eq!(now, Time::from_millis(64_000));
        assert!(watch.down);
        assert_eq!(watch.answered(now, 404), Change::CameBack);
        assert_eq!(watch.answered(now, 503), Change::None);
        assert_eq!(watch.answered(now, 200), Change::None);
        assert!(!watch.down);
    }
}
