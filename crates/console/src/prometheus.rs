//! Owns the figures for Prometheus, in its text format (version 0.0.4). No figure names a person.

use std::fmt::Write;

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use vocab::OperatorState;

use crate::app::App;

pub(crate) async fn serve(State(app): State<App>) -> Response {
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(header::CONTENT_TYPE, kind)], text(&app)).into_response()
}

/// Writes one family of figures.
struct Page(String);

impl Page {
    fn family(&mut self, kind: &str, name: &str, help: &str, samples: &[(String, f64)]) {
        // Writing to a String cannot fail.
        let _ = writeln!(
            self.0,
            "# HELP hotline_{name} {help}\n# TYPE hotline_{name} {kind}"
        );
        for (labels, value) in samples {
            let _ = writeln!(self.0, "hotline_{name}{labels} {value}");
        }
    }

    fn gauge(&mut self, name: &str, help: &str, value: f64) {
        self.family("gauge", name, help, &[(String::new(), value)]);
    }

    fn counter(&mut self, name: &str, help: &str, value: f64) {
        self.family("counter", name, help, &[(String::new(), value)]);
    }
}

/// Counts stay far below 2^53, where this is exact.
#[allow(clippy::cast_precision_loss)]
const fn exact(number: u64) -> f64 {
    number as f64
}

fn text(app: &App) -> String {
    let snapshot = app.console.live.snapshot();
    let (counts, health) = (snapshot.counts, app.console.live.health());
    let mut page = Page(String::new());
    let version = label(&[("version", &app.console.version)]);
    page.family("gauge", "build_info", "The program.", &[(version, 1.0)]);
    page.gauge("calls", "Calls up.", f64::from(counts.calls));
    page.gauge(
        "calls_waiting",
        "Calls in queues.",
        f64::from(counts.waiting),
    );
    page.gauge("calls_talking", "Calls in talk.", f64::from(counts.talking));
    page.gauge(
        "longest_wait_seconds",
        "The longest wait of the calls in queues.",
        exact(counts.longest_wait_ms) / 1_000.0,
    );
    for (name, help, value) in [
        ("calls_arrived_total", "Calls that arrived.", counts.arrived),
        (
            "calls_answered_total",
            "Calls that an operator answered.",
            counts.answered,
        ),
        (
            "calls_abandoned_total",
            "Calls whose caller hung up while waiting.",
            counts.abandoned,
        ),
        ("calls_refused_total", "Calls refused.", counts.refused),
        (
            "auth_failures_total",
            "Wrong passwords.",
            counts.auth_failures,
        ),
        (
            "requests_dropped_total",
            "Requests of strangers without an answer.",
            counts.dropped,
        ),
        ("malformed_total", "Malformed packets.", counts.malformed),
        ("bugs_total", "Broken invariants.", counts.bugs),
        (
            "journal_disk_errors_total",
            "Failed writes of the event file.",
            health.disk_errors,
        ),
        (
            "journal_database_errors_total",
            "Failed batches.",
            health.database_errors,
        ),
        (
            "journal_syncs_total",
            "Syncs of the event file.",
            health.syncs,
        ),
        (
            "journal_lost_total",
            "Events that could not be kept.",
            health.lost,
        ),
    ] {
        page.counter(name, help, exact(value));
    }
    page.gauge(
        "journal_lag_events",
        "Events not in the database yet.",
        exact(health.lag),
    );
    page.gauge(
        "journal_backlog_events",
        "Events not on the disk yet.",
        exact(health.backlog),
    );
    page.gauge(
        "journal_sync_seconds_max",
        "The longest write of the event file.",
        exact(health.sync_us_max) / 1e6,
    );
    let failing = f64::from(u8::from(health.database_failing));
    page.gauge(
        "journal_database_failing",
        "Whether the database takes nothing.",
        failing,
    );
    page.gauge(
        "journal_disk_failing",
        "Whether the event file takes nothing.",
        f64::from(u8::from(health.disk_failing)),
    );
    recording(&mut page, app.console.live.recording());
    operators(&mut page, &snapshot);
    trunks(&mut page, &snapshot);
    page.0
}

fn recording(page: &mut Page, live: vocab::LiveRecording) {
    for (name, help, value) in [
        ("recordings_stored_total", "Recordings stored.", live.stored),
        (
            "recordings_missing_total",
            "Recordings begun that will not be there.",
            live.missing,
        ),
        (
            "recording_packets_dropped_total",
            "Packets that came and could not be kept.",
            live.dropped,
        ),
        (
            "recording_spool_bytes_total",
            "Octets written to the spool.",
            live.spool_bytes,
        ),
    ] {
        page.counter(name, help, exact(value));
    }
    page.gauge(
        "recordings_waiting",
        "Recordings that are over and not stored yet.",
        exact(live.waiting),
    );
    page.gauge(
        "recordings_lag_seconds",
        "How long the one of them that waits longest has waited.",
        exact(live.lag_ms) / 1_000.0,
    );
    page.gauge(
        "recording_disk_failing",
        "Whether spool or recordings cannot be written.",
        f64::from(u8::from(live.disk_failing)),
    );
}

fn operators(page: &mut Page, snapshot: &vocab::Snapshot) {
    let states = [
        OperatorState::Unreachable,
        OperatorState::Free,
        OperatorState::Reserved,
        OperatorState::Ringing,
        OperatorState::Talking,
        OperatorState::Held,
        OperatorState::OtherCall,
        OperatorState::WrapUp,
        OperatorState::Resting,
        OperatorState::Paused,
    ];
    let samples = states.map(|state| {
        let count = snapshot
            .operators
            .iter()
            .filter(|one| one.state == state)
            .count();
        let name = serde_json::to_value(state).unwrap_or_default();
        let labels = label(&[("state", name.as_str().unwrap_or_default())]);
        (labels, exact(count as u64))
    });
    page.family("gauge", "operators", "Operators by what they do.", &samples);
}

fn trunks(page: &mut Page, snapshot: &vocab::Snapshot) {
    let of = |direction: &str, count: fn(&vocab::LiveTrunk) -> u32| -> Vec<(String, f64)> {
        let trunks = snapshot.trunks.iter();
        let labels = |name: &str| label(&[("trunk", name), ("direction", direction)]);
        trunks
            .map(|trunk| (labels(&trunk.name), f64::from(count(trunk))))
            .collect()
    };
    let samples = [
        of("in", |trunk| trunk.calls_in),
        of("out", |trunk| trunk.calls_out),
    ]
    .concat();
    page.family("gauge", "trunk_calls", "Calls up by trunk.", &samples);
    let up = snapshot.trunks.iter().map(|trunk| {
        let servers = trunk.servers.iter().filter(|(_, up)| *up).count();
        (label(&[("trunk", &trunk.name)]), exact(servers as u64))
    });
    let up: Vec<(String, f64)> = up.collect();
    page.family(
        "gauge",
        "trunk_servers_up",
        "Servers of a trunk that take calls.",
        &up,
    );
}

/// Labels, with `\`, `"` and line breaks escaped.
fn label(labels: &[(&str, &str)]) -> String {
    let one = |(name, value): &(&str, &str)| {
        let value = value
            .replace('\\', "\\\\")
            .replace('"', "\\\"")
            .replace('\n', "\\n");
        format!("{name}=\"{value}\"")
    };
    let all: Vec<String> = labels.iter().map(one).collect();
    format!("{{{}}}", all.join(","))
}

#[cfg(test)]
mod tests {
    use super::label;

    #[test]
    fn a_hostile_name_stays_within_its_label() {
        assert_eq!(
            label(&[("trunk", "a\"} 1\nx\\")]),
            "{trunk=\"a\\\"} 1\\nx\\\\\"}"
        );
    }
}
