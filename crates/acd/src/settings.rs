//! Owns what is configured about queues and operators. Refuses to know what happens to them.

use core::time::Duration;
use std::collections::BTreeMap;

use vocab::{OperatorId, QueueId};

/// Shortest time before an operator is asked again after a failed offer, whatever is configured.
///
/// A telephone that declines by itself (do-not-disturb) answers within a millisecond; with a
/// delay of zero it and the engine would exchange INVITEs as fast as the network carries them.
pub const PAUSE_AFTER_FAILURE_MIN: Duration = Duration::from_millis(100);

/// Offers that an operator may decline one after another before being set aside.
///
/// The first refusal may be about that one caller. From the second on it is the telephone or the
/// person that takes no calls, and trying every waiting call on it would help nobody.
pub const DECLINES_IN_A_ROW_MAX: u8 = 2;

/// A queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueSettings {
    /// Its number in the loaded settings.
    pub id: QueueId,
    /// Its name, for explanations.
    pub name: String,
    /// How long an offer rings before the next operator is tried.
    pub ring_time: Duration,
    /// The longest wait, counted from entry; `None` for no limit.
    pub wait_max: Option<Duration>,
    /// Calls in the queue at once, those that ring included; one more is refused.
    pub length_max: usize,
    /// Time for finishing the work of a call before the next one; zero for none.
    pub wrap_up: Duration,
    /// The skill an operator needs, at a level above 0; `None` lets every operator serve.
    pub skill: Option<String>,
    /// How long a call is not offered again to an operator with whom an offer of it failed.
    /// Also how long an operator is set aside who keeps declining.
    pub retry_delay: Duration,
    /// How long an operator is set aside after an offer that was not answered at all.
    pub rest_after_no_answer: Duration,
}

/// An operator. Whether a telephone is reachable and whether the person takes calls are inputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorSettings {
    /// Who.
    pub id: OperatorId,
    /// Level per skill, 0 to 100; 0 is the same as not having the skill.
    pub skills: BTreeMap<String, u8>,
}
