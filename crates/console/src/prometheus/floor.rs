//! Owns the figures of queues, operators and their lines at this moment, and how long waits, ringings and
//! talks lasted since the start.

use journal::metrics::Durations;
use vocab::{LiveOperator, LiveQueue, OperatorState};

use super::page::{Labels, Page};
use super::{exact, seconds, word, yes};

/// Name and help of a figure that each queue has, and how it is read.
type OfQueue = (&'static str, &'static str, fn(&LiveQueue) -> f64);

const OF_QUEUES: [OfQueue; 7] = [
    ("hotline_queue_waiting", "Callers in a queue.", |queue| {
        f64::from(queue.waiting)
    }),
    (
        "hotline_queue_longest_wait_seconds",
        "The longest wait of the callers in a queue.",
        |queue| seconds(queue.longest_wait_ms),
    ),
    (
        "hotline_queue_callbacks",
        "People to whom a queue owes a callback.",
        |queue| f64::from(queue.callbacks),
    ),
    ("hotline_queue_open", "Whether a queue is open.", |queue| {
        yes(queue.open)
    }),
    (
        "hotline_queue_accepts",
        "Whether a queue would take a call that came now.",
        |queue| yes(queue.refuses.is_none()),
    ),
    (
        "hotline_queue_operators_free",
        "Operators who are free and would get a call of a queue at once.",
        |queue| f64::from(queue.free),
    ),
    (
        "hotline_queue_operators_serving",
        "Operators who take calls of a queue, be it after what they do now.",
        |queue| f64::from(queue.serving),
    ),
];

pub(super) fn queues(page: &mut Page, queues: &[LiveQueue]) {
    for (name, help, read) in OF_QUEUES {
        let samples = queues.iter().map(|queue| (labels(queue), read(queue)));
        page.gauges(name, help, samples);
    }
}

fn labels(queue: &LiveQueue) -> Labels<'_> {
    vec![("queue", queue.name.as_str())]
}

pub(super) fn operators(page: &mut Page, operators: &[LiveOperator]) {
    let states = OperatorState::ALL.map(|state| (state, word(state)));
    let samples = states.iter().map(|(state, word)| {
        let count = operators.iter().filter(|one| one.state == *state).count();
        (vec![("state", word.as_str())], exact(count as u64))
    });
    page.gauges("hotline_operators", "Operators by what they do.", samples);
    let at_lines = operators.iter().filter(|operator| operator.at_line);
    let lines: Vec<(&LiveOperator, String)> = at_lines
        .map(|operator| (operator, word(operator.state)))
        .collect();
    let samples = lines.iter().map(|(operator, state)| {
        let labels = vec![("line", operator.line.as_str()), ("state", state.as_str())];
        (labels, seconds(operator.since_ms))
    });
    page.gauges(
        "hotline_line_state_seconds",
        "How long the operator of a line has done what the state says.",
        samples,
    );
}

pub(super) fn durations(page: &mut Page, durations: &Durations) {
    let waits: Vec<_> = durations
        .waits()
        .map(|(queue, outcome, waits)| (queue, word(outcome), waits))
        .collect();
    let samples = waits.iter().map(|(queue, outcome, waits)| {
        let labels = vec![("queue", *queue), ("outcome", outcome.as_str())];
        (labels, *waits)
    });
    page.histograms(
        "hotline_queue_wait_seconds",
        "Waits that are over, by how they ended.",
        samples,
    );
    let rings: Vec<_> = durations
        .rings()
        .map(|(result, rings)| (word(result), rings))
        .collect();
    let samples = rings
        .iter()
        .map(|(result, rings)| (vec![("result", result.as_str())], *rings));
    page.histograms(
        "hotline_ring_seconds",
        "Offers that are over, by how they ended.",
        samples,
    );
    page.histograms(
        "hotline_talk_seconds",
        "Talks that are over, each operator's part of a call by itself.",
        [(Labels::new(), durations.talks())],
    );
}
