//! Names made to do harm, from a real SIP message into journal, reports and log: they come out as text.
//! What steers a terminal or a spreadsheet is taken from a name as it comes in; the rest of it stays.

use std::time::Duration;

use crate::harness::hostile::values;
use crate::harness::journal::{Entry, entries};
use crate::harness::wire::{Wire, header, status, to_tag};
use crate::harness::{Engine, LogOnPanic, Setup, text_of, until};

const SOON: Duration = Duration::from_secs(30);

/// Values longer than this fit no datagram beside the rest of a message.
const OCTETS_MAX: usize = 4_000;

/// An INVITE for a number of no plan, whose caller has a name of any octets; the status that it got. What
/// cannot be copied into an answer gets none.
fn call_as(engine: &Engine, number: &str, name: &[u8]) -> Option<u16> {
    let wire = Wire::new(engine.place.net.callers, engine.sip);
    let plain = wire.request("INVITE", number, 1, "invite", "");
    let (before, after) = plain.split_once("From: ").unwrap();
    let mut message = format!("{before}From: \"").into_bytes();
    for octet in name {
        if matches!(octet, b'"' | b'\\') {
            message.push(b'\\');
        }
        message.push(*octet);
    }
    message.extend_from_slice(b"\" ");
    message.extend_from_slice(after.as_bytes());
    wire.send(message);
    // In order, so what comes no sooner than the answer to this comes not at all.
    wire.send(wire.request("OPTIONS", number, 2, "options", ""));
    let mut refused = None;
    loop {
        let answer = wire.receive(SOON).expect("an answer to OPTIONS");
        let cseq = header(&answer, "CSeq").unwrap_or_default();
        if cseq.ends_with("OPTIONS") {
            return refused;
        }
        refused = status(&answer).filter(|status| *status >= 200).or(refused);
        wire.send(wire.request("ACK", number, 1, "invite", &to_tag(&answer)));
    }
}

/// Whether a text is another one from which characters were taken, and nothing else.
fn is_part(text: &str, whole: &str) -> bool {
    let mut left = whole.chars();
    text.chars().all(|wanted| left.any(|found| found == wanted))
}

/// Whether a line of the log begins as every line of it does, with a moment.
fn begins_with_a_moment(line: &str) -> bool {
    line.get(..20).is_some_and(|moment| {
        let form = moment
            .bytes()
            .map(|b| if b.is_ascii_digit() { b'0' } else { b });
        form.eq(*b"0000-00-00T00:00:00.")
    })
}

#[test]
fn names_from_sip_are_text_in_the_journal_and_forge_no_line_of_the_log() {
    let engine = Engine::start(&Setup::default());
    let _log = LogOnPanic::of(&engine);
    let fits = |value: &String| value.len() <= OCTETS_MAX;
    let mut names: Vec<Vec<u8>> = values()
        .into_iter()
        .filter(fits)
        .map(String::into_bytes)
        .collect();
    names.push(b"\xff\xfe not UTF-8 \xd0".to_vec());
    let mut wanted = Vec::new();
    for (number, name) in (19_000..).zip(&names) {
        let number = number.to_string();
        match call_as(&engine, &number, name) {
            Some(404) => wanted.push((number, String::from_utf8_lossy(name).into_owned())),
            status => assert!(matches!(status, None | Some(400)), "{status:?}: {name:?}"),
        }
    }
    assert!(wanted.len() >= 15, "most names are names: {}", wanted.len());
    let all = until("every call in the journal", SOON, || {
        let all = entries(&engine.place);
        (all.len() >= wanted.len()).then_some(all)
    });
    let mut seen: Vec<_> = all
        .iter()
        .map(|entry: &Entry| {
            let text = |column| entry.text(column).to_owned();
            (text("number"), text("caller_name"))
        })
        .collect();
    seen.sort_unstable();
    assert_eq!(seen.len(), wanted.len(), "{seen:?}");
    for ((number, name), (wanted, said)) in seen.iter().zip(&wanted) {
        assert_eq!(number, wanted);
        assert!(is_part(name, said), "{name:?} of {said:?}");
        let steers = |c: char| {
            c.is_control()
                || ('\u{202a}'..='\u{202e}').contains(&c)
                || ('\u{2066}'..='\u{2069}').contains(&c)
        };
        assert!(
            !name.contains(steers) && !name.starts_with(['=', '+', '-', '@']),
            "{name:?}"
        );
        let harmless = said.is_ascii()
            && !said.contains(char::is_control)
            && !said.trim_start().starts_with(['=', '+', '-', '@']);
        assert!(!harmless || name == said, "{name:?} of {said:?}");
    }

    for form in ["table", "csv", "html"] {
        let output = engine.place.run(&["report", "daily", "--format", form]);
        assert!(output.status.success(), "{}", text_of(&output));
    }
    let log = engine.log();
    for line in log.lines() {
        assert!(begins_with_a_moment(line), "{line:?}");
        let found = line.chars().find(|c| c.is_control() && *c != '\t');
        assert_eq!(found, None, "{line:?}");
    }
}
