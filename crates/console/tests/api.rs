//! The API over a journal with known calls: rights, pages, versions, ranges, problems, events.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, Response, StatusCode, header};
use console::{
    Console, Door, Given, Live, Orders, Right, SessionRules, Tokens, hash, operations, router,
};
use futures_util::StreamExt;
use jiff::tz::TimeZone;
use journal::desk::{Desk, Offline};
use journal::forms::Forms;
use journal::metrics::Durations;
use journal::{Health, Progress, Settings};
use serde_json::{Value, json};
use tower::ServiceExt;
use vocab::{
    CallId, Direction, EndedBy, Event, EventId, Fact, Instruction, LiveProcess, LiveRecording,
    OfferId, OfferResult, OperatorId, OperatorRef, Order, OrderRefusal, Outcome, Party,
    QueueOutcome, Rank, RecordingFile, Snapshot, Time, WallTime,
};

#[path = "api/cards.rs"]
mod cards;
#[path = "api/figures.rs"]
mod figures;
#[path = "api/hostile.rs"]
mod hostile;
#[path = "api/schemas.rs"]
mod schemas;
#[path = "api/sessions.rs"]
mod sessions;
#[path = "api/windows.rs"]
mod windows;

const BOOT: u32 = 0x0c00_0000;
const AT: i64 = 1_795_340_000_000;

/// What the wall clock is past [`AT`].
struct Picture(Arc<AtomicI64>);

impl Live for Picture {
    fn snapshot(&self) -> Snapshot {
        figures::snapshot()
    }

    fn health(&self) -> Health {
        figures::health()
    }

    fn recording(&self) -> LiveRecording {
        figures::recording()
    }

    fn process(&self) -> LiveProcess {
        figures::process()
    }

    fn durations(&self) -> Durations {
        figures::durations()
    }

    fn now(&self) -> WallTime {
        WallTime::from_unix_millis(AT + self.0.load(Ordering::Relaxed))
    }
}

/// A key of the tests: what is "encrypted" has each octet turned over.
struct Mirror;

impl console::Keys for Mirror {
    fn play(
        &self,
        mut file: Box<dyn console::Sound>,
    ) -> std::io::Result<Option<Box<dyn console::Sound>>> {
        let mut octets = Vec::new();
        std::io::Read::read_to_end(&mut file, &mut octets)?;
        let plain: Vec<u8> = octets.iter().map(|octet| !octet).collect();
        Ok(Some(Box::new(std::io::Cursor::new(plain))))
    }
}

/// A journal with answered calls, and the API over it.
struct Office {
    router: Router,
    /// Who writes the journal, as long as the API is asked.
    _writer: Box<dyn std::any::Any>,
    folder: tempfile::TempDir,
    now: Arc<AtomicI64>,
}

fn call(n: u32) -> CallId {
    CallId::new(BOOT, n)
}

fn operator() -> OperatorRef {
    OperatorRef {
        id: OperatorId(1),
        login: "op1".to_owned(),
        name: "<b>Оператор</b>".to_owned(),
        line: "101".to_owned(),
    }
}

fn facts(n: u32) -> Vec<Fact> {
    let (call, offer, queue) = (call(n), OfferId::new(BOOT, n), "health".to_owned());
    vec![
        Fact::CallArrived {
            call,
            number: "1300".to_owned(),
            caller: format!("+7424212345{n:02}"),
            caller_name: "=1+1<script>".to_owned(),
            trunk: "carrier".to_owned(),
            plan: "plan".to_owned(),
            sip_call_id: format!("sip-{n}"),
            direction: Direction::Inbound,
            operator: None,
            consults: None,
        },
        Fact::QueueEntered {
            call,
            queue: queue.clone(),
            priority: 0,
            skills: Vec::new(),
        },
        Fact::OfferMade {
            call,
            offer,
            queue: queue.clone(),
            operator: operator(),
            why: "longest idle".to_owned(),
            considered: Vec::new(),
        },
        Fact::OfferEnded {
            call,
            offer,
            result: OfferResult::Answered,
            status: Some(200),
        },
        Fact::QueueLeft {
            call,
            queue,
            outcome: QueueOutcome::Answered,
        },
        Fact::SegmentStarted {
            call,
            segment: 1,
            party: Party::Operator(operator()),
            with: None,
            offer: Some(offer),
            recorded: true,
        },
        Fact::SegmentEnded {
            call,
            segment: 1,
            ended_by: EndedBy::Caller,
        },
        Fact::CallEnded {
            call,
            outcome: Outcome::Answered,
            ended_by: EndedBy::Caller,
            status: None,
            reason: String::new(),
        },
        Fact::RecordingStored {
            call,
            segment: 1,
            file: RecordingFile {
                path: if n == 2 {
                    "../secret".to_owned()
                } else if n == 3 {
                    "3.wav.age".to_owned()
                } else {
                    format!("{n}.wav")
                },
                sha256: "0".repeat(64),
                bytes: 10,
                duration_ms: 1_000,
                caller_packets: 1,
                caller_lost: 0,
                operator_packets: 1,
                operator_lost: 0,
                dropped: 0,
                repaired: false,
                sound: None,
            },
        },
    ]
}

/// What is asked of entries.
const FORMS: &str = r#"
[[form]]
required = ["topic"]

[[form]]
queues = ["advice"]
required = ["full_name", "topic"]
topics = ["Vaccination / Schedule", "Vaccination / Side effects"]
complete_within = "5 min"
"#;

/// An engine that knows one operator, and takes all that a supervisor orders.
struct Floor;

impl Orders for Floor {
    fn give(&self, wanted: Instruction) -> Given<'_> {
        let refused = match (&wanted.order, wanted.rank) {
            (Order::Choose { status, .. }, Rank::Operator) if status == "break: lunch" => {
                Some(OrderRefusal::NeedsLeave {
                    reason: "lunch".to_owned(),
                    because: "it is not the time for it".to_owned(),
                })
            }
            (Order::CloseQueue { .. }, Rank::Operator) => Some(OrderRefusal::NotYours),
            (Order::Choose { operator, .. }, _) if operator != "anna" => {
                let operator = operator.clone();
                Some(OrderRefusal::UnknownOperator { operator })
            }
            _ => None,
        };
        assert_eq!(wanted.by, "all", "who gives an order is the token's name");
        let event = refused.map_or(Ok(EventId::new(BOOT, 77)), Err);
        Box::pin(std::future::ready(event))
    }
}

impl Office {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings::new(
            folder.path().join("events"),
            folder.path().join("journal.db"),
        );
        let (journal, _) = journal::start(settings.clone(), BOOT, |_| {}).unwrap();
        let facts = (1..=5).flat_map(facts);
        for (n, fact) in (1..).zip(facts) {
            journal.append(Event {
                id: EventId::new(BOOT, n),
                at: WallTime::from_unix_millis(AT + i64::from(n) * 1_000),
                up: Time::from_millis(u64::from(n) * 1_000),
                fact,
            });
        }
        assert_eq!(journal.stop().not_in_sql, 0);
        let recordings = folder.path().join("recordings");
        std::fs::create_dir(&recordings).unwrap();
        std::fs::write(recordings.join("1.wav"), "0123456789").unwrap();
        let sealed: Vec<u8> = b"abcdefghij".iter().map(|octet| !octet).collect();
        std::fs::write(recordings.join("3.wav.age"), sealed).unwrap();
        std::fs::write(folder.path().join("secret"), "secret").unwrap();
        let ledger = Arc::new(Offline::start(settings.clone(), "test").unwrap());
        let forms = Forms::parse(FORMS, Duration::from_secs(600)).unwrap();
        let desk = Desk::new(
            &settings.database,
            Arc::new(forms),
            Arc::clone(&ledger) as _,
        );
        Self::over(folder, &settings, (desk, ledger.progress()), TimeZone::UTC).written_by(ledger)
    }

    /// The API over the journal in a folder.
    fn over(
        folder: tempfile::TempDir,
        settings: &Settings,
        (desk, progress): (Desk, Progress),
        zone: TimeZone,
    ) -> Self {
        let tokens = format!(
            "all {} read,write,listen,duty,supervise,metrics,manage\nlistener {} listen\nreader {} read\nmetrics {} metrics\n",
            hash("all"),
            hash("listener"),
            hash("reader"),
            hash("metrics")
        );
        let now = Arc::new(AtomicI64::new(600_000));
        let console = Console {
            desk,
            database: settings.database.clone(),
            progress,
            orders: Box::new(Floor),
            live: Box::new(Picture(Arc::clone(&now))),
            recordings: folder.path().join("recordings"),
            afar: None,
            keys: Box::new(Mirror),
            zone,
            tokens: Tokens::parse(&tokens, "tokens").unwrap(),
            sessions: SessionRules {
                idle: Duration::from_secs(30 * 60),
                longest: Duration::from_secs(12 * 3_600),
                secure: false,
            },
            random: || {
                static DRAWN: AtomicI64 = AtomicI64::new(1);
                let mut octets = [7; 32];
                let drawn = DRAWN.fetch_add(1, Ordering::Relaxed).to_be_bytes();
                octets[..8].copy_from_slice(&drawn);
                Ok(octets)
            },
            version: "0.1.0".to_owned(),
        };
        Self {
            router: router(console),
            _writer: Box::new(()),
            folder,
            now,
        }
    }

    fn written_by(mut self, writer: impl std::any::Any) -> Self {
        self._writer = Box::new(writer);
        self
    }

    /// Lets wall time pass.
    fn clock(&self, ms: i64) {
        self.now.fetch_add(ms, Ordering::Relaxed);
    }

    async fn send(&self, request: Request<Body>) -> Response<Body> {
        self.router.clone().oneshot(request).await.unwrap()
    }

    async fn get(&self, path: &str) -> Response<Body> {
        self.get_with(path, &[]).await
    }

    async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Response<Body> {
        let mut request = Request::get(path).header("authorization", "Bearer all");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::empty()).unwrap()).await
    }

    async fn json(&self, path: &str) -> Value {
        let response = self.get(path).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        serde_json::from_slice(&bytes(response).await).unwrap()
    }

    async fn write(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> (StatusCode, Value) {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", "Bearer all")
            .header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_string())).unwrap();
        let response = self.send(request).await;
        let status = response.status();
        (
            status,
            serde_json::from_slice(&bytes(response).await).unwrap(),
        )
    }
}

async fn bytes(response: Response<Body>) -> Vec<u8> {
    to_bytes(response.into_body(), 10_000_000)
        .await
        .unwrap()
        .to_vec()
}

fn path_of(path: &str) -> String {
    path.replace("{id}", &call(1).to_string())
        .replace("{segment}", "1")
        .replace("{number}", "74242123450")
        .replace("{report}", "daily")
        .replace("{name}", "crm")
        .replace("{card}", "0c000000-00000001")
}

#[tokio::test]
async fn nothing_is_answered_without_a_token_of_that_right() {
    let office = Office::new();
    for operation in operations().iter().filter(|one| one.door != Door::Open) {
        let ask = |token: &str| {
            let request = Request::builder().method(operation.method.to_uppercase().as_str());
            let request = request.uri(path_of(operation.path));
            let request = if token.is_empty() {
                request
            } else {
                request.header("authorization", token)
            };
            request.body(Body::empty()).unwrap()
        };
        for token in ["", "Bearer ", "Bearer wrong", "Basic all", "all"] {
            let response = office.send(ask(token)).await;
            assert_eq!(
                response.status(),
                StatusCode::UNAUTHORIZED,
                "{operation:?} {token:?}"
            );
            assert_eq!(response.headers()[header::WWW_AUTHENTICATE], "Bearer");
        }
        let needs_read = matches!(operation.door, Door::Known | Door::Right(Right::Read));
        let response = office.send(ask("Bearer reader")).await;
        let refused = response.status() == StatusCode::FORBIDDEN;
        assert_eq!(refused, !needs_read, "{operation:?}");
        let response = office.send(ask("Bearer all")).await;
        assert_ne!(response.status(), StatusCode::FORBIDDEN, "{operation:?}");
        assert!(
            response.status().as_u16() < 500,
            "{operation:?} {}",
            response.status()
        );
    }
    let request = Request::get("/nowhere").body(Body::empty()).unwrap();
    assert_eq!(
        office.send(request).await.status(),
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(office.get("/nowhere").await.status(), StatusCode::NOT_FOUND);
    let request = Request::delete("/api/v1/entries").header("authorization", "Bearer all");
    let response = office.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(
        response.headers()[header::CONTENT_TYPE],
        "application/problem+json"
    );
}

#[tokio::test]
async fn orders_have_the_rank_of_their_path_and_a_refusal_says_why() {
    let office = Office::new();
    let choose = |operator: &str, status: &str| json!({ "order": "choose", "operator": operator, "status": status });
    let close = json!({ "order": "close_queue", "queue": "operators" });
    for (path, body, expected) in [
        ("duty", choose("anna", "available"), StatusCode::OK),
        (
            "duty",
            choose("anna", "break: lunch"),
            StatusCode::FORBIDDEN,
        ),
        ("orders", choose("anna", "break: lunch"), StatusCode::OK),
        ("duty", choose("nobody", "off"), StatusCode::NOT_FOUND),
        ("duty", close.clone(), StatusCode::FORBIDDEN),
        ("orders", close, StatusCode::OK),
        (
            "orders",
            json!({ "order": "dance" }),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
    ] {
        let path = format!("/api/v1/{path}");
        let (status, told) = office.write("POST", &path, &[], &body).await;
        assert_eq!(status, expected, "{path} {body} {told}");
        let named = told["event"].is_string() || told["detail"].is_string();
        assert!(named, "{told}");
    }
}

#[tokio::test]
async fn pages_follow_each_other_and_mistakes_are_named() {
    let office = Office::new();
    let mut path = "/api/v1/entries?limit=2".to_owned();
    let mut seen = Vec::new();
    loop {
        let page = office.json(&path).await;
        for entry in page["entries"].as_array().unwrap() {
            seen.push(entry["call"].as_str().unwrap().to_owned());
        }
        let Some(next) = page["next"].as_str() else {
            break;
        };
        path = format!("/api/v1/entries?limit=2&cursor={next}");
    }
    let expected: Vec<String> = (1..=5).rev().map(|n| call(n).to_string()).collect();
    assert_eq!(seen, expected);
    let page = office
        .json("/api/v1/entries?person=8-424-212-34-503&completed=false")
        .await;
    assert_eq!(page["entries"].as_array().unwrap().len(), 1);
    let up = office.json("/api/v1/entries?up=true").await;
    assert_eq!(up["entries"], json!([]), "all of them are over");
    let over = office.json("/api/v1/entries?up=false").await;
    assert_eq!(over["entries"].as_array().unwrap().len(), 5);
    for by in ["line", "operator", "all"] {
        let live = office
            .json(&format!("/api/v1/queues?by={by}&within_ms=5000"))
            .await;
        assert_eq!(live["today"][0]["offered"], 5, "{live}");
    }
    for bad in [
        "limit=0",
        "limit=501",
        "cursor=x",
        "from=today",
        "colour=red",
        "limit=1&limit=2",
    ] {
        let response = office.get(&format!("/api/v1/entries?{bad}")).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{bad}");
        let problem: Value = serde_json::from_slice(&bytes(response).await).unwrap();
        assert_eq!(problem["status"], 400);
        assert!(problem["detail"].as_str().unwrap().len() > 10, "{bad}");
    }
    for id in ["x", "0c000000-00000099", "..%2F..%2Fsecret", "%00", "%ff"] {
        let response = office.get(&format!("/api/v1/entries/{id}")).await;
        assert!(response.status().is_client_error(), "{id}");
    }
}

#[tokio::test]
async fn a_write_needs_the_version_that_its_writer_saw() {
    let office = Office::new();
    let path = format!("/api/v1/entries/{}", call(1));
    let response = office.get(&path).await;
    let tag = response.headers()[header::ETAG]
        .to_str()
        .unwrap()
        .to_owned();
    let same = office.get_with(&path, &[("if-none-match", &tag)]).await;
    assert_eq!(same.status(), StatusCode::NOT_MODIFIED);
    let body = json!({ "fields": { "full_name": "Иванова" } });
    let (status, done) = office
        .write("PATCH", &path, &[("if-match", &tag)], &body)
        .await;
    assert_eq!(status, StatusCode::OK, "{done}");
    assert_eq!(done["stored"], true);
    let (status, problem) = office
        .write("PATCH", &path, &[("if-match", &tag)], &body)
        .await;
    assert_eq!(status, StatusCode::PRECONDITION_FAILED);
    assert_eq!(problem["refusal"]["refused"], "changed");
    let entry = office.json(&path).await;
    assert_eq!(entry["full_name"], "Иванова");
    let (status, problem) = office
        .write("PATCH", &path, &[], &json!({ "complete": true }))
        .await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(problem["refusal"]["fields"], json!(["topic"]));
    let body = json!({ "fields": { "topic": "a" }, "complete": true, "operator": "op1" });
    assert_eq!(
        office.write("PATCH", &path, &[], &body).await.0,
        StatusCode::OK
    );
    assert_eq!(
        office.write("PATCH", &path, &[], &body).await.0,
        StatusCode::CONFLICT
    );
    let reopen = format!("{path}/reopen");
    let (status, _) = office
        .write("POST", &reopen, &[], &json!({ "reason": "why" }))
        .await;
    assert_eq!(status, StatusCode::OK);
    let entry = office.json(&path).await;
    assert_eq!(entry["completed_at"], Value::Null);
    assert_eq!(entry["correction_list"][0]["field"], "completed");
    for body in [
        json!([]),
        json!({ "fields": { "colour": "red" } }),
        json!({ "fileds": {} }),
    ] {
        let (status, _) = office.write("PATCH", &path, &[], &body).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
    }
    let text = Request::patch(&path).header("authorization", "Bearer all");
    let response = office.send(text.body(Body::from("{}")).unwrap()).await;
    assert_eq!(response.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[tokio::test]
async fn a_contact_is_written_down_and_in_the_history_of_its_number() {
    let office = Office::new();
    let body = json!({
        "channel": "chat",
        "at": "2026-11-22T08:00:00+10:00",
        "fields": { "contact_number": "8 (424) 212-34-501", "topic": "a", "execution": "assigned" },
    });
    let (status, done) = office.write("POST", "/api/v1/entries", &[], &body).await;
    assert_eq!(status, StatusCode::CREATED, "{done}");
    let history = office.json("/api/v1/persons/+74242123450").await;
    assert_eq!(history["entries"].as_array().unwrap().len(), 0);
    let history = office.json("/api/v1/persons/74242123401").await;
    assert_eq!(history["entries"].as_array().unwrap().len(), 0);
    let history = office.json("/api/v1/persons/84242123450%31").await;
    assert_eq!(history["number"], "2421234501");
    assert_eq!(history["entries"].as_array().unwrap().len(), 2, "{history}");
    assert_eq!(history["open"].as_array().unwrap().len(), 2);
    let page = office.json("/api/v1/entries?open=true&channel=chat").await;
    assert_eq!(page["entries"].as_array().unwrap().len(), 1, "{page}");
    let page = office.json("/api/v1/entries?open=true&channel=email").await;
    assert_eq!(page["entries"], json!([]));
    let (status, _) = office
        .write(
            "POST",
            "/api/v1/entries",
            &[],
            &json!({ "channel": "call" }),
        )
        .await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn recordings_come_whole_or_in_part_and_never_from_elsewhere() {
    let office = Office::new();
    let path = format!("/api/v1/entries/{}/recordings/1", call(1));
    let whole = office.get(&path).await;
    assert_eq!(whole.headers()[header::CONTENT_TYPE], "audio/wav");
    assert_eq!(bytes(whole).await, b"0123456789");
    let part = office.get_with(&path, &[("range", "bytes=2-4")]).await;
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.headers()[header::CONTENT_RANGE], "bytes 2-4/10");
    assert_eq!(bytes(part).await, b"234");
    let beyond = office.get_with(&path, &[("range", "bytes=10-")]).await;
    assert_eq!(beyond.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(beyond.headers()[header::CONTENT_RANGE], "bytes */10");
    let outside = format!("/api/v1/entries/{}/recordings/1", call(2));
    assert_eq!(office.get(&outside).await.status(), StatusCode::GONE);
    std::fs::remove_file(office.folder.path().join("recordings/3.wav.age")).unwrap();
    let gone = format!("/api/v1/entries/{}/recordings/1", call(3));
    assert_eq!(office.get(&gone).await.status(), StatusCode::GONE);
    let none = format!("/api/v1/entries/{}/recordings/9", call(1));
    assert_eq!(office.get(&none).await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn reports_have_the_same_figures_in_every_form() {
    let office = Office::new();
    let range = "from=2026-11-22T00:00:00Z&to=2026-11-23T00:00:00Z";
    let report = office
        .json(&format!("/api/v1/reports/queue?{range}&within_ms=2000"))
        .await;
    assert_eq!(report["identity_holds"], true);
    assert_eq!(report["tables"]["queues"][0]["offered"], 5);
    for (format, kind) in [
        ("csv", "text/csv"),
        ("html", "text/html"),
        ("xlsx", "application/vnd"),
    ] {
        let path = format!("/api/v1/reports/daily?{range}&format={format}");
        let response = office.get(&path).await;
        let told = response.headers()[header::CONTENT_TYPE]
            .to_str()
            .unwrap()
            .to_owned();
        assert!(told.starts_with(kind), "{told}");
        let body = bytes(response).await;
        // In a page a name is text; a table has it as it is.
        let page = format == "html";
        assert!(!page || !String::from_utf8_lossy(&body).contains("<b>Оператор"));
    }
    assert_eq!(
        office.get("/api/v1/reports/weather").await.status(),
        StatusCode::NOT_FOUND
    );
    let bad = "/api/v1/reports/daily?from=2026-11-22T00:00:00Z&to=2026-11-22T00:00:00Z";
    assert_eq!(office.get(bad).await.status(), StatusCode::BAD_REQUEST);
    let queues = office.json("/api/v1/queues").await;
    assert_eq!(queues["now"]["calls"], 7);
    assert!(queues["today"].is_array() && queues["last_60_min"].is_array());
}

#[tokio::test]
async fn a_stream_of_events_goes_on_where_it_was() {
    let office = Office::new();
    let after = EventId::new(BOOT, 43);
    let path = format!("/api/v1/events?after={after}");
    let response = office
        .get_with(&path, &[("last-event-id", &after.to_string())])
        .await;
    assert_eq!(response.status(), StatusCode::OK);
    let mut stream = response.into_body().into_data_stream();
    let mut text = String::new();
    while !text.contains("engine_started") {
        let piece = tokio::time::timeout(Duration::from_secs(20), stream.next()).await;
        text.push_str(&String::from_utf8_lossy(&piece.unwrap().unwrap().unwrap()));
    }
    assert!(
        text.starts_with("id: 0c000000-0000002c\nevent: call_ended\n"),
        "{text}"
    );
    // What is written from now on comes by itself.
    let body = json!({ "fields": { "action": "line one\nline two" } });
    let entry = format!("/api/v1/entries/{}", call(1));
    assert_eq!(
        office.write("PATCH", &entry, &[], &body).await.0,
        StatusCode::OK
    );
    while !text.contains("entry_edited") {
        let piece = tokio::time::timeout(Duration::from_secs(20), stream.next()).await;
        text.push_str(&String::from_utf8_lossy(&piece.unwrap().unwrap().unwrap()));
    }
    let bad = office.get("/api/v1/events?after=x").await;
    assert_eq!(bad.status(), StatusCode::BAD_REQUEST);
}

#[test]
fn the_document_refers_to_nothing_that_it_does_not_have() {
    let document = console::openapi();
    let text = document.to_string();
    for reference in text.split("\"#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(
            document["components"]["schemas"][name].is_object(),
            "{name}"
        );
    }
    let mut ids: Vec<&str> = text
        .split("\"operationId\":\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
        .collect();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((ids.len(), all), (operations().len(), operations().len()));
}

#[tokio::test]
async fn encrypted_recordings_are_played_and_each_hearing_is_written_down() {
    let office = Office::new();
    let path = format!("/api/v1/entries/{}/recordings/1", call(3));
    let whole = office.get(&path).await;
    assert_eq!(whole.headers()[header::CONTENT_TYPE], "audio/wav");
    assert_eq!(bytes(whole).await, b"abcdefghij");
    let part = office.get_with(&path, &[("range", "bytes=2-4")]).await;
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.headers()[header::CONTENT_RANGE], "bytes 2-4/10");
    assert_eq!(bytes(part).await, b"cde");
    let other = Request::get(&path).header("authorization", "Bearer listener");
    office.send(other.body(Body::empty()).unwrap()).await;

    let events = office
        .json(&format!("/api/v1/entries/{}/events", call(3)))
        .await;
    let events = events["events"].as_array().unwrap().clone();
    let heard = events.iter().map(|event| &event["fact"]);
    let heard = heard.filter(|fact| fact["fact"] == "recording_heard");
    let by: Vec<&str> = heard.map(|fact| fact["by"].as_str().unwrap()).collect();
    assert_eq!(
        by,
        ["all", "listener"],
        "ranges of one person are one hearing"
    );
}
