//! Owns the shapes of the live picture in the OpenAPI document.

use serde_json::{Map, Value, json};
use vocab::{OperatorState, QueueOutcome, RegistrationState};

use super::{count, duration, exactly, reference, text, words};

pub(super) fn all() -> Value {
    let mut schemas = picture();
    schemas.extend(windows());
    Value::Object(schemas)
}

fn picture() -> Map<String, Value> {
    let list = |name: &str| json!({ "type": "array", "items": reference(name) });
    let counts = [
        "calls",
        "waiting",
        "talking",
        "one_way",
        "one_way_begun",
        "arrived",
        "answered",
        "abandoned",
        "refused",
        "auth_failures",
        "dropped",
        "malformed",
        "bugs",
    ];
    let counts = counts.map(|name| (name, count()));
    let counts = counts.into_iter().chain([("longest_wait_ms", duration())]);
    let flag = || json!({ "type": "boolean" });
    let or_null = |mut schema: Value| {
        if let Some(schema) = schema.as_object_mut() {
            schema.insert("type".to_owned(), json!(["string", "null"]));
            if let Some(words) = schema.get_mut("enum").and_then(Value::as_array_mut) {
                words.push(Value::Null);
            }
        }
        schema
    };
    let server = json!({
        "type": "array",
        "description": "Address, and whether calls may go there now.",
        "prefixItems": [text(), flag()],
        "items": false,
    });
    [
        ("LiveCounts", exactly(counts)),
        (
            "LiveQueue",
            exactly([
                ("name", text()),
                ("open", flag()),
                ("refuses", or_null(words(&QueueOutcome::ALL))),
                ("waiting", count()),
                ("longest_wait_ms", duration()),
                ("callbacks", count()),
                ("free", count()),
                ("serving", count()),
            ]),
        ),
        (
            "LiveOperator",
            exactly([
                ("id", count()),
                ("name", text()),
                ("line", text()),
                ("at_line", flag()),
                ("status", text()),
                ("state", words(&OperatorState::ALL)),
                ("since_ms", duration()),
            ]),
        ),
        (
            "LiveTrunk",
            exactly([
                ("name", text()),
                ("registration", or_null(words(&RegistrationState::ALL))),
                ("servers", json!({ "type": "array", "items": server })),
                ("calls_in", count()),
                ("calls_out", count()),
            ]),
        ),
        (
            "LiveOperators",
            exactly([("operators", list("LiveOperator"))]),
        ),
        ("Live", live(&list)),
    ]
    .map(|(name, schema)| (name.to_owned(), schema))
    .into_iter()
    .collect()
}

fn live(list: &dyn Fn(&str) -> Value) -> Value {
    let mut live = exactly([
        ("counts", reference("LiveCounts")),
        ("queues", list("LiveQueue")),
        ("operators", list("LiveOperator")),
        ("trunks", list("LiveTrunk")),
    ]);
    // Only for who asks for them.
    if let Some(properties) = live
        .pointer_mut("/properties")
        .and_then(Value::as_object_mut)
    {
        properties.insert("windows".to_owned(), reference("Windows"));
    }
    live
}

fn windows() -> Map<String, Value> {
    let rows = json!({ "type": "array", "items": reference("WindowRow") });
    let named = crate::live::names().map(|name| (name, rows.clone()));
    let now = [
        ("now", reference("LiveCounts")),
        (
            "queues",
            json!({ "type": "array", "items": reference("LiveQueue") }),
        ),
    ];
    let both: Vec<(&str, Value)> = named.iter().cloned().chain(now).collect();
    [
        ("WindowRow", row()),
        ("Windows", exactly(named)),
        ("Queues", exactly(both)),
    ]
    .map(|(name, schema)| (name.to_owned(), schema))
    .into_iter()
    .collect()
}

/// A row of the report of queues.
fn row() -> Value {
    let counts = [
        "offered",
        "answered",
        "abandoned",
        "overflowed",
        "timed_out",
        "closed",
        "refused_full",
        "callback_taken",
        "waiting",
        "answered_in_time",
        "abandoned_in_time",
        "short_abandons",
    ]
    .map(|name| (name, count()));
    let part = json!({ "type": ["number", "null"], "minimum": 0, "maximum": 1 });
    let parts = [
        "answered_only",
        "asterisk_sl2",
        "ignore_abandoned",
        "abandoned_negative",
        "abandoned_positive",
        "abandonment",
        "abandonment_adjusted",
    ]
    .map(|name| (name, part.clone()));
    let wait = json!({ "type": ["number", "null"], "minimum": 0, "description": "Milliseconds." });
    let waits = ["average_wait", "average_wait_from_arrival", "longest_wait"]
        .map(|name| (name, wait.clone()));
    let keeps = json!({ "type": ["string", "null"], "enum": ["yes", "no", null] });
    let keeps = ["keeps_ordinary", "keeps_emergency"].map(|name| (name, keeps.clone()));
    let begin = [
        (
            "interval",
            json!({ "type": "string", "format": "date-time" }),
        ),
        (
            "name",
            json!({ "type": "string", "description":
                "Of the queue, or whatever `by` says; with several the last row is that of all." }),
        ),
    ];
    exactly(
        begin
            .into_iter()
            .chain(counts)
            .chain(parts)
            .chain(waits)
            .chain(keeps),
    )
}
