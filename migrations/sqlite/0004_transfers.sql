-- Calls of operators, transfers, and segments with outer numbers.

ALTER TABLE entries ADD COLUMN direction TEXT NOT NULL DEFAULT 'inbound'; -- outbound, internal
ALTER TABLE entries ADD COLUMN caller_operator_login TEXT;  -- the operator who called
ALTER TABLE entries ADD COLUMN linked_call INTEGER;         -- the call it consulted about or became part of
ALTER TABLE entries ADD COLUMN transfers INTEGER NOT NULL DEFAULT 0; -- those that came about
CREATE INDEX entries_by_link ON entries (linked_call) WHERE linked_call IS NOT NULL;

-- The queue of an offer that came from none (called by name, transferred to) is ''.

-- Each talk: with an operator, or between an operator or a caller and an outer number. The operator
-- columns name the operator of ours who talked, whichever side began the call; NULL if none did (a
-- caller who was put through to the outer network). `offer` is NULL for a talk that no ringing of an
-- operator began. So these columns lose their NOT NULL, one by one, which SQLite does by new ones.
ALTER TABLE segments ADD COLUMN outer_number TEXT;   -- whom we called in the outer network
ALTER TABLE segments ADD COLUMN outer_trunk TEXT;    -- and by which trunk
ALTER TABLE segments ADD COLUMN new_operator_id INTEGER;
ALTER TABLE segments ADD COLUMN new_operator_login TEXT;
ALTER TABLE segments ADD COLUMN new_operator_name TEXT;
ALTER TABLE segments ADD COLUMN new_operator_line TEXT;
ALTER TABLE segments ADD COLUMN new_offer INTEGER;
UPDATE segments SET new_operator_id = operator_id, new_operator_login = operator_login,
    new_operator_name = operator_name, new_operator_line = operator_line, new_offer = offer;
ALTER TABLE segments DROP COLUMN operator_id;
ALTER TABLE segments RENAME COLUMN new_operator_id TO operator_id;
ALTER TABLE segments DROP COLUMN operator_login;
ALTER TABLE segments RENAME COLUMN new_operator_login TO operator_login;
ALTER TABLE segments DROP COLUMN operator_name;
ALTER TABLE segments RENAME COLUMN new_operator_name TO operator_name;
ALTER TABLE segments DROP COLUMN operator_line;
ALTER TABLE segments RENAME COLUMN new_operator_line TO operator_line;
ALTER TABLE segments DROP COLUMN offer;
ALTER TABLE segments RENAME COLUMN new_offer TO offer;

-- Each transfer that an operator asked for, and what came of it.
CREATE TABLE transfers (
    call            INTEGER NOT NULL,
    transfer        INTEGER NOT NULL,      -- from 1
    operator_id     INTEGER NOT NULL,      -- who asked
    operator_login  TEXT NOT NULL,
    operator_name   TEXT NOT NULL,
    operator_line   TEXT NOT NULL,
    kind            TEXT NOT NULL,         -- blind, attended
    target_kind     TEXT NOT NULL,         -- operator, queue, plan, outer
    target          TEXT NOT NULL,         -- line, name or number
    consultation    INTEGER,               -- the call in which they talked before
    requested_at    INTEGER NOT NULL,
    ended_at        INTEGER,
    result          TEXT,                  -- done; otherwise the call went back
    status          INTEGER,               -- final SIP status of the target
    PRIMARY KEY (call, transfer)
) STRICT, WITHOUT ROWID;
