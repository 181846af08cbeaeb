//! Owns the timer values of RFC 3261 §17 and the ordered set of what falls due when.
//! A cancelled timer is taken out of the set at once.

use std::collections::BTreeSet;
use std::time::Duration;

use vocab::Time;

use super::{ClientTx, ServerTx};

/// The base values from which all timers derive (RFC 3261 §17.1.1.1, table 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timers {
    /// Estimate of the round trip; first retransmission interval. 500 ms.
    pub t1: Duration,
    /// Longest retransmission interval for non-INVITE requests and INVITE responses. 4 s.
    pub t2: Duration,
    /// How long a message may remain in the network. 5 s.
    pub t4: Duration,
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
            t4: Duration::from_secs(5),
        }
    }
}

impl Timers {
    /// 64*T1: timers B, F, H, J, L, M, and D (32 s or more with UDP).
    pub(crate) const fn life(&self) -> Duration {
        self.t1.saturating_mul(64)
    }

    /// A retransmission interval of zero would never let time pass.
    pub(super) fn guarded(self) -> Self {
        let least = Duration::from_millis(1);
        Self {
            t1: self.t1.max(least),
            t2: self.t2.max(least),
            t4: self.t4.max(least),
        }
    }
}

/// Whose timer it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Owner {
    Client(ClientTx),
    Server(ServerTx),
}

/// The two timers that a transaction can have running.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// When to send again what was not confirmed: A, E, G, the 2xx of §13.3.1.4.
    Retransmit,
    /// When to leave the state: B, D, F, H, I, J, K, L, M.
    End,
}

/// When the timers of one transaction fall due.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Armed {
    pub(super) retransmit: Option<Time>,
    pub(super) end: Option<Time>,
}

/// All running timers in the order in which they fall due.
#[derive(Debug, Default)]
pub(super) struct Deadlines(BTreeSet<(Time, Owner, Kind)>);

impl Deadlines {
    pub(super) fn rearm(&mut self, owner: Owner, old: Armed, new: Armed) {
        self.replace(owner, Kind::Retransmit, old.retransmit, new.retransmit);
        self.replace(owner, Kind::End, old.end, new.end);
    }

    pub(super) fn next(&self) -> Option<Time> {
        self.0.first().map(|(time, _, _)| *time)
    }

    pub(super) fn pop_due(&mut self, now: Time) -> Option<(Time, Owner, Kind)> {
        if self.next()? > now {
            return None;
        }
        self.0.pop_first()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    fn replace(&mut self, owner: Owner, kind: Kind, old: Option<Time>, new: Option<Time>) {
        if old == new {
            return;
        }
        if let Some(time) = old {
            self.0.remove(&(time, owner, kind));
        }
        if let Some(time) = new {
            self.0.insert((time, owner, kind));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rearming_leaves_no_stale_timer() {
        let owner = Owner::Client(ClientTx(1));
        let mut deadlines = Deadlines::default();
        let first = Armed {
            retransmit: Some(Time::from_millis(1)),
            end: None,
        };
        let second = Armed {
            retransmit: Some(Time::from_millis(3)),
            end: first.retransmit,
        };
        deadlines.rearm(owner, Armed::default(), first);
        deadlines.rearm(owner, first, second);
        assert_eq!(deadlines.len(), 2);
        assert_eq!(
            deadlines.pop_due(Time::from_millis(2)),
            Some((Time::from_millis(1), owner, Kind::End))
        );
        assert_eq!(deadlines.pop_due(Time::from_millis(2)), None);
        deadlines.rearm(
            owner,
            Armed {
                end: None,
                ..second
            },
            Armed::default(),
        );
        assert_eq!(deadlines.next(), None);
    }
}
