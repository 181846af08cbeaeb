-- Who answered what waited, and from which queue a talk came: after a transfer neither is what the entry
-- says of the call as a whole.
ALTER TABLE queue_entries ADD COLUMN operator_id INTEGER;    -- who answered; none if nobody of ours did
ALTER TABLE queue_entries ADD COLUMN operator_login TEXT;
ALTER TABLE queue_entries ADD COLUMN operator_name TEXT;
ALTER TABLE queue_entries ADD COLUMN operator_line TEXT;
ALTER TABLE queue_entries ADD COLUMN arrival_wait_ms INTEGER; -- arrival to the answer, if it was the call's first
ALTER TABLE segments ADD COLUMN queue TEXT;                 -- the last queue entered before it
-- Whether an entry is to be completed: an operator talked with someone who called or was called back, or
-- wrote down a contact.
ALTER TABLE entries ADD COLUMN to_complete INTEGER NOT NULL DEFAULT 0;
DROP INDEX entries_not_completed;
CREATE INDEX entries_not_completed ON entries (arrived_at) WHERE to_complete AND completed_at IS NULL;
-- The history of a card, and cards computed anew.
CREATE INDEX events_about_persons ON events (id) WHERE kind = 'person_written';

DROP VIEW bi_entries;
CREATE VIEW bi_entries AS SELECT
    call_id, channel, direction, number, caller, caller_name, trunk, plan, menu_path, queue,
    operator_login, operator_name, operator_line,
    strftime('%Y-%m-%d %H:%M:%f', arrived_at / 1000.0, 'unixepoch') AS arrived_at,
    strftime('%Y-%m-%d %H:%M:%f', answered_at / 1000.0, 'unixepoch') AS answered_at,
    strftime('%Y-%m-%d %H:%M:%f', ended_at / 1000.0, 'unixepoch') AS ended_at, wait_ms,
    arrival_wait_ms, ring_ms, talk_ms, held_ms, wrap_up_ms, duration_ms, offers,
    offers_unanswered, segments, transfers, outcome, ended_by, reason, rating, full_name,
    contact_number, topic, content, action, department,
    strftime('%Y-%m-%d %H:%M:%f', deadline_at / 1000.0, 'unixepoch') AS deadline_at, execution,
    strftime('%Y-%m-%d %H:%M:%f', executed_at / 1000.0, 'unixepoch') AS executed_at, crm,
    emergency, strftime('%Y-%m-%d %H:%M:%f', emergency_at / 1000.0, 'unixepoch') AS emergency_at,
    strftime('%Y-%m-%d %H:%M:%f', completed_at / 1000.0, 'unixepoch') AS completed_at,
    completed_by, entry_delay_ms, corrections, recording_path, recording_missing, to_complete
FROM entries;
DROP VIEW bi_queue_stays;
CREATE VIEW bi_queue_stays AS SELECT
    e.call_id, t.queue, t.priority, t.skills,
    strftime('%Y-%m-%d %H:%M:%f', t.entered_at / 1000.0, 'unixepoch') AS entered_at,
    strftime('%Y-%m-%d %H:%M:%f', t.left_at / 1000.0, 'unixepoch') AS left_at, t.wait_ms,
    t.outcome, t.operator_login, t.operator_name, t.operator_line, t.arrival_wait_ms
FROM queue_entries t JOIN entries e ON e.call = t.call;
DROP VIEW bi_segments;
CREATE VIEW bi_segments AS SELECT
    e.call_id, t.segment, t.operator_login, t.operator_name, t.operator_line, t.outer_number,
    t.outer_trunk, t.recorded,
    strftime('%Y-%m-%d %H:%M:%f', t.started_at / 1000.0, 'unixepoch') AS started_at,
    strftime('%Y-%m-%d %H:%M:%f', t.ended_at / 1000.0, 'unixepoch') AS ended_at, t.ring_ms,
    t.talk_ms, t.held_ms, t.wrap_up_ms, t.ended_by, t.queue
FROM segments t JOIN entries e ON e.call = t.call;
