//! Callers and operators of the load generator, who make real calls with audio.

use std::net::IpAddr;
use std::time::Duration;

use load::{CallerPattern, DurationRange, Load, LoadSettings, OperatorAccount, OperatorBehaviour};

use super::{Engine, NUMBER, password, until};

/// So many calls, twenty a second, to operators who answer soon; each talks for so long.
pub fn talking(engine: &Engine, logins: &[String], calls: u64, talk: Duration) -> Load {
    start(engine, logins, calls, talk, |_| {})
}

/// Operators and nobody who calls them. Dropped without `stop`, their telephones fall silent in the
/// middle of whatever they do.
pub fn at_work(engine: &Engine, logins: &[String], address: IpAddr) -> Load {
    let load = start(engine, logins, 0, Duration::ZERO, |settings| {
        settings.operator_address = address;
    });
    until("the operators are registered", SOON, || {
        (load.counts().registered == logins.len() as u64).then_some(())
    });
    load
}

/// Callers from an address, and no operator. Dropped without `stop`, their trunk is gone.
pub fn calling(engine: &Engine, calls: u64, talk: Duration, address: IpAddr) -> Load {
    start(engine, &[], calls, talk, |settings| {
        settings.caller_address = address;
        // Operators of another load do not know which calls are theirs to end.
        settings.callers.operator_hangs_up = 0.0;
    })
}

const SOON: Duration = Duration::from_secs(30);

fn start(
    engine: &Engine,
    logins: &[String],
    calls: u64,
    talk: Duration,
    change: impl FnOnce(&mut LoadSettings),
) -> Load {
    let net = engine.place.net;
    let account = |login: &String| OperatorAccount::new(login, password(login));
    let mut settings = LoadSettings {
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
    };
    change(&mut settings);
    Load::start(settings).unwrap()
}
