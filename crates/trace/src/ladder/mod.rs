//! Owns the picture of a call: a column for each party, an arrow for each message, and between
//! them what the journal says happened.
//!
//! Numbers and names of callers are masked unless asked for in clear; proofs of passwords are not
//! in the trace at all.

mod draw;
mod facts;
mod mask;
mod summary;

use std::collections::{BTreeMap, BTreeSet};

use vocab::{Event, Fact, Party};

use crate::packet::{Direction, Packet};
use sip::wire::peek::call_id;

use draw::{Arrow, Lanes};

/// What is to be shown of a call.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// Its messages in order of time.
    pub packets: &'a [Packet],
    /// Its facts in order; none if the journal does not know the call.
    pub events: &'a [Event],
}

/// How it is to be shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Numbers and names are not masked.
    pub clear: bool,
    /// Whole messages stand below the ladder.
    pub messages: bool,
}

/// Who has the leg of each Call-ID, as the facts say: "caller", "anna (101)", "outer +7…".
#[must_use]
pub fn parties(events: &[Event], options: Options) -> BTreeMap<String, String> {
    let mut parties = BTreeMap::new();
    for event in events {
        match &event.fact {
            Fact::CallArrived { sip_call_id, .. } => {
                parties.insert(sip_call_id.clone(), "caller".to_owned());
            }
            Fact::LegStarted {
                sip_call_id, party, ..
            } => {
                let name = match party {
                    Party::Operator(operator) => format!("{} ({})", operator.login, operator.line),
                    Party::Outer { number, .. } => {
                        format!("outer {}", mask::number(number, options.clear))
                    }
                };
                parties.insert(sip_call_id.clone(), name);
            }
            _ => {}
        }
    }
    parties
}

/// One line of the ladder, before it is drawn.
enum Row<'a> {
    Message(&'a Packet),
    Fact(&'a Event),
}

/// The call as text.
#[must_use]
pub fn show(call: Call<'_>, options: Options) -> String {
    let parties = parties(call.events, options);
    let rows = rows(call);
    let lanes = Lanes::new(names(call.packets, &parties));
    let zero = rows.first().map_or(0, |(at, _, _)| *at);
    let mut text = facts::heading(call.events, options);
    if !call.packets.is_empty() {
        text.push_str(&lanes.heading());
    }
    let mut seen = BTreeSet::new();
    for (at, _, row) in &rows {
        let offset = (at - zero) / 1_000;
        match row {
            Row::Fact(event) => {
                if let Some(told) = facts::tell(&event.fact, options) {
                    text.push_str(&lanes.note(offset, &told));
                }
            }
            Row::Message(packet) => {
                let again = !seen.insert((
                    packet.remote,
                    packet.direction == Direction::In,
                    &packet.bytes,
                ));
                let lane = lanes.of(&name(packet, &parties));
                let arrow = Arrow {
                    offset,
                    lane,
                    inbound: packet.direction == Direction::In,
                    label: summary::label(&packet.bytes),
                    remark: summary::remark(packet, again),
                };
                text.push_str(&lanes.arrow(&arrow));
            }
        }
    }
    if options.messages {
        for (n, packet) in call.packets.iter().enumerate() {
            text.push_str(&whole(n + 1, packet, zero, options));
        }
    }
    text
}

/// Messages and facts by time; of one moment first what came, then what is known, then what went.
fn rows(call: Call<'_>) -> Vec<(i64, u8, Row<'_>)> {
    let zero = fact_zero(call);
    let messages = call.packets.iter().map(|packet| {
        let rank = match packet.direction {
            Direction::In => 0,
            Direction::Out => 2,
        };
        (packet.at_us, rank, Row::Message(packet))
    });
    let facts = call.events.iter().map(|event| {
        let up = i64::try_from(event.up.as_micros()).unwrap_or(i64::MAX);
        let same_boot = zero.filter(|(boot, _)| *boot == event.id.boot());
        let at = same_boot.map_or_else(
            || event.at.as_unix_millis().saturating_mul(1_000),
            |(_, zero)| zero.saturating_add(up),
        );
        (at, 1, Row::Fact(event))
    });
    let mut rows: Vec<_> = messages.chain(facts).collect();
    rows.sort_by_key(|(at, rank, _)| (*at, *rank));
    rows
}

/// The boot of the call, and the moment of its time zero: the call arrived when its INVITE did,
/// which joins both clocks to the microsecond.
fn fact_zero(call: Call<'_>) -> Option<(u32, i64)> {
    let first = call.events.first()?;
    let up = i64::try_from(first.up.as_micros()).ok()?;
    let at = match &first.fact {
        Fact::CallArrived { sip_call_id, .. } => call
            .packets
            .iter()
            .find(|packet| {
                packet.direction == Direction::In
                    && call_id(&packet.bytes) == Some(sip_call_id.as_bytes())
            })
            .map(|packet| packet.at_us),
        _ => None,
    };
    let at = at.unwrap_or_else(|| first.at.as_unix_millis().saturating_mul(1_000));
    Some((first.id.boot(), at.saturating_sub(up)))
}

/// The party at the other end of a message: as the journal knows it, else its address.
fn name(packet: &Packet, parties: &BTreeMap<String, String>) -> String {
    call_id(&packet.bytes)
        .and_then(|id| parties.get(String::from_utf8_lossy(id).as_ref()))
        .cloned()
        .unwrap_or_else(|| packet.remote.to_string())
}

/// Names of the columns in order of appearance, each with the first address seen.
fn names(packets: &[Packet], parties: &BTreeMap<String, String>) -> Vec<(String, String)> {
    let mut names: Vec<(String, String)> = Vec::new();
    for packet in packets {
        let name = name(packet, parties);
        if !names.iter().any(|(known, _)| *known == name) {
            names.push((name, packet.remote.to_string()));
        }
    }
    names
}

fn whole(number: usize, packet: &Packet, zero: i64, options: Options) -> String {
    let way = match packet.direction {
        Direction::In => "from",
        Direction::Out => "to",
    };
    let offset = (packet.at_us - zero) / 1_000;
    let text = mask::message(&packet.bytes, options.clear);
    format!(
        "\n--- {number}: {offset} ms, {} {way} {}\n{text}\n",
        packet.transport, packet.remote
    )
}
