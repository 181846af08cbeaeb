-- The journal's first schema.
--
-- Notes for every table
--   * A column ending in `_at` is wall-clock time, UTC, in milliseconds since 1970-01-01.
--   * A column ending in `_ms` is a duration taken from the monotonic clock of one boot, so it
--     stays right when the wall clock jumps.
--   * Ids of events, calls and offers are 63-bit numbers: (boot << 32) | counter. `call_id` shows
--     a call as people and file names write it: 0cff1234-0000002a.
--   * `events` is the truth; `entries`, `offers`, `segments`, `recordings` and `queue_entries`
--     are computed from the events of one call and can be thrown away and rebuilt. What people
--     add to an entry by hand belongs in tables of its own, never in these.

-- Every fact, once, as the engine stated it.
CREATE TABLE events (
    id    INTEGER PRIMARY KEY,   -- unique over restarts
    boot  INTEGER NOT NULL,      -- start of the process, seconds since 2020-01-01T00:00:00Z
    at    INTEGER NOT NULL,      -- wall clock, ms since 1970-01-01T00:00:00Z
    up    INTEGER NOT NULL,      -- monotonic clock of the boot, microseconds
    kind  TEXT NOT NULL,         -- call_arrived, offer_made, ...
    call  INTEGER,               -- the call it belongs to, if it belongs to one
    json  TEXT NOT NULL          -- the whole event
) STRICT;
CREATE INDEX events_by_call ON events (call) WHERE call IS NOT NULL;

-- How far the event files have been applied, per boot. At start the files are replayed from the
-- highest row. Deleting rows is harmless: events already here are recognised by their ids.
CREATE TABLE applied (
    boot    INTEGER PRIMARY KEY,
    event   INTEGER NOT NULL,    -- id of the last event applied
    file    INTEGER NOT NULL,    -- number of the event file
    offset  INTEGER NOT NULL     -- bytes of that file that are applied
) STRICT;

-- One row per call: the electronic journal.
CREATE TABLE entries (
    call                   INTEGER PRIMARY KEY,
    number                 TEXT NOT NULL,  -- dialled
    caller                 TEXT NOT NULL,  -- empty if withheld
    caller_name            TEXT NOT NULL,
    trunk                  TEXT NOT NULL,
    plan                   TEXT NOT NULL,
    sip_call_id            TEXT NOT NULL,
    queue                  TEXT,           -- the last queue entered
    operator_id            INTEGER,        -- the operator of the last segment
    operator_login         TEXT,
    operator_name          TEXT,
    operator_line          TEXT,
    first_operator_login   TEXT,           -- the operator of the first segment
    arrived_at             INTEGER,
    answered_by_engine_at  INTEGER,
    notice_played_at       INTEGER,        -- the caller was told of the recording
    queue_entered_at       INTEGER,        -- first queue
    answered_at            INTEGER,        -- start of the first segment
    ended_at               INTEGER,
    wait_ms                INTEGER,        -- in queues, all together
    arrival_wait_ms        INTEGER,        -- from arrival to the start of the first segment
    ring_ms                INTEGER,        -- line answer time of the last segment's offer
    talk_ms                INTEGER,        -- segments, all together
    duration_ms            INTEGER,        -- from arrival to end
    offers                 INTEGER NOT NULL,
    offers_unanswered      INTEGER NOT NULL, -- ended in any way but `answered`
    segments               INTEGER NOT NULL,
    outcome                TEXT,           -- NULL while the call is up
    ended_by               TEXT,
    status                 INTEGER,        -- final SIP status, if never answered
    reason                 TEXT,
    recording_path         TEXT,           -- of the first segment; all are in `recordings`
    recording_sha256       TEXT,
    recording_ms           INTEGER,
    recording_missing      TEXT,           -- why the first segment has no (whole) recording
    call_id                TEXT GENERATED ALWAYS AS
                             (printf('%08x-%08x', call >> 32, call & 4294967295)) VIRTUAL
) STRICT;
CREATE INDEX entries_by_arrival ON entries (arrived_at);
CREATE INDEX entries_by_caller ON entries (caller);

-- Each stay of a call in a queue: the rows that METRICS.md counts. Of a call that was waiting
-- when the engine died the outcome is `closed`, and the outcome of its entry is `interrupted`.
CREATE TABLE queue_entries (
    event       INTEGER PRIMARY KEY,       -- the event that entered it
    call        INTEGER NOT NULL,
    queue       TEXT NOT NULL,
    priority    INTEGER NOT NULL,
    entered_at  INTEGER NOT NULL,
    left_at     INTEGER,                   -- NULL while waiting
    wait_ms     INTEGER,
    outcome     TEXT
) STRICT;
CREATE INDEX queue_entries_by_call ON queue_entries (call);
CREATE INDEX queue_entries_by_time ON queue_entries (entered_at);

-- Each ringing of a call at an operator.
CREATE TABLE offers (
    offer           INTEGER PRIMARY KEY,
    call            INTEGER NOT NULL,
    queue           TEXT NOT NULL,
    operator_id     INTEGER NOT NULL,
    operator_login  TEXT NOT NULL,
    operator_name   TEXT NOT NULL,
    operator_line   TEXT NOT NULL,
    why             TEXT NOT NULL,         -- why this operator
    made_at         INTEGER NOT NULL,
    ended_at        INTEGER,
    ring_ms         INTEGER,               -- of an answered offer: the line answer time
    result          TEXT,
    status          INTEGER                -- final SIP status of the operator's telephone
) STRICT;
CREATE INDEX offers_by_call ON offers (call);
CREATE INDEX offers_by_time ON offers (made_at);

-- Each talk of the caller with one operator.
CREATE TABLE segments (
    call            INTEGER NOT NULL,
    segment         INTEGER NOT NULL,      -- from 1
    operator_id     INTEGER NOT NULL,
    operator_login  TEXT NOT NULL,
    operator_name   TEXT NOT NULL,
    operator_line   TEXT NOT NULL,
    offer           INTEGER NOT NULL,
    recorded        INTEGER NOT NULL,      -- 1 if it was to be recorded
    started_at      INTEGER NOT NULL,
    ended_at        INTEGER,
    ring_ms         INTEGER,
    talk_ms         INTEGER,
    ended_by        TEXT,
    PRIMARY KEY (call, segment)
) STRICT, WITHOUT ROWID;

-- The recording of each segment, or why there is none. Both when only a part was kept.
CREATE TABLE recordings (
    call              INTEGER NOT NULL,
    segment           INTEGER NOT NULL,
    path              TEXT,                -- below the root of recordings
    sha256            TEXT,
    bytes             INTEGER,
    duration_ms       INTEGER,
    caller_packets    INTEGER,
    caller_lost       INTEGER,
    operator_packets  INTEGER,
    operator_lost     INTEGER,
    dropped           INTEGER,
    repaired          INTEGER,             -- 1 if put together after a crash
    missing           TEXT,
    known_at          INTEGER NOT NULL,    -- when the journal heard of it
    PRIMARY KEY (call, segment)
) STRICT, WITHOUT ROWID;

-- Operators and the secrets of their telephones: HA1 = H(login:realm:password), never a password.
CREATE TABLE operators (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,   -- never given twice
    login       TEXT NOT NULL UNIQUE COLLATE NOCASE, -- also the SIP user
    name        TEXT NOT NULL,
    line        TEXT NOT NULL UNIQUE,                -- number of the workplace
    ha1_sha256  TEXT NOT NULL CHECK (length(ha1_sha256) = 64),
    ha1_md5     TEXT NOT NULL CHECK (length(ha1_md5) = 32),
    skills      TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(skills)), -- {"name": level 0-100}
    enabled     INTEGER NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1))
) STRICT;

-- Grows with each change of `operators`, by whatever program: a running engine watches it.
CREATE TABLE operators_version (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    version  INTEGER NOT NULL
) STRICT;
INSERT INTO operators_version (one, version) VALUES (1, 1);
CREATE TRIGGER operators_added AFTER INSERT ON operators
    BEGIN UPDATE operators_version SET version = version + 1; END;
CREATE TRIGGER operators_changed AFTER UPDATE ON operators
    BEGIN UPDATE operators_version SET version = version + 1; END;
CREATE TRIGGER operators_removed AFTER DELETE ON operators
    BEGIN UPDATE operators_version SET version = version + 1; END;
