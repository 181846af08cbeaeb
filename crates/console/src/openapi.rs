//! Owns the OpenAPI 3.1 document, made of the table of operations and of the rows' own columns.

use axum::response::Response;
use serde_json::{Map, Value, json};

use crate::entries::as_json;
use crate::operation::{Door, Operation, Parameter, operations};

mod answers;
mod live;
mod schemas;

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
        "security": [{ "bearer": [] }, { "session": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer" },
                "session": { "type": "apiKey", "in": "cookie", "name": "hotline_session" },
            },
            "schemas": schemas(),
        },
    })
}

/// All shapes, by name.
fn schemas() -> Value {
    let parts = [schemas::all(), live::all(), answers::all()];
    let parts = parts.into_iter().filter_map(|part| match part {
        Value::Object(part) => Some(part),
        _ => None,
    });
    Value::Object(parts.flatten().collect())
}

/// An object that has all of these.
fn exactly(properties: impl IntoIterator<Item = (impl Into<String>, Value)>) -> Value {
    let named = properties
        .into_iter()
        .map(|(name, schema)| (name.into(), schema));
    let properties: Map<String, Value> = named.collect();
    let required: Vec<&String> = properties.keys().collect();
    json!({ "type": "object", "required": required, "properties": properties })
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn moment() -> Value {
    json!({ "type": "string", "format": "date-time" })
}

fn count() -> Value {
    json!({ "type": "integer", "minimum": 0 })
}

fn duration() -> Value {
    json!({ "type": "integer", "minimum": 0, "description": "Milliseconds." })
}

/// One of the words for these.
fn words(all: &[impl serde::Serialize]) -> Value {
    json!({ "type": "string", "enum": all })
}

fn described(operation: &Operation) -> Value {
    let (status, kind, schema) = operation.answer;
    let mut responses = Map::new();
    let mut well = json!({ "description": "It went well." });
    if !kind.is_empty()
        && let Some(well) = well.as_object_mut()
    {
        let kind = kind.split(';').next().unwrap_or(kind);
        let content = json!({ kind: { "schema": reference(schema) } });
        well.insert("content".to_owned(), content);
    }
    responses.insert(status.to_string(), well);
    for status in operation.problems.iter().chain(&[401, 403, 503]) {
        responses.insert(status.to_string(), answered(*status, kind, schema));
    }
    let mut value = json!({
        "summary": operation.summary,
        "description": match operation.door {
            Door::Open => "Anybody may ask.".to_owned(),
            Door::Known => "Needs a token or a session, whatever its rights.".to_owned(),
            Door::Right(right) => format!("Needs the right `{}`.", right.name()),
        },
        "operationId": id(operation),
        "parameters": parameters(operation),
        "responses": responses,
    });
    if operation.door == Door::Open
        && let Some(value) = value.as_object_mut()
    {
        value.insert("security".to_owned(), json!([]));
    }
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
    if operation.method != "get" && operation.door != Door::Open {
        all.push(json!({
            "name": "X-CSRF-Token",
            "in": "header",
            "description": "Of a write by cookie: the `csrf` of the session.",
            "schema": { "type": "string" },
        }));
    }
    if operation.problems.contains(&412) {
        all.push(json!({
            "name": "If-Match",
            "in": "header",
            "description": "The ETag of what is written: with another one nothing is.",
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
        "Text" => json!({ "type": "string" }),
        "Audio" => json!({ "type": "string", "contentEncoding": "binary" }),
        name => json!({ "$ref": format!("#/components/schemas/{name}") }),
    }
}
