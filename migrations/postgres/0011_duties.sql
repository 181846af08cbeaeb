-- What stands beyond calls, the last word of each: what operators chose (duty, by login), queues that
-- a supervisor closed (closed_queue, by name). The engine takes it up at its start.
CREATE TABLE standing (
    kind  TEXT COLLATE "C" NOT NULL,
    key   TEXT COLLATE "C" NOT NULL,
    json  TEXT NOT NULL,
    PRIMARY KEY (kind, key)
);

-- Breaks that are over: by how much a day's limit was overrun, and what needed a supervisor's leave.
CREATE TABLE breaks_taken (
    event           BIGINT PRIMARY KEY,
    operator_id     BIGINT NOT NULL,
    operator_login  TEXT NOT NULL,
    operator_name   TEXT NOT NULL,
    operator_line   TEXT NOT NULL,
    reason          TEXT NOT NULL,
    ended_at        BIGINT NOT NULL,
    lasted_ms       BIGINT NOT NULL,
    by_leave        BOOLEAN NOT NULL,         -- whether the rules did not permit it
    over_ms         BIGINT NOT NULL
);
CREATE INDEX breaks_taken_by_time ON breaks_taken (ended_at);
