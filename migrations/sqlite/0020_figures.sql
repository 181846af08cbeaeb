-- What the search and the reports of a range look for, in the order in which it is shown.
CREATE INDEX entries_by_queue ON entries (queue, arrived_at) WHERE queue IS NOT NULL;
CREATE INDEX entries_by_outcome ON entries (outcome, arrived_at) WHERE outcome IS NOT NULL;
CREATE INDEX entries_by_channel ON entries (channel, arrived_at) WHERE channel <> 'call';
CREATE INDEX entries_by_emergency ON entries (arrived_at) WHERE emergency IS NOT NULL;
CREATE INDEX entries_up ON entries (arrived_at) WHERE outcome IS NULL;
CREATE INDEX segments_by_time ON segments (started_at);

-- For other programs: names that stay (docs/reports.md).
-- Audio of each leg.
CREATE VIEW bi_legs AS SELECT
    e.call_id, l.operator_login, l.outer_number, l.outer_trunk,
    strftime('%Y-%m-%d %H:%M:%f', l.closed_at / 1000.0, 'unixepoch') AS closed_at, l.codec, l.received, l.sent,
    l.lost, l.jitter_us, l.mos, l.peer_lost, l.peer_jitter_us, l.peer_mos, l.round_trip_us
FROM legs l JOIN entries e ON e.call = l.call;
-- Each recording, or why there is none.
CREATE VIEW bi_recordings AS SELECT
    e.call_id, r.segment, r.path, r.missing, r.bytes, r.duration_ms, r.caller_packets,
    r.caller_lost, r.operator_packets, r.operator_lost, r.dropped
FROM recordings r JOIN entries e ON e.call = r.call;
-- Breaks that are over.
CREATE VIEW bi_breaks AS SELECT
    operator_login, operator_name, operator_line, reason,
    strftime('%Y-%m-%d %H:%M:%f', ended_at / 1000.0, 'unixepoch') AS ended_at, lasted_ms, by_leave, over_ms
FROM breaks_taken;
