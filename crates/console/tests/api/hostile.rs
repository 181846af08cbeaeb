//! Values made to do harm, through every text that the API takes: each comes back as it was, or is refused
//! with a problem that says why.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};

use crate::{Office, bytes, call};

#[path = "../../../../tests/engine/harness/hostile.rs"]
mod table;

/// Octets of a value as a query or a path has them.
fn encoded(value: &str) -> String {
    value.bytes().map(|octet| format!("%{octet:02x}")).collect()
}

fn is_problem(body: &Value) -> bool {
    body["detail"]
        .as_str()
        .is_some_and(|detail| detail.len() > 10)
}

#[tokio::test]
async fn every_value_comes_back_as_it_was_or_is_refused() {
    let office = Office::new();
    let path = format!("/api/v1/entries/{}", call(1));
    for value in table::values() {
        for field in ["full_name", "content", "topic", "crm"] {
            let body = json!({ "fields": { field: value } });
            let (status, told) = office.write("PATCH", &path, &[], &body).await;
            if status == StatusCode::OK {
                let entry = office.json(&path).await;
                assert_eq!(entry[field], value.trim(), "{field}");
            } else {
                assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{value:.60}");
                assert!(is_problem(&told), "{told}");
            }
        }
        let card = json!({ "name": value, "notes": value, "numbers": [value, "112"] });
        for (path, body) in [
            ("/api/v1/cards", card),
            (
                "/api/v1/entries",
                json!({ "channel": "chat", "queue": value }),
            ),
            ("/api/v1/entries", json!({ "channel": value })),
            (
                "/api/v1/orders",
                json!({ "order": value, "operator": value }),
            ),
            (
                "/api/v1/session",
                json!({ "login": value, "password": value }),
            ),
        ] {
            let (status, told) = office.write("POST", path, &[], &body).await;
            assert!(status.as_u16() < 500, "{path} {status} {value:.60}");
            assert!(status.is_success() || is_problem(&told), "{path} {told}");
        }
    }
}

#[tokio::test]
async fn every_value_may_stand_in_a_path_or_a_query() {
    let office = Office::new();
    for value in table::values() {
        let value: String = value.chars().take(300).collect();
        let value = encoded(&value);
        for path in [
            format!("/api/v1/entries/{value}"),
            format!("/api/v1/entries?text={value}&queue={value}&person={value}"),
            format!("/api/v1/entries?cursor={value}"),
            format!("/api/v1/messages?mailbox={value}"),
            format!("/api/v1/persons/{value}"),
            format!("/api/v1/cards?text={value}"),
            format!("/api/v1/reports/{value}"),
            format!("/api/v1/reports/queue?queue={value}"),
            format!("/api/v1/webhooks/{value}/dead"),
            format!("/{value}"),
        ] {
            let response = office.get(&path).await;
            assert!(response.status().as_u16() < 500, "{path}");
            if response.status().is_client_error() {
                let body = bytes(response).await;
                assert!(
                    is_problem(&serde_json::from_slice(&body).unwrap()),
                    "{path}"
                );
            }
        }
    }
}

#[tokio::test]
async fn octets_that_are_no_utf_8_are_a_problem_and_no_more() {
    let office = Office::new();
    let send = async |request: Request<Body>| {
        let response = office.send(request).await;
        let status = response.status();
        let body: Value = serde_json::from_slice(&bytes(response).await).unwrap();
        assert!(is_problem(&body), "{body}");
        status
    };
    for path in ["/api/v1/entries/%ff", "/api/v1/reports/%c3%28", "/%ff"] {
        let request = Request::get(path).header("authorization", "Bearer all");
        let status = send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
    }
    let path = format!("/api/v1/entries/{}", call(1));
    let request = Request::patch(path)
        .header("authorization", "Bearer all")
        .header("content-type", "application/json");
    let body = b"{\"fields\": {\"full_name\": \"\xff\xfe\"}}".to_vec();
    let status = send(request.body(Body::from(body)).unwrap()).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let request = Request::get("/api/v1/live")
        .header("authorization", "Bearer all")
        .header(
            "cookie",
            axum::http::HeaderValue::from_bytes(b"hotline_session=\xff").unwrap(),
        );
    let response = office.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(response.status(), StatusCode::OK, "the token counts");
}
