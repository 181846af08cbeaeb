//! Owns the shapes of other answers in the OpenAPI document: facts, cards, webhooks, forms.

use serde_json::{Value, json};
use vocab::EntryField;

use super::{count, duration, exactly, moment, reference, text};

pub(super) fn all() -> Value {
    let mut schemas = json!({
        "Document": {
            "type": "object",
            "description": "OpenAPI 3.1.",
            "required": ["openapi", "info", "paths", "components"],
            "properties": {
                "openapi": text(),
                "info": { "type": "object" },
                "paths": { "type": "object" },
                "components": { "type": "object" },
                "security": { "type": "array" },
            },
        },
        "Event": exactly([
            ("id", text()),
            ("at", millis("Wall-clock time, UTC.")),
            ("up", json!({ "type": "integer", "description":
                "Microseconds since its boot: subtract two of one boot for a duration." })),
            ("fact", json!({
                "type": "object",
                "description": "What happened; `fact` says which, and so what else there is.",
                "required": ["fact"],
                "properties": { "fact": text() },
                "additionalProperties": true,
            })),
        ]),
        "Events": exactly([
            ("events", json!({ "type": "array", "items": reference("Event") })),
        ]),
    });
    for more in [cards(), webhooks(), forms()] {
        if let (Some(schemas), Value::Object(more)) = (schemas.as_object_mut(), more) {
            schemas.extend(more);
        }
    }
    schemas
}

/// A moment as a number.
fn millis(what: &str) -> Value {
    let description = format!("{what} Milliseconds since 1970-01-01T00:00:00Z.");
    json!({ "type": "integer", "description": description })
}

fn or_null(kind: &str) -> Value {
    json!({ "type": [kind, "null"] })
}

fn cards() -> Value {
    json!({
        "StoredCard": exactly([
            ("person", text()),
            ("name", text()),
            ("notes", text()),
            ("numbers", json!({ "type": "array", "items": text() })),
            ("written_at", millis("When it was last written.")),
            ("written_by", text()),
            ("merged_into", or_null("string")),
            ("version", text()),
        ]),
        "CardPage": exactly([
            ("cards", json!({ "type": "array", "items": reference("StoredCard") })),
            ("next", or_null("string")),
        ]),
        "CardWritten": exactly([
            ("person", or_null("string")),
            ("event", or_null("string")),
            ("stored", json!({ "type": "boolean" })),
        ]),
    })
}

fn webhooks() -> Value {
    json!({
        "Webhook": exactly([
            ("webhook", text()),
            ("waiting", count()),
            ("dead", count()),
            ("oldest_at", json!({ "type": ["string", "null"], "format": "date-time" })),
            ("problem", or_null("string")),
        ]),
        "Webhooks": exactly([
            ("webhooks", json!({ "type": "array", "items": reference("Webhook") })),
        ]),
        "DeadLetter": exactly([
            ("webhook", text()),
            ("event", text()),
            ("fact", text()),
            ("attempts", count()),
            ("dead_at", moment()),
            ("problem", text()),
        ]),
        "DeadLetters": exactly([
            ("letters", json!({ "type": "array", "items": reference("DeadLetter") })),
        ]),
        "Resent": exactly([("sent", count())]),
    })
}

fn forms() -> Value {
    let fields = EntryField::ALL.map(EntryField::name);
    let field = json!({ "type": "string", "enum": fields });
    json!({
        "Topic": exactly([
            ("name", text()),
            ("topic", json!({ "type": "string", "description":
                "The whole of it, as it is written into an entry; a fork is a topic, too." })),
            ("below", json!({ "type": "array", "items": reference("Topic") })),
        ]),
        "Form": exactly([
            ("required", json!({ "type": "array", "items": field })),
            ("topics", json!({ "type": "array", "items": reference("Topic"), "description":
                "With none any text is a topic." })),
            ("complete_within_ms", duration()),
        ]),
        "Forms": exactly([
            ("queues", json!({ "type": "array", "items": exactly([
                ("queue", text()),
                ("form", reference("Form")),
            ]) })),
            ("otherwise", reference("Form")),
            ("fields", json!({ "type": "array", "items": exactly([
                ("name", field),
                ("longest", count()),
                ("is_moment", json!({ "type": "boolean" })),
            ]) })),
        ]),
    })
}
