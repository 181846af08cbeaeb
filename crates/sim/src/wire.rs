//! Owns the eye on what the engine sends: whether RFC 3261 permits it. Judges each message by those
//! that went before it in the same dialog, transaction and call.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use sip::wire::peek;
use sip::{Datagram, Message, Method};
use vocab::Time;

use crate::callers::trunk;
use crate::room::Content;

/// What the engine has sent so far, and the first thing that it should not have.
#[derive(Debug, Default)]
pub(crate) struct Wire {
    /// By Call-ID and tag of the sender.
    sides: BTreeMap<(String, String), Side>,
    /// Branches of requests that got a response.
    heard: BTreeSet<String>,
    /// Calls of the engine's to each place, by Call-ID, until it ended them or heard that they ended.
    calls: BTreeMap<SocketAddr, BTreeMap<String, Called>>,
    pub(crate) fault: Option<String>,
}

/// An INVITE of the engine's.
#[derive(Debug)]
struct Called {
    branch: String,
    at: Time,
    /// Something was said to it while the engine still listened.
    heard: bool,
}

/// How long an INVITE waits for a word: timer B (RFC 3261 §17.1.1.2). A telephone that answers later
/// has to find out by itself that nobody acknowledges.
const TIMER_B: Duration = Duration::from_secs(32);

/// The engine's side of a dialog, or of what may become one.
#[derive(Debug, Default)]
struct Side {
    /// The highest CSeq so far.
    highest: u32,
    /// Branches of all requests but ACK and CANCEL.
    branches: BTreeSet<String>,
}

impl Wire {
    /// A message of the engine's goes out; what whoever gets it finds in it.
    pub(crate) fn sent(&mut self, now: Time, to: SocketAddr, bytes: Vec<u8>) -> Content {
        match sip::parse_datagram(&bytes) {
            Ok(Datagram::Message(message)) => {
                if message.method().is_some() {
                    self.request(&message);
                    self.second_call(now, to, &message);
                }
                Content::Message(Box::new(message))
            }
            Ok(Datagram::KeepAlive) => Content::Octets(bytes),
            Err(malformed) => {
                self.broken(format!("malformed SIP to {to}: {}", malformed.problem));
                Content::Octets(bytes)
            }
        }
    }

    fn request(&mut self, message: &Message) {
        let (Ok(call_id), Ok(cseq), Ok(from), Ok(to), Some(method)) = (
            message.call_id(),
            message.cseq(),
            message.from_tag(),
            message.to_tag(),
            message.method(),
        ) else {
            return self.broken("a request without what each must have (§8.1.1)".to_owned());
        };
        let in_dialog = to.is_some();
        let branch = branch_of(message);
        let side = (call_id.to_owned(), from.unwrap_or_default().to_owned());
        let side = self.sides.entry(side).or_default();
        let number = cseq.number;
        let fault = match method {
            // §9.1: a CANCEL waits for a provisional response, and has the branch of its INVITE.
            Method::Cancel => {
                let premature = !self.heard.contains(&branch) || !side.branches.contains(&branch);
                premature.then_some("a CANCEL before its INVITE was heard")
            }
            Method::Ack => (number > side.highest).then_some("an ACK of an INVITE that never was"),
            // A copy.
            _ if side.branches.contains(&branch) => None,
            _ => {
                // §12.2.1.1: one more in a dialog; outside of one the forks of a request share it (§16.6).
                let fresh = if in_dialog {
                    number > side.highest
                } else {
                    number >= side.highest
                };
                side.highest = side.highest.max(number);
                side.branches.insert(branch);
                (!fresh).then_some("a CSeq that was used before")
            }
        };
        if let Some(fault) = fault {
            let method = method.as_str();
            self.broken(format!(
                "{fault}: {method}, CSeq {number}, Call-ID {call_id}"
            ));
        }
    }

    /// Nobody is called while another call of ours rings or talks there; at the trunk are many.
    fn second_call(&mut self, now: Time, to: SocketAddr, message: &Message) {
        if to == trunk() {
            return;
        }
        let call_id = message.call_id().unwrap_or_default().to_owned();
        let in_dialog = message.to_tag().is_ok_and(|tag| tag.is_some());
        let calls = self.calls.entry(to).or_default();
        match message.method() {
            Some(Method::Cancel | Method::Bye) => {
                calls.remove(&call_id);
            }
            Some(Method::Invite) if !in_dialog => {
                let branch = branch_of(message);
                if calls
                    .get(&call_id)
                    .is_some_and(|known| known.branch == branch)
                {
                    return;
                }
                // One that never said a word was given up without a CANCEL (§9.1).
                if let Some((other, _)) = calls.iter().find(|(_, called)| called.heard) {
                    let second = format!("{to} is called while {other} is up");
                    self.fault.get_or_insert(second);
                }
                let called = Called {
                    branch,
                    at: now,
                    heard: false,
                };
                calls.insert(call_id, called);
            }
            _ => {}
        }
    }

    /// A message is on its way into the engine. What telephones send is SIP, and garbage is no whole
    /// message: that is the engine's to judge, so nothing is parsed here.
    pub(crate) fn received(&mut self, now: Time, from: SocketAddr, bytes: &[u8]) {
        let text = |octets: Option<_>| octets.and_then(|text| core::str::from_utf8(text).ok());
        let Some(call_id) = text(peek::call_id(bytes)) else {
            return;
        };
        let branch = text(peek::branch(bytes)).unwrap_or_default();
        let status = peek::status(bytes);
        if status.is_some() && !self.heard.contains(branch) {
            self.heard.insert(branch.to_owned());
        }
        let Some(calls) = self.calls.get_mut(&from) else {
            return;
        };
        match status {
            Some(300..) => {
                calls.remove(call_id);
            }
            Some(_) => {
                let called = calls.get_mut(call_id);
                let called = called.filter(|called| called.branch == branch);
                if let Some(called) = called.filter(|called| now.since(called.at) < TIMER_B) {
                    called.heard = true;
                }
            }
            None if bytes.starts_with(b"BYE ") => {
                calls.remove(call_id);
            }
            None => {}
        }
    }

    /// The process died, and with it what it knew of its calls.
    pub(crate) fn crashed(&mut self) {
        self.calls.clear();
    }

    fn broken(&mut self, what: String) {
        self.fault.get_or_insert(what);
    }
}

fn branch_of(message: &Message) -> String {
    let branch = message.branch().ok().flatten();
    branch.unwrap_or_default().to_owned()
}
