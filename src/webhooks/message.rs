//! Owns the text of letters: what a webhook is told of a fact, and what of it is masked. Pure.

use serde_json::{Value, json};
use vocab::{Event, Fact, OperatorRef, Party, Redacted};

use crate::settings::Topic;

/// Whether personal data leaves the house.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Privacy {
    /// Numbers and names of callers and of operators are masked.
    Masked,
    /// They are whole.
    Whole,
}

impl Privacy {
    fn text(self, text: &str) -> String {
        match self {
            Self::Masked => Redacted(text).to_string(),
            Self::Whole => text.to_owned(),
        }
    }

    fn operator(self, operator: &OperatorRef) -> Value {
        json!({
            "login": operator.login,
            "line": operator.line,
            "name": self.text(&operator.name),
        })
    }
}

/// The kinds of facts ([`journal::kind`]) behind topics.
pub(super) fn kinds(topics: &[Topic]) -> Vec<&'static str> {
    let kind = |topic: &Topic| match topic {
        Topic::Arrived => "call_arrived",
        Topic::Offered => "offer_made",
        Topic::Answered => "segment_started",
        Topic::Ended => "call_ended",
        Topic::Completed => "entry_completed",
        Topic::Recorded => "recording_stored",
    };
    topics.iter().map(kind).collect()
}

/// What is told of an event: its topic, and the body of the letter. None of what has no topic.
pub(super) fn letter(event: &Event, privacy: Privacy) -> Option<(Topic, Value)> {
    let call = event.fact.call()?;
    let (topic, data) = told(&event.fact, privacy)?;
    let body = json!({
        "id": event.id,
        "type": topic.as_str(),
        "at": journal::export::utc(event.at),
        "call": call,
        "data": data,
    });
    Some((topic, body))
}

fn told(fact: &Fact, privacy: Privacy) -> Option<(Topic, Value)> {
    Some(match fact {
        Fact::CallArrived {
            number,
            caller,
            caller_name,
            trunk,
            plan,
            direction,
            operator,
            ..
        } => {
            let data = json!({
                "number": number,
                "caller": privacy.text(caller),
                "caller_name": privacy.text(caller_name),
                "trunk": trunk,
                "plan": plan,
                "direction": direction,
                "operator": operator.as_ref().map(|one| privacy.operator(one)),
            });
            (Topic::Arrived, data)
        }
        Fact::OfferMade {
            offer,
            queue,
            operator,
            ..
        } => {
            let operator = privacy.operator(operator);
            let data = json!({ "offer": offer, "queue": queue, "operator": operator });
            (Topic::Offered, data)
        }
        Fact::SegmentStarted {
            segment,
            party,
            recorded,
            ..
        } => {
            let (operator, outer) = match party {
                Party::Operator(operator) => (privacy.operator(operator), Value::Null),
                Party::Outer { number, trunk } => {
                    let outer = json!({ "number": privacy.text(number), "trunk": trunk });
                    (Value::Null, outer)
                }
            };
            let data = json!({
                "segment": segment,
                "operator": operator,
                "outer": outer,
                "recorded": recorded,
            });
            (Topic::Answered, data)
        }
        Fact::CallEnded {
            outcome,
            ended_by,
            status,
            reason,
            ..
        } => {
            let data = json!({
                "outcome": outcome,
                "ended_by": ended_by,
                "status": status,
                "reason": reason,
            });
            (Topic::Ended, data)
        }
        Fact::EntryCompleted { by, .. } => (Topic::Completed, json!({ "by": by })),
        // Not the path: it may have the caller's number in it.
        Fact::RecordingStored {
            call,
            segment,
            file,
        } => {
            let data = json!({
                "segment": segment,
                "duration_ms": file.duration_ms,
                "bytes": file.bytes,
                "sha256": file.sha256,
                "path": format!("/api/v1/entries/{call}/recordings/{segment}"),
            });
            (Topic::Recorded, data)
        }
        // No other fact has a topic; `kinds` asks for none of them.
        _ => return None,
    })
}

#[cfg(test)]
#[path = "../../tests/engine/harness/hostile.rs"]
mod hostile;

#[cfg(test)]
mod tests {
    use super::*;
    use vocab::{CallId, Direction, EndedBy, EventId, Outcome, RecordingFile, Time, WallTime};

    const CALL: CallId = CallId::new(7, 1);

    fn of(fact: Fact, privacy: Privacy) -> (Topic, Value) {
        let event = Event {
            id: EventId::new(7, 9),
            at: WallTime::from_unix_millis(1_795_340_000_000),
            up: Time::ZERO,
            fact,
        };
        assert!(kinds(&Topic::ALL).contains(&journal::kind(&event.fact)));
        letter(&event, privacy).unwrap()
    }

    fn arrived() -> Fact {
        Fact::CallArrived {
            call: CALL,
            number: "1300".to_owned(),
            caller: "+74242123456".to_owned(),
            caller_name: "Иванова Анна".to_owned(),
            trunk: "carrier".to_owned(),
            plan: "plan".to_owned(),
            sip_call_id: "x@198.51.100.7".to_owned(),
            direction: Direction::Inbound,
            operator: None,
            consults: None,
        }
    }

    #[test]
    fn numbers_and_names_are_masked_unless_asked_for_whole() {
        let (topic, masked) = of(arrived(), Privacy::Masked);
        assert_eq!(topic, Topic::Arrived);
        let text = masked.to_string();
        assert!(
            !text.contains("4242123456") && !text.contains("Иванова"),
            "{text}"
        );
        assert_eq!(masked["data"]["caller"], "**********56");
        assert_eq!(masked["id"], json!(EventId::new(7, 9)));
        assert_eq!(masked["call"], json!(CALL));
        let (_, whole) = of(arrived(), Privacy::Whole);
        assert_eq!(whole["data"]["caller"], "+74242123456");
        assert_eq!(whole["data"]["caller_name"], "Иванова Анна");
    }

    #[test]
    fn values_made_to_do_harm_are_text_in_a_letter_whole_or_masked() {
        for value in super::hostile::values() {
            let mut fact = arrived();
            if let Fact::CallArrived {
                caller,
                caller_name,
                number,
                trunk,
                ..
            } = &mut fact
            {
                for text in [caller, caller_name, number, trunk] {
                    value.clone_into(text);
                }
            }
            let (_, whole) = of(fact.clone(), Privacy::Whole);
            let sent = whole.to_string();
            assert!(!sent.chars().any(|c| c < ' '), "{sent:.200}");
            let read: Value = serde_json::from_str(&sent).unwrap();
            assert_eq!(read["data"]["caller_name"], value);
            assert_eq!(read, whole);
            let (_, masked) = of(fact, Privacy::Masked);
            let read: Value = serde_json::from_str(&masked.to_string()).unwrap();
            assert_ne!(read["data"]["caller_name"], value);
        }
    }

    #[test]
    fn each_topic_is_told_of_its_fact() {
        let operator = OperatorRef {
            id: vocab::OperatorId(1),
            login: "anna".to_owned(),
            name: "Анна Петровна".to_owned(),
            line: "101".to_owned(),
        };
        let offered = Fact::OfferMade {
            call: CALL,
            offer: vocab::OfferId::new(7, 1),
            queue: "health".to_owned(),
            operator: operator.clone(),
            why: "longest idle".to_owned(),
            considered: Vec::new(),
        };
        let answered = Fact::SegmentStarted {
            call: CALL,
            segment: 1,
            party: Party::Operator(operator),
            with: None,
            offer: None,
            recorded: true,
        };
        let ended = Fact::CallEnded {
            call: CALL,
            outcome: Outcome::Answered,
            ended_by: EndedBy::Caller,
            status: None,
            reason: String::new(),
        };
        let completed = Fact::EntryCompleted {
            call: CALL,
            by: "anna".to_owned(),
        };
        let file = RecordingFile {
            path: "2026/11/22/79141234567.wav".to_owned(),
            sha256: "ab".repeat(32),
            bytes: 1,
            duration_ms: 2,
            caller_packets: 0,
            caller_lost: 0,
            operator_packets: 0,
            operator_lost: 0,
            dropped: 0,
            repaired: false,
            sound: None,
        };
        let recorded = Fact::RecordingStored {
            call: CALL,
            segment: 1,
            file,
        };
        let facts = [arrived(), offered, answered, ended, completed, recorded];
        for (fact, topic) in facts.into_iter().zip(Topic::ALL) {
            let (found, body) = of(fact, Privacy::Masked);
            assert_eq!(found, topic);
            assert_eq!(body["type"], topic.as_str());
            let text = body.to_string();
            assert!(
                !text.contains("Петровна") && !text.contains("79141234567"),
                "{text}"
            );
        }
    }
}
