//! Callers and operators of the load generator, who make real calls with audio.

use std::time::Duration;

use load::{CallerPattern, DurationRange, Load, LoadSettings, OperatorAccount, OperatorBehaviour};

use super::{Engine, NUMBER, password};

/// So many calls, twenty a second, to operators who answer soon; each talks for so long.
pub fn talking(engine: &Engine, logins: &[String], calls: u64, talk: Duration) -> Load {
    let net = engine.place.net;
    let account = |login: &String| OperatorAccount::new(login, password(login));
    Load::start(LoadSettings {
        caller_address: net.callers,
        operator_address: net.operators,
        operators: logins.iter().map(account).collect(),
        behaviour: OperatorBehaviour {
            answer_delay: DurationRange::exactly(Duration::from_millis(100)),
            ..OperatorBehaviour::default()
        },
        callers: CallerPattern {
            number: NUMBER.to_owned(),
            calls: Some(calls),
            rate: 20.0,
            at_once: calls as usize,
            talk: DurationRange::exactly(talk),
            ..CallerPattern::default()
        },
        ..LoadSettings::new(engine.sip)
    })
    .unwrap()
}
