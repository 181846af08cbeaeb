//! Owns what may stand in a plan: each kind of step with its keys, each with its shape and its
//! meaning. The parser, the schema for editors and the reference in the documents are made of it.

/// What may stand at a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Letters, digits, `-`, `_`, `.`.
    Name,
    /// Any text.
    Text,
    /// `true` or `false`.
    Flag,
    /// A whole number within bounds.
    Whole(u16, u16),
    /// A time such as `"10s"` or `"2min"`.
    Time,
    /// A text for each language.
    Voices,
    /// A WAV file, or one for each language.
    Files,
    /// A WAV file.
    Wav,
    /// One key of a telephone.
    Key,
    /// What each key of a menu does.
    Choices,
    /// A prompt of its own: `text`, `file`.
    Prompt,
    /// A list of texts.
    Texts,
    /// First and last day.
    Days,
    /// A table of texts.
    Pairs,
    /// A table of whole numbers from 0 to 100.
    Levels,
}

/// One key of a kind of step.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What may stand there.
    pub shape: Shape,
    /// Whether it must be there.
    pub required: bool,
    /// What it means, in a sentence.
    pub meaning: &'static str,
}

/// One kind of step.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// The key by which a step names it.
    pub name: &'static str,
    /// What it does, in a sentence.
    pub meaning: &'static str,
    /// Its keys.
    pub keys: &'static [Key],
}

const fn must(name: &'static str, shape: Shape, meaning: &'static str) -> Key {
    Key {
        name,
        shape,
        required: true,
        meaning,
    }
}

const fn may(name: &'static str, shape: Shape, meaning: &'static str) -> Key {
    Key {
        name,
        shape,
        required: false,
        meaning,
    }
}

const NAME: Key = must(
    "name",
    Shape::Name,
    "Name of the prompt: by it it is cached, replaced by a file, and named in the journal.",
);
const TEXT: Key = may("text", Shape::Voices, "What is said, for each language.");
const FILE: Key = may(
    "file",
    Shape::Files,
    "A WAV file in place of the text, for all languages or for each.",
);
const BARGE_IN: Key = may(
    "barge_in",
    Shape::Flag,
    "Whether a key pressed during the prompt counts and ends it; true unless said otherwise.",
);
const WAIT: Key = may(
    "wait",
    Shape::Time,
    "How long a key is waited for after the prompt; 6s unless said otherwise.",
);
const REPEATS: Key = may(
    "repeats",
    Shape::Whole(0, 9),
    "How often it is asked again after a vain try; 2 unless said otherwise.",
);
const WRONG: Key = may(
    "wrong",
    Shape::Prompt,
    "Said after a key that means nothing here.",
);
const SILENT: Key = may("silent", Shape::Prompt, "Said when no key was pressed.");
const MUSIC: Key = may(
    "music",
    Shape::Wav,
    "A WAV file to be heard meanwhile; without it the caller hears silence, or ringing.",
);
const RECORDED: Key = may(
    "recorded",
    Shape::Flag,
    "Whether the talk is recorded; true unless said otherwise.",
);
const WAIT_RECORDED: Key = may(
    "wait_recorded",
    Shape::Flag,
    "Whether what the caller says and hears while waiting is recorded as well; false unless said \
     otherwise.",
);
const AFTER: Key = may(
    "after",
    Shape::Name,
    "The flow that follows the talk if the caller is still there.",
);

/// Words of `if` about a queue.
pub(crate) const QUEUE_STATES: &[&str] = &["served", "free"];

/// Every kind of step.
pub const KINDS: &[Kind] = &[
    Kind {
        name: "answer",
        meaning: "Answers the call. What the caller hears before it is early media and costs nothing.",
        keys: &[may(
            "after",
            Shape::Time,
            "How long it rings before the answer.",
        )],
    },
    Kind {
        name: "say",
        meaning: "Says a text, or plays a file, to its end.",
        keys: &[
            NAME,
            may(
                "notice",
                Shape::Flag,
                "Whether it tells the caller that the call is recorded.",
            ),
            TEXT,
            FILE,
        ],
    },
    Kind {
        name: "music",
        meaning: "Plays music for a while.",
        keys: &[
            must("file", Shape::Wav, "The WAV file."),
            must("time", Shape::Time, "For how long."),
        ],
    },
    Kind {
        name: "menu",
        meaning: "Lets the caller choose with one key.",
        keys: &[
            NAME,
            TEXT,
            FILE,
            must(
                "keys",
                Shape::Choices,
                "What each key does: the name of a flow, or { flow, language, again }.",
            ),
            BARGE_IN,
            WAIT,
            REPEATS,
            WRONG,
            SILENT,
            may(
                "otherwise",
                Shape::Name,
                "The flow after the last vain try; without it the next step follows.",
            ),
        ],
    },
    Kind {
        name: "collect",
        meaning: "Lets the caller enter digits and keeps them in a field.",
        keys: &[
            NAME,
            TEXT,
            FILE,
            must("field", Shape::Name, "The field that gets the digits."),
            may(
                "digits_min",
                Shape::Whole(1, 32),
                "Fewest digits; 1 unless said otherwise.",
            ),
            may(
                "digits_max",
                Shape::Whole(1, 32),
                "Most digits, the last of which ends the entry; 20 unless said otherwise.",
            ),
            may(
                "end",
                Shape::Key,
                "The key that ends the entry; # unless said otherwise.",
            ),
            may(
                "personal",
                Shape::Flag,
                "Whether the digits stay out of log and journal; true unless said otherwise.",
            ),
            BARGE_IN,
            WAIT,
            REPEATS,
            WRONG,
            SILENT,
            may(
                "otherwise",
                Shape::Name,
                "The flow after the last vain try; without it the next step follows.",
            ),
        ],
    },
    Kind {
        name: "survey",
        meaning: "Asks the caller for a mark from 1 to 5, which goes into the journal.",
        keys: &[NAME, TEXT, FILE, BARGE_IN, WAIT, REPEATS, WRONG, SILENT],
    },
    Kind {
        name: "queue",
        meaning: "Waits for an operator. The next steps are for callers whom nobody answered.",
        keys: &[
            must("name", Shape::Name, "Name of the queue in the settings."),
            MUSIC,
            may(
                "priority",
                Shape::Whole(0, 255),
                "Higher is answered first; 0 unless said otherwise.",
            ),
            RECORDED,
            WAIT_RECORDED,
            may(
                "skills",
                Shape::Levels,
                "Skills that the operator must have, with the least level of each.",
            ),
            may(
                "owner",
                Shape::Text,
                "The operator who looks after the caller, by line or login, such as `{manager}`: \
                 gets the call first, for as long as the queue's `sticky` says.",
            ),
            may(
                "announce",
                Shape::Flag,
                "Whether the caller is told place and expected wait, in ru, uk or en.",
            ),
            may(
                "announce_after",
                Shape::Time,
                "How long the caller has waited the first time; 20s unless said otherwise.",
            ),
            may(
                "announce_every",
                Shape::Time,
                "From one announcement to the next; 1min unless said otherwise.",
            ),
            AFTER,
            may(
                "on_full",
                Shape::Name,
                "The flow of calls for which the queue has no room; without it the next step.",
            ),
            may(
                "on_timeout",
                Shape::Name,
                "The flow of calls that have waited as long as they may.",
            ),
            may(
                "on_closed",
                Shape::Name,
                "The flow of calls that come when the queue is closed.",
            ),
            may(
                "on_nobody",
                Shape::Name,
                "The flow when nobody is signed in or can be reached; that of `on_closed` without it.",
            ),
            may(
                "on_break",
                Shape::Name,
                "The flow when all are on a break; that of `on_closed` without it.",
            ),
        ],
    },
    Kind {
        name: "ring",
        meaning: "Calls somebody certain. The next steps are for callers whom nobody answered.",
        keys: &[
            may("operator", Shape::Text, "An operator, by line or login."),
            may(
                "group",
                Shape::Texts,
                "Operators by line or login, called one after the other.",
            ),
            may(
                "at_once",
                Shape::Flag,
                "Whether all of the group ring at once; who answers first has the call.",
            ),
            may("number", Shape::Text, "A number of the outer network."),
            may(
                "time",
                Shape::Time,
                "How long each may ring; 25s unless said otherwise.",
            ),
            MUSIC,
            RECORDED,
            AFTER,
        ],
    },
    Kind {
        name: "transfer",
        meaning: "Hands the call over for good.",
        keys: &[must(
            "to",
            Shape::Text,
            "A number of another plan, a line or login, a queue, or an outer number.",
        )],
    },
    Kind {
        name: "voicemail",
        meaning: "Records a message of the caller, after a greeting and a tone.",
        keys: &[
            NAME,
            TEXT,
            FILE,
            may(
                "box",
                Shape::Name,
                "Where the message is kept; the name of the plan unless said otherwise.",
            ),
            may(
                "lines",
                Shape::Texts,
                "Operators for whom it waits, by line or login: their telephones show it.",
            ),
            may(
                "shortest",
                Shape::Time,
                "Where less is said, it is thrown away; 1s unless said otherwise.",
            ),
            may(
                "longest",
                Shape::Time,
                "Longest message; 3min unless said otherwise.",
            ),
            may(
                "silence",
                Shape::Time,
                "Silence that ends it; 5s unless said otherwise.",
            ),
            may(
                "end",
                Shape::Key,
                "The key that ends it; # unless said otherwise.",
            ),
        ],
    },
    Kind {
        name: "callback",
        meaning: "Offers to call the caller back; who accepts hears nothing more.",
        keys: &[
            NAME,
            TEXT,
            FILE,
            must("queue", Shape::Name, "The queue whose operators call back."),
            may(
                "key",
                Shape::Key,
                "The key that accepts; 1 unless said otherwise.",
            ),
            BARGE_IN,
            WAIT,
            REPEATS,
            WRONG,
            SILENT,
        ],
    },
    Kind {
        name: "http",
        meaning: "Asks a web service and keeps parts of its JSON reply in fields.",
        keys: &[
            must(
                "url",
                Shape::Text,
                "Where; {fields} are filled in, percent-encoded.",
            ),
            may(
                "send",
                Shape::Pairs,
                "Sent as a JSON object by POST; without it the request is a GET.",
            ),
            may(
                "save",
                Shape::Pairs,
                "Field = path in the reply, such as \"patient.doctor\" or \"lines.0\".",
            ),
            may(
                "timeout",
                Shape::Time,
                "How long the call waits at most; 3s unless said otherwise, at most 30s.",
            ),
            may(
                "otherwise",
                Shape::Name,
                "The flow without a useful reply; without it the next step follows.",
            ),
        ],
    },
    Kind {
        name: "set",
        meaning: "Gives a field a value, which goes into the journal.",
        keys: &[
            must("field", Shape::Name, "Which field."),
            must("value", Shape::Text, "The value; {fields} are filled in."),
        ],
    },
    Kind {
        name: "if",
        meaning: "Goes one of two ways, by time, caller, field or queue.",
        keys: &[
            may("hours", Shape::Name, "Yes while these working hours run."),
            may(
                "between",
                Shape::Days,
                "Yes from the first day to the last, both counted.",
            ),
            may(
                "caller_in",
                Shape::Name,
                "Yes if the caller is in this list.",
            ),
            may(
                "field",
                Shape::Name,
                "Yes if the field has a value, or that of `is`.",
            ),
            may(
                "queue",
                Shape::Name,
                "Yes if the queue is as `is` says, or more calls wait than `waiting_above`.",
            ),
            may(
                "is",
                Shape::Text,
                "The value of a field; of a queue \"served\" (an operator can be reached) or \
                 \"free\" (one is free).",
            ),
            may(
                "waiting_above",
                Shape::Whole(0, 10_000),
                "Calls that may wait at most.",
            ),
            may(
                "then",
                Shape::Name,
                "The flow if so; without it the next step follows.",
            ),
            may(
                "else",
                Shape::Name,
                "The flow if not; without it the next step follows.",
            ),
        ],
    },
    Kind {
        name: "flow",
        meaning: "Goes through another flow, and comes back after its last step.",
        keys: &[must("name", Shape::Name, "Which flow.")],
    },
    Kind {
        name: "hangup",
        meaning: "Ends the call.",
        keys: &[
            may(
                "status",
                Shape::Whole(400, 699),
                "SIP status for a call that was not answered; 480 unless said otherwise.",
            ),
            may(
                "cause",
                Shape::Whole(1, 127),
                "Cause of ITU-T Q.850, such as 17 for busy; told in a Reason header.",
            ),
        ],
    },
];

/// Keys at the top of a plan.
pub(crate) const PLAN_KEYS: &[&str] = &[
    "name",
    "numbers",
    "languages",
    "notice",
    "time_zone",
    "calendar",
    "short_by",
    "hours",
    "callers",
    "emergency",
    "step",
    "flow",
];

/// Keys of a choice in a menu.
pub(crate) const CHOICE_KEYS: &[&str] = &["flow", "language", "again"];

/// Keys of a prompt within a step.
pub(crate) const PROMPT_KEYS: &[&str] = &["text", "file"];

/// The names of all kinds.
pub(crate) fn names() -> Vec<&'static str> {
    KINDS.iter().map(|kind| kind.name).collect()
}

/// The keys of a kind.
pub(crate) fn keys_of(kind: &str) -> Vec<&'static str> {
    let found = KINDS.iter().find(|one| one.name == kind);
    found.map_or_else(Vec::new, |kind| {
        kind.keys.iter().map(|key| key.name).collect()
    })
}
