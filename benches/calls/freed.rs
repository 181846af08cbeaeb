//! From the moment in which an operator is free to the INVITE of the next call: as the engine's own trace
//! has it, from the BYE that it takes to the INVITE that it sends, and as the telephones see it, where what
//! the load generator adds, busy with the audio of hundreds of calls on the same cores, is a part.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::time::Duration;

use load::{
    CallerPattern, DurationRange, Load, LoadSettings, OfferReport, OperatorBehaviour, Voices,
};

use trace::Direction;
use trace::pcapng::Reader;

use super::Engine;

/// So many calls a second for so long, to operators of whom none is ever without a next call.
pub(crate) fn freed(rate: f64, seconds: u64, io: &str) {
    // A call keeps an operator for a second, more or less: were it a second for all, those who were offered
    // calls in one moment would hang up in one moment for ever after.
    let ms = Duration::from_millis;
    let (answer, talk) = (ms(100), DurationRange::new(ms(400), ms(1_400)));
    let operators = rate as usize;
    let engine = Engine::start_traced(operators, io);
    let load = Load::start(LoadSettings {
        callers: CallerPattern {
            number: "1300".to_owned(),
            calls: Some((rate * seconds as f64) as u64),
            // Faster than they can be served, so that somebody always waits.
            rate: rate * 1.5,
            at_once: operators * 2,
            talk,
            patience: DurationRange::exactly(Duration::from_secs(600)),
            operator_hangs_up: 1.0,
            ..CallerPattern::default()
        },
        operators: engine.accounts.clone(),
        behaviour: OperatorBehaviour {
            answer_delay: DurationRange::exactly(answer),
            ..OperatorBehaviour::default()
        },
        voices: Voices::generated(1),
        ..LoadSettings::new(engine.address)
    })
    .unwrap();
    assert!(
        load.wait(Duration::from_secs(seconds * 3 + 60)),
        "calls are stuck"
    );
    let report = load.stop();
    let last_came = report
        .calls
        .iter()
        .map(|call| call.placed_at)
        .max()
        .unwrap();
    let mut by_operator: BTreeMap<&str, Vec<&OfferReport>> = BTreeMap::new();
    for offer in report.calls.iter().flat_map(|call| &call.offers) {
        by_operator.entry(&offer.login).or_default().push(offer);
    }
    let mut gaps = Vec::new();
    for offers in by_operator.values_mut() {
        offers.sort_by_key(|offer| offer.offered_at);
        let pairs = offers.windows(2).map(|pair| (pair[0], pair[1]));
        // Once the last caller has come the queue may be empty.
        let pairs = pairs.filter(|(one, next)| one.hung_up && next.offered_at < last_came);
        gaps.extend(pairs.map(|(one, next)| next.offered_at.since(one.ended_at)));
    }
    let first_came = report
        .calls
        .iter()
        .map(|call| call.placed_at)
        .min()
        .unwrap();
    let served = report.calls.len() as f64 / last_came.since(first_came).as_secs_f64();
    println!(
        "{operators} operators, {served:.0} calls a second, somebody always waits: BYE to INVITE"
    );
    let folder = engine.end();
    let by_trace = of_trace(&folder.path().join("trace"), gaps.len());
    print_line("in the engine, by its trace", by_trace);
    print_line("at the telephones", gaps);
}

fn print_line(of: &str, mut gaps: Vec<Duration>) {
    gaps.sort_unstable();
    let at =
        |part: usize| gaps[(gaps.len() * part / 1_000).min(gaps.len() - 1)].as_secs_f64() * 1e3;
    println!(
        "{of}: {} times, median {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms",
        gaps.len(),
        at(500),
        at(990),
        at(999),
    );
}

/// The first `count` times from the BYE of an operator to the next INVITE to that one.
fn of_trace(folder: &Path, count: usize) -> Vec<Duration> {
    let mut packets = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let mut reader = Reader::new(File::open(file.unwrap().path()).unwrap()).unwrap();
        while let Some(packet) = reader.packet().unwrap() {
            packets.push(packet);
        }
    }
    packets.sort_by_key(|packet| packet.at_us);
    let mut freed: BTreeMap<String, i64> = BTreeMap::new();
    let mut gaps = Vec::new();
    for packet in &packets {
        let text = String::from_utf8_lossy(&packet.bytes);
        let user = |line: &str| {
            let (_, uri) = line.split_once("sip:")?;
            Some(uri.split_once('@')?.0.to_owned())
        };
        let from = || text.lines().find(|line| line.starts_with("From:"));
        match packet.direction {
            Direction::In if text.starts_with("BYE ") => {
                if let Some(who) = from().and_then(user) {
                    freed.entry(who).or_insert(packet.at_us);
                }
            }
            Direction::Out if text.starts_with("INVITE ") => {
                let who = text.lines().next().and_then(user);
                if let Some(at) = who.and_then(|who| freed.remove(&who)) {
                    let gap = u64::try_from(packet.at_us - at).unwrap_or(0);
                    gaps.push(Duration::from_micros(gap));
                }
            }
            _ => {}
        }
    }
    gaps.truncate(count);
    gaps
}
