//! Peers that vanish without a word: an operator's telephone, a browser, a trunk; audio that stops while
//! the call stays. What they leave behind is ended by `[media] silence_timeout` and by what SIP does not hear.

use std::time::Duration;

use super::{SOON, all_talked, ends, in_talk, nothing_lost};
use crate::harness::browser::Browser;
use crate::harness::journal::{Entry, finished};
use crate::harness::people::{at_work, calling};
use crate::harness::{Engine, LogOnPanic, Net, Setup, sipp, text_of, until};
use sip::Method;

/// The shortest that the settings take.
const SILENCE: &str = "silence_timeout = \"10s\"";

fn names<const N: usize>(logins: [&str; N]) -> Vec<String> {
    logins.map(str::to_owned).to_vec()
}

/// The one entry of an operator.
fn of<'a>(entries: &'a [Entry], login: &str) -> &'a Entry {
    let mut of_login = entries
        .iter()
        .filter(|entry| entry.text("operator_login") == login);
    let first = of_login.next();
    first.unwrap_or_else(|| panic!("no entry of {login}: {entries:#?}"))
}

#[test]
fn an_operators_telephone_that_vanishes_ends_its_own_call_and_no_other() {
    let engine = Engine::start(&Setup {
        operators: names(["anna", "boris"]),
        media: SILENCE.to_owned(),
        ..Setup::default()
    });
    let _log = LogOnPanic::of(&engine);
    let net = engine.place.net;
    let anna = at_work(&engine, &names(["anna"]), net.operators);
    let first = calling(&engine, 1, Duration::from_secs(120), net.callers);
    in_talk(&first, 1);
    let _boris = at_work(&engine, &names(["boris"]), net.other());
    let second = calling(&engine, 1, Duration::from_secs(13), net.callers);
    in_talk(&second, 1);
    // Without a BYE, without a last packet.
    drop(anna);
    until(
        "the caller of the telephone that vanished is let go",
        SOON,
        || (first.counts().ended == 1).then_some(()),
    );
    assert_eq!(second.counts().talking, 1, "{:?}", second.counts());
    all_talked(&second, 1);
    drop((first, second));
    // Anna still stands in the registrar: her telephone is tried in vain, and the caller goes to Boris.
    let third = calling(&engine, 1, Duration::from_secs(1), net.callers);
    all_talked(&third, 1);
    drop(third);
    let all = nothing_lost(&engine.place, 3, 3);
    assert_eq!(all.len(), 3, "{all:#?}");
    let cut = of(&all, "anna");
    assert_eq!(cut.text("outcome"), "answered", "{cut:?}");
    cut.check_recording(&engine.place);
    let shown = text_of(&engine.place.run(&["call", "show", cut.text("call")]));
    assert!(
        shown.contains("anna sent no audio for 10 s: hung up"),
        "{shown}"
    );
    let served = all
        .iter()
        .filter(|entry| entry.text("operator_login") == "boris");
    assert_eq!(served.count(), 2, "{all:#?}");
    ends(engine);
}

#[test]
fn a_trunk_that_vanishes_frees_its_operator_and_another_trunks_call_goes_on() {
    let net = Net::fresh();
    let other = net.other();
    let engine = Engine::start(&Setup {
        net,
        operators: names(["anna", "boris"]),
        media: SILENCE.to_owned(),
        more: format!("[[trunk]]\nname = \"other\"\naddresses = [\"{other}\"]\n"),
        ..Setup::default()
    });
    let _log = LogOnPanic::of(&engine);
    let operators = at_work(&engine, &names(["anna", "boris"]), net.operators);
    let gone = calling(&engine, 1, Duration::from_secs(120), net.callers);
    in_talk(&gone, 1);
    let stays = calling(&engine, 1, Duration::from_secs(14), other);
    in_talk(&stays, 1);
    drop(gone);
    until("the operator is free again", SOON, || {
        (operators.counts().talking <= 1).then_some(())
    });
    assert_eq!(stays.counts().talking, 1, "{:?}", stays.counts());
    let next = calling(&engine, 1, Duration::from_secs(1), other);
    all_talked(&next, 1);
    all_talked(&stays, 1);
    drop((next, stays, operators));
    let all = nothing_lost(&engine.place, 3, 3);
    let cut: Vec<&Entry> = all
        .iter()
        .filter(|entry| entry.text("trunk") == "loopback")
        .collect();
    assert_eq!(cut.len(), 1, "{all:#?}");
    assert_eq!(cut[0].text("outcome"), "answered", "{cut:?}");
    cut[0].check_recording(&engine.place);
    ends(engine);
}

/// SIPp's audio lasts 7 s; the caller stays on the line for longer.
#[test]
fn audio_that_stops_on_one_side_is_told_and_the_call_goes_on() {
    let engine = Engine::start(&Setup::default());
    let _log = LogOnPanic::of(&engine);
    let net = engine.place.net;
    let _anna = at_work(&engine, &names(["anna"]), net.operators);
    sipp::call(&engine, "uac-talk", |options| options.stay = 14_000);
    let entry = finished(&engine.place, 1).remove(0);
    assert_eq!(entry.end(), ("answered", "caller"), "{entry:?}");
    let shown = text_of(&engine.place.run(&["call", "show", entry.text("call")]));
    assert!(shown.contains("the caller is not heard"), "{shown}");
    let recording = entry.check_recording(&engine.place);
    let talk = entry.number("talk_ms").unwrap();
    assert!((recording.ms() as i64 - talk).abs() <= 40, "{talk}");
    nothing_lost(&engine.place, 1, 1);
    ends(engine);
}

#[test]
fn a_browser_whose_connection_is_half_open_costs_its_caller_no_wait_but_one() {
    let net = Net::fresh();
    let engine = Engine::start(&Setup {
        net,
        operators: names(["anna", "boris"]),
        sip: format!("ws = [\"{}:0\"]\norigins = [\"*\"]", net.engine),
        ..Setup::default()
    });
    let _log = LogOnPanic::of(&engine);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let talk = sipp::start_call(&engine, "uac-talk", |options| options.stay = 3_000);
    let browser = runtime.block_on(async {
        let mut browser = Browser::open(engine.others["ws"], "https://desk.example")
            .await
            .unwrap();
        browser.register().await;
        let invite = browser.request(&Method::Invite).await;
        browser.take(&invite, net.operators).await;
        browser.vanish();
        browser
    });
    // The caller hangs up; the BYE to the browser is never even acknowledged.
    talk.succeed();
    // Its registration stands, so the next call is offered to it and then, after a while, to Boris.
    let _boris = at_work(&engine, &names(["boris"]), net.operators);
    let next = calling(&engine, 2, Duration::from_millis(500), net.callers);
    all_talked(&next, 2);
    drop(next);
    drop(browser);
    let all = nothing_lost(&engine.place, 3, 2);
    let first = of(&all, "anna");
    assert_eq!(first.end(), ("answered", "caller"), "{first:?}");
    let served = all
        .iter()
        .filter(|entry| entry.text("operator_login") == "boris");
    assert_eq!((served.count(), all.len()), (2, 3), "{all:#?}");
    ends(engine);
}
