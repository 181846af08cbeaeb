//! Owns the Call-IDs of calls that are up, so that each message is filed with its call.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use vocab::CallId;

/// Call-IDs known at once: 20,000 calls with four legs each. Beyond it a message is filed as
/// belonging to no call.
const KNOWN_MAX: usize = 80_000;
/// How long messages of a call that is over are still its own, in microseconds: the BYEs and their
/// repetitions (64*T1 = 32 s), and some.
const LINGER_US: i64 = 40_000_000;

#[derive(Debug, Default)]
pub(crate) struct Known {
    call_of: HashMap<Arc<[u8]>, CallId>,
    legs_of: HashMap<CallId, Vec<Arc<[u8]>>>,
    ended: VecDeque<(i64, CallId)>,
}

impl Known {
    /// A leg of the call has this Call-ID.
    pub(crate) fn add(&mut self, call: CallId, sip_call_id: &str) {
        if self.call_of.len() < KNOWN_MAX {
            let id: Arc<[u8]> = sip_call_id.as_bytes().into();
            if self.call_of.insert(Arc::clone(&id), call).is_none() {
                self.legs_of.entry(call).or_default().push(id);
            }
        }
    }

    /// The call is over.
    pub(crate) fn end(&mut self, now_us: i64, call: CallId) {
        self.ended
            .push_back((now_us.saturating_add(LINGER_US), call));
    }

    pub(crate) fn call_of(&self, sip_call_id: &[u8]) -> Option<CallId> {
        self.call_of.get(sip_call_id).copied()
    }

    /// Forgets calls that have been over for long enough.
    pub(crate) fn forget(&mut self, now_us: i64) {
        while let Some((until, call)) = self.ended.front().copied()
            && until <= now_us
        {
            self.ended.pop_front();
            for id in self.legs_of.remove(&call).unwrap_or_default() {
                self.call_of.remove(&id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_known_by_all_its_legs_until_its_last_repetitions_are_over() {
        let mut known = Known::default();
        let call = CallId::new(1, 1);
        known.add(call, "a");
        known.add(call, "b");
        known.end(0, call);
        known.forget(LINGER_US - 1);
        assert_eq!(
            (known.call_of(b"a"), known.call_of(b"b")),
            (Some(call), Some(call))
        );
        known.forget(LINGER_US);
        assert_eq!((known.call_of(b"a"), known.call_of(b"b")), (None, None));
        assert!(known.call_of.is_empty() && known.legs_of.is_empty() && known.ended.is_empty());
    }

    #[test]
    fn more_call_ids_than_may_be_known_take_no_memory() {
        let mut known = Known::default();
        for n in 0..=KNOWN_MAX {
            known.add(CallId::new(1, 1), &n.to_string());
        }
        assert_eq!(known.call_of.len(), KNOWN_MAX);
    }
}
