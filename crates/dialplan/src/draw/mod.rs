//! Owns the drawing of a plan: its flows and the ways between them, as Mermaid text or as an SVG.

mod mermaid;
mod svg;

pub use mermaid::mermaid;
pub use svg::svg;

use crate::plan::Plan;
use crate::read::written;
use crate::step::{Condition, PlanStep, QueueAsked, Whom};

/// What stands in the box of a step.
fn label(plan: &Plan, step: &PlanStep) -> String {
    let kind = step.kind();
    match step {
        PlanStep::Answer(answer) if answer.after.is_zero() => kind.to_owned(),
        PlanStep::Answer(answer) => format!("{kind} after {}", written(answer.after)),
        PlanStep::Say(say) => {
            let notice = if say.notice { ", notice" } else { "" };
            format!("{kind} {}{notice}", say.prompt.name)
        }
        PlanStep::Music(music) => format!("{kind} {}", written(music.time)),
        PlanStep::Menu(menu) => format!("{kind} {}", menu.prompt.name),
        PlanStep::Collect(collect) => format!("{kind} {}", collect.field),
        PlanStep::Survey(survey) => format!("{kind} {}", survey.prompt.name),
        PlanStep::Queue(queue) => format!("{kind} {}, priority {}", queue.name, queue.priority),
        PlanStep::Ring(ring) => match &ring.whom {
            Whom::Operators(operators) if ring.at_once => {
                format!("{kind} {} at once", operators.join(", "))
            }
            Whom::Operators(operators) => format!("{kind} {}", operators.join(", ")),
            Whom::Number(number) => format!("{kind} {number}"),
        },
        PlanStep::Transfer(transfer) => format!("{kind} to {}", transfer.to),
        PlanStep::Voicemail(voicemail) => {
            format!("{kind}, at most {}", written(voicemail.longest))
        }
        PlanStep::Callback(callback) => format!("{kind} by {}", callback.queue),
        PlanStep::Http(http) => {
            let place = http.url.split(['?', '{']).next().unwrap_or_default();
            format!("{kind} {place}")
        }
        PlanStep::Set(set) => format!("{kind} {} = {}", set.field, set.value),
        PlanStep::If(fork) => format!("{kind} {}", asked(&fork.condition)),
        PlanStep::Flow(flow) => {
            let name = plan.flow(*flow).map_or("", |flow| flow.name.as_str());
            format!("{kind} {name}")
        }
        PlanStep::Hangup(hangup) => match hangup.cause {
            Some(cause) => format!("{kind}, cause {cause}"),
            None => kind.to_owned(),
        },
    }
}

fn asked(condition: &Condition) -> String {
    match condition {
        Condition::Hours(hours) => format!("{hours} hours"),
        Condition::Between(from, until) => format!("{from} to {until}"),
        Condition::Caller(list) => format!("caller in {list}"),
        Condition::Field { name, is: None } => format!("{name} is known"),
        Condition::Field { name, is: Some(is) } => format!("{name} is {is}"),
        Condition::Queue { name, state } => match state {
            QueueAsked::Served => format!("{name} is served"),
            QueueAsked::Free => format!("{name} has a free operator"),
            QueueAsked::WaitingAbove(calls) => format!("more than {calls} wait in {name}"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
        name = "a<b"
        numbers = ["1"]
        languages = ["en"]
        notice = "none"
        [[step]]
        answer = {}
        [[step]]
        menu = { name = "topics", file = "m.wav", keys = { 1 = "visit", "*" = { again = true } } }
        [[step]]
        hangup = {}
        [[flow.visit]]
        set = { field = "topic", value = "\"visit\" & more" }
        [[flow.visit]]
        flow = { name = "main" }
    "#;

    fn plan() -> Plan {
        crate::parse("a.toml", &TEXT.replace("a<b", "a-b")).unwrap()
    }

    #[test]
    fn every_step_and_every_way_is_in_the_mermaid_text() {
        let text = mermaid(&plan());
        assert_eq!(
            text,
            "flowchart TD\n  subgraph f0 [\"main\"]\n    f0s0[\"answer\"]\n    \
             f0s1[\"menu topics\"]\n    f0s2[\"hangup\"]\n    f0s0 --> f0s1\n    f0s1 --> f0s2\n  \
             end\n  subgraph f1 [\"visit\"]\n    f1s0[\"set topic = #quot;visit#quot; #amp; more\"]\n    \
             f1s1[\"flow main\"]\n    f1s0 --> f1s1\n  end\n  f0s1 -- \"1\" --> f1s0\n  \
             f1s1 --> f0s0\n"
        );
    }

    #[test]
    fn every_step_and_every_way_is_in_the_svg_and_its_text_is_escaped() {
        let text = svg(&plan());
        for part in [
            "<svg ",
            ">a-b: 1<",
            ">main<",
            ">visit<",
            ">menu topics<",
            ">set topic = &quot;visit&quot; &amp; more<",
            ">1<",
            "</svg>",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert_eq!(
            text.matches("class=\"way\"").count(),
            1,
            "the way to `visit`"
        );
        assert_eq!(text.matches("class=\"way back\"").count(), 1);
        assert_eq!(text.matches("class=\"step\"").count(), 5);
    }
}
