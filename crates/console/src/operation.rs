//! Owns the table of everything the API has: path, right, parameters, answers, and who carries it out.

use axum::routing::{MethodRouter, delete, get, patch, post};

use crate::app::App;
use crate::{
    cards, entries, forms, live, messages, openapi, orders, prometheus, recordings, reports,
    session, stream, webhooks, write,
};

/// What a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// Read entries, figures and the live picture: personal data.
    Read,
    /// Write into entries.
    Write,
    /// Hear recordings.
    Listen,
    /// Order for operators what they may for themselves: sign in and out, status, breaks by the rules.
    Duty,
    /// Command the queues as a supervisor.
    Supervise,
    /// See the figures for Prometheus: no personal data.
    Metrics,
    /// Look after what runs by itself: webhooks.
    Manage,
}

impl Right {
    const NAMES: [(&'static str, Self); 7] = [
        ("read", Self::Read),
        ("write", Self::Write),
        ("listen", Self::Listen),
        ("duty", Self::Duty),
        ("supervise", Self::Supervise),
        ("metrics", Self::Metrics),
        ("manage", Self::Manage),
    ];

    /// The right of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let found = Self::NAMES.iter().find(|(known, _)| *known == name);
        found.map(|(_, right)| *right)
    }

    /// All names, for people.
    #[must_use]
    pub fn names() -> String {
        Self::NAMES.map(|(name, _)| name).join(", ")
    }

    pub(crate) fn name(self) -> &'static str {
        let found = Self::NAMES.iter().find(|(_, right)| *right == self);
        found.map_or("", |(name, _)| name)
    }
}

/// What an operation asks of whoever comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// Nothing: it is the way in.
    Open,
    /// That the visitor is known, whatever the rights.
    Known,
    /// A right.
    Right(Right),
}

/// A parameter of a query.
#[derive(Debug, Clone, Copy)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// What it is, in JSON Schema's words: `string`, `integer`, `number`, `boolean`, or `date-time`.
    pub kind: &'static str,
    /// What it does.
    pub about: &'static str,
    /// What it may be, if only these; else empty.
    pub one_of: &'static [&'static str],
}

/// One thing that can be asked for.
#[derive(Clone, Copy)]
pub struct Operation {
    /// `get`, `post`, `patch` or `delete`.
    pub method: &'static str,
    /// The path, with its parameters in braces.
    pub path: &'static str,
    /// What it is, in a sentence.
    pub summary: &'static str,
    /// Who may come.
    pub door: Door,
    /// What may stand in the query.
    pub parameters: &'static [Parameter],
    /// The schema of the body, if it takes one.
    pub body: Option<&'static str>,
    /// What comes back when it goes well: status, kind of content, schema.
    pub answer: (u16, &'static str, &'static str),
    /// Statuses of problems, besides those that any may have.
    pub problems: &'static [u16],
    pub(crate) route: fn() -> MethodRouter<App>,
}

impl std::fmt::Debug for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

const fn text(name: &'static str, about: &'static str) -> Parameter {
    Parameter {
        name,
        kind: "string",
        about,
        one_of: &[],
    }
}

const fn moment(name: &'static str, about: &'static str) -> Parameter {
    Parameter {
        kind: "date-time",
        ..text(name, about)
    }
}

const fn number(name: &'static str, about: &'static str) -> Parameter {
    Parameter {
        kind: "integer",
        ..text(name, about)
    }
}

const fn flag(name: &'static str, about: &'static str) -> Parameter {
    Parameter {
        kind: "boolean",
        ..text(name, about)
    }
}

const fn one_of(
    name: &'static str,
    about: &'static str,
    one_of: &'static [&'static str],
) -> Parameter {
    Parameter {
        one_of,
        ..text(name, about)
    }
}

pub(crate) const FIND: &[Parameter] = &[
    moment("from", "Entries that came at this moment or later."),
    moment("to", "Entries that came before this moment."),
    text("queue", "The last queue they were in."),
    text("operator", "Login of the operator of the last segment."),
    text("topic", "A topic, or a fork of the tree of topics."),
    text("outcome", "What became of them, as the journal spells it."),
    one_of(
        "channel",
        "How they came.",
        &[
            "call",
            "web_form",
            "email",
            "chat",
            "in_person",
            "letter",
            "other_call",
        ],
    ),
    one_of(
        "direction",
        "Which way they went.",
        &["inbound", "outbound", "internal"],
    ),
    text("person", "A number of the person, however it is spelt."),
    flag(
        "completed",
        "Whether they are completed, of those that are to be.",
    ),
    flag(
        "open",
        "Only those still to be completed, and matters that a department has not done.",
    ),
    flag("emergency", "Whether they are marked as an emergency."),
    flag("up", "Whether they are calls that are up now."),
    text(
        "text",
        "Words in names, topic, content, what was done or department; all of them.",
    ),
    number("limit", "Entries of a page, 1 to 500; 50 without it."),
    text("cursor", "The `next` of the page before."),
];

pub(crate) const REPORT: &[Parameter] = &[
    moment(
        "from",
        "First moment inside; without it the midnight that began today.",
    ),
    moment(
        "to",
        "First moment after it; without it the end of the day of `from`.",
    ),
    one_of(
        "interval",
        "How the reports of queues, operators and lines are cut.",
        &["15min", "30min", "hour", "day", "week", "month", "whole"],
    ),
    BY,
    text("queue", "Only this queue."),
    WITHIN,
    number(
        "short_ms",
        "Who hangs up within this is left out of the adjusted abandonment; 5000.",
    ),
    number("ring_limit_ms", "How long a line may ring; 15000."),
    number(
        "repeat_days",
        "Longest window of first-contact resolution, 1 to 90; 7.",
    ),
    Parameter {
        kind: "number",
        ..text(
            "mos_below",
            "Legs whose mean opinion score is below this are listed, 1 to 4.5; 3.6 without it.",
        )
    },
    one_of(
        "format",
        "The form; json without it.",
        &["json", "csv", "xlsx", "html"],
    ),
];

const BY: Parameter = one_of(
    "by",
    "By what its rows are told apart.",
    &[
        "queue", "number", "trunk", "topic", "operator", "line", "all",
    ],
);

const WITHIN: Parameter = number(
    "within_ms",
    "A wait up to this is in time; 20000 without it.",
);

pub(crate) const LIVE: &[Parameter] = &[flag(
    "windows",
    "Also the queues today and in the last 5, 15, 30 and 60 minutes, as `/api/v1/queues` has them.",
)];

pub(crate) const QUEUES: &[Parameter] = &[BY, WITHIN];

pub(crate) const CARDS: &[Parameter] = &[
    text("text", "Words in name, notes or numbers; all of them."),
    number("limit", "Cards of a page, 1 to 500; 50 without it."),
    text("cursor", "The `next` of the page before."),
];

pub(crate) const MESSAGES: &[Parameter] = &[
    flag("heard", "Also those that somebody heard."),
    text("mailbox", "Only those kept there."),
    number("limit", "Messages of a page, 1 to 500; 50 without it."),
    text("cursor", "The `next` of the page before."),
];

const LAST: &[Parameter] = &[text(
    "after",
    "The id of the last event that is known already.",
)];

/// All operations.
#[must_use]
pub fn operations() -> &'static [Operation] {
    OPERATIONS
}

const JSON: &str = "application/json";

const OPERATIONS: &[Operation] = &[
    Operation {
        method: "post",
        path: "/api/v1/session",
        summary: "Sign in with login and password; the answer sets the cookie of the session.",
        door: Door::Open,
        parameters: &[],
        body: Some("SignIn"),
        answer: (200, JSON, "Visitor"),
        problems: &[413, 415, 422, 429],
        route: || post(session::sign_in),
    },
    Operation {
        method: "get",
        path: "/api/v1/session",
        summary: "Who is asking, with which rights, and what a write by cookie is to name.",
        door: Door::Known,
        parameters: &[],
        body: None,
        answer: (200, JSON, "Visitor"),
        problems: &[],
        route: || get(session::who),
    },
    Operation {
        method: "delete",
        path: "/api/v1/session",
        summary: "Sign out.",
        door: Door::Known,
        parameters: &[],
        body: None,
        answer: (204, "", ""),
        problems: &[409],
        route: || delete(session::sign_out),
    },
    Operation {
        method: "get",
        path: "/api/v1/openapi.json",
        summary: "This document.",
        door: Door::Right(Right::Read),
        parameters: &[],
        body: None,
        answer: (200, JSON, "Document"),
        problems: &[],
        route: || get(openapi::serve),
    },
    Operation {
        method: "get",
        path: "/api/v1/entries",
        summary: "Entries of the journal, newest first, page by page.",
        door: Door::Right(Right::Read),
        parameters: FIND,
        body: None,
        answer: (200, JSON, "EntryPage"),
        problems: &[400],
        route: || get(entries::find),
    },
    Operation {
        method: "post",
        path: "/api/v1/entries",
        summary: "Write down a contact that was no call.",
        door: Door::Right(Right::Write),
        parameters: &[],
        body: Some("NewContact"),
        answer: (201, JSON, "Written"),
        problems: &[400, 413, 415, 422],
        route: || post(write::add),
    },
    Operation {
        method: "get",
        path: "/api/v1/entries/{id}",
        summary: "One entry, with its stays in queues, offers, segments, recordings, corrections.",
        door: Door::Right(Right::Read),
        parameters: &[],
        body: None,
        answer: (200, JSON, "Entry"),
        problems: &[304, 404],
        route: || get(entries::one),
    },
    Operation {
        method: "patch",
        path: "/api/v1/entries/{id}",
        summary: "Write fields of an entry, or complete it; old values are kept.",
        door: Door::Right(Right::Write),
        parameters: &[],
        body: Some("Change"),
        answer: (200, JSON, "Written"),
        problems: &[400, 404, 409, 412, 413, 415, 422],
        route: || patch(write::change),
    },
    Operation {
        method: "post",
        path: "/api/v1/entries/{id}/reopen",
        summary: "Take the mark of completion back.",
        door: Door::Right(Right::Write),
        parameters: &[],
        body: Some("Reopen"),
        answer: (200, JSON, "Written"),
        problems: &[400, 404, 409, 413, 415, 422],
        route: || post(write::reopen),
    },
    Operation {
        method: "get",
        path: "/api/v1/entries/{id}/events",
        summary: "Every fact of an entry, in order.",
        door: Door::Right(Right::Read),
        parameters: &[],
        body: None,
        answer: (200, JSON, "Events"),
        problems: &[404],
        route: || get(entries::events),
    },
    Operation {
        method: "get",
        path: "/api/v1/entries/{id}/recordings/{segment}",
        summary: "The recording of a segment, or a range of it (RFC 9110 section 14).",
        door: Door::Right(Right::Listen),
        parameters: &[],
        body: None,
        answer: (200, "audio/wav", "Audio"),
        problems: &[206, 304, 404, 410, 416],
        route: || get(recordings::one),
    },
    Operation {
        method: "get",
        path: "/api/v1/messages",
        summary: "Messages of callers that nobody has heard, oldest first, page by page.",
        door: Door::Right(Right::Read),
        parameters: MESSAGES,
        body: None,
        answer: (200, JSON, "MessagePage"),
        problems: &[400],
        route: || get(messages::list),
    },
    Operation {
        method: "post",
        path: "/api/v1/messages/{id}/{segment}/heard",
        summary: "Note that a message was heard: it waits for nobody any more.",
        door: Door::Right(Right::Listen),
        parameters: &[],
        body: Some("Heard"),
        answer: (200, JSON, "Written"),
        problems: &[400, 404, 413, 415, 422],
        route: || post(messages::heard),
    },
    Operation {
        method: "get",
        path: "/api/v1/persons/{number}",
        summary: "The history of a number, however it is spelt: newest first, and what is open.",
        door: Door::Right(Right::Read),
        parameters: &[],
        body: None,
        answer: (200, JSON, "History"),
        problems: &[400],
        route: || get(entries::history),
    },
    Operation {
        method: "get",
        path: "/api/v1/cards",
        summary: "Cards of persons, by words in names, notes and numbers.",
        door: Door::Right(Right::Read),
        parameters: CARDS,
        body: None,
        answer: (200, JSON, "CardPage"),
        problems: &[400],
        route: || get(cards::find),
    },
    Operation {
        method: "post",
        path: "/api/v1/cards",
        summary: "Make the card of a person.",
        door: Door::Right(Right::Write),
        parameters: &[],
        body: Some("Card"),
        answer: (201, JSON, "CardWritten"),
        problems: &[400, 404, 413, 415, 422],
        route: || post(cards::add),
    },
    Operation {
        method: "get",
        path: "/api/v1/cards/{card}",
        summary: "The card of a person.",
        door: Door::Right(Right::Read),
        parameters: &[],
        body: None,
        answer: (200, JSON, "StoredCard"),
        problems: &[304, 404],
        route: || get(cards::one),
    },
    Operation {
        method: "get",
        path: "/api/v1/cards/{card}/events",
        summary: "Everything that was written in the card of a person, by whom and when.",
        door: Door::Right(Right::Read),
        parameters: &[],
        body: None,
        answer: (200, JSON, "Events"),
        problems: &[404],
        route: || get(cards::events),
    },
    Operation {
        method: "patch",
        path: "/api/v1/cards/{card}",
        summary: "Write in the card of a person; what was there stays in the events.",
        door: Door::Right(Right::Write),
        parameters: &[],
        body: Some("Card"),
        answer: (200, JSON, "CardWritten"),
        problems: &[400, 404, 412, 413, 415, 422],
        route: || patch(cards::change),
    },
    Operation {
        method: "post",
        path: "/api/v1/cards/{card}/merge",
        summary: "Make another card a part of this one.",
        door: Door::Right(Right::Write),
        parameters: &[],
        body: Some("Merge"),
        answer: (200, JSON, "CardWritten"),
        problems: &[400, 404, 413, 415, 422],
        route: || post(cards::merge),
    },
    Operation {
        method: "post",
        path: "/api/v1/cards/{card}/split",
        summary: "Give some numbers of this card to a new one.",
        door: Door::Right(Right::Write),
        parameters: &[],
        body: Some("Card"),
        answer: (201, JSON, "CardWritten"),
        problems: &[400, 404, 413, 415, 422],
        route: || post(cards::split),
    },
    Operation {
        method: "get",
        path: "/api/v1/reports/{report}",
        summary: "A report: daily, queue, operator, line, abandoned, overruns or quality.",
        door: Door::Right(Right::Read),
        parameters: REPORT,
        body: None,
        answer: (200, JSON, "Report"),
        problems: &[400, 404],
        route: || get(reports::one),
    },
    Operation {
        method: "get",
        path: "/api/v1/forms",
        summary: "What entries are to have, by queue: required fields, the tree of topics, the time.",
        door: Door::Right(Right::Read),
        parameters: &[],
        body: None,
        answer: (200, JSON, "Forms"),
        problems: &[],
        route: || get(forms::list),
    },
    Operation {
        method: "get",
        path: "/api/v1/live",
        summary: "The picture of this moment: counts, queues, operators at their lines, trunks.",
        door: Door::Right(Right::Read),
        parameters: LIVE,
        body: None,
        answer: (200, JSON, "Live"),
        problems: &[400],
        route: || get(live::picture),
    },
    Operation {
        method: "get",
        path: "/api/v1/operators",
        summary: "Operators and what each does now.",
        door: Door::Right(Right::Read),
        parameters: &[],
        body: None,
        answer: (200, JSON, "LiveOperators"),
        problems: &[],
        route: || get(live::operators),
    },
    Operation {
        method: "post",
        path: "/api/v1/duty",
        summary: "What operators choose for themselves: sign in and out, status, break, ready, pull.",
        door: Door::Right(Right::Duty),
        parameters: &[],
        body: Some("Order"),
        answer: (200, JSON, "Ordered"),
        problems: &[404, 409, 413, 415, 422],
        route: || post(orders::duty),
    },
    Operation {
        method: "post",
        path: "/api/v1/orders",
        summary: "Any order to the queues, by a supervisor: a break needs no other leave.",
        door: Door::Right(Right::Supervise),
        parameters: &[],
        body: Some("Order"),
        answer: (200, JSON, "Ordered"),
        problems: &[404, 409, 413, 415, 422],
        route: || post(orders::supervise),
    },
    Operation {
        method: "get",
        path: "/api/v1/queues",
        summary: "Queues today and in the last 5, 15, 30 and 60 minutes, by any dimension, and as they are now.",
        door: Door::Right(Right::Read),
        parameters: QUEUES,
        body: None,
        answer: (200, JSON, "Queues"),
        problems: &[400],
        route: || get(live::queues),
    },
    Operation {
        method: "get",
        path: "/api/v1/events",
        summary: "Facts as they happen (server-sent events); Last-Event-ID or `after` resumes.",
        door: Door::Right(Right::Read),
        parameters: LAST,
        body: None,
        answer: (200, "text/event-stream", "Text"),
        problems: &[400, 503],
        route: || get(stream::events),
    },
    Operation {
        method: "get",
        path: "/api/v1/webhooks",
        summary: "Webhooks, and how many letters of each wait or were given up.",
        door: Door::Right(Right::Manage),
        parameters: &[],
        body: None,
        answer: (200, JSON, "Webhooks"),
        problems: &[],
        route: || get(webhooks::list),
    },
    Operation {
        method: "get",
        path: "/api/v1/webhooks/{name}/dead",
        summary: "Letters that were given up, the oldest first, 500 at most.",
        door: Door::Right(Right::Manage),
        parameters: &[],
        body: None,
        answer: (200, JSON, "DeadLetters"),
        problems: &[404],
        route: || get(webhooks::dead),
    },
    Operation {
        method: "post",
        path: "/api/v1/webhooks/{name}/resend",
        summary: "Send letters again that were given up: those of some events, or all.",
        door: Door::Right(Right::Manage),
        parameters: &[],
        body: Some("Resend"),
        answer: (200, JSON, "Resent"),
        problems: &[400, 404, 413, 415, 422],
        route: || post(webhooks::send_again),
    },
    Operation {
        method: "get",
        path: "/metrics",
        summary: "Figures for Prometheus.",
        door: Door::Right(Right::Metrics),
        parameters: &[],
        body: None,
        answer: (200, "text/plain; version=0.0.4", "Text"),
        problems: &[],
        route: || get(prometheus::serve),
    },
];
