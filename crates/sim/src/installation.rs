//! Owns the installation that is simulated: numbers and plans, queues, the trunk, the operators, and what
//! the process reads of its journal at the start.

use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;

use acd::QueueSettings;
use dialplan::{Plan, Plans};
use sip::{Secrets, Transport, Uri};
use switch::trunk::Outbound;
use switch::{Input, Operator, Settings, Trunk};
use vocab::media::PromptId;
use vocab::{Fact, OperatorId, Order, QueueId, Standing};

use crate::callers::trunk;
use crate::endpoint::engine;
use crate::random::Random;
use crate::telephones::login;

/// The numbers of the plans.
pub(crate) const NUMBERS: [&str; 4] = ["1300", "1301", "1302", "1303"];
/// Of every operator.
pub(crate) const PASSWORD: &str = "secret";
/// The queues, by their ids.
pub(crate) const QUEUES: [&str; 2] = ["operators", "office"];

const PLANS: [&str; 4] = [
    r#"
name = "hotline"
numbers = ["1300"]
languages = ["en"]
[[step]]
answer = {}
[[step]]
say = { name = "greeting", notice = true, text = { en = "Calls are recorded." } }
[[step]]
[step.queue]
name = "operators"
music = "music/waiting.wav"
announce = true
announce_after = "5s"
announce_every = "15s"
[[step]]
say = { name = "sorry", text = { en = "Nobody is free." } }
"#,
    r#"
name = "urgent"
numbers = ["1301"]
languages = ["en"]
notice = "none"
[[step]]
answer = {}
[[step]]
queue = { name = "operators", music = "music/waiting.wav", priority = 9, wait_recorded = true }
"#,
    r#"
name = "office"
numbers = ["1302"]
languages = ["en"]
notice = "none"
[[step]]
ring = { group = ["101", "102"], time = "8s" }
[[step]]
queue = { name = "office", recorded = false }
"#,
    r#"
name = "topics"
numbers = ["1303"]
languages = ["en"]
notice = "none"
[[step]]
answer = {}
[[step]]
[step.menu]
name = "topics"
otherwise = "operators"
text = { en = "For the office, press 1. To give the number of your account, press 2." }
keys = { 1 = "office", 2 = "account" }
[[flow.office]]
queue = { name = "office", recorded = false }
[[flow.account]]
collect = { name = "account", field = "account", digits_max = 4, text = { en = "Your account, please." }, otherwise = "operators" }
[[flow.account]]
queue = { name = "operators", priority = 3 }
[[flow.operators]]
queue = { name = "operators" }
"#,
];

pub(crate) fn settings(seed: u64, boot: u32) -> Settings {
    let mut settings = Settings::example();
    let mut random = Random::new(seed, 20 + u64::from(boot));
    settings.boot = boot;
    for octet in &mut settings.seed {
        *octet = random.number() as u8;
    }
    settings.sockets = vec![(Transport::Udp, engine())];
    settings.transactions_max = 100_000;
    // An address is a network, of itself.
    let networks = trunk().ip().to_string().parse().into_iter().collect();
    let mut carrier = Trunk::at("carrier", networks);
    carrier.inbound.trusted = true;
    carrier.outbound = Some(outbound());
    settings.trunks = vec![carrier];
    let queue = |id, name: &str| QueueSettings {
        length_max: 40,
        wait_max: Some(Duration::from_secs(120)),
        wrap_up: acd::WrapUp::Fixed(Duration::from_secs(5)),
        ..QueueSettings::new(QueueId(id), name)
    };
    settings.queues = vec![queue(0, QUEUES[0]), queue(1, QUEUES[1])];
    settings
}

/// The way out, by the same trunk.
fn outbound() -> Outbound {
    let address = trunk();
    let server = Uri::sip(None, sip::Host::Ip(address.ip()), Some(address.port()));
    Outbound {
        servers: vec![server],
        proxy: None,
        domain: None,
        from_user: None,
        contact_user: None,
        number: None,
        identity: switch::trunk::Identity::From,
        early_media: switch::trunk::EarlyMedia::default(),
        dialling: switch::trunk::Dialling::default(),
        allowed: vec!["+7".to_owned()],
        refused: Vec::new(),
        priority: 0,
    }
}

pub(crate) fn operators(n: usize) -> Vec<Operator> {
    (0..n)
        .map(|n| Operator {
            id: OperatorId(1 + n as u32),
            login: login(n),
            name: format!("Operator {}", n + 1),
            line: (101 + n).to_string(),
            secrets: Secrets::new(&login(n), "hotline", PASSWORD),
            skills: BTreeMap::new(),
            address: None,
        })
        .collect()
}

/// The plans, read once for a world: their texts do not change.
pub(crate) fn read_plans() -> Vec<Plan> {
    // A mistake in them is one of this file, and every world shows it: no plan, no answer.
    let read = |text| dialplan::parse("sim.toml", text).ok();
    PLANS.into_iter().filter_map(read).collect()
}

/// The plans as loaded anew.
pub(crate) fn plans(read: &[Plan]) -> Input {
    let mut prompts = BTreeMap::new();
    for prompt in read.iter().flat_map(Plan::prompts) {
        let id = PromptId(prompts.len() as u32);
        prompts.entry((prompt.name, prompt.language)).or_insert(id);
    }
    let all = read.iter().cloned().map(Arc::new).collect();
    let plans = Plans::new(all).unwrap_or_default();
    Input::Plans { plans, prompts }
}

/// The registrations that the journal knows.
pub(crate) fn registrations(events: &[vocab::Event]) -> Vec<vocab::Registration> {
    let mut known = BTreeMap::new();
    for event in events {
        match &event.fact {
            Fact::TelephoneRegistered { registration } => {
                let key = (registration.login.clone(), registration.key.clone());
                known.insert(key, registration.as_ref().clone());
            }
            Fact::TelephoneUnregistered { login, key } => {
                known.remove(&(login.clone(), key.clone()));
            }
            _ => {}
        }
    }
    known.into_values().collect()
}

/// What operators chose and supervisors closed.
pub(crate) fn standing(events: &[vocab::Event]) -> Standing {
    let mut standing = Standing::default();
    for event in events {
        match &event.fact {
            Fact::OperatorOnDuty { operator, duty, .. } => {
                let login = operator.login.clone();
                standing.duties.insert(login, duty.as_ref().clone());
            }
            Fact::Ordered { order, .. } => match order {
                Order::CloseQueue { queue } => standing.closed.push(queue.clone()),
                Order::OpenQueue { queue } => standing.closed.retain(|closed| closed != queue),
                _ => {}
            },
            _ => {}
        }
    }
    standing
}
