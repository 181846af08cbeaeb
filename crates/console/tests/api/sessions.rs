//! People who sign in with login and password: what they may, how long, and what guesses get.

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use journal::sessions::{self, Account};
use journal::{Location, query};
use serde_json::{Value, json};
use vocab::{EventId, Fact, SessionChange, WallTime};

use crate::{AT, Office, bytes};

const PASSWORD: &str = "correct horse";
const MINUTE: i64 = 60_000;

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

impl Office {
    fn database(&self) -> Location {
        self.folder.path().join("journal.db").into()
    }

    async fn account(&self, login: &str, rights: &str) {
        let account = Account {
            login: login.to_owned(),
            password: console::kept(PASSWORD, [9; 16]).unwrap(),
            rights: rights.to_owned(),
        };
        let now = WallTime::from_unix_millis(AT);
        sessions::set_account(&self.database(), &account, now)
            .await
            .unwrap();
    }

    async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.header("content-type", "application/json");
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let response = self.send(request).await;
        Answer {
            status: response.status(),
            headers: response.headers().clone(),
            body: serde_json::from_slice(&bytes(response).await).unwrap_or_default(),
        }
    }

    async fn sign_in(&self, login: &str, password: &str) -> Answer {
        let body = json!({ "login": login, "password": password }).to_string();
        self.ask("POST", "/api/v1/session", &[], &body).await
    }

    /// What became of sessions, as the journal tells it.
    async fn told(&self) -> Vec<(String, SessionChange)> {
        let mut journal = query::open(self.database()).await.unwrap();
        let events = journal.events_after(EventId::new(0, 0), 1_000).await;
        let changes = events
            .unwrap()
            .into_iter()
            .filter_map(|event| match event.fact {
                Fact::SessionChanged { login, change, .. } => Some((login, change)),
                _ => None,
            });
        changes.collect()
    }
}

impl Answer {
    /// The cookie as a browser sends it back.
    fn cookie(&self) -> String {
        let set = self
            .headers
            .get(header::SET_COOKIE)
            .unwrap()
            .to_str()
            .unwrap();
        set.split(';').next().unwrap().to_owned()
    }
}

#[tokio::test]
async fn who_signs_in_may_what_the_account_may_and_writes_by_the_csrf_token_alone() {
    let office = Office::new();
    office.account("Anna", "read,write").await;
    let signed = office.sign_in("anna", PASSWORD).await;
    assert_eq!(signed.status, StatusCode::OK);
    let set = signed.headers[header::SET_COOKIE].to_str().unwrap();
    for part in ["Path=/", "HttpOnly", "SameSite=Strict", "Max-Age=43200"] {
        assert!(set.contains(part), "{set}");
    }
    assert!(!set.contains("Secure"));
    let (cookie, csrf) = (signed.cookie(), signed.body["csrf"].as_str().unwrap());
    let secret = cookie.split_once('=').unwrap().1;
    let file = std::fs::read(office.folder.path().join("journal.db")).unwrap();
    let log = std::fs::read(office.folder.path().join("journal.db-wal")).unwrap_or_default();
    for kept in [file, log] {
        let stands = |text: &str| kept.windows(text.len()).any(|part| part == text.as_bytes());
        assert!(!stands(secret) && !stands(csrf) && !stands(PASSWORD));
    }

    let by = [("cookie", cookie.as_str())];
    let entries = office.ask("GET", "/api/v1/entries", &by, "").await;
    assert_eq!(entries.status, StatusCode::OK);
    let who = office.ask("GET", "/api/v1/session", &by, "").await;
    assert_eq!(
        who.body,
        json!({ "name": "anna", "rights": ["read", "write"], "csrf": csrf })
    );
    let other = office.ask("GET", "/metrics", &by, "").await;
    assert_eq!(other.status, StatusCode::FORBIDDEN, "deny by default");

    let contact = json!({ "channel": "chat", "fields": { "topic": "x" } }).to_string();
    for wrong in ["", secret, "0"] {
        let headers = [by[0], ("x-csrf-token", wrong)];
        let refused = office
            .ask("POST", "/api/v1/entries", &headers, &contact)
            .await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{wrong:?}");
    }
    let headers = [by[0], ("x-csrf-token", csrf)];
    let written = office
        .ask("POST", "/api/v1/entries", &headers, &contact)
        .await;
    assert_eq!(written.status, StatusCode::CREATED, "{}", written.body);
    let path = format!("/api/v1/entries/{}", written.body["id"].as_str().unwrap());
    let entry = office.ask("GET", &path, &by, "").await;
    assert_eq!(entry.body["written_by"], "anna");
    for (operator, status) in [("boris", StatusCode::FORBIDDEN), ("Anna", StatusCode::OK)] {
        let change = json!({ "fields": { "topic": operator }, "operator": operator });
        let change = change.to_string();
        let answer = office.ask("PATCH", &path, &headers, &change).await;
        assert_eq!(answer.status, status, "{}", answer.body);
    }
    let entry = office.ask("GET", &path, &by, "").await;
    assert_eq!(entry.body["topic"], "Anna", "nothing was written for boris");
    let corrected = entry.body["correction_list"].as_array().unwrap();
    assert_eq!(corrected.len(), 1, "{corrected:?}");
    assert_eq!(corrected[0]["written_by"], "anna");

    let out = office.ask("DELETE", "/api/v1/session", &headers, "").await;
    assert_eq!(out.status, StatusCode::NO_CONTENT);
    let gone = office.ask("GET", "/api/v1/entries", &by, "").await;
    assert_eq!(gone.status, StatusCode::UNAUTHORIZED);
    let anna = |change| ("anna".to_owned(), change);
    assert_eq!(
        office.told().await,
        [anna(SessionChange::Began), anna(SessionChange::Ended)]
    );
}

#[tokio::test]
async fn a_guess_tells_nothing_of_whether_there_is_such_a_login() {
    let office = Office::new();
    office.account("anna", "read").await;
    let mut answers = Vec::new();
    for login in ["anna", "nobody"] {
        let mut seen = Vec::new();
        for _ in 0..6 {
            let wrong = office.sign_in(login, "guess guess").await;
            let wait = wrong.headers.get(header::RETRY_AFTER).cloned();
            seen.push((wrong.status, wait, wrong.body));
        }
        answers.push(seen);
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0][4].0, StatusCode::UNAUTHORIZED);
    assert_eq!(answers[0][5].0, StatusCode::TOO_MANY_REQUESTS);
    let right = office.sign_in("ANNA", PASSWORD).await;
    assert_eq!(
        right.status,
        StatusCode::TOO_MANY_REQUESTS,
        "locked is locked"
    );
    office.clock(MINUTE);
    assert_eq!(
        office.sign_in("anna", PASSWORD).await.status,
        StatusCode::OK
    );
    let told = office.told().await;
    let count = |login: &str, wanted| {
        let all = told.iter();
        all.filter(|(of, change)| of == login && *change == wanted)
            .count()
    };
    for login in ["anna", "nobody"] {
        assert_eq!(count(login, SessionChange::Refused), 4, "{login}");
        assert_eq!(count(login, SessionChange::LockedOut), 1, "{login}");
    }
}

#[tokio::test]
async fn a_session_ends_when_it_is_idle_when_it_is_old_and_with_the_account() {
    let office = Office::new();
    office.account("anna", "read").await;
    let cookie = office.sign_in("anna", PASSWORD).await.cookie();
    let by = [("cookie", cookie.as_str())];
    let status = async || office.ask("GET", "/api/v1/live", &by, "").await.status;
    for _ in 0..24 {
        office.clock(29 * MINUTE);
        assert_eq!(status().await, StatusCode::OK);
    }
    office.clock(29 * MINUTE);
    assert_eq!(status().await, StatusCode::UNAUTHORIZED, "12 h are over");

    let cookie = office.sign_in("anna", PASSWORD).await.cookie();
    let by = [("cookie", cookie.as_str())];
    let status = async || office.ask("GET", "/api/v1/live", &by, "").await.status;
    assert_eq!(status().await, StatusCode::OK);
    office.clock(30 * MINUTE);
    assert_eq!(status().await, StatusCode::UNAUTHORIZED, "idle");

    let cookie = office.sign_in("anna", PASSWORD).await.cookie();
    let by = [("cookie", cookie.as_str())];
    let status = async || office.ask("GET", "/api/v1/live", &by, "").await.status;
    assert_eq!(status().await, StatusCode::OK);
    office.account("anna", "").await;
    assert_eq!(status().await, StatusCode::UNAUTHORIZED, "a new password");
    let cookie = office.sign_in("anna", PASSWORD).await.cookie();
    let by = [("cookie", cookie.as_str())];
    let status = async || office.ask("GET", "/api/v1/live", &by, "").await.status;
    assert_eq!(status().await, StatusCode::FORBIDDEN, "no rights at all");
    sessions::remove_account(&office.database(), "ANNA")
        .await
        .unwrap();
    assert_eq!(status().await, StatusCode::UNAUTHORIZED, "no account");
    let proxied = [("x-forwarded-proto", "https")];
    office.account("anna", "read").await;
    let body = json!({ "login": "anna", "password": PASSWORD }).to_string();
    let signed = office.ask("POST", "/api/v1/session", &proxied, &body).await;
    let set = signed.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(set.contains("; Secure"), "{set}");
}

#[tokio::test]
async fn what_cannot_be_a_login_is_refused_before_anything_is_looked_up() {
    let office = Office::new();
    for body in [
        json!({ "login": "", "password": "x" }),
        json!({ "login": "a\u{0}b", "password": "x" }),
        json!({ "login": "a".repeat(129), "password": "x" }),
        json!({ "login": "a", "password": "x".repeat(2_000) }),
        json!({ "login": "a" }),
        json!([]),
    ] {
        let answer = office
            .ask("POST", "/api/v1/session", &[], &body.to_string())
            .await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
    }
    for cookie in ["hotline_session=", "hotline_session=\"; drop", "x", "=;=;;"] {
        let by = [("cookie", cookie)];
        let answer = office.ask("GET", "/api/v1/live", &by, "").await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{cookie}");
    }
    let token = [("authorization", "Bearer all")];
    let answer = office.ask("DELETE", "/api/v1/session", &token, "").await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
}
