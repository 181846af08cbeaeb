-- What callers say and hear while waiting, where the plan wants it recorded: the number of the recording.
ALTER TABLE queue_entries ADD COLUMN recording INTEGER;
CREATE INDEX queue_entries_recorded ON queue_entries (call, recording) WHERE recording IS NOT NULL;

-- Everything of a call that is a recording, or would be one.
DROP VIEW recorded_parts;
CREATE VIEW recorded_parts AS
    SELECT call, segment, recorded, talk_ms, started_at FROM segments
    UNION ALL
    SELECT call, segment, 1 AS recorded, length_ms AS talk_ms, started_at FROM messages
    UNION ALL
    SELECT call, recording AS segment, 1 AS recorded, wait_ms AS talk_ms, entered_at AS started_at
    FROM queue_entries WHERE recording IS NOT NULL;
