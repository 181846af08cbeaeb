//! Owns the OpenAPI 3.1 document, made of the table of operations and of the rows' own columns.

use axum::response::Response;
use journal::rows;
use serde_json::{Map, Value, json};
use vocab::{Channel, EntryField};

use crate::entries::as_json;
use crate::operation::{Operation, Parameter, operations};

pub(crate) async fn serve() -> Response {
    as_json(&document())
}

/// The document.
#[must_use]
pub fn document() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for operation in operations() {
        let item = paths.entry(operation.path).or_insert_with(|| json!({}));
        if let Some(item) = item.as_object_mut() {
            item.insert(operation.method.to_owned(), described(operation));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "hotline",
            "version": "1",
            "description": "Journal, recordings, reports and the live picture of a hotline. \
                            Moments are RFC 3339, durations milliseconds, parts of a whole 0 to 1.",
        },
        "security": [{ "bearer": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": { "bearer": { "type": "http", "scheme": "bearer" } },
            "schemas": schemas(),
        },
    })
}

fn described(operation: &Operation) -> Value {
    let (status, kind, schema) = operation.answer;
    let mut responses = Map::new();
    let content =
        json!({ kind.split(';').next().unwrap_or(kind): { "schema": reference(schema) } });
    responses.insert(
        status.to_string(),
        json!({ "description": "It went well.", "content": content }),
    );
    for status in operation.problems.iter().chain(&[401, 403, 503]) {
        responses.insert(status.to_string(), answered(*status, kind, schema));
    }
    let mut value = json!({
        "summary": operation.summary,
        "description": format!("Needs the right `{}`.", operation.right.name()),
        "operationId": id(operation),
        "parameters": parameters(operation),
        "responses": responses,
    });
    if let (Some(body), Some(value)) = (operation.body, value.as_object_mut()) {
        let content = json!({ "application/json": { "schema": reference(body) } });
        value.insert(
            "requestBody".to_owned(),
            json!({ "required": true, "content": content }),
        );
    }
    value
}

/// What an answer of a status is, besides the usual one.
fn answered(status: u16, kind: &str, schema: &str) -> Value {
    match status {
        206 => {
            let content = json!({ kind: { "schema": reference(schema) } });
            json!({ "description": "A part of it.", "content": content })
        }
        304 => json!({ "description": "It is as it was." }),
        _ => {
            let content = json!({ "application/problem+json": { "schema": reference("Problem") } });
            json!({ "description": "A problem.", "content": content })
        }
    }
}

/// A name without a path's signs: `get_entries_id`.
fn id(operation: &Operation) -> String {
    let path = operation.path.trim_start_matches("/api/v1/");
    let words = path.split(|c: char| !c.is_ascii_alphanumeric());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    format!("{}_{}", operation.method, words.join("_"))
}

fn parameters(operation: &Operation) -> Vec<Value> {
    let names = operation.path.split('{').skip(1);
    let names = names.filter_map(|rest| rest.split('}').next());
    let in_path = names.map(|name| {
        json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } })
    });
    let in_query = operation.parameters.iter().map(|parameter| {
        json!({
            "name": parameter.name,
            "in": "query",
            "description": parameter.about,
            "schema": schema_of(parameter),
        })
    });
    let mut all: Vec<Value> = in_path.chain(in_query).collect();
    if operation.problems.contains(&412) {
        all.push(json!({
            "name": "If-Match",
            "in": "header",
            "description": "The ETag of the entry: with another one nothing is written.",
            "schema": { "type": "string" },
        }));
    }
    all
}

fn schema_of(parameter: &Parameter) -> Value {
    if !parameter.one_of.is_empty() {
        return json!({ "type": "string", "enum": parameter.one_of });
    }
    match parameter.kind {
        "date-time" => json!({ "type": "string", "format": "date-time" }),
        kind => json!({ "type": kind }),
    }
}

fn reference(schema: &str) -> Value {
    match schema {
        "Any" => json!({ "type": "object" }),
        "Text" => json!({ "type": "string" }),
        "Audio" => json!({ "type": "string", "contentEncoding": "binary" }),
        name => json!({ "$ref": format!("#/components/schemas/{name}") }),
    }
}

fn schemas() -> Value {
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
    let lists: Map<String, Value> = [
        "queue_list",
        "offer_list",
        "segment_list",
        "transfer_list",
        "recording_list",
        "field_list",
        "correction_list",
        "message_list",
    ]
    .into_iter()
    .map(|name| {
        (
            name.to_owned(),
            json!({ "type": "array", "items": { "type": "object" } }),
        )
    })
    .collect();
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
            },
        },
        "Change": {
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "fields": fields,
                "complete": { "type": "boolean" },
                "operator": { "type": "string", "description": "Who writes, if not the token's owner." },
            },
        },
        "Reopen": {
            "type": "object",
            "additionalProperties": false,
            "properties": { "reason": { "type": "string" } },
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
        "Resend": {
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "events": { "type": "array", "maxItems": 500, "items": { "type": "string" } },
            },
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
        "Order": {
            "type": "object",
            "required": ["order"],
            "properties": {
                "order": { "type": "string", "enum": [
                    "sign_in", "sign_out", "choose", "ready", "skills", "priority", "pull", "assign",
                    "move", "call_back", "open_queue", "close_queue",
                ] },
                "operator": { "type": "string", "description": "Login or line." },
                "line": { "type": "string", "description": "sign_in: the workplace, if not the own." },
                "status": { "type": "string", "description":
                    "choose: available, `break: REASON`, training, after_call_work, off." },
                "skills": { "type": "object", "additionalProperties": { "type": "integer" } },
                "call": { "type": "string" },
                "priority": { "type": "integer", "minimum": 0, "maximum": 255 },
                "queue": { "type": "string" },
                "number": { "type": "string", "description": "call_back: whom to call." },
                "line": { "type": "string" },
            },
        },
        "Ordered": {
            "type": "object",
            "required": ["event"],
            "properties": { "event": { "type": "string" } },
        },
        "Report": {
            "type": "object",
            "required": ["report", "from", "to", "formulas", "identity_holds", "tables"],
            "properties": {
                "report": { "type": "string" },
                "from": { "type": "string", "format": "date-time" },
                "to": { "type": "string", "format": "date-time" },
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
