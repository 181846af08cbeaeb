//! Answers against the document that describes them. What an object has and its schema does not tell of is
//! a mistake here, so that the document is no less than the truth.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use console::operations;
use serde_json::{Map, Value, json};

use crate::{Office, bytes, call, figures};

/// The document in the hands of a reader.
struct Reader(Value);

impl Reader {
    fn resolved<'a>(&'a self, schema: &'a Value) -> &'a Value {
        match schema["$ref"].as_str() {
            Some(path) => self.0.pointer(path.trim_start_matches('#')).unwrap(),
            None => schema,
        }
    }

    /// What an object of this schema may have; nothing if it may have anything.
    fn properties(&self, schema: &Value) -> Option<Map<String, Value>> {
        let schema = self.resolved(schema);
        let mut all = Map::new();
        let parts = schema["allOf"].as_array();
        for part in parts.into_iter().flatten() {
            all.extend(self.properties(part)?);
        }
        let own = schema["properties"].as_object();
        if own.is_none() && parts.is_none() || schema["additionalProperties"] == true {
            return None;
        }
        all.extend(own.cloned().unwrap_or_default());
        Some(all)
    }

    fn check(&self, schema: &Value, value: &Value, at: &str) {
        let schema = self.resolved(schema);
        for part in schema["allOf"].as_array().into_iter().flatten() {
            let part = self.resolved(part);
            self.check_kind(part, value, at);
        }
        if let Some(choices) = schema["anyOf"].as_array() {
            let choice = choices
                .iter()
                .find(|one| kind_fits(self.resolved(one), value));
            return self.check(choice.unwrap(), value, at);
        }
        self.check_kind(schema, value, at);
        if let Some(object) = value.as_object() {
            self.check_object(schema, object, at);
        }
        for (n, one) in value.as_array().into_iter().flatten().enumerate() {
            let at = format!("{at}/{n}");
            let own = schema["prefixItems"].get(n);
            self.check(own.unwrap_or(&schema["items"]), one, &at);
        }
    }

    fn check_kind(&self, schema: &Value, value: &Value, at: &str) {
        assert_ne!(*schema, Value::Bool(false), "{at} is one too many");
        assert!(kind_fits(schema, value), "{at}: {value} is no {schema}");
        if let Some(words) = schema["enum"].as_array() {
            assert!(words.contains(value), "{at}: {value} is none of {words:?}");
        }
        if let (Some(number), Some(least)) = (value.as_f64(), schema["minimum"].as_f64()) {
            assert!(number >= least, "{at}: {number}");
        }
        if let (Some(number), Some(most)) = (value.as_f64(), schema["maximum"].as_f64()) {
            assert!(number <= most, "{at}: {number}");
        }
        if let (Some(text), "date-time") = (
            value.as_str(),
            schema["format"].as_str().unwrap_or_default(),
        ) {
            assert!(text.parse::<jiff::Timestamp>().is_ok(), "{at}: {text}");
        }
    }

    fn check_object(&self, schema: &Value, object: &Map<String, Value>, at: &str) {
        for name in schema["required"].as_array().into_iter().flatten() {
            assert!(
                object.contains_key(name.as_str().unwrap()),
                "{at} has no {name}"
            );
        }
        let Some(properties) = self.properties(schema) else {
            return;
        };
        for (name, value) in object {
            let at = format!("{at}/{name}");
            let own = properties.get(name);
            assert!(own.is_some(), "{at} is not in the document");
            self.check(own.unwrap(), value, &at);
        }
    }

    /// Holds an answer against the schema of its operation and status.
    fn answer(&self, method: &str, path: &str, status: StatusCode, body: &Value) {
        let pointer = format!("/paths/{}/{method}/responses", path.replace('/', "~1"));
        let responses = self.0.pointer(&pointer).unwrap();
        let response = &responses[status.as_str()];
        assert!(
            response.is_object(),
            "{method} {path}: {status} is not told of"
        );
        let content = response["content"].as_object().unwrap();
        let schema = &content.values().next().unwrap()["schema"];
        self.check(schema, body, &format!("{method} {path}"));
    }
}

fn kind_fits(schema: &Value, value: &Value) -> bool {
    let kinds: Vec<&str> = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        Value::String(kind) => vec![kind],
        // A part of a whole, which says what it is.
        _ => return true,
    };
    kinds.into_iter().any(|kind| match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "null" => value.is_null(),
        _ => false,
    })
}

#[tokio::test]
async fn every_answer_that_is_read_is_as_the_document_tells() {
    let office = Office::new();
    let reader = Reader(console::openapi());
    figures::letters(&office).await;
    let card = json!({ "name": "Petrov", "numbers": ["+742421234501"], "notes": "" });
    let (status, card) = office.write("POST", "/api/v1/cards", &[], &card).await;
    reader.answer("post", "/api/v1/cards", status, &card);
    let card = card["person"].as_str().unwrap().to_owned();
    let mut answered = BTreeSet::new();
    let is_json = |kind: &str| kind == "application/json";
    let reads = operations().iter().filter(|one| one.method == "get");
    for operation in reads.filter(|one| is_json(one.answer.1)) {
        let path = operation.path.replace("{card}", &card);
        // The webhook that has a letter given up.
        let path = path.replace("/{name}/", "/a%22%7D%20evil%201%0A%5C/");
        let path = crate::path_of(&path);
        for query in ["", "?windows=true", "?by=all"] {
            let known = |name| operation.parameters.iter().any(|one| one.name == name);
            if query.contains("windows") && !known("windows")
                || query.contains("by=") && !known("by")
            {
                continue;
            }
            let response = office.get(&format!("{path}{query}")).await;
            let status = response.status();
            assert_eq!(status, StatusCode::OK, "{path}{query}");
            let body = serde_json::from_slice(&bytes(response).await).unwrap();
            reader.answer("get", operation.path, status, &body);
            answered.insert(operation.path);
        }
    }
    assert!(answered.len() >= 15, "{answered:?}");
}

#[tokio::test]
async fn answers_to_writes_and_problems_are_as_the_document_tells() {
    let office = Office::new();
    let reader = Reader(console::openapi());
    figures::letters(&office).await;
    let cards = "/api/v1/cards";
    let mut made = Vec::new();
    for number in ["+742421234501", "+742421234502"] {
        let new = json!({ "name": "Petrov", "numbers": [number] });
        let (_, card) = office.write("POST", cards, &[], &new).await;
        made.push(card["person"].as_str().unwrap().to_owned());
    }
    let one = format!("{cards}/{}", made[0]);
    let entry = format!("/api/v1/entries/{}", call(1));
    for (method, path, told, body) in [
        (
            "patch",
            one.clone(),
            "/api/v1/cards/{card}",
            json!({ "notes": "n" }),
        ),
        (
            "post",
            format!("{one}/merge"),
            "/api/v1/cards/{card}/merge",
            json!({ "from": made[1] }),
        ),
        (
            "post",
            format!("{one}/split"),
            "/api/v1/cards/{card}/split",
            json!({ "name": "P", "numbers": ["+742421234502"] }),
        ),
        (
            "post",
            "/api/v1/webhooks/crm/resend".to_owned(),
            "/api/v1/webhooks/{name}/resend",
            json!({}),
        ),
        (
            "patch",
            entry.clone(),
            "/api/v1/entries/{id}",
            json!({ "fields": { "topic": "a" } }),
        ),
        (
            "patch",
            entry,
            "/api/v1/entries/{id}",
            json!({ "fields": { "colour": "red" } }),
        ),
        (
            "post",
            "/api/v1/orders".to_owned(),
            "/api/v1/orders",
            json!({ "order": "close_queue", "queue": "q" }),
        ),
        (
            "post",
            "/api/v1/orders".to_owned(),
            "/api/v1/orders",
            json!({ "order": "dance" }),
        ),
    ] {
        let (status, answer) = office
            .write(&method.to_uppercase(), &path, &[], &body)
            .await;
        reader.answer(method, told, status, &answer);
    }
}

#[tokio::test]
async fn the_forms_are_those_of_the_settings() {
    let office = Office::new();
    let forms = office.json("/api/v1/forms").await;
    let advice = json!({
        "queue": "advice",
        "form": {
            "required": ["full_name", "topic"],
            "topics": [{
                "name": "Vaccination",
                "topic": "Vaccination",
                "below": [
                    { "name": "Schedule", "topic": "Vaccination / Schedule", "below": [] },
                    { "name": "Side effects", "topic": "Vaccination / Side effects", "below": [] },
                ],
            }],
            "complete_within_ms": 300_000,
        },
    });
    assert_eq!(forms["queues"], json!([advice]));
    let otherwise = json!({ "required": ["topic"], "topics": [], "complete_within_ms": 600_000 });
    assert_eq!(forms["otherwise"], otherwise);
    let fields = forms["fields"].as_array().unwrap();
    let deadline = json!({ "name": "deadline", "longest": 250, "is_moment": true });
    assert!(fields.contains(&deadline), "{fields:?}");
    assert_eq!(fields.len(), vocab::EntryField::ALL.len());
    let request = Request::get("/api/v1/forms").header("authorization", "Bearer metrics");
    let response = office.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
}
