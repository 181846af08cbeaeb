//! Owns reliable provisional responses to one INVITE of a peer (RFC 3262 §3): their numbers, their
//! repetition until the PRACK, one at a time.

use core::time::Duration;
use std::collections::VecDeque;

use vocab::Time;

use super::extensions::require;
use crate::transaction::Timers;
use crate::wire::{HeaderName, Message, Method};

/// Provisional responses that wait for the PRACK of the one before; beyond it the newest replaces
/// the last: of two news about progress the later one counts.
const WAITING_MAX: usize = 4;

/// A PRACK that acknowledges nothing that is out: 481 (RFC 3262 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrackRefused;

/// What time has brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReliableDue {
    /// Send this again.
    Again(Box<Message>),
    /// 64*T1 without PRACK: refuse the INVITE with a 5xx (RFC 3262 §3).
    Expired,
}

/// The reliable provisional responses of one INVITE.
///
/// | state   | send            | PRACK of it             | other PRACK | repeat due  | end due           |
/// |---------|-----------------|-------------------------|-------------|-------------|-------------------|
/// | Idle    | → Out, send     | -                       | 481         | -           | -                 |
/// | Out     | wait in line    | → Idle or next of line  | 481         | send, twice | → Idle, Expired   |
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reliable {
    timers: Timers,
    invite_cseq: u32,
    next: u32,
    out: Option<Out>,
    waiting: VecDeque<Message>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Out {
    rseq: u32,
    response: Box<Message>,
    interval: Duration,
    again_at: Time,
    end_at: Time,
}

impl Reliable {
    /// For the INVITE with this sequence number; `first` is the number of the first response:
    /// below 2^31 and, after §3, better random than 1.
    #[must_use]
    pub fn new(timers: Timers, invite_cseq: u32, first: u32) -> Self {
        Self {
            timers,
            invite_cseq,
            next: first.clamp(1, (1 << 31) - 1),
            out: None,
            waiting: VecDeque::new(),
        }
    }

    /// Sends a response reliably: gives it back with RSeq and Require if it may go now; else it
    /// waits for the PRACK of the one before.
    pub fn send(&mut self, now: Time, response: Message) -> Option<Message> {
        if self.out.is_some() {
            if self.waiting.len() >= WAITING_MAX {
                self.waiting.pop_back();
            }
            self.waiting.push_back(response);
            return None;
        }
        Some(self.put_out(now, response))
    }

    fn put_out(&mut self, now: Time, mut response: Message) -> Message {
        let rseq = self.next;
        self.next = self.next.saturating_add(1);
        require(&mut response, "100rel");
        response.headers.set(HeaderName::RSeq, rseq.to_string());
        let interval = self.timers.t1;
        self.out = Some(Out {
            rseq,
            response: Box::new(response.clone()),
            interval,
            again_at: now + interval,
            end_at: now + self.timers.life(),
        });
        response
    }

    /// A PRACK came: the response after the acknowledged one, if there is one in line.
    ///
    /// # Errors
    /// If it acknowledges nothing that is out.
    pub fn prack(&mut self, now: Time, prack: &Message) -> Result<Option<Message>, PrackRefused> {
        let awaited = self.out.as_ref().map(|out| out.rseq);
        if awaited.is_none() || acknowledged(prack) != awaited.map(|n| (n, self.invite_cseq)) {
            return Err(PrackRefused);
        }
        self.out = None;
        let next = self.waiting.pop_front();
        Ok(next.map(|response| self.put_out(now, response)))
    }

    /// Whether a response without PRACK is out whose description waits for its acknowledgement:
    /// then a 2xx has to wait, too (RFC 3262 §3).
    #[must_use]
    pub fn holds_back_success(&self) -> bool {
        let described = |response: &Message| !response.body.is_empty();
        self.out
            .as_ref()
            .is_some_and(|out| described(&out.response))
            || self.waiting.iter().any(described)
    }

    /// Whether the first response has gone out.
    #[must_use]
    pub const fn is_out(&self) -> bool {
        self.out.is_some()
    }

    /// What is due now.
    pub fn due(&mut self, now: Time) -> Option<ReliableDue> {
        let out = self.out.as_mut()?;
        if out.end_at <= now {
            self.stop();
            return Some(ReliableDue::Expired);
        }
        if out.again_at > now {
            return None;
        }
        // Doubled without an upper bound (§3).
        out.interval = out.interval.saturating_mul(2);
        out.again_at = now + out.interval;
        Some(ReliableDue::Again(out.response.clone()))
    }

    /// When to ask [`due`](Self::due).
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        self.out.as_ref().map(|out| out.again_at.min(out.end_at))
    }

    /// The INVITE has its final response: nothing is repeated any more (§3).
    pub fn stop(&mut self) {
        self.out = None;
        self.waiting.clear();
    }
}

/// RSeq and CSeq numbers of a PRACK's RAck; `None` if it is missing, faulty or not of an INVITE.
fn acknowledged(prack: &Message) -> Option<(u32, u32)> {
    let mut fields = prack
        .headers
        .first(&HeaderName::RAck)?
        .split_ascii_whitespace();
    let rseq = fields.next()?.parse().ok()?;
    let cseq = fields.next()?.parse().ok()?;
    let invite = fields.next()?.eq(Method::Invite.as_str());
    (invite && fields.next().is_none()).then_some((rseq, cseq))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Uri;

    fn ms(ms: u64) -> Time {
        Time::from_millis(ms)
    }

    fn progress(body: &str) -> Message {
        let mut response = Message::response(183, "");
        response.body = body.into();
        response
    }

    fn prack(rack: &str) -> Message {
        let mut prack = Message::request(Method::Prack, Uri::parse("sip:a@192.0.2.1").unwrap());
        prack.headers.push(HeaderName::RAck, rack);
        prack
    }

    fn reliable() -> Reliable {
        Reliable::new(Timers::default(), 7, 100)
    }

    #[test]
    fn a_response_is_repeated_at_doubled_intervals_and_then_given_up() {
        let mut reliable = reliable();
        let sent = reliable.send(ms(0), progress("v=0")).unwrap();
        assert_eq!(sent.headers.first(&HeaderName::RSeq), Some("100"));
        assert!(sent.headers.lists(&HeaderName::Require, "100rel"));
        let mut again = Vec::new();
        let expired = loop {
            let at = reliable.next_deadline().unwrap();
            match reliable.due(at).unwrap() {
                ReliableDue::Again(response) => {
                    assert_eq!(*response, sent);
                    again.push(at.as_millis());
                }
                ReliableDue::Expired => break at.as_millis(),
            }
        };
        assert_eq!(again, [500, 1_500, 3_500, 7_500, 15_500, 31_500]);
        assert_eq!(expired, 32_000);
        assert_eq!(reliable.next_deadline(), None);
    }

    #[test]
    fn one_is_out_at_a_time_and_each_has_its_number() {
        let mut reliable = reliable();
        reliable.send(ms(0), progress("a")).unwrap();
        assert_eq!(reliable.send(ms(1), progress("")), None);
        assert!(reliable.holds_back_success());
        let next = reliable.prack(ms(2), &prack("100 7 INVITE")).unwrap();
        assert_eq!(next.unwrap().headers.first(&HeaderName::RSeq), Some("101"));
        assert!(!reliable.holds_back_success());
        assert_eq!(reliable.prack(ms(3), &prack("101 7 INVITE")), Ok(None));
        assert_eq!(reliable.next_deadline(), None);
    }

    #[test]
    fn a_prack_of_nothing_that_is_out_is_refused() {
        let mut reliable = reliable();
        for rack in ["100 7 INVITE", ""] {
            assert_eq!(reliable.prack(ms(0), &prack(rack)), Err(PrackRefused));
        }
        reliable.send(ms(0), progress("a")).unwrap();
        for rack in [
            "99 7 INVITE",
            "100 8 INVITE",
            "100 7 UPDATE",
            "100 7",
            "x 7 INVITE",
            "100 7 INVITE 1",
        ] {
            assert_eq!(
                reliable.prack(ms(1), &prack(rack)),
                Err(PrackRefused),
                "{rack}"
            );
        }
        assert_eq!(reliable.prack(ms(1), &prack("100  7  INVITE")), Ok(None));
        // A copy with another branch.
        assert_eq!(
            reliable.prack(ms(1), &prack("100 7 INVITE")),
            Err(PrackRefused)
        );
    }

    #[test]
    fn the_line_of_waiting_responses_is_bounded() {
        let mut reliable = reliable();
        reliable.send(ms(0), progress("a")).unwrap();
        for n in 0..100 {
            reliable.send(ms(0), progress(&n.to_string()));
        }
        let mut bodies = Vec::new();
        for rseq in 100.. {
            let rack = format!("{rseq} 7 INVITE");
            match reliable.prack(ms(1), &prack(&rack)).unwrap() {
                Some(next) => bodies.push(String::from_utf8(next.body).unwrap()),
                None => break,
            }
        }
        assert_eq!(bodies, ["0", "1", "2", "99"]);
    }
}
