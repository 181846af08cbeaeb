//! From the moment in which an operator is free to the INVITE of the next call at the telephone: what an
//! operator's hang-up and the network of this machine add is a part of it.

use std::collections::BTreeMap;
use std::time::Duration;

use load::{
    CallerPattern, DurationRange, Load, LoadSettings, OfferReport, OperatorBehaviour, Voices,
};

use super::Engine;

/// So many calls a second for so long, to operators of whom none is ever without a next call.
pub(crate) fn freed(rate: f64, seconds: u64, io: &str) {
    // A call keeps an operator for a second.
    let (answer, talk) = (Duration::from_millis(100), Duration::from_millis(900));
    let operators = rate as usize;
    let engine = Engine::start(operators, true, io);
    let load = Load::start(LoadSettings {
        callers: CallerPattern {
            number: "1300".to_owned(),
            calls: Some((rate * seconds as f64) as u64),
            // Faster than they can be served, so that somebody always waits.
            rate: rate * 1.5,
            at_once: operators * 2,
            talk: DurationRange::exactly(talk),
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
    gaps.sort_unstable();
    let at =
        |part: usize| gaps[(gaps.len() * part / 1_000).min(gaps.len() - 1)].as_secs_f64() * 1e3;
    let first_came = report
        .calls
        .iter()
        .map(|call| call.placed_at)
        .min()
        .unwrap();
    let served = report.calls.len() as f64 / last_came.since(first_came).as_secs_f64();
    println!(
        "{} times an operator of {operators} got free with callers waiting, {served:.0} calls a second: BYE to INVITE \
         median {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms",
        gaps.len(),
        at(500),
        at(990),
        at(999),
    );
}
