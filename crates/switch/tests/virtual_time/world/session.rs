//! What the tests of sessions do again and again: requests within a dialog, a talk, its end.

use sip::{HeaderName, Message, Method};
use vocab::media::MediaCommand;
use vocab::{Fact, HeldBy};

use super::{World, phone, trunk};

pub fn body(message: &Message) -> String {
    String::from_utf8(message.body.clone()).unwrap()
}

pub fn field<'a>(message: &'a Message, name: &HeaderName) -> &'a str {
    message.headers.first(name).unwrap_or("-")
}

pub fn kinds(world: &World) -> Vec<String> {
    let of = |fact: &Fact| format!("{fact:?}").split(' ').next().unwrap().to_owned();
    let of_call = world
        .facts
        .iter()
        .filter(|event| event.fact.call().is_some());
    of_call.map(|event| of(&event.fact)).collect()
}

/// A request of the caller within its dialog.
pub fn ask(world: &mut World, pair: &(Message, Message), method: Method, number: u32) -> Message {
    let mut request = world.in_dialog(&pair.0, &pair.1, method.clone());
    let cseq = format!("{number} {}", method.as_str());
    request.headers.set(HeaderName::CSeq, cseq);
    request
        .headers
        .set(HeaderName::Contact, format!("<sip:{}>", trunk()));
    request
}

pub fn described(request: Message, body: &str) -> Message {
    request.with_body("application/sdp", body.into())
}

/// A request of telephone 1, which answered `invite` with `answer`.
pub fn of_operator(
    world: &mut World,
    invite: &Message,
    answer: &Message,
    method: Method,
    number: u32,
) -> Message {
    let branch = world.branch();
    let target = invite.contacts().unwrap().remove(0).uri;
    let mut request = Message::request(method.clone(), target);
    let headers = &mut request.headers;
    let via = format!("SIP/2.0/UDP {};rport;branch={branch}", phone(1));
    headers.push(HeaderName::Via, via);
    headers.push(HeaderName::From, field(answer, &HeaderName::To));
    headers.push(HeaderName::To, field(answer, &HeaderName::From));
    headers.push(HeaderName::CallId, invite.call_id().unwrap());
    headers.push(HeaderName::CSeq, format!("{number} {}", method.as_str()));
    headers.push(HeaderName::Contact, format!("<sip:op1@{}>", phone(1)));
    request
}

/// Caller and operator talk: the caller's INVITE and 200, the operator's.
pub fn talk(world: &mut World) -> ((Message, Message), (Message, Message)) {
    let caller = world.waiting_caller();
    let ring = world.request(phone(1), &Method::Invite);
    let answer = world.answer(1, &ring, 200);
    world.request(phone(1), &Method::Ack);
    world.clear();
    (caller, (ring, answer))
}

pub fn end(world: &mut World, caller: &(Message, Message), number: u32) {
    let bye = ask(world, caller, Method::Bye, number);
    world.send(trunk(), &bye);
    while world.response(trunk()).cseq().unwrap().method != Method::Bye {}
    world.take_bye(phone(1));
    world.assert_quiet();
}

pub fn remotes(world: &World, sends: bool) -> usize {
    let of = |command: &&MediaCommand| matches!(command, MediaCommand::SetRemote { remote, .. } if remote.send == sends);
    world.commands.iter().filter(of).count()
}

/// What the facts say of something, in order.
pub fn told<T>(world: &World, of: impl Fn(&Fact) -> Option<T>) -> Vec<T> {
    let facts = world.facts.iter();
    facts.filter_map(|event| of(&event.fact)).collect()
}

pub fn holds(world: &World) -> Vec<(bool, HeldBy)> {
    let of = |fact: &Fact| match fact {
        Fact::HoldStarted { by, .. } => Some((true, *by)),
        Fact::HoldEnded { by, .. } => Some((false, *by)),
        _ => None,
    };
    told(world, of)
}
