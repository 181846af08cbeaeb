//! Owns what may happen to the switch. All of it comes from outside, with its time.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use dialplan::Plans;
use serde::{Deserialize, Serialize};
use sip::subscription::Waiting;
use sip::{Answer, Flow, Question};
use vocab::media::{MediaEvent, PromptId, RecordingKey};
use vocab::{CallId, MissingReason, RecordingFile, Registration, Regular, Standing, WallTime};

use crate::callers::KnownCaller;
use crate::handover::Word;
use crate::settings::Operator;

/// What happened.
///
/// All of it can be written down, to be handed in again (the input log); but for the programs that
/// plans are: they are read from their texts again.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// A message came from the network: a datagram, a message cut out of a stream, or the content
    /// of a WebSocket message.
    Datagram {
        /// Where from and where to.
        flow: Flow,
        /// Its octets.
        #[serde(with = "octets")]
        bytes: Vec<u8>,
    },
    /// A connection is gone, or could not be opened, or a datagram found no way: what waits for an
    /// answer on this flow gets none.
    FlowClosed {
        /// Which.
        flow: Flow,
    },
    /// The answer to an [`crate::Output::Resolve`].
    Resolved {
        /// What was asked.
        question: Question,
        /// What came; empty where there is nothing or nobody answered.
        answer: Answer,
        /// For how long it holds, by its source.
        holds: Duration,
    },
    /// The answer to an [`crate::Output::Fetch`].
    Fetched {
        /// For which call.
        call: CallId,
        /// Which of its questions.
        question: u32,
        /// The body of the reply; `None` if there was none, or one that is no good.
        reply: Option<String>,
    },
    /// The media plane reports.
    Media(MediaEvent),
    /// A recording was stored.
    RecordingStored {
        /// Which.
        key: RecordingKey,
        /// What and where.
        file: RecordingFile,
    },
    /// A recording could not be made.
    RecordingMissing {
        /// Which.
        key: RecordingKey,
        /// Why.
        reason: MissingReason,
    },
    /// The wall clock reads this now. Given at the start, and again when the clock was set.
    Wall(WallTime),
    /// The local clock reads this now; given with each [`Input::Wall`], and when the zone's offset
    /// changes.
    Clock {
        /// Days since 1970-01-01, by the local calendar.
        day: u32,
        /// Since midnight.
        time: Duration,
    },
    /// What stood at the last event of the journal. Given once, after the clock and the operators; and once more
    /// after [`Input::PredecessorGone`], when only the callbacks that are not known yet are taken up.
    Standing(Standing),
    /// Who talked to a number last, the newest talk first, from before [`Input::Standing`]: in pieces, and
    /// while calls are up. What is known of a number already is newer, and stays.
    Regulars(Vec<Regular>),
    /// The plans were loaded. Live calls finish on the plan they began with.
    Plans {
        /// All plans.
        #[serde(skip)]
        plans: Plans,
        /// What can be played: (name, language), or (name, "") for a sound without words.
        #[serde(with = "pairs")]
        prompts: BTreeMap<(String, String), PromptId>,
    },
    /// Emergency switches as people set them: by plan. Given once, before the first call; later ones
    /// come as facts that are written.
    Emergencies(BTreeMap<String, bool>),
    /// The lists of callers, whole; after the operators who own some.
    Callers(Vec<KnownCaller>),
    /// The whole table of operators, as it stands now.
    Operators(Vec<Operator>),
    /// Voice messages that wait for an operator are so many now.
    MessagesWaiting {
        /// The operator's login.
        login: String,
        /// How many.
        waiting: Waiting,
    },
    /// The telephones that were registered before the start. Given once, after the wall time and
    /// the operators.
    Bindings {
        /// What the journal has.
        registrations: Vec<Registration>,
        /// The addresses on which SIP over UDP is taken: ways to others are gone.
        listening: Vec<SocketAddr>,
    },
    /// The deadline of [`crate::Switch::next_deadline`] has come.
    Deadline,
    /// Whether the journal is so far behind that a new call could not be written down.
    JournalBehind(bool),
    /// Whether recordings cannot be written.
    RecordingTrouble(bool),
    /// Take no new calls; those that are up go on.
    Drain,
    /// Another engine, our successor, has the sockets from now on: it takes the new calls, we end ours. While our
    /// own predecessor lives it is no more than [`Input::Drain`].
    HandedOver,
    /// The successor died, and the sockets are ours again. New calls are taken, unless we were told to drain.
    TakenBack,
    /// Another engine has handed over to us, and its calls go on there. Given once, at the start, before the first
    /// message.
    Predecessor {
        /// The Call-IDs of its dialogs: [`crate::Switch::sip_calls`].
        calls: BTreeSet<String>,
        /// The callbacks under way there: [`crate::Switch::callbacks_in_progress`].
        callbacks: BTreeSet<CallId>,
    },
    /// The predecessor has ended, or died.
    PredecessorGone,
    /// The other engine of a handover says this, by an [`crate::Output::Tell`].
    Told(Word),
    /// End every call now.
    Stop,
    /// Nothing comes after this: the last fact of the boot is written.
    Exit,
}

/// Octets as text where they are text, which messages of SIP are, else as numbers.
pub(crate) mod octets {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Text(String),
        Octets(Vec<u8>),
    }

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        match core::str::from_utf8(bytes) {
            Ok(text) => to.serialize_str(text),
            Err(_) => bytes.serialize(to),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        Ok(match Written::deserialize(from)? {
            Written::Text(text) => text.into_bytes(),
            Written::Octets(octets) => octets,
        })
    }
}

/// A map whose keys are no text, as a list.
mod pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serializer};
    use vocab::media::PromptId;

    type Prompts = BTreeMap<(String, String), PromptId>;

    pub(super) fn serialize<S: Serializer>(map: &Prompts, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(map)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Prompts, D::Error> {
        let pairs = Vec::<((String, String), PromptId)>::deserialize(from)?;
        Ok(pairs.into_iter().collect())
    }
}
