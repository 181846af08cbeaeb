//! Faults of the process: plans loaded anew all the time, descriptors and ports that run out, a reader of
//! events who does not read, an end with calls up.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::{SOON, all_talked, engine_of, in_talk, logins, nothing_lost, process};
use crate::harness::journal::{entries, finished};
use crate::harness::people::{calling, talking};
use crate::harness::{Engine, LogOnPanic, Net, Place, Setup, free_port, sipp, text_of, until};
use rustix::process::{Resource, Rlimit, Signal, kill_process, prlimit};

#[test]
fn plans_loaded_anew_all_the_time_cost_no_call() {
    let logins = logins(4);
    let engine = engine_of(&logins);
    let _log = LogOnPanic::of(&engine);
    let load = talking(&engine, &logins, 20, Duration::from_millis(700));
    let mut reloads = 0;
    until("all calls are over", SOON, || {
        kill_process(process(&engine), Signal::HUP).unwrap();
        reloads += 1;
        std::thread::sleep(Duration::from_millis(80));
        load.finished().then_some(())
    });
    assert!(reloads > 10, "{reloads}");
    let counts = load.counts();
    assert_eq!((counts.talked, counts.failed, counts.refused), (20, 0, 0));
    drop(load);
    for entry in finished(&engine.place, 20) {
        assert_eq!(entry.text("outcome"), "answered", "{entry:?}");
    }
    nothing_lost(&engine.place, 20, 20);
}

#[test]
fn without_descriptors_it_refuses_calls_and_takes_them_again_when_there_are_some() {
    let logins = logins(2);
    let mut engine = engine_of(&logins);
    let _log = LogOnPanic::of(&engine);
    let limited = |to: Option<u64>| {
        let limit = Rlimit {
            current: to,
            ..rustix::process::getrlimit(Resource::Nofile)
        };
        prlimit(Some(process(&engine)), Resource::Nofile, limit).unwrap()
    };
    // Those that are open stay; below the limit none is free.
    let before = limited(Some(3));
    let talked = |calls: u64| {
        let load = talking(&engine, &logins, calls, Duration::from_millis(300));
        until("all calls are over", SOON, || {
            (load.counts().ended >= calls).then_some(load.counts().talked)
        })
    };
    // What is bound ahead of the calls serves some of them; those after it find no socket for audio.
    let served_ahead = (0..20).take_while(|_| talked(1) == 1).count() as u64;
    assert!(served_ahead < 20);
    assert_eq!(talked(5), 0, "there was no socket for audio");
    limited(before.current);
    let load = talking(&engine, &logins, 5, Duration::from_millis(300));
    assert!(load.wait(SOON), "{:?}", load.counts());
    assert_eq!(load.counts().talked, 5);
    drop(load);
    assert!(engine.alive());
    let all = until("every call has its entry", SOON, || {
        let all = entries(&engine.place);
        let over = all.iter().filter(|entry| !entry.text("outcome").is_empty());
        (over.count() as u64 == served_ahead + 11).then_some(all)
    });
    let served = all
        .iter()
        .filter(|entry| entry.text("outcome") == "answered");
    assert_eq!(served.count() as u64, served_ahead + 5);
    nothing_lost(&engine.place, served_ahead + 11, served_ahead + 5);
}

/// One call needs two legs, each a port for audio and one for its reports.
#[test]
fn without_ports_it_ends_the_call_cleanly_and_the_one_that_is_up_goes_on() {
    let net = Net::fresh();
    let first = free_port(net.engine).clamp(1_024, 65_000);
    let logins = logins(2);
    let mut engine = Engine::start(&Setup {
        net,
        operators: logins.clone(),
        media: format!("ports = \"{first}-{}\"", first + 3),
        ..Setup::default()
    });
    let _log = LogOnPanic::of(&engine);
    let up = talking(&engine, &logins, 1, Duration::from_secs(5));
    in_talk(&up, 1);
    let load = calling(&engine, 3, Duration::from_millis(300), net.callers);
    until(
        "the calls for which there is no port are over",
        SOON,
        || (load.counts().ended >= 3).then_some(()),
    );
    assert_eq!(load.counts().talked, 0, "there was no port for audio");
    drop(load);
    assert_eq!(up.counts().talking, 1, "{:?}", up.counts());
    all_talked(&up, 1);
    drop(up);
    let load = talking(&engine, &logins, 1, Duration::from_millis(500));
    all_talked(&load, 1);
    drop(load);
    assert!(engine.alive());
    let all = nothing_lost(&engine.place, 5, 2);
    let served = all
        .iter()
        .filter(|entry| entry.text("outcome") == "answered");
    assert_eq!((served.count(), all.len()), (2, 5), "{all:#?}");
}

/// A stream of all events from the first on, of which nobody reads.
fn stream(address: &str, token: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!(
        "GET /api/v1/events?after=00000000-00000000 HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

#[test]
fn readers_of_events_who_do_not_read_cost_no_call_and_hold_no_memory() {
    let net = Net::fresh();
    let address = format!("{}:{}", net.engine, free_port(net.engine));
    let logins = logins(4);
    let place = Place::new(&Setup {
        net,
        operators: logins.clone(),
        more: format!("[api]\nlisten = \"{address}\"\n"),
        ..Setup::default()
    });
    let made = place.run(&["token", "add", "reader", "--right", "read"]);
    assert!(made.status.success(), "{}", text_of(&made));
    let token = String::from_utf8(made.stdout).unwrap();
    let engine = Engine::start_in(place);
    let _log = LogOnPanic::of(&engine);
    let idle: Vec<TcpStream> = (0..60).map(|_| stream(&address, token.trim())).collect();
    let load = talking(&engine, &logins, 40, Duration::from_millis(300));
    all_talked(&load, 40);
    drop(load);
    let all = nothing_lost(&engine.place, 40, 40);
    assert_eq!(all.len(), 40);
    // One who reads is not held up by those who do not, and has every end of a call.
    let mut reader = stream(&address, token.trim());
    reader.set_read_timeout(Some(SOON)).unwrap();
    let mut told = Vec::new();
    let mut buffer = [0; 65_536];
    while String::from_utf8_lossy(&told)
        .matches("event: call_ended")
        .count()
        < 40
    {
        let length = reader.read(&mut buffer).unwrap();
        assert!(length > 0, "{}", String::from_utf8_lossy(&told));
        told.extend_from_slice(&buffer[..length]);
    }
    // So does one who begins to read late.
    let mut late = &idle[0];
    late.set_read_timeout(Some(SOON)).unwrap();
    let length = late.read(&mut buffer).unwrap();
    assert!(String::from_utf8_lossy(&buffer[..length]).starts_with("HTTP/1.1 200"));
}

#[test]
fn an_engine_that_is_to_end_finishes_its_calls_and_refuses_new_ones() {
    let logins = logins(3);
    let engine = engine_of(&logins);
    let load = talking(&engine, &logins, 3, Duration::from_secs(4));
    until("all calls in talk", SOON, || {
        (load.counts().talking == 3).then_some(())
    });
    kill_process(process(&engine), Signal::TERM).unwrap();
    until("the engine knows of it", SOON, || {
        engine.log().contains("taking no new calls").then_some(())
    });
    sipp::call(&engine, "uac-engine-full-503", |_| {});
    assert!(load.wait(SOON), "{:?}", load.counts());
    let counts = load.counts();
    assert_eq!((counts.talked, counts.failed), (3, 0));
    drop(load);
    let mut engine = engine;
    until("the engine has ended", SOON, || {
        (!engine.alive()).then_some(())
    });
    let engine = Engine::start_in(engine.kill());
    let _log = LogOnPanic::of(&engine);
    let ended: Vec<String> = finished(&engine.place, 3)
        .iter()
        .map(|entry| entry.text("outcome").to_owned())
        .collect();
    assert_eq!(ended, ["answered"; 3]);
    let load = talking(&engine, &logins, 1, Duration::from_millis(300));
    assert!(load.wait(SOON));
    drop(load);
    finished(&engine.place, 4);
    nothing_lost(&engine.place, 4, 4);
}

#[test]
fn a_second_engine_has_the_port_when_the_first_has_finished_its_calls_and_not_before() {
    let net = Net::fresh();
    let logins = logins(2);
    let mut engine = Engine::start(&Setup {
        net,
        port: free_port(net.engine),
        operators: logins.clone(),
        ..Setup::default()
    });
    let sip = engine.sip;
    let load = talking(&engine, &logins, 2, Duration::from_secs(4));
    in_talk(&load, 2);
    kill_process(process(&engine), Signal::TERM).unwrap();
    until("the engine knows of it", SOON, || {
        engine.log().contains("taking no new calls").then_some(())
    });
    // Too early: it says why and ends, and touches neither calls nor files.
    let output = engine.place.run(&["serve"]);
    assert!(!output.status.success());
    let said = text_of(&output);
    assert!(said.contains("another program uses this port"), "{said}");
    assert_eq!(load.counts().talking, 2, "{:?}", load.counts());
    all_talked(&load, 2);
    drop(load);
    until("the first engine has ended", SOON, || {
        (!engine.alive()).then_some(())
    });
    let engine = Engine::start_in(engine.kill());
    let _log = LogOnPanic::of(&engine);
    assert_eq!(engine.sip, sip);
    let load = talking(&engine, &logins, 2, Duration::from_millis(300));
    all_talked(&load, 2);
    drop(load);
    let all = nothing_lost(&engine.place, 4, 4);
    assert_eq!(all.len(), 4, "{all:#?}");
}
