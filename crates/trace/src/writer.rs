//! Owns the thread of the trace: it files each message with its call or with the others.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crossbeam_channel::{Receiver, TryRecvError};

use crate::known::Known;
use crate::packet::Packet;
use crate::ring::{Bounds, Ring};
use crate::text;
use crate::tracer::{Record, Settings, Traced};

/// How often the queue is looked at. The thread sleeps in between and is never woken, so that
/// handing over costs the engine no system call.
const PACE: Duration = Duration::from_millis(50);
/// How often what is too old or too much is removed.
const PRUNE_EVERY_US: i64 = 10_000_000;
/// How long the disk is left alone after a failure.
const REST_US: i64 = 10_000_000;
/// Messages of no call that are kept in one second: enough for every honest registration, and a
/// flood costs the disk no more than this.
const OTHERS_A_SECOND: u32 = 500;
/// The part of the size that messages of no call may take: one of so many.
const OTHERS_PART: u64 = 8;

/// The rings' names, which their files begin with.
pub(crate) const CALLS: &str = "calls";
pub(crate) const OTHERS: &str = "others";

pub(crate) struct Writer {
    calls: Ring,
    others: Ring,
    known: Known,
    dropped: Arc<AtomicU64>,
    /// The second that is counted, and the messages of no call in it.
    second: (i64, u32),
    prune_at: i64,
    rest_until: i64,
}

impl Writer {
    pub(crate) fn new(settings: Settings, dropped: Arc<AtomicU64>) -> Self {
        let Settings { folder, size, age } = settings;
        let others = Bounds {
            octets: size / OTHERS_PART,
            age,
        };
        let calls = Bounds {
            octets: size - others.octets,
            age,
        };
        Self {
            calls: Ring::new(folder.clone(), CALLS, calls),
            others: Ring::new(folder, OTHERS, others),
            known: Known::default(),
            dropped,
            second: (0, 0),
            prune_at: 0,
            rest_until: 0,
        }
    }

    pub(crate) fn run(mut self, records: &Receiver<Record>) {
        loop {
            let open = self.take_all(records);
            self.settle();
            if !open {
                return;
            }
            std::thread::sleep(PACE);
        }
    }

    /// Takes what waits; says whether more may come.
    fn take_all(&mut self, records: &Receiver<Record>) -> bool {
        loop {
            match records.try_recv() {
                Ok(Record::Message(message)) => self.file(message),
                Ok(Record::Leg { call, sip_call_id }) => self.known.add(call, &sip_call_id),
                Ok(Record::Ended { call, at_us }) => self.known.end(at_us, call),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn file(&mut self, message: Traced) {
        let Traced {
            at_us,
            flow,
            direction,
            mut bytes,
        } = message;
        if bytes.iter().all(u8::is_ascii_whitespace) {
            // A keep-alive (RFC 5626 §4.4.1) says nothing.
            return;
        }
        let call = sip::wire::peek::call_id(&bytes).and_then(|id| self.known.call_of(id));
        if at_us < self.rest_until || (call.is_none() && !self.affords(at_us)) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        text::redact(&mut bytes);
        let packet = Packet {
            at_us,
            transport: flow.transport.as_str(),
            local: flow.local,
            remote: flow.remote,
            direction,
            comment: call.map(Packet::comment_of).unwrap_or_default(),
            bytes,
        };
        let ring = if call.is_some() {
            &mut self.calls
        } else {
            &mut self.others
        };
        if let Err(error) = ring.append(&packet) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            self.failed(&error);
        }
    }

    /// Whether a message of no call may still be kept in this second.
    fn affords(&mut self, at_us: i64) -> bool {
        let second = at_us / 1_000_000;
        if self.second.0 != second {
            self.second = (second, 0);
        }
        self.second.1 += 1;
        self.second.1 <= OTHERS_A_SECOND
    }

    /// What is due at the end of a turn: files, forgetting, room.
    fn settle(&mut self) {
        let now = now_us();
        self.known.forget(now);
        if let Err(error) = self.calls.flush().and_then(|()| self.others.flush()) {
            self.failed(&error);
        }
        if now >= self.prune_at {
            self.prune_at = now.saturating_add(PRUNE_EVERY_US);
            if let Err(error) = self.prune() {
                self.failed(&error);
            }
        }
    }

    pub(crate) fn prune(&mut self) -> std::io::Result<()> {
        let now = now_us();
        self.calls.prune(now)?;
        self.others.prune(now)
    }

    /// The disk refused: the trace pauses, calls go on.
    fn failed(&mut self, error: &std::io::Error) {
        tracing::error!(%error, "the SIP trace cannot be written; it pauses for 10 s");
        self.calls.give_up();
        self.others.give_up();
        self.rest_until = now_us().saturating_add(REST_US);
    }
}

fn now_us() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
