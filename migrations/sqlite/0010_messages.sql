-- Messages that callers left. The audio of one is a recording, by call and segment; talks and messages
-- of a call are numbered together.
CREATE TABLE messages (
    call        INTEGER NOT NULL,
    segment     INTEGER NOT NULL,
    mailbox     TEXT NOT NULL,    -- where it is kept: of the plan's step, or the plan's name
    waits_for   TEXT NOT NULL,    -- logins of operators, with a comma between two
    started_at  INTEGER NOT NULL, -- UTC ms, after the tone
    ended_at    INTEGER,          -- UTC ms; NULL while it is left
    length_ms   INTEGER,
    ended_by    TEXT,             -- silence, key, hung_up, longest, engine
    kept        INTEGER NOT NULL, -- false: less was said than the plan wants, or it is not over
    heard_at    INTEGER,          -- UTC ms; NULL: nobody has heard it
    heard_by    TEXT,
    version     INTEGER NOT NULL, -- the last event of it
    PRIMARY KEY (call, segment)
);
CREATE INDEX messages_by_version ON messages (version);
CREATE INDEX messages_unheard ON messages (started_at) WHERE heard_at IS NULL;

-- Everything of a call that is a recording, or would be one.
CREATE VIEW recorded_parts AS
    SELECT call, segment, recorded, talk_ms, started_at FROM segments
    UNION ALL
    SELECT call, segment, 1 AS recorded, length_ms AS talk_ms, started_at FROM messages;
