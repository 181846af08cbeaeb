//! Owns the messages that wait for the journal: an answer to a call and to its BYE goes out when the
//! facts behind it are on disk, or when it has waited as long as it may.
//!
//! Nothing may overtake a held message of its own dialog: a BYE that reaches the peer before the 200 it
//! follows would end nothing. Of another dialog it may: whoever hung up is called again at once, and not
//! when the disk has the end of the call before.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use sip::Flow;
use sip::wire::peek;
use vocab::{EventId, Time};

/// A message that waits.
struct Held {
    flow: Flow,
    bytes: Vec<u8>,
    after: Option<EventId>,
    until: Time,
}

/// The messages that wait between [`Output::Send`](crate::Output::Send) and the network. Events and times
/// grow from front to back, so only the front is looked at. The process and the simulator have the same one.
pub struct Outbox {
    longest: Duration,
    durable: Option<EventId>,
    waiting: VecDeque<Held>,
    /// How many wait of each dialog: by where they go, and by Call-ID.
    dialogs: BTreeMap<(SocketAddr, Box<[u8]>), usize>,
    overdue: u64,
}

impl Outbox {
    /// Nothing waits yet, and nothing will for longer than `longest`.
    #[must_use]
    pub fn new(longest: Duration) -> Self {
        Self {
            longest,
            durable: None,
            waiting: VecDeque::new(),
            dialogs: BTreeMap::new(),
            overdue: 0,
        }
    }

    /// Everything up to this event is on disk.
    pub fn set_durable(&mut self, event: EventId) {
        self.durable = self.durable.max(Some(event));
    }

    /// Takes a message; gives it back at once if it need not wait.
    pub fn admit(
        &mut self,
        now: Time,
        flow: Flow,
        bytes: Vec<u8>,
        after: Option<EventId>,
    ) -> Option<(Flow, Vec<u8>)> {
        let free = after.is_none() || after <= self.durable;
        if free && self.waiting.is_empty() {
            return Some((flow, bytes));
        }
        let dialog = dialog(&flow, &bytes);
        if free && !self.dialogs.contains_key(&dialog) {
            return Some((flow, bytes));
        }
        *self.dialogs.entry(dialog).or_default() += 1;
        self.waiting.push_back(Held {
            flow,
            bytes,
            after,
            until: now + self.longest,
        });
        None
    }

    /// The next message whose wait is over.
    pub fn release(&mut self, now: Time) -> Option<(Flow, Vec<u8>)> {
        let front = self.waiting.front()?;
        let durable = front.after.is_none() || front.after <= self.durable;
        if !durable && front.until > now {
            return None;
        }
        self.overdue += u64::from(!durable);
        let held = self.waiting.pop_front()?;
        let dialog = dialog(&held.flow, &held.bytes);
        if let Some(count) = self.dialogs.get_mut(&dialog) {
            *count -= 1;
            if *count == 0 {
                self.dialogs.remove(&dialog);
            }
        }
        Some((held.flow, held.bytes))
    }

    /// When the front has waited long enough.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        self.waiting.front().map(|held| held.until)
    }

    /// Messages that went out before the disk had their facts.
    #[must_use]
    pub const fn overdue(&self) -> u64 {
        self.overdue
    }
}

fn dialog(flow: &Flow, bytes: &[u8]) -> (SocketAddr, Box<[u8]>) {
    let call_id = peek::call_id(bytes).unwrap_or_default();
    (flow.remote, call_id.into())
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

    /// A message of a dialog, as far as it matters here.
    fn message(first: &str, call: &str) -> Vec<u8> {
        format!("{first}\r\nCall-ID: {call}\r\n\r\n").into_bytes()
    }

    fn event(n: u32) -> Option<EventId> {
        Some(EventId::new(1, n))
    }

    #[test]
    fn an_answer_waits_for_its_fact_and_what_follows_in_its_dialog_waits_behind_it() {
        let mut outbox = Outbox::new(Duration::from_millis(20));
        let (answer, bye) = (
            message("SIP/2.0 200 OK", "a"),
            message("BYE sip:a SIP/2.0", "a"),
        );
        let mut admit = |flow, bytes: &[u8], after| {
            let admitted = outbox.admit(Time::ZERO, flow, bytes.to_vec(), after);
            admitted.is_some()
        };
        assert!(!admit(flow(1), &answer, event(5)));
        assert!(!admit(flow(1), &bye, None));
        let next = message("INVITE sip:a SIP/2.0", "b");
        assert!(
            admit(flow(1), &next, None),
            "of another call, to the same place"
        );
        assert!(admit(flow(2), &answer, None), "to another place");
        outbox.set_durable(EventId::new(1, 4));
        assert!(outbox.release(Time::ZERO).is_none());
        outbox.set_durable(EventId::new(1, 5));
        assert_eq!(outbox.release(Time::ZERO).unwrap().1, answer);
        assert_eq!(outbox.release(Time::ZERO).unwrap().1, bye);
        let freed = outbox.admit(Time::ZERO, flow(1), answer, event(5));
        assert!(freed.is_some() && outbox.dialogs.is_empty());
        assert_eq!(outbox.overdue(), 0);
    }

    #[test]
    fn a_slow_disk_delays_an_answer_by_no_more_than_the_limit_and_is_counted() {
        let mut outbox = Outbox::new(Duration::from_millis(20));
        assert!(
            outbox
                .admit(Time::ZERO, flow(1), b"200".to_vec(), event(1))
                .is_none()
        );
        assert_eq!(outbox.next_deadline(), Some(Time::from_millis(20)));
        assert!(outbox.release(Time::from_millis(19)).is_none());
        assert!(outbox.release(Time::from_millis(20)).is_some());
        assert_eq!(outbox.overdue(), 1);
        assert!(outbox.next_deadline().is_none());
    }
}
