-- Who answered what waited, and from which queue a talk came: after a transfer neither is what the entry
-- says of the call as a whole.
ALTER TABLE queue_entries ADD COLUMN operator_id BIGINT;    -- who answered; none if nobody of ours did
ALTER TABLE queue_entries ADD COLUMN operator_login TEXT;
ALTER TABLE queue_entries ADD COLUMN operator_name TEXT;
ALTER TABLE queue_entries ADD COLUMN operator_line TEXT;
ALTER TABLE queue_entries ADD COLUMN arrival_wait_ms BIGINT; -- arrival to the answer, if it was the call's first
ALTER TABLE segments ADD COLUMN queue TEXT;                 -- the last queue entered before it
-- Whether an entry is to be completed: an operator talked with someone who called or was called back, or
-- wrote down a contact.
ALTER TABLE entries ADD COLUMN to_complete BOOLEAN NOT NULL DEFAULT FALSE;
DROP INDEX entries_not_completed;
CREATE INDEX entries_not_completed ON entries (arrived_at) WHERE to_complete AND completed_at IS NULL;
-- The history of a card, and cards computed anew.
CREATE INDEX events_about_persons ON events (id) WHERE kind = 'person_written';

CREATE OR REPLACE VIEW bi_entries AS SELECT
    call_id, channel, direction, number, caller, caller_name, trunk, plan, menu_path, queue,
    operator_login, operator_name, operator_line, to_timestamp(arrived_at / 1000.0) AS arrived_at,
    to_timestamp(answered_at / 1000.0) AS answered_at,
    to_timestamp(ended_at / 1000.0) AS ended_at, wait_ms, arrival_wait_ms, ring_ms, talk_ms,
    held_ms, wrap_up_ms, duration_ms, offers, offers_unanswered, segments, transfers, outcome,
    ended_by, reason, rating, full_name, contact_number, topic, content, action, department,
    to_timestamp(deadline_at / 1000.0) AS deadline_at, execution,
    to_timestamp(executed_at / 1000.0) AS executed_at, crm, emergency,
    to_timestamp(emergency_at / 1000.0) AS emergency_at,
    to_timestamp(completed_at / 1000.0) AS completed_at, completed_by, entry_delay_ms,
    corrections, recording_path, recording_missing, to_complete
FROM entries;
CREATE OR REPLACE VIEW bi_queue_stays AS SELECT
    e.call_id, t.queue, t.priority, t.skills,
    to_timestamp(t.entered_at / 1000.0) AS entered_at,
    to_timestamp(t.left_at / 1000.0) AS left_at, t.wait_ms,
    t.outcome, t.operator_login, t.operator_name, t.operator_line, t.arrival_wait_ms
FROM queue_entries t JOIN entries e ON e.call = t.call;
CREATE OR REPLACE VIEW bi_segments AS SELECT
    e.call_id, t.segment, t.operator_login, t.operator_name, t.operator_line, t.outer_number,
    t.outer_trunk, t.recorded,
    to_timestamp(t.started_at / 1000.0) AS started_at,
    to_timestamp(t.ended_at / 1000.0) AS ended_at, t.ring_ms,
    t.talk_ms, t.held_ms, t.wrap_up_ms, t.ended_by, t.queue
FROM segments t JOIN entries e ON e.call = t.call;

-- A view of one table can be written through by its owner, the journal's own role. Programs that read are
-- to have a role of their own (docs/reports.md); one that has not shall not do harm.
CREATE FUNCTION bi_read_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is read-only', TG_TABLE_NAME USING ERRCODE = 'read_only_sql_transaction';
END $$;
CREATE TRIGGER read_only INSTEAD OF INSERT OR UPDATE OR DELETE ON bi_entries
    FOR EACH ROW EXECUTE FUNCTION bi_read_only();
CREATE TRIGGER read_only INSTEAD OF INSERT OR UPDATE OR DELETE ON bi_queue_stays
    FOR EACH ROW EXECUTE FUNCTION bi_read_only();
CREATE TRIGGER read_only INSTEAD OF INSERT OR UPDATE OR DELETE ON bi_offers
    FOR EACH ROW EXECUTE FUNCTION bi_read_only();
CREATE TRIGGER read_only INSTEAD OF INSERT OR UPDATE OR DELETE ON bi_segments
    FOR EACH ROW EXECUTE FUNCTION bi_read_only();
CREATE TRIGGER read_only INSTEAD OF INSERT OR UPDATE OR DELETE ON bi_operator_turns
    FOR EACH ROW EXECUTE FUNCTION bi_read_only();
CREATE TRIGGER read_only INSTEAD OF INSERT OR UPDATE OR DELETE ON bi_corrections
    FOR EACH ROW EXECUTE FUNCTION bi_read_only();
CREATE TRIGGER read_only INSTEAD OF INSERT OR UPDATE OR DELETE ON bi_legs
    FOR EACH ROW EXECUTE FUNCTION bi_read_only();
CREATE TRIGGER read_only INSTEAD OF INSERT OR UPDATE OR DELETE ON bi_recordings
    FOR EACH ROW EXECUTE FUNCTION bi_read_only();
CREATE TRIGGER read_only INSTEAD OF INSERT OR UPDATE OR DELETE ON bi_breaks
    FOR EACH ROW EXECUTE FUNCTION bi_read_only();
