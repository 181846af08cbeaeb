//! Owns what the driver tells the SIP trace: each message with its wall time, and whose it is.

use core::time::Duration;

use sip::Flow;
use trace::{Direction, Tracer};
use vocab::{Event, Fact, Time};

/// The trace, and the messages of the input that is being handled: they follow the facts that
/// say whose they are.
pub(super) struct Trace {
    tracer: Tracer,
    waiting: Vec<(Time, Flow, Direction, Vec<u8>)>,
    /// Wall time at time zero, microseconds since 1970.
    zero_us: i64,
    /// Dropped messages that the log knows of, and when it may be told again.
    told: u64,
    tell_at: Time,
}

/// How often the log is told of dropped messages.
const TELL_EVERY: Duration = Duration::from_secs(60);

impl Trace {
    pub(super) const fn new(tracer: Tracer) -> Self {
        Self {
            tracer,
            waiting: Vec::new(),
            zero_us: 0,
            told: 0,
            tell_at: Time::ZERO,
        }
    }

    /// The wall clock was set: time zero was at so many milliseconds since 1970.
    pub(super) const fn set_wall(&mut self, zero_ms: i64) {
        self.zero_us = zero_ms.saturating_mul(1_000);
    }

    /// A peer's message is about to be handled.
    pub(super) fn received(&mut self, at: Time, flow: &Flow, bytes: &[u8]) {
        if self.tracer.is_on() {
            self.waiting
                .push((at, *flow, Direction::In, bytes.to_vec()));
        }
    }

    /// A message of ours went out.
    pub(super) fn sent(&mut self, at: Time, flow: Flow, bytes: Vec<u8>) {
        if self.tracer.is_on() {
            self.waiting.push((at, flow, Direction::Out, bytes));
        }
    }

    /// The switch stated a fact.
    pub(super) fn fact(&mut self, event: &Event) {
        if !self.tracer.is_on() {
            return;
        }
        match &event.fact {
            Fact::CallArrived {
                call, sip_call_id, ..
            }
            | Fact::LegStarted {
                call, sip_call_id, ..
            } => self.tracer.leg(*call, sip_call_id),
            Fact::CallEnded { call, .. } => self.tracer.ended(*call, self.wall(event.up)),
            _ => {}
        }
    }

    /// The input is handled: its messages go to the trace.
    pub(super) fn settle(&mut self) {
        let mut waiting = core::mem::take(&mut self.waiting);
        for (at, flow, direction, bytes) in waiting.drain(..) {
            self.tracer.message(self.wall(at), &flow, direction, bytes);
        }
        self.waiting = waiting;
    }

    /// Says what the trace had no room for, at most once a minute.
    pub(super) fn tell_dropped(&mut self, now: Time) {
        let dropped = self.tracer.dropped();
        if dropped > self.told && now >= self.tell_at {
            tracing::warn!(
                dropped = dropped - self.told,
                "SIP messages not kept in the trace"
            );
            self.told = dropped;
            self.tell_at = now + TELL_EVERY;
        }
    }

    fn wall(&self, at: Time) -> i64 {
        let up = i64::try_from(at.as_micros()).unwrap_or(i64::MAX);
        self.zero_us.saturating_add(up)
    }
}
