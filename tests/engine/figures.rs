//! What the running engine tells of queues, lines and its own figures while a caller waits, is answered,
//! and has gone.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;

use crate::harness::http::ask;
use crate::harness::journal::finished;
use crate::harness::{Engine, LogOnPanic, Place, Setup, sipp, text_of, until};

/// Asks until the picture is as it is wanted: it is 200 ms old at most.
fn live(api: SocketAddr, token: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    until("the live picture", Duration::from_secs(10), || {
        let (status, live) = ask(api, "GET", "/api/v1/live", token, "");
        assert_eq!(status, 200, "{live}");
        let live: Value = serde_json::from_str(&live).unwrap();
        wanted(&live).then_some(live)
    })
}

/// The value of a sample.
fn value(page: &str, sample: &str) -> Option<f64> {
    let line = page.lines().find_map(|line| line.strip_prefix(sample))?;
    line.trim().parse().ok()
}

#[test]
fn a_call_is_seen_in_its_queue_at_its_line_and_in_the_figures() {
    let setup = Setup {
        more: "[api]\nlisten = \"127.0.0.1:0\"\n".to_owned(),
        ..Setup::default()
    };
    let place = Place::new(&setup);
    let made = place.run(&["token", "add", "all", "--right", "read,metrics"]);
    assert!(made.status.success(), "{}", text_of(&made));
    let token = String::from_utf8(made.stdout).unwrap();
    let token = token.trim();
    let engine = Engine::start_in(place);
    let _log = LogOnPanic::of(&engine);
    let api = engine.others["http"];
    let before = live(api, token, |_| true);
    let queue = &before["queues"][0];
    assert_eq!(queue["name"], "operators");
    assert_eq!((&queue["open"], &queue["free"]), (&true.into(), &0.into()));

    let operator = sipp::operators(&engine, "uas-answer", &["anna"], |_| {});
    let free = live(api, token, |live| live["queues"][0]["free"] == 1);
    let line = &free["operators"][0];
    let told = [&line["line"], &line["state"], &line["at_line"]];
    assert_eq!(told, [&Value::from("101"), &"free".into(), &true.into()]);
    sipp::call(&engine, "uac-talk", |options| options.stay = 2_000);
    operator.succeed();
    finished(&engine.place, 1);

    let page = until("the figures", Duration::from_secs(10), || {
        let (status, page) = ask(api, "GET", "/metrics", token, "");
        assert_eq!(status, 200, "{page}");
        let window = "hotline_queue_window_calls{queue=\"operators\",window=\"last_5_min\",outcome=\"answered\"}";
        (value(&page, window) == Some(1.0)).then_some(page)
    });
    let answered = "{queue=\"operators\",outcome=\"answered\"}";
    for (sample, expected) in [
        (format!("hotline_queue_wait_seconds_count{answered}"), 1.0),
        (
            "hotline_ring_seconds_count{result=\"answered\"}".to_owned(),
            1.0,
        ),
        ("hotline_talk_seconds_count".to_owned(), 1.0),
        ("hotline_talk_seconds_bucket{le=\"10\"}".to_owned(), 1.0),
        ("hotline_calls_arrived_total".to_owned(), 1.0),
        ("hotline_queue_waiting{queue=\"operators\"}".to_owned(), 0.0),
        ("hotline_queue_open{queue=\"operators\"}".to_owned(), 1.0),
        ("hotline_database_answers".to_owned(), 1.0),
        ("hotline_bugs_total".to_owned(), 0.0),
        ("hotline_media_failing".to_owned(), 0.0),
    ] {
        assert_eq!(
            value(&page, &format!("{sample} ")),
            Some(expected),
            "{sample}: {page}"
        );
    }
    let talked = value(&page, "hotline_talk_seconds_sum ").unwrap();
    assert!((1.0..10.0).contains(&talked), "{talked}");
    let started = value(&page, "process_start_time_seconds ").unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let up = now.unwrap().as_secs_f64() - started;
    assert!((1.0..600.0).contains(&up), "started {up} s ago");
}
