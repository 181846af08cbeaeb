//! Owns the JSON Schema of plans, for editors that complete and check while one writes. It is made
//! of the same table as the parser's keys.

use serde_json::{Map, Value, json};

use crate::kinds::{CHOICE_KEYS, KINDS, Key, Kind, PLAN_KEYS, Shape};
use crate::plan::limits;

/// The JSON Schema (draft 2020-12) of a plan.
#[must_use]
pub fn schema() -> Value {
    let steps: Vec<Value> = KINDS.iter().map(step).collect();
    let days = "^(mon|tue|wed|thu|fri|sat|sun)(-(mon|tue|wed|thu|fri|sat|sun))?$";
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "hotline dialplan",
        "type": "object",
        "required": ["name", "numbers", "languages", "step"],
        "additionalProperties": false,
        "properties": properties(),
        "$defs": {
            "steps": { "type": "array", "minItems": 1, "maxItems": limits::STEPS,
                       "items": { "oneOf": steps } },
            "name": { "type": "string", "minLength": 1, "maxLength": limits::NAME_CHARS },
            "time": { "type": "string", "pattern": "^[0-9]+(ms|s|min|h)$" },
            "wav": { "type": "string", "pattern": "\\.wav$" },
            "key": { "type": "string", "pattern": "^[0-9*#]$" },
            "day": { "type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$" },
            "voices": { "type": "object", "additionalProperties": { "type": "string" } },
            "files": { "oneOf": [
                { "$ref": "#/$defs/wav" },
                { "type": "object", "additionalProperties": { "$ref": "#/$defs/wav" } } ] },
            "spans": { "type": "array", "items": {
                "type": "string", "pattern": "^[0-9]{2}:[0-9]{2}-[0-9]{2}:[0-9]{2}$" } },
            "hours": { "type": "object", "additionalProperties": false,
                "patternProperties": { days: { "$ref": "#/$defs/spans" } },
                "properties": {
                    "holidays": { "enum": ["closed", "as usual"] },
                    "dates": { "type": "object",
                               "additionalProperties": { "$ref": "#/$defs/spans" } } } },
            "prompt": { "type": "object", "additionalProperties": false, "properties": {
                "text": { "$ref": "#/$defs/voices" }, "file": { "$ref": "#/$defs/files" } } },
            "choice": { "oneOf": [
                { "$ref": "#/$defs/name" },
                { "type": "object", "minProperties": 1, "additionalProperties": false,
                  "properties": choice() } ] },
        },
    })
}

/// The keys at the top; every one of [`PLAN_KEYS`] has its place here.
fn properties() -> Value {
    let texts = json!({ "type": "array", "items": { "type": "string" } });
    let mut all = Map::new();
    for key in PLAN_KEYS {
        let (shape, meaning) = match *key {
            "name" => (
                json!({ "$ref": "#/$defs/name" }),
                "Name of the plan, that of its file.",
            ),
            "numbers" => (
                json!({ "type": "array", "minItems": 1, "maxItems": limits::NUMBERS,
                        "items": { "type": "string", "pattern": "^(\\+[0-9]+|[0-9*#]+)$" } }),
                "The numbers that are served.",
            ),
            "languages" => (
                json!({ "type": "array", "minItems": 1, "maxItems": limits::LANGUAGES,
                        "items": { "type": "string", "pattern": "^[a-z]{2,3}(-[A-Z]{2})?$" } }),
                "Languages; the first is spoken unless the caller chooses.",
            ),
            "notice" => (
                json!({ "enum": ["none"] }),
                "The plan records without telling the caller.",
            ),
            "time_zone" => (
                json!({ "type": "string" }),
                "By which the hours are told, such as Asia/Sakhalin.",
            ),
            "calendar" => (
                json!({ "type": "string" }),
                "The country whose calendars/COUNTRY-YEAR.toml has the holidays.",
            ),
            "short_by" => (
                json!({ "$ref": "#/$defs/time" }),
                "How much earlier a short day ends; 1h unless said otherwise.",
            ),
            "hours" => (
                json!({ "type": "object", "additionalProperties": { "$ref": "#/$defs/hours" } }),
                "Working hours by name.",
            ),
            "callers" => (
                json!({ "type": "object", "additionalProperties": texts }),
                "Lists of callers by name: numbers, or their beginnings and *.",
            ),
            "emergency" => (
                json!({ "type": "object", "required": ["on", "flow"],
                        "additionalProperties": false,
                        "properties": { "on": { "type": "boolean" },
                                        "flow": { "$ref": "#/$defs/name" } } }),
                "The flow in which calls begin while the switch is on.",
            ),
            "step" => (
                json!({ "$ref": "#/$defs/steps" }),
                "What happens, in order.",
            ),
            _ => (
                json!({ "type": "object", "maxProperties": limits::FLOWS,
                        "additionalProperties": { "$ref": "#/$defs/steps" } }),
                "Flows by name, to which steps lead.",
            ),
        };
        all.insert((*key).to_owned(), described(shape, meaning));
    }
    Value::Object(all)
}

/// A step of one kind: one key, which names it.
fn step(kind: &Kind) -> Value {
    let properties: Map<String, Value> = kind
        .keys
        .iter()
        .map(|key| (key.name.to_owned(), described(shape(key), key.meaning)))
        .collect();
    let required: Vec<&str> = kind
        .keys
        .iter()
        .filter(|key| key.required)
        .map(|key| key.name)
        .collect();
    let body = json!({
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
        "required": required,
    });
    let mut of_kind = Map::new();
    of_kind.insert(kind.name.to_owned(), body);
    json!({
        "type": "object",
        "description": kind.meaning,
        "required": [kind.name],
        "additionalProperties": false,
        "properties": of_kind,
    })
}

fn shape(key: &Key) -> Value {
    let named = |name: &str| json!({ "$ref": format!("#/$defs/{name}") });
    match key.shape {
        Shape::Name => named("name"),
        Shape::Text => json!({ "type": "string" }),
        Shape::Flag => json!({ "type": "boolean" }),
        Shape::Whole(low, high) => json!({ "type": "integer", "minimum": low, "maximum": high }),
        Shape::Time => named("time"),
        Shape::Voices => named("voices"),
        Shape::Files => named("files"),
        Shape::Wav => named("wav"),
        Shape::Key => named("key"),
        Shape::Choices => json!({
            "type": "object", "minProperties": 1, "additionalProperties": false,
            "patternProperties": { "^[0-9*#]$": { "$ref": "#/$defs/choice" } } }),
        Shape::Prompt => named("prompt"),
        Shape::Texts => json!({ "type": "array", "items": { "type": "string" } }),
        Shape::Days => json!({
            "type": "array", "minItems": 2, "maxItems": 2, "items": { "$ref": "#/$defs/day" } }),
        Shape::Pairs => json!({ "type": "object", "additionalProperties": { "type": "string" } }),
        Shape::Levels => json!({ "type": "object", "additionalProperties": {
            "type": "integer", "minimum": 1, "maximum": 100 } }),
    }
}

/// What a key of a menu does.
fn choice() -> Value {
    let mut all = Map::new();
    for key in CHOICE_KEYS {
        let shape = match *key {
            "again" => json!({ "type": "boolean" }),
            _ => json!({ "$ref": "#/$defs/name" }),
        };
        all.insert((*key).to_owned(), shape);
    }
    Value::Object(all)
}

fn described(mut shape: Value, meaning: &str) -> Value {
    if let Some(shape) = shape.as_object_mut() {
        shape.insert("description".to_owned(), meaning.into());
    }
    shape
}
