-- The whole entry: what the caller chose and was asked for, what people wrote, contacts that were no
-- call, work after talks, and what operators did between calls. All of it is computed from events,
-- like everything about calls, and can be thrown away and rebuilt.

-- What happened in the plan.
ALTER TABLE entries ADD COLUMN menu_path TEXT;            -- "main 1 > doctors 2": flow and key of each menu
ALTER TABLE entries ADD COLUMN rating INTEGER;            -- the caller's mark, 1 to 5
ALTER TABLE entries ADD COLUMN wrap_up_ms INTEGER;        -- work after segments, all together; NULL if there was none

-- How it came: call, web_form, email, chat, in_person, letter, other_call. Of a contact that was no
-- call the outcome is `contact`, and `arrived_at` is when it came.
ALTER TABLE entries ADD COLUMN channel TEXT NOT NULL DEFAULT 'call';
ALTER TABLE entries ADD COLUMN written_by TEXT;           -- who wrote such a contact down
ALTER TABLE entries ADD COLUMN written_at INTEGER;        -- and when

-- What people write. Of a field that nobody wrote the plan's field of that name stands here.
ALTER TABLE entries ADD COLUMN full_name TEXT;            -- the caller's
ALTER TABLE entries ADD COLUMN contact_number TEXT;
ALTER TABLE entries ADD COLUMN topic TEXT;                -- a place in the tree: "Vaccination / Schedule"
ALTER TABLE entries ADD COLUMN content TEXT;              -- what was asked
ALTER TABLE entries ADD COLUMN action TEXT;               -- what was done
ALTER TABLE entries ADD COLUMN department TEXT;           -- responsible for it
ALTER TABLE entries ADD COLUMN deadline_at INTEGER;       -- by when
ALTER TABLE entries ADD COLUMN execution TEXT;            -- assigned, in_progress, done, declined
ALTER TABLE entries ADD COLUMN executed_at INTEGER;       -- when it became done or declined
ALTER TABLE entries ADD COLUMN crm TEXT;                  -- link to the matter in another system
ALTER TABLE entries ADD COLUMN emergency TEXT;            -- its kind; NULL if it was none
ALTER TABLE entries ADD COLUMN emergency_at INTEGER;
ALTER TABLE entries ADD COLUMN completed_at INTEGER;      -- NULL while the entry is not completed
ALTER TABLE entries ADD COLUMN completed_by TEXT;
ALTER TABLE entries ADD COLUMN entry_delay_ms INTEGER;    -- from the end of talk (the contact) to completion
ALTER TABLE entries ADD COLUMN talk_ended_at INTEGER;     -- end of the last segment with an operator
ALTER TABLE entries ADD COLUMN corrections INTEGER NOT NULL DEFAULT 0; -- old values kept in `corrections`
ALTER TABLE entries ADD COLUMN version INTEGER NOT NULL DEFAULT 0;     -- the last event that changed the row
ALTER TABLE entries ADD COLUMN written_version INTEGER NOT NULL DEFAULT 0; -- the last by which people wrote; 0 if none

-- The last ten digits of a number, or all of a short one: the same however it is spelt.
ALTER TABLE entries ADD COLUMN party_key TEXT NOT NULL DEFAULT '';     -- of who called, or whom we called
ALTER TABLE entries ADD COLUMN contact_key TEXT;          -- of contact_number

CREATE INDEX entries_by_party ON entries (party_key, arrived_at);
CREATE INDEX entries_by_contact ON entries (contact_key, arrived_at) WHERE contact_key IS NOT NULL;
CREATE INDEX entries_open ON entries (talk_ended_at) WHERE completed_at IS NULL;
CREATE INDEX entries_by_operator ON entries (operator_login, arrived_at);
CREATE INDEX entries_by_topic ON entries (topic, arrived_at) WHERE topic IS NOT NULL;

ALTER TABLE queue_entries ADD COLUMN skills TEXT NOT NULL DEFAULT '';  -- "health 50, uk 1": what the call asked for
ALTER TABLE segments ADD COLUMN wrap_up_ms INTEGER;                    -- the operator's work after it

-- Fields that the plan of the call set, the last value of each.
CREATE TABLE entry_fields (
    call      INTEGER NOT NULL,
    field     TEXT NOT NULL,
    value     TEXT,                        -- NULL: it is personal and was not kept
    set_at    INTEGER NOT NULL,
    PRIMARY KEY (call, field)
) STRICT, WITHOUT ROWID;

-- Every value that a person wrote over another one.
CREATE TABLE corrections (
    event      INTEGER NOT NULL,           -- the event that wrote the new value
    field      TEXT NOT NULL,              -- a column of `entries`, or `completed`
    call       INTEGER NOT NULL,
    old_value  TEXT,
    new_value  TEXT,
    written_by TEXT NOT NULL,              -- who: a login, or the user of a command line
    written_at INTEGER NOT NULL,           -- when
    reason     TEXT,                       -- why, where it was said
    PRIMARY KEY (event, field)
) STRICT, WITHOUT ROWID;
CREATE INDEX corrections_by_call ON corrections (call);

-- What operators do, from each event to the next of the same operator, the engine's stop, or the
-- last event of that boot.
CREATE TABLE operator_turns (
    event           INTEGER PRIMARY KEY,
    operator_id     INTEGER NOT NULL,
    operator_login  TEXT NOT NULL,
    operator_name   TEXT NOT NULL,
    operator_line   TEXT NOT NULL,
    state           TEXT NOT NULL,         -- free, ringing, talking, wrap_up, paused, ...
    status          TEXT NOT NULL,         -- what the person chose: available, break: lunch, off, ...
    began_at        INTEGER NOT NULL,
    up              INTEGER NOT NULL       -- monotonic clock of the boot, microseconds
) STRICT;
CREATE INDEX operator_turns_by_time ON operator_turns (began_at);

-- The program computes the new columns of earlier calls from their events right after this.
-- Which version of the fold computed the rows: with another one all are computed anew at the start.
CREATE TABLE computed (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    version  INTEGER NOT NULL
) STRICT;
INSERT INTO computed (one, version) VALUES (1, 0);

-- Words of entries, for the search by text: names, topic, content, what was done, department. The row's
-- number is the call's.
CREATE VIRTUAL TABLE entry_texts USING fts5 (words, tokenize = 'unicode61 remove_diacritics 2');

-- For programs of others that read: names and columns stay as they are (docs/reports.md). Moments are
-- UTC, text as SQLite's own functions take it; durations are milliseconds.
-- One row for each entry: calls and contacts that came another way.
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
    completed_by, entry_delay_ms, corrections, recording_path, recording_missing
FROM entries;
-- Each stay of a call in a queue: what the service level is computed of.
CREATE VIEW bi_queue_stays AS SELECT
    e.call_id, t.queue, t.priority, t.skills,
    strftime('%Y-%m-%d %H:%M:%f', t.entered_at / 1000.0, 'unixepoch') AS entered_at,
    strftime('%Y-%m-%d %H:%M:%f', t.left_at / 1000.0, 'unixepoch') AS left_at, t.wait_ms,
    t.outcome
FROM queue_entries t JOIN entries e ON e.call = t.call;
-- Each ringing at an operator.
CREATE VIEW bi_offers AS SELECT
    e.call_id, t.queue, t.operator_login, t.operator_name, t.operator_line,
    strftime('%Y-%m-%d %H:%M:%f', t.made_at / 1000.0, 'unixepoch') AS made_at,
    strftime('%Y-%m-%d %H:%M:%f', t.ended_at / 1000.0, 'unixepoch') AS ended_at, t.ring_ms,
    t.result, t.status, t.why
FROM offers t JOIN entries e ON e.call = t.call;
-- Each talk.
CREATE VIEW bi_segments AS SELECT
    e.call_id, t.segment, t.operator_login, t.operator_name, t.operator_line, t.outer_number,
    t.outer_trunk, t.recorded,
    strftime('%Y-%m-%d %H:%M:%f', t.started_at / 1000.0, 'unixepoch') AS started_at,
    strftime('%Y-%m-%d %H:%M:%f', t.ended_at / 1000.0, 'unixepoch') AS ended_at, t.ring_ms,
    t.talk_ms, t.held_ms, t.wrap_up_ms, t.ended_by
FROM segments t JOIN entries e ON e.call = t.call;
-- What operators do, from each row to the next of the same operator.
CREATE VIEW bi_operator_turns AS SELECT
    operator_login, operator_name, operator_line, state, status,
    strftime('%Y-%m-%d %H:%M:%f', began_at / 1000.0, 'unixepoch') AS began_at
FROM operator_turns;
-- Values that people wrote over others.
CREATE VIEW bi_corrections AS SELECT
    e.call_id, t.field, t.old_value, t.new_value, t.written_by,
    strftime('%Y-%m-%d %H:%M:%f', t.written_at / 1000.0, 'unixepoch') AS written_at, t.reason
FROM corrections t JOIN entries e ON e.call = t.call;
