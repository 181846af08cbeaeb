//! Owns the journal's facts as lines of the ladder, and the heading above it.

use vocab::{Event, Fact, LegCounts, LegQuality, Order, Party, PathQuality, TransferTarget};

use super::Options;
use super::mask::number;

/// What is said of the call above its ladder.
pub(super) fn heading(events: &[Event], options: Options) -> String {
    let mut text = String::new();
    for event in events {
        match &event.fact {
            Fact::CallArrived { call, trunk, .. } => {
                let at = jiff::Timestamp::from_millisecond(event.at.as_unix_millis());
                let at = at.map(|at| format!("{at:.3}")).unwrap_or_default();
                text.push_str(&format!("call {call}, {at}, by {trunk}\n"));
            }
            Fact::CallEnded {
                outcome,
                ended_by,
                status,
                reason,
                ..
            } => {
                text.push_str(&format!("{}, ended by {}", word(outcome), word(ended_by)));
                if let Some(status) = status {
                    text.push_str(&format!(", {status}"));
                }
                if !reason.is_empty() {
                    text.push_str(&format!(": {}", prose(reason, options)));
                }
                text.push('\n');
            }
            _ => {}
        }
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text
}

/// A fact as a line; none if the messages show it, or it is of no call.
pub(super) fn tell(fact: &Fact, options: Options) -> Option<String> {
    let line = match fact {
        Fact::EngineStarted { .. }
        | Fact::EngineAlive { .. }
        | Fact::EngineStopped
        | Fact::EmergencySwitched { .. }
        | Fact::SessionChanged { .. }
        | Fact::OperatorReachable { .. }
        | Fact::OperatorTurned { .. }
        | Fact::OperatorOnDuty { .. }
        | Fact::BreakTaken { .. }
        | Fact::PersonWritten { .. }
        | Fact::TelephoneRegistered { .. }
        | Fact::TelephoneUnregistered { .. } => return None,
        Fact::Ordered { by, order, .. } => ordered(by, order),
        Fact::CallbackOwed { callback, .. } => {
            let left = callback.attempts_left;
            format!("is owed a callback, {left} attempts left")
        }
        Fact::CallbackDialled { of, .. } => format!("makes good {of}"),
        Fact::CallbackSettled { result, .. } => format!("callback over: {}", word(result)),
        Fact::CallArrived {
            number: dialled,
            caller,
            caller_name,
            plan,
            ..
        } => {
            let caller = who_calls(caller, caller_name, options);
            let plan = which_plan(plan);
            format!("call arrived: {caller} dialled {dialled}, {plan}")
        }
        Fact::LegStarted { party, .. } => leg(party, options),
        Fact::CallAnswered { .. } => "call answered by the engine".to_owned(),
        Fact::NoticePlayed { prompt, .. } => format!("notice of the recording heard: {prompt}"),
        Fact::QueueEntered {
            queue, priority, ..
        } => format!("queue {queue} entered, priority {priority}"),
        Fact::OfferMade { operator, why, .. } => {
            format!("offer made to {}: {}", operator.login, prose(why, options))
        }
        Fact::OfferEnded { result, status, .. } => offer_ended(&word(result), *status),
        Fact::QueueLeft { queue, outcome, .. } => format!("queue {queue} left: {}", word(outcome)),
        Fact::SegmentStarted {
            segment,
            party,
            recorded,
            ..
        } => {
            let recorded = if *recorded { "" } else { "not " };
            let with = talker(party, options);
            format!("segment {segment}: talk with {with} begins, {recorded}recorded")
        }
        Fact::HoldStarted { by, .. } => format!("put on hold by {}", word(by)),
        Fact::HoldEnded { by, .. } => format!("taken off hold by {}", word(by)),
        Fact::OneWayStarted { silent, .. } => format!("the {} is not heard", word(silent)),
        Fact::OneWayEnded { silent, .. } => format!("the {} is heard again", word(silent)),
        Fact::PartySilent {
            party, silent_ms, ..
        } => {
            let who = who_is_there(party.as_ref(), options);
            format!("{who} sent no audio for {} s: hung up", silent_ms / 1_000)
        }
        Fact::LegMeasured {
            party,
            counts,
            quality,
            ..
        } => {
            let who = who_is_there(party.as_ref(), options);
            format!("audio of {who}: {}", audio(counts, quality))
        }
        Fact::SegmentEnded {
            segment, ended_by, ..
        } => format!("segment {segment} ended by {}", word(ended_by)),
        Fact::TransferRequested {
            transfer,
            by,
            kind,
            target,
            ..
        } => {
            let target = place(target, options);
            let (kind, by) = (word(kind), &by.login);
            format!("transfer {transfer}: {by} transfers to {target}, {kind}")
        }
        Fact::TransferEnded {
            transfer, result, ..
        } => format!("transfer {transfer} ended: {}", word(result)),
        Fact::FieldSet { field, value, .. } => match value {
            Some(value) => format!("{field} = \"{value}\""),
            None => format!("{field} is known"),
        },
        Fact::MenuChosen {
            menu, key, flow, ..
        } => menu_chosen(menu, key, flow),
        Fact::WrapUpEnded { segment, .. } => format!("work after segment {segment} done"),
        Fact::ContactAdded { contact, .. } => {
            format!("entry written down: {}", contact.channel.name())
        }
        Fact::EntryEdited { by, changes, .. } => {
            let fields: Vec<&str> = changes.iter().map(|change| change.field.name()).collect();
            format!("entry edited by {by}: {}", fields.join(", "))
        }
        Fact::EntryCompleted { by, .. } => format!("entry completed by {by}"),
        Fact::RecordingHeard { segment, by, .. } => {
            format!("recording of segment {segment} heard by {by}")
        }
        Fact::EntryReopened { by, .. } => format!("entry opened again by {by}"),
        Fact::CallRated { mark, .. } => format!("the caller gives the mark {mark}"),
        Fact::ConferenceJoined { party, .. } => {
            format!("{} comes into the talk", talker(party, options))
        }
        Fact::ConferenceLeft { party, .. } => {
            format!("{} leaves the talk", talker(party, options))
        }
        Fact::SupervisionStarted {
            supervisor, mode, ..
        } => format!("{} supervises: {}", supervisor.login, word(mode)),
        Fact::SupervisionTurned {
            supervisor, mode, ..
        } => format!(
            "{} supervises from now on: {}",
            supervisor.login,
            word(mode)
        ),
        Fact::SupervisionEnded {
            supervisor,
            ended_by,
            ..
        } => format!(
            "{} supervises no more: {}",
            supervisor.login,
            word(ended_by)
        ),
        Fact::CallJoined { into, .. } => format!("joined to call {into}"),
        Fact::CallEnded {
            outcome, ended_by, ..
        } => format!("call ended: {}, by {}", word(outcome), word(ended_by)),
        Fact::RecordingPaused {
            segment, reason, ..
        } => format!("recording of segment {segment} paused: {}", word(reason)),
        Fact::RecordingResumed {
            segment, automatic, ..
        } => {
            let by = if *automatic {
                "by itself, the longest pause is over"
            } else {
                "by the operator"
            };
            format!("recording of segment {segment} goes on {by}")
        }
        Fact::RecordingStored { segment, file, .. } => {
            let (path, length) = (&file.path, file.duration_ms);
            format!("recording of segment {segment} stored: {path}, {length} ms")
        }
        Fact::RecordingMissing {
            segment, reason, ..
        } => format!("recording of segment {segment} missing: {}", word(reason)),
        Fact::WaitRecorded { segment, queue, .. } => {
            format!("the wait in {queue} is recorded as segment {segment}")
        }
        Fact::MessageStarted { mailbox, .. } => format!("message for {mailbox}"),
        Fact::MessageEnded { ended_by, kept, .. } => {
            let kept = if *kept { "" } else { ", thrown away" };
            format!("message over by {}{kept}", word(ended_by))
        }
        Fact::MessageHeard { by, .. } => format!("{by} heard the message"),
    };
    Some(line)
}

fn who_is_there(party: Option<&Party>, options: Options) -> String {
    party.map_or_else(|| "the caller".to_owned(), |party| talker(party, options))
}

/// What was measured of a leg, in a line.
fn audio(counts: &LegCounts, quality: &LegQuality) -> String {
    let mos = |path: Option<PathQuality>| {
        path.map_or_else(
            || "not measured".to_owned(),
            |path| {
                let (whole, rest) = (path.mos / 100, path.mos % 100);
                let (lost, of, ms) = (path.lost, path.expected, path.jitter_us / 1_000);
                format!("MOS {whole}.{rest:02}, {lost} of {of} lost, jitter {ms} ms")
            },
        )
    };
    let mut text = format!("{} received, {} sent", counts.received, counts.sent);
    text.push_str(&format!("; from it {}", mos(quality.from_peer)));
    text.push_str(&format!("; to it {}", mos(quality.to_peer)));
    if let Some(us) = quality.round_trip_us {
        text.push_str(&format!("; round trip {} ms", us / 1_000));
    }
    if let Some(heard) = quality.heard_by_peer {
        let (lost, late) = (heard.lost_permille, heard.discarded_permille);
        text.push_str(&format!("; it says {lost} per mille lost, {late} too late"));
        if let Some(mos) = heard.mos_conversation.or(heard.mos_listening) {
            text.push_str(&format!(", MOS {}.{:02}", mos / 100, mos % 100));
        }
    }
    text
}

/// The caller of a call: the name is shown where nothing is masked.
fn who_calls(caller: &str, name: &str, options: Options) -> String {
    if caller.is_empty() {
        return "a withheld number".to_owned();
    }
    let shown = number(caller, options.clear);
    if !options.clear || name.is_empty() {
        return shown;
    }
    let name = prose(name, options);
    if name.is_empty() {
        shown
    } else {
        format!("{shown} {name:?}")
    }
}

fn menu_chosen(menu: &str, key: &str, flow: &str) -> String {
    let chosen = if key.is_empty() { "nothing" } else { key };
    let leads = if flow.is_empty() { "on" } else { flow };
    format!("menu of {menu}: {chosen} chosen, leads {leads}")
}

fn which_plan(plan: &str) -> String {
    if plan.is_empty() {
        "no plan".to_owned()
    } else {
        format!("plan {plan}")
    }
}

fn leg(party: &Party, options: Options) -> String {
    match party {
        Party::Operator(operator) => {
            format!("leg to {} on line {}", operator.login, operator.line)
        }
        Party::Outer { number: to, trunk } => {
            format!("leg to {} by trunk {trunk}", number(to, options.clear))
        }
    }
}

fn offer_ended(result: &str, status: Option<u16>) -> String {
    match status {
        Some(status) => format!("offer ended: {result}, {status}"),
        None => format!("offer ended: {result}"),
    }
}

/// The second party of a talk.
fn talker(party: &Party, options: Options) -> String {
    match party {
        Party::Operator(operator) => operator.login.clone(),
        Party::Outer { number: with, .. } => number(with, options.clear),
    }
}

/// What somebody ordered about a call.
fn ordered(by: &str, order: &Order) -> String {
    match order {
        Order::Priority { priority, .. } => format!("{by} gives it priority {priority}"),
        Order::Pull { operator, .. } => format!("{by} pulls it for {operator}"),
        Order::Assign { operator, .. } => format!("{by} assigns it to {operator}"),
        Order::Move { queue, .. } => format!("{by} moves it to queue {queue}"),
        Order::Supervise { operator, mode, .. } => {
            format!("{by} has {operator} supervise it: {}", word(mode))
        }
        Order::EndSupervision { .. } => format!("{by} ends its supervision"),
        // Of no call.
        Order::SignIn { .. }
        | Order::SignOut { .. }
        | Order::Choose { .. }
        | Order::Ready { .. }
        | Order::Skills { .. }
        | Order::Conference { .. }
        | Order::OpenQueue { .. }
        | Order::CloseQueue { .. } => format!("{by} gives an order"),
        Order::Settle { .. } => format!("{by} settles its callback"),
        Order::CallBack { .. } => format!("{by} wants it called back"),
    }
}

/// Where a transfer leads.
fn place(target: &TransferTarget, options: Options) -> String {
    match target {
        TransferTarget::Operator { line } => format!("line {line}"),
        TransferTarget::Queue { queue } => format!("queue {queue}"),
        TransferTarget::Plan { number } => format!("the plan of {number}"),
        TransferTarget::Outer { number: to } => number(to, options.clear),
    }
}

/// A choice in the words of the code: "CallerGone" is "caller gone".
fn word(choice: &impl core::fmt::Debug) -> String {
    let mut text = String::new();
    for (at, character) in format!("{choice:?}").char_indices() {
        if character.is_ascii_uppercase() && at > 0 {
            text.push(' ');
        }
        text.push(character.to_ascii_lowercase());
    }
    text
}

/// Words of the engine in which a number or a name of the network may stand.
fn prose(text: &str, options: Options) -> String {
    super::mask::message(text.as_bytes(), options.clear)
        .trim_end()
        .to_owned()
}
