//! Owns the figures of the process, its calls, the journal, recording and trunks.

use journal::Health;
use vocab::{LiveCounts, LiveProcess, LiveRecording, LiveTrunk, RegistrationState};

use super::page::Page;
use super::{exact, seconds, word, yes};

pub(super) fn process(page: &mut Page, version: &str, process: LiveProcess) {
    let version = [(vec![("version", version)], 1.0)];
    page.gauges("hotline_build_info", "The program.", version);
    let started = u64::try_from(process.started.as_unix_millis()).unwrap_or(0);
    page.gauge(
        "process_start_time_seconds",
        "When the process started, seconds since 1970-01-01T00:00:00Z.",
        seconds(started),
    );
    page.gauge(
        "hotline_draining",
        "Whether no new calls are taken, since the process is about to stop.",
        yes(process.draining),
    );
    page.gauge(
        "hotline_media_failing",
        "Whether a media thread has ended: its calls have no audio.",
        yes(process.media_dead),
    );
    for (name, help, value) in [
        (
            "hotline_media_commands_late_total",
            "Commands that found their media thread too far behind.",
            process.media_late,
        ),
        (
            "hotline_answers_overdue_total",
            "Answers that went out before the disk had their facts.",
            process.overdue_answers,
        ),
        (
            "hotline_trace_dropped_total",
            "Messages that the SIP trace had no room for.",
            process.trace_dropped,
        ),
        (
            "hotline_datagrams_unsent_total",
            "Datagrams that the kernel did not take.",
            process.datagrams_unsent,
        ),
    ] {
        page.counter(name, help, value);
    }
    connections(page, process);
}

fn connections(page: &mut Page, process: LiveProcess) {
    let lost = process.connections;
    let samples = [
        ("turned_away", lost.turned_away),
        ("queue_full", lost.queue_full),
        ("slow", lost.slow),
        ("framing_lost", lost.framing_lost),
        ("handshake_failed", lost.handshakes_failed),
        ("unconnected", lost.unconnected),
    ]
    .map(|(reason, count)| (vec![("reason", reason)], exact(count)));
    page.counters(
        "hotline_connections_failed_total",
        "Connections of signalling that came to grief.",
        samples,
    );
}

pub(super) fn calls(page: &mut Page, counts: LiveCounts) {
    for (name, help, value) in [
        ("hotline_calls", "Calls up.", counts.calls),
        ("hotline_calls_waiting", "Calls in queues.", counts.waiting),
        ("hotline_calls_talking", "Calls in talk.", counts.talking),
        (
            "hotline_one_way_talks",
            "Talks in which one party is not heard.",
            counts.one_way,
        ),
    ] {
        page.gauge(name, help, f64::from(value));
    }
    page.gauge(
        "hotline_longest_wait_seconds",
        "The longest wait of the calls in queues.",
        seconds(counts.longest_wait_ms),
    );
    for (name, help, value) in [
        (
            "hotline_calls_arrived_total",
            "Calls that arrived.",
            counts.arrived,
        ),
        (
            "hotline_calls_answered_total",
            "Calls that an operator answered.",
            counts.answered,
        ),
        (
            "hotline_calls_abandoned_total",
            "Calls whose caller hung up while waiting.",
            counts.abandoned,
        ),
        (
            "hotline_calls_refused_total",
            "Calls refused.",
            counts.refused,
        ),
        (
            "hotline_one_way_total",
            "How often one party of a talk was not heard any more.",
            counts.one_way_begun,
        ),
        (
            "hotline_auth_failures_total",
            "Wrong passwords.",
            counts.auth_failures,
        ),
        (
            "hotline_requests_dropped_total",
            "Requests of strangers without an answer.",
            counts.dropped,
        ),
        (
            "hotline_malformed_total",
            "Malformed packets.",
            counts.malformed,
        ),
        ("hotline_bugs_total", "Broken invariants.", counts.bugs),
    ] {
        page.counter(name, help, value);
    }
}

pub(super) fn journal(page: &mut Page, health: Health) {
    for (name, help, value) in [
        (
            "hotline_journal_disk_errors_total",
            "Failed writes of the event file.",
            health.disk_errors,
        ),
        (
            "hotline_journal_database_errors_total",
            "Failed batches.",
            health.database_errors,
        ),
        (
            "hotline_journal_syncs_total",
            "Syncs of the event file.",
            health.syncs,
        ),
        (
            "hotline_journal_lost_total",
            "Events that could not be kept.",
            health.lost,
        ),
    ] {
        page.counter(name, help, value);
    }
    for (name, help, value) in [
        (
            "hotline_journal_lag_events",
            "Events not in the database yet.",
            exact(health.lag),
        ),
        (
            "hotline_journal_backlog_events",
            "Events not on the disk yet.",
            exact(health.backlog),
        ),
        (
            "hotline_journal_sync_seconds_max",
            "The longest write of the event file.",
            exact(health.sync_us_max) / 1e6,
        ),
        (
            "hotline_journal_database_failing",
            "Whether the database takes nothing.",
            yes(health.database_failing),
        ),
        (
            "hotline_journal_disk_failing",
            "Whether the event file takes nothing.",
            yes(health.disk_failing),
        ),
    ] {
        page.gauge(name, help, value);
    }
}

pub(super) fn recording(page: &mut Page, live: LiveRecording) {
    for (name, help, value) in [
        (
            "hotline_recordings_stored_total",
            "Recordings stored.",
            live.stored,
        ),
        (
            "hotline_recordings_missing_total",
            "Recordings begun that will not be there.",
            live.missing,
        ),
        (
            "hotline_recording_packets_dropped_total",
            "Packets that came and could not be kept.",
            live.dropped,
        ),
        (
            "hotline_recording_spool_bytes_total",
            "Octets written to the spool.",
            live.spool_bytes,
        ),
        (
            "hotline_recording_upload_failures_total",
            "Uploads to the bucket, and deletions there, that failed.",
            live.upload_failures,
        ),
    ] {
        page.counter(name, help, value);
    }
    for (name, help, value) in [
        (
            "hotline_recordings_waiting",
            "Recordings that are over and not stored yet.",
            exact(live.waiting),
        ),
        (
            "hotline_recordings_lag_seconds",
            "How long the one of them that waits longest has waited.",
            seconds(live.lag_ms),
        ),
        (
            "hotline_recording_disk_failing",
            "Whether spool or recordings cannot be written.",
            yes(live.disk_failing),
        ),
        (
            "hotline_recording_uploads_waiting",
            "Recordings in the archive that do not lie in the bucket yet.",
            exact(live.uploads_waiting),
        ),
        (
            "hotline_recording_uploads_oldest_seconds",
            "How long the one of them that waits longest has waited.",
            seconds(live.uploads_oldest_ms),
        ),
    ] {
        page.gauge(name, help, value);
    }
}

pub(super) fn trunks(page: &mut Page, trunks: &[LiveTrunk]) {
    let calls = trunks.iter().flat_map(|trunk| {
        [("in", trunk.calls_in), ("out", trunk.calls_out)].map(|(direction, calls)| {
            let labels = vec![("trunk", trunk.name.as_str()), ("direction", direction)];
            (labels, f64::from(calls))
        })
    });
    page.gauges("hotline_trunk_calls", "Calls up by trunk.", calls);
    let up = trunks.iter().map(|trunk| {
        let up = trunk.servers.iter().filter(|(_, up)| *up).count();
        (vec![("trunk", trunk.name.as_str())], exact(up as u64))
    });
    page.gauges(
        "hotline_trunk_servers_up",
        "Servers of a trunk that take calls.",
        up,
    );
    let states = RegistrationState::ALL.map(|state| (state, word(state)));
    let registrations = trunks
        .iter()
        .filter_map(|trunk| Some((trunk, trunk.registration?)));
    let samples = registrations.flat_map(|(trunk, now)| {
        states.iter().map(move |(state, word)| {
            let labels = vec![("trunk", trunk.name.as_str()), ("state", word.as_str())];
            (labels, yes(*state == now))
        })
    });
    page.gauges(
        "hotline_trunk_registration",
        "Whether our registration with a trunk is in this state; trunks without one are not there.",
        samples,
    );
}
