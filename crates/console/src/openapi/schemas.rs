//! Owns the shapes of bodies in the OpenAPI document.

use journal::export::lists;
use journal::rows;
use serde_json::{Map, Value, json};
use vocab::{Channel, EntryField};

use super::{count, exactly, moment, reference, text};

/// All of them, by name.
pub(super) fn all() -> Value {
    let parts = [entries(), writing(), cards(), orders(), reports()];
    let parts = parts.into_iter().filter_map(|part| match part {
        Value::Object(part) => Some(part),
        _ => None,
    });
    Value::Object(parts.flatten().collect())
}

/// What is read of the journal.
fn entries() -> Value {
    let list = |columns: &[&str]| {
        let row = json!({ "type": "object", "properties": self::columns(columns) });
        json!({ "type": "array", "items": row })
    };
    let lists = lists().map(|(name, columns)| (name.to_owned(), list(columns)));
    let lists: Map<String, Value> = lists.into_iter().collect();
    let flat = json!({ "type": "object", "properties": columns(rows::entry_columns()) });
    json!({
        "Problem": {
            "type": "object",
            "required": ["type", "title", "status", "detail"],
            "properties": {
                "type": { "type": "string" },
                "title": { "type": "string" },
                "status": { "type": "integer" },
                "detail": { "type": "string" },
                "refusal": { "type": "object" },
            },
        },
        "EntryRow": flat,
        "Entry": {
            "allOf": [reference("EntryRow")],
            "type": "object",
            "properties": lists,
        },
        "EntryPage": {
            "type": "object",
            "required": ["entries", "next"],
            "properties": {
                "entries": { "type": "array", "items": reference("EntryRow") },
                "next": { "type": ["string", "null"] },
            },
        },
        "History": {
            "type": "object",
            "required": ["number", "entries", "open", "more"],
            "properties": {
                "number": { "type": "string" },
                "entries": { "type": "array", "items": reference("EntryRow") },
                "open": { "type": "array", "items": { "type": "string" } },
                "more": { "type": "boolean" },
                "card": { "anyOf": [reference("StoredCard"), { "type": "null" }] },
            },
        },
    })
}

/// What is written into entries.
fn writing() -> Value {
    let named = EntryField::ALL.map(|field| (field.name().to_owned(), field_schema(field)));
    let named: Map<String, Value> = named.into_iter().collect();
    let fields = json!({
        "type": "object",
        "additionalProperties": false,
        "properties": named,
    });
    let channels: Vec<&str> = Channel::ALL
        .into_iter()
        .filter(|one| *one != Channel::Call)
        .map(Channel::name)
        .collect();
    json!({
        "Change": {
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "fields": fields,
                "complete": { "type": "boolean" },
                "operator": { "type": "string", "description": "Who writes, if not the token's owner; who signed in writes under that name alone." },
            },
        },
        "SignIn": {
            "type": "object",
            "additionalProperties": false,
            "required": ["login", "password"],
            "properties": {
                "login": { "type": "string", "minLength": 1, "maxLength": 128 },
                "password": { "type": "string", "maxLength": 1024 },
            },
        },
        "Visitor": {
            "type": "object",
            "required": ["name", "rights", "csrf"],
            "properties": {
                "name": { "type": "string" },
                "rights": { "type": "array", "items": { "type": "string" } },
                "csrf": { "type": ["string", "null"] },
            },
        },
        "Reopen": {
            "type": "object",
            "additionalProperties": false,
            "properties": { "reason": { "type": "string" } },
        },
        "NewContact": {
            "type": "object",
            "additionalProperties": false,
            "required": ["channel"],
            "properties": {
                "channel": { "type": "string", "enum": channels },
                "at": { "type": "string", "format": "date-time" },
                "queue": { "type": "string" },
                "operator": { "type": "string" },
                "fields": fields,
                "complete": { "type": "boolean" },
            },
        },
        "Written": {
            "type": "object",
            "required": ["id", "event", "stored"],
            "properties": {
                "id": { "type": "string" },
                "event": { "type": ["string", "null"] },
                "stored": { "type": "boolean" },
            },
        },
    })
}

/// Messages of callers, and cards of persons.
fn cards() -> Value {
    json!({
        "Heard": {
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "operator": { "type": "string", "description": "Who heard it, if not the token's owner; who signed in says so of that name alone." },
            },
        },
        "Message": exactly([
            ("call", text()),
            ("segment", count()),
            ("mailbox", text()),
            ("caller", text()),
            ("number", text()),
            ("waits_for", json!({ "type": "array", "items": text() })),
            ("started_at", moment()),
            ("length_ms", json!({ "type": ["integer", "null"] })),
            ("heard_at", json!({ "type": ["string", "null"], "format": "date-time" })),
            ("heard_by", json!({ "type": ["string", "null"] })),
            ("audio", json!({ "type": ["string", "null"] })),
            ("missing", json!({ "type": ["string", "null"] })),
        ]),
        "MessagePage": {
            "type": "object",
            "required": ["messages", "next"],
            "properties": {
                "messages": { "type": "array", "items": reference("Message") },
                "next": { "type": ["string", "null"] },
            },
        },
        "Card": {
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "name": { "type": "string", "maxLength": 200 },
                "notes": { "type": "string", "maxLength": 4000 },
                "numbers": { "type": "array", "maxItems": 20, "items": { "type": "string" } },
            },
        },
        "Merge": {
            "type": "object",
            "additionalProperties": false,
            "required": ["from"],
            "properties": { "from": { "type": "string" } },
        },
    })
}

/// Orders to the queues and about talks, and to webhooks.
fn orders() -> Value {
    json!({
        "Order": {
            "type": "object",
            "required": ["order"],
            "properties": {
                "order": { "type": "string", "enum": [
                    "sign_in", "sign_out", "choose", "ready", "skills", "priority", "pull", "assign",
                    "move", "call_back", "settle", "supervise", "end_supervision", "conference",
                    "open_queue", "close_queue",
                ] },
                "operator": { "type": "string", "description": "Login or line." },
                "line": { "type": "string", "description":
                    "sign_in: the workplace, if not the own; call_back: the number that was dialled." },
                "status": { "type": "string", "description":
                    "choose: available, `break: REASON`, training, after_call_work, off." },
                "skills": { "type": "object", "additionalProperties": { "type": "integer" } },
                "call": { "type": "string" },
                "priority": { "type": "integer", "minimum": 0, "maximum": 255 },
                "queue": { "type": "string" },
                "number": { "type": "string", "description": "call_back: whom to call." },
                "mode": { "type": "string", "enum": ["listen", "whisper", "barge"], "description":
                    "supervise: who hears the supervisor: nobody, the operators, all." },
            },
        },
        "Ordered": {
            "type": "object",
            "required": ["event"],
            "properties": { "event": { "type": "string" } },
        },
        "Resend": {
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "events": { "type": "array", "maxItems": 500, "items": { "type": "string" } },
            },
        },
    })
}

/// Reports.
fn reports() -> Value {
    json!({
        "Report": {
            "type": "object",
            "required": ["report", "from", "to", "formulas", "identity_holds", "tables"],
            "properties": {
                "report": { "type": "string" },
                "from": { "type": "string", "format": "date-time" },
                "to": { "type": "string", "format": "date-time" },
                "made_at": { "type": "string", "format": "date-time" },
                "formulas": { "type": "integer" },
                "identity_holds": { "type": "boolean" },
                "notes": { "type": "array", "items": { "type": "string" } },
                "tables": { "type": "object" },
            },
        },
    })
}

fn field_schema(field: EntryField) -> Value {
    let mut schema = json!({ "type": ["string", "null"], "maxLength": field.longest() });
    if field.is_moment()
        && let Some(schema) = schema.as_object_mut()
    {
        schema.insert("format".to_owned(), json!("date-time"));
    }
    schema
}

/// Ids and moments are text, whatever the database has.
fn columns(columns: &[&str]) -> Value {
    let schema = |column: &&str| {
        let kind = if column.ends_with("_at") {
            json!({ "type": ["string", "null"], "format": "date-time" })
        } else if column.ends_with("_ms") {
            json!({ "type": ["integer", "null"] })
        } else {
            json!({ "type": ["string", "integer", "boolean", "null"] })
        };
        ((*column).to_owned(), kind)
    };
    Value::Object(columns.iter().map(schema).collect())
}
