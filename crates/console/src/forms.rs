//! Owns the answer to what an entry is to have: required fields, topics and time, by queue.

use axum::extract::State;
use axum::response::Response;
use journal::forms::Form;
use serde_json::{Value, json};
use vocab::EntryField;

use crate::app::App;
use crate::entries::as_json;

pub(crate) async fn list(State(app): State<App>) -> Response {
    let forms = app.console.desk.forms();
    let queues: Vec<Value> = forms
        .by_queue()
        .map(|(queue, form)| json!({ "queue": queue, "form": told(form) }))
        .collect();
    as_json(&json!({
        "queues": queues,
        "otherwise": told(forms.otherwise()),
        "fields": EntryField::ALL.map(field),
    }))
}

fn told(form: &Form) -> Value {
    let required: Vec<&str> = form.required.iter().map(|field| field.name()).collect();
    json!({
        "required": required,
        "topics": form.tree(),
        "complete_within_ms": u64::try_from(form.complete_within.as_millis()).unwrap_or(u64::MAX),
    })
}

fn field(field: EntryField) -> Value {
    json!({
        "name": field.name(),
        "longest": field.longest(),
        "is_moment": field.is_moment(),
    })
}
