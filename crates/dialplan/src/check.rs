//! Owns what the parts of one plan must be to each other: order, notices, names.

use std::collections::BTreeMap;

use crate::diagnostic::Report;
use crate::parse::Placed;
use crate::plan::{PlanStep, Queue};
use crate::read::{At, Span};

/// Reports members of a list that stand in it twice.
pub(crate) fn twice(report: &mut Report<'_>, what: &str, list: &[At<&str>]) {
    let mut seen: BTreeMap<&str, &Span> = BTreeMap::new();
    for member in list {
        if let Some(first) = seen.get(member.value) {
            let line = report.place(first.start).line;
            let message = format!("the {what} \"{}\" stands here twice", member.value);
            report.mistake_with_help(&member.span, message, format!("first on line {line}"));
        } else {
            seen.insert(member.value, &member.span);
        }
    }
}

/// Answer once; nothing after a hang-up; a status only for calls that were not answered.
pub(crate) fn order(report: &mut Report<'_>, steps: &[Placed]) {
    let mut answered = false;
    let mut ended: Option<&Span> = None;
    for placed in steps {
        if let Some(end) = ended {
            let line = report.place(end.start).line;
            let message = format!("this step is never reached: the call ends on line {line}");
            let help = "remove it, or move it before the `hangup`";
            report.mistake_with_help(&placed.at, message, help);
            return;
        }
        match &placed.step {
            PlanStep::Answer if answered => {
                let message = "the call is answered already; expected one `answer`";
                report.mistake_with_help(&placed.at, message, "remove this step");
            }
            PlanStep::Answer => answered = true,
            // Before the answer it is heard as early media, and costs the caller nothing yet. A queue
            // may be left with an operator, who answers the call.
            PlanStep::Say(_) | PlanStep::Queue(_) => {}
            PlanStep::Hangup(_) => {
                ended = Some(&placed.at);
                if let (true, Some(status)) = (answered, &placed.detail) {
                    let message = "`status` is for calls that were not answered; this one was";
                    report.mistake_with_help(status, message, "write `hangup = {}`");
                }
            }
        }
    }
}

/// A caller who is recorded was told so, or the plan says in so many words that nobody tells.
pub(crate) fn notice(report: &mut Report<'_>, steps: &[Placed], waived: Option<&Span>) {
    let mut told = false;
    for placed in steps {
        match &placed.step {
            PlanStep::Say(say) if say.notice => {
                told = true;
                if waived.is_some() {
                    let message = "the plan has `notice = \"none\"` and a notice";
                    report.mistake_with_help(&placed.at, message, "remove one of the two");
                }
            }
            PlanStep::Queue(Queue {
                recorded: true,
                name,
                ..
            }) if !told && waived.is_none() => {
                let message = format!("calls in `{name}` are recorded and nothing before says so");
                let help = "add `notice = true` to a `say` before it, or `recorded = false`, \
                            or `notice = \"none\"` to the plan if the law asks for no notice";
                report.mistake_with_help(&placed.at, message, help);
            }
            PlanStep::Say(_) | PlanStep::Queue(_) | PlanStep::Answer | PlanStep::Hangup(_) => {}
        }
    }
}

/// Every prompt has a name of its own: by it the prompt is cached, replaced and journaled.
pub(crate) fn names(report: &mut Report<'_>, steps: &[Placed]) {
    let mut names: Vec<At<&str>> = Vec::new();
    for placed in steps {
        if let (PlanStep::Say(say), Some(span)) = (&placed.step, &placed.detail) {
            names.push(At {
                value: &say.name,
                span: span.clone(),
            });
        }
    }
    twice(report, "prompt name", &names);
}
