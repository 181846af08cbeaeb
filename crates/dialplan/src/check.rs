//! Owns what the parts of one plan must be to each other: order, notices, names, ways that lead
//! nowhere or round and round.
//!
//! The order is judged by walking every way through the flows at once: each flow is gone through
//! with each state in which a call may come to it, until no new state appears. There are four states
//! (answered or not, told of the recording or not), so this ends.

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::Report;
use crate::parse::PlacedFlow;
use crate::read::{At, Span};
use crate::step::{FlowId, PlanStep};

/// Reports members of a list that stand in it twice.
pub(crate) fn twice(report: &mut Report<'_>, what: &str, list: &[At<&str>]) {
    let mut seen: BTreeMap<&str, &Span> = BTreeMap::new();
    for member in list {
        if let Some(first) = seen.get(member.value) {
            let line = report.line(first);
            let message = format!("the {what} \"{}\" stands here twice", member.value);
            report.mistake_with_help(&member.span, message, format!("first on line {line}"));
        } else {
            seen.insert(member.value, &member.span);
        }
    }
}

/// Every prompt has a name of its own: by it the prompt is cached, replaced and journaled.
pub(crate) fn names(report: &mut Report<'_>, names: &[At<String>]) {
    let mut names: Vec<At<&str>> = names
        .iter()
        .map(|name| At {
            value: name.value.as_str(),
            span: name.span.clone(),
        })
        .collect();
    names.sort_by_key(|name| name.span.start);
    twice(report, "prompt name", &names);
}

/// What is judged.
pub(crate) struct Checked<'p> {
    pub(crate) flows: &'p [PlacedFlow],
    pub(crate) emergency: Option<FlowId>,
    /// Where the plan says that it tells nobody.
    pub(crate) waived: Option<&'p Span>,
}

/// What is known of a call at some step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Known {
    answered: bool,
    told: bool,
}

type Ways = BTreeSet<Known>;

/// In which states calls come to the beginning of each flow and out of its end, and to each step.
#[derive(Default, PartialEq, Clone)]
struct Walk {
    entered: BTreeSet<(usize, Known)>,
    left: BTreeMap<(usize, Known), Ways>,
    at: BTreeMap<(usize, usize), Ways>,
}

/// Judges the program as a whole.
pub(crate) fn program(report: &mut Report<'_>, checked: &Checked<'_>) {
    loops(report, checked.flows);
    if checked.flows.iter().any(|flow| !flow.whole) {
        // What could not be read may be the very answer or notice that is missed.
        return;
    }
    let walk = walk(checked);
    unreached(report, checked, &walk);
    for ((flow, step), ways) in &walk.at {
        let placed = checked
            .flows
            .get(*flow)
            .and_then(|flow| flow.steps.get(*step));
        let Some(placed) = placed else { continue };
        match &placed.step {
            PlanStep::Answer(_) if ways.iter().all(|known| known.answered) => {
                let message = "the call is answered already; expected one `answer`";
                report.mistake_with_help(&placed.at, message, "remove this step");
            }
            PlanStep::Voicemail(_) if ways.iter().any(|known| !known.answered) => {
                let message = "calls come here that are not answered: no message can be left";
                report.mistake_with_help(&placed.at, message, "put an `answer` before it");
            }
            PlanStep::Hangup(_) if ways.iter().all(|known| known.answered) => {
                if let Some(status) = &placed.status {
                    let message = "`status` is for calls that were not answered; this one was";
                    report.mistake_with_help(status, message, "write `hangup = {}`");
                }
            }
            _ => {}
        }
        notice(report, placed, ways, checked.waived);
    }
}

/// A caller who is recorded was told so, or the plan says in so many words that nobody tells.
fn notice(
    report: &mut Report<'_>,
    placed: &crate::parse::Placed,
    ways: &Ways,
    waived: Option<&Span>,
) {
    let whom = match &placed.step {
        PlanStep::Say(say) if say.notice && waived.is_some() => {
            let message = "the plan has `notice = \"none\"` and a notice";
            report.mistake_with_help(&placed.at, message, "remove one of the two");
            return;
        }
        PlanStep::Queue(queue) if queue.recorded || queue.wait_recorded => {
            format!("calls in `{}`", queue.name)
        }
        PlanStep::Ring(ring) if ring.recorded => "these calls".to_owned(),
        _ => return,
    };
    if waived.is_none() && ways.iter().any(|known| !known.told) {
        let message = format!("{whom} are recorded and nothing before says so");
        let help = "add `notice = true` to a `say` before it, or `recorded = false`, \
                    or `notice = \"none\"` to the plan if the law asks for no notice";
        report.mistake_with_help(&placed.at, message, help);
    }
}

/// Steps and flows to which no call comes.
fn unreached(report: &mut Report<'_>, checked: &Checked<'_>, walk: &Walk) {
    for (id, flow) in checked.flows.iter().enumerate() {
        if !walk.entered.iter().any(|(entered, _)| *entered == id) {
            let message = format!("no step leads to the flow `{}`", flow.name);
            let help = format!(
                "call it with `flow = {{ name = \"{}\" }}`, or remove it",
                flow.name
            );
            report.mistake_with_help(&flow.at, message, help);
            continue;
        }
        let mut last = None;
        for (place, placed) in flow.steps.iter().enumerate() {
            if !walk.at.contains_key(&(id, place)) {
                let message = match last {
                    Some(end) => format!(
                        "this step is never reached: the call ends on line {}",
                        report.line(end)
                    ),
                    None => "this step is never reached".to_owned(),
                };
                let help = "remove it, or move it before that";
                report.mistake_with_help(&placed.at, message, help);
                break;
            }
            last = Some(&placed.at);
        }
    }
}

fn walk(checked: &Checked<'_>) -> Walk {
    let mut walk = Walk::default();
    let new = Known {
        answered: false,
        told: false,
    };
    walk.entered.insert((0, new));
    walk.entered
        .extend(checked.emergency.map(|flow| (flow.0, new)));
    loop {
        let before = walk.clone();
        for (flow, known) in before.entered.clone() {
            let Some(steps) = checked.flows.get(flow).map(|flow| &flow.steps) else {
                continue;
            };
            let mut ways = Ways::from([known]);
            for (place, placed) in steps.iter().enumerate() {
                if ways.is_empty() {
                    break;
                }
                walk.at
                    .entry((flow, place))
                    .or_default()
                    .extend(ways.iter().copied());
                ways = ways
                    .iter()
                    .flat_map(|known| walk.through(&placed.step, *known))
                    .collect();
            }
            walk.left.entry((flow, known)).or_default().extend(ways);
        }
        if walk == before {
            return walk;
        }
    }
}

impl Walk {
    /// In which states a call that comes to a step in one state goes on behind it.
    fn through(&mut self, step: &PlanStep, known: Known) -> Ways {
        let on = Ways::from([known]);
        match step {
            PlanStep::Answer(_) => Ways::from([Known {
                answered: true,
                ..known
            }]),
            PlanStep::Say(say) => Ways::from([Known {
                told: known.told || say.notice,
                ..known
            }]),
            PlanStep::Menu(menu) => {
                let mut ways = self.or_on(menu.otherwise, known);
                for choice in menu.keys.values().filter(|choice| !choice.again) {
                    ways.extend(self.or_on(choice.flow, known));
                }
                ways
            }
            PlanStep::Collect(collect) => {
                let mut ways = self.or_on(collect.otherwise, known);
                ways.extend(on);
                ways
            }
            PlanStep::Http(http) => {
                let mut ways = self.or_on(http.otherwise, known);
                ways.extend(on);
                ways
            }
            PlanStep::Queue(queue) => {
                let mut ways = self.talk(queue.after, known);
                for flow in queue.overflow.values() {
                    ways.extend(self.or_on(Some(*flow), known));
                }
                ways
            }
            PlanStep::Ring(ring) => self.talk(ring.after, known),
            PlanStep::If(fork) => {
                let mut ways = self.or_on(fork.then, known);
                ways.extend(self.or_on(fork.otherwise, known));
                ways
            }
            PlanStep::Flow(flow) => self.or_on(Some(*flow), known),
            PlanStep::Music(_)
            | PlanStep::Survey(_)
            | PlanStep::Voicemail(_)
            | PlanStep::Callback(_)
            | PlanStep::Set(_) => on,
            PlanStep::Transfer(_) | PlanStep::Hangup(_) => Ways::new(),
        }
    }

    /// A talk: who was answered never comes back to the next step.
    fn talk(&mut self, after: Option<FlowId>, known: Known) -> Ways {
        let talked = Known {
            answered: true,
            ..known
        };
        self.entered.extend(after.map(|flow| (flow.0, talked)));
        Ways::from([known])
    }

    /// Through a flow, or on with the next step if there is none.
    fn or_on(&mut self, flow: Option<FlowId>, known: Known) -> Ways {
        let Some(FlowId(flow)) = flow else {
            return Ways::from([known]);
        };
        self.entered.insert((flow, known));
        self.left.get(&(flow, known)).cloned().unwrap_or_default()
    }
}

/// Reports flows that come back to themselves without a step that takes time.
fn loops(report: &mut Report<'_>, flows: &[PlacedFlow]) {
    let waiting = always_waiting(flows);
    let mut edges: BTreeMap<usize, BTreeMap<usize, &Span>> = BTreeMap::new();
    for (id, flow) in flows.iter().enumerate() {
        for placed in &flow.steps {
            if placed.step.waits() {
                break;
            }
            for to in at_once(&placed.step) {
                edges
                    .entry(id)
                    .or_default()
                    .entry(to.0)
                    .or_insert(&placed.at);
            }
            if passes(&placed.step, &waiting) {
                break;
            }
        }
    }
    let mut told: BTreeSet<usize> = BTreeSet::new();
    for (from, ways) in &edges {
        for (to, at) in ways {
            let round = reachable(&edges, *to);
            if (*to == *from || round.contains(from)) && told.is_disjoint(&round) {
                told.extend(&round);
                let name = flows.get(*to).map_or("", |flow| flow.name.as_str());
                let message = format!("an endless loop: the call comes back to `{name}` at once");
                let help = "put a step that takes time into it, such as a `say` or a `menu`";
                report.mistake_with_help(at, message, help);
            }
        }
    }
}

/// The flows to which a step may lead without any wait. After the talk is after one; a queue may refuse
/// at once.
fn at_once(step: &PlanStep) -> Vec<FlowId> {
    match step {
        PlanStep::Ring(_) => Vec::new(),
        PlanStep::Queue(queue) => queue.overflow.values().copied().collect(),
        other => other.ways().into_iter().map(|(_, flow)| flow).collect(),
    }
}

/// Everything to which one comes from a flow, the flow itself included.
fn reachable(edges: &BTreeMap<usize, BTreeMap<usize, &Span>>, from: usize) -> BTreeSet<usize> {
    let mut seen = BTreeSet::from([from]);
    let mut open = vec![from];
    while let Some(flow) = open.pop() {
        for to in edges.get(&flow).into_iter().flat_map(BTreeMap::keys) {
            if seen.insert(*to) {
                open.push(*to);
            }
        }
    }
    seen
}

/// The flows in which every way has a step that takes time.
fn always_waiting(flows: &[PlacedFlow]) -> BTreeSet<usize> {
    let mut waiting = BTreeSet::new();
    loop {
        let before = waiting.len();
        for (id, flow) in flows.iter().enumerate() {
            let mut steps = flow.steps.iter();
            if steps.any(|placed| passes(&placed.step, &waiting)) {
                waiting.insert(id);
            }
        }
        if waiting.len() == before {
            return waiting;
        }
    }
}

/// Whether who is behind a step has waited.
fn passes(step: &PlanStep, waiting: &BTreeSet<usize>) -> bool {
    let waits = |flow: &Option<FlowId>| flow.is_some_and(|flow| waiting.contains(&flow.0));
    match step {
        PlanStep::Flow(flow) => waiting.contains(&flow.0),
        PlanStep::If(fork) => waits(&fork.then) && waits(&fork.otherwise),
        // Nobody is behind it.
        PlanStep::Transfer(_) | PlanStep::Hangup(_) => true,
        other => other.waits(),
    }
}
