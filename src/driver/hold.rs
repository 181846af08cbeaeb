//! Owns messages that wait for the journal: an answer to a call and to its BYE goes out when the
//! facts behind it are on disk, or when it has waited as long as it may.
//!
//! Nothing may overtake a held message on its way to the same place: a BYE that reaches the
//! peer before the 200 it follows would end nothing.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use sip::Flow;
use vocab::{EventId, Time};

struct Held {
    flow: Flow,
    bytes: Vec<u8>,
    after: Option<EventId>,
    until: Time,
}

/// The messages that wait. Events and times grow from front to back, so only the front is looked
/// at.
pub(super) struct Hold {
    longest: Duration,
    durable: Option<EventId>,
    waiting: VecDeque<Held>,
    destinations: BTreeMap<SocketAddr, usize>,
    overdue: u64,
}

impl Hold {
    pub(super) fn new(longest: Duration) -> Self {
        Self {
            longest,
            durable: None,
            waiting: VecDeque::new(),
            destinations: BTreeMap::new(),
            overdue: 0,
        }
    }

    /// Everything up to this event is on disk.
    pub(super) fn set_durable(&mut self, event: EventId) {
        self.durable = self.durable.max(Some(event));
    }

    /// Takes a message; gives it back at once if it need not wait.
    pub(super) fn admit(
        &mut self,
        now: Time,
        flow: Flow,
        bytes: Vec<u8>,
        after: Option<EventId>,
    ) -> Option<(Flow, Vec<u8>)> {
        let free = after.is_none() || after <= self.durable;
        if free && !self.destinations.contains_key(&flow.remote) {
            return Some((flow, bytes));
        }
        *self.destinations.entry(flow.remote).or_default() += 1;
        self.waiting.push_back(Held {
            flow,
            bytes,
            after,
            until: now + self.longest,
        });
        None
    }

    /// The next message whose wait is over.
    pub(super) fn release(&mut self, now: Time) -> Option<(Flow, Vec<u8>)> {
        let front = self.waiting.front()?;
        let durable = front.after.is_none() || front.after <= self.durable;
        if !durable && front.until > now {
            return None;
        }
        self.overdue += u64::from(!durable);
        let held = self.waiting.pop_front()?;
        if let Some(count) = self.destinations.get_mut(&held.flow.remote) {
            *count -= 1;
            if *count == 0 {
                self.destinations.remove(&held.flow.remote);
            }
        }
        Some((held.flow, held.bytes))
    }

    /// When the front has waited long enough.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.waiting.front().map(|held| held.until)
    }

    /// Messages that went out before the disk had their facts.
    pub(super) fn overdue(&self) -> u64 {
        self.overdue
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(port: u16) -> Flow {
        Flow {
            transport: sip::Transport::Udp,
            local: "127.0.0.1:5060".parse().unwrap(),
            remote: SocketAddr::new("127.0.0.2".parse().unwrap(), port),
        }
    }

    fn event(n: u32) -> Option<EventId> {
        Some(EventId::new(1, n))
    }

    #[test]
    fn an_answer_waits_for_its_fact_and_what_follows_waits_behind_it() {
        let mut hold = Hold::new(Duration::from_millis(20));
        assert!(
            hold.admit(Time::ZERO, flow(1), b"200".to_vec(), event(5))
                .is_none()
        );
        assert!(
            hold.admit(Time::ZERO, flow(1), b"BYE".to_vec(), None)
                .is_none()
        );
        assert!(
            hold.admit(Time::ZERO, flow(2), b"INVITE".to_vec(), None)
                .is_some()
        );
        hold.set_durable(EventId::new(1, 4));
        assert!(hold.release(Time::ZERO).is_none());
        hold.set_durable(EventId::new(1, 5));
        assert_eq!(hold.release(Time::ZERO).unwrap().1, b"200");
        assert_eq!(hold.release(Time::ZERO).unwrap().1, b"BYE");
        assert!(
            hold.admit(Time::ZERO, flow(1), b"200".to_vec(), event(5))
                .is_some()
        );
        assert_eq!(hold.overdue(), 0);
    }

    #[test]
    fn a_slow_disk_delays_an_answer_by_no_more_than_the_limit_and_is_counted() {
        let mut hold = Hold::new(Duration::from_millis(20));
        assert!(
            hold.admit(Time::ZERO, flow(1), b"200".to_vec(), event(1))
                .is_none()
        );
        assert_eq!(hold.next_deadline(), Some(Time::from_millis(20)));
        assert!(hold.release(Time::from_millis(19)).is_none());
        assert!(hold.release(Time::from_millis(20)).is_some());
        assert_eq!(hold.overdue(), 1);
        assert!(hold.next_deadline().is_none());
    }
}
