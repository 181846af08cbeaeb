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
    id    BIGINT PRIMARY KEY,   -- unique over restarts
    boot  BIGINT NOT NULL,      -- start of the process, seconds since 2020-01-01T00:00:00Z
    at    BIGINT NOT NULL,      -- wall clock, ms since 1970-01-01T00:00:00Z
    up    BIGINT NOT NULL,      -- monotonic clock of the boot, microseconds
    kind  TEXT NOT NULL,         -- call_arrived, offer_made, ...
    call  BIGINT,               -- the call it belongs to, if it belongs to one
    json  TEXT NOT NULL          -- the whole event
);
CREATE INDEX events_by_call ON events (call) WHERE call IS NOT NULL;

-- How far the event files have been applied, per boot. At start the files are replayed from the
-- highest row. Deleting rows is harmless: events already here are recognised by their ids.
CREATE TABLE applied (
    boot    BIGINT PRIMARY KEY,
    event   BIGINT NOT NULL,    -- id of the last event applied
    file    BIGINT NOT NULL,    -- number of the event file
    "offset" BIGINT NOT NULL    -- bytes of that file that are applied
);

-- One row per call: the electronic journal.
CREATE TABLE entries (
    call                   BIGINT PRIMARY KEY,
    number                 TEXT NOT NULL,  -- dialled
    caller                 TEXT NOT NULL,  -- empty if withheld
    caller_name            TEXT NOT NULL,
    trunk                  TEXT NOT NULL,
    plan                   TEXT NOT NULL,
    sip_call_id            TEXT NOT NULL,
    queue                  TEXT,           -- the last queue entered
    operator_id            BIGINT,        -- the operator of the last segment
    operator_login         TEXT,
    operator_name          TEXT,
    operator_line          TEXT,
    first_operator_login   TEXT,           -- the operator of the first segment
    arrived_at             BIGINT,
    answered_by_engine_at  BIGINT,
    notice_played_at       BIGINT,        -- the caller was told of the recording
    queue_entered_at       BIGINT,        -- first queue
    answered_at            BIGINT,        -- start of the first segment
    ended_at               BIGINT,
    wait_ms                BIGINT,        -- in queues, all together
    arrival_wait_ms        BIGINT,        -- from arrival to the start of the first segment
    ring_ms                BIGINT,        -- line answer time of the last segment's offer
    talk_ms                BIGINT,        -- segments, all together
    duration_ms            BIGINT,        -- from arrival to end
    offers                 BIGINT NOT NULL,
    offers_unanswered      BIGINT NOT NULL, -- ended in any way but `answered`
    segments               BIGINT NOT NULL,
    outcome                TEXT,           -- NULL while the call is up
    ended_by               TEXT,
    status                 BIGINT,        -- final SIP status, if never answered
    reason                 TEXT,
    recording_path         TEXT,           -- of the first segment; all are in `recordings`
    recording_sha256       TEXT,
    recording_ms           BIGINT,
    recording_missing      TEXT,           -- why the first segment has no (whole) recording
    call_id                TEXT GENERATED ALWAYS AS
                             (lpad(to_hex(call >> 32), 8, '0') || '-' ||
                              lpad(to_hex(call & 4294967295), 8, '0')) STORED
);
CREATE INDEX entries_by_arrival ON entries (arrived_at);
CREATE INDEX entries_by_caller ON entries (caller);

-- Each stay of a call in a queue: the rows that METRICS.md counts. Of a call that was waiting
-- when the engine died the outcome is `closed`, and the outcome of its entry is `interrupted`.
CREATE TABLE queue_entries (
    event       BIGINT PRIMARY KEY,       -- the event that entered it
    call        BIGINT NOT NULL,
    queue       TEXT NOT NULL,
    priority    BIGINT NOT NULL,
    entered_at  BIGINT NOT NULL,
    left_at     BIGINT,                   -- NULL while waiting
    wait_ms     BIGINT,
    outcome     TEXT
);
CREATE INDEX queue_entries_by_call ON queue_entries (call);
CREATE INDEX queue_entries_by_time ON queue_entries (entered_at);

-- Each ringing of a call at an operator.
CREATE TABLE offers (
    offer           BIGINT PRIMARY KEY,
    call            BIGINT NOT NULL,
    queue           TEXT NOT NULL,
    operator_id     BIGINT NOT NULL,
    operator_login  TEXT NOT NULL,
    operator_name   TEXT NOT NULL,
    operator_line   TEXT NOT NULL,
    why             TEXT NOT NULL,         -- why this operator
    made_at         BIGINT NOT NULL,
    ended_at        BIGINT,
    ring_ms         BIGINT,               -- of an answered offer: the line answer time
    result          TEXT,
    status          BIGINT                -- final SIP status of the operator's telephone
);
CREATE INDEX offers_by_call ON offers (call);
CREATE INDEX offers_by_time ON offers (made_at);

-- Each talk of the caller with one operator.
CREATE TABLE segments (
    call            BIGINT NOT NULL,
    segment         BIGINT NOT NULL,      -- from 1
    operator_id     BIGINT NOT NULL,
    operator_login  TEXT NOT NULL,
    operator_name   TEXT NOT NULL,
    operator_line   TEXT NOT NULL,
    offer           BIGINT NOT NULL,
    recorded        BOOLEAN NOT NULL,     -- whether it was to be recorded
    started_at      BIGINT NOT NULL,
    ended_at        BIGINT,
    ring_ms         BIGINT,
    talk_ms         BIGINT,
    ended_by        TEXT,
    PRIMARY KEY (call, segment)
);

-- The recording of each segment, or why there is none. Both when only a part was kept.
CREATE TABLE recordings (
    call              BIGINT NOT NULL,
    segment           BIGINT NOT NULL,
    path              TEXT,                -- below the root of recordings
    sha256            TEXT,
    bytes             BIGINT,
    duration_ms       BIGINT,
    caller_packets    BIGINT,
    caller_lost       BIGINT,
    operator_packets  BIGINT,
    operator_lost     BIGINT,
    dropped           BIGINT,
    repaired          BOOLEAN,            -- whether put together after a crash
    missing           TEXT,
    known_at          BIGINT NOT NULL,    -- when the journal heard of it
    PRIMARY KEY (call, segment)
);

-- Operators and the secrets of their telephones: HA1 = H(login:realm:password), never a password.
CREATE TABLE operators (
    id          BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,   -- never given twice
    login       TEXT NOT NULL,                       -- also the SIP user
    name        TEXT NOT NULL,
    line        TEXT COLLATE "C" NOT NULL UNIQUE,    -- number of the workplace
    ha1_sha256  TEXT NOT NULL CHECK (length(ha1_sha256) = 64),
    ha1_md5     TEXT NOT NULL CHECK (length(ha1_md5) = 32),
    skills      TEXT NOT NULL DEFAULT '{}' CHECK (skills::json IS NOT NULL), -- {"name": level 0-100}
    enabled     BOOLEAN NOT NULL DEFAULT true
);

CREATE UNIQUE INDEX operators_by_login ON operators (lower(login));

-- Grows with each change of `operators`, by whatever program: a running engine watches it.
CREATE TABLE operators_version (
    one      BIGINT PRIMARY KEY CHECK (one = 1),
    version  BIGINT NOT NULL
);
INSERT INTO operators_version (one, version) VALUES (1, 1);
CREATE FUNCTION count_operators_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE operators_version SET version = version + 1;
        RETURN NULL;
    END
$$;
CREATE TRIGGER operators_changed AFTER INSERT OR UPDATE OR DELETE ON operators
    FOR EACH ROW EXECUTE FUNCTION count_operators_change();
