-- Calls of operators, transfers, and segments with outer numbers.

ALTER TABLE entries ADD COLUMN direction TEXT NOT NULL DEFAULT 'inbound'; -- outbound, internal
ALTER TABLE entries ADD COLUMN caller_operator_login TEXT;  -- the operator who called
ALTER TABLE entries ADD COLUMN linked_call BIGINT;         -- the call it consulted about or became part of
ALTER TABLE entries ADD COLUMN transfers BIGINT NOT NULL DEFAULT 0; -- those that came about
CREATE INDEX entries_by_link ON entries (linked_call) WHERE linked_call IS NOT NULL;

-- The queue of an offer that came from none (called by name, transferred to) is ''.

-- Each talk: with an operator, or between an operator or a caller and an outer number. The operator
-- columns name the operator of ours who talked, whichever side began the call; NULL if none did (a
-- caller who was put through to the outer network). `offer` is NULL for a talk that no ringing of an
-- operator began. So these columns lose their NOT NULL.
ALTER TABLE segments ADD COLUMN outer_number TEXT;   -- whom we called in the outer network
ALTER TABLE segments ADD COLUMN outer_trunk TEXT;    -- and by which trunk
ALTER TABLE segments ALTER COLUMN operator_id DROP NOT NULL;
ALTER TABLE segments ALTER COLUMN operator_login DROP NOT NULL;
ALTER TABLE segments ALTER COLUMN operator_name DROP NOT NULL;
ALTER TABLE segments ALTER COLUMN operator_line DROP NOT NULL;
ALTER TABLE segments ALTER COLUMN offer DROP NOT NULL;

-- Each transfer that an operator asked for, and what came of it.
CREATE TABLE transfers (
    call            BIGINT NOT NULL,
    transfer        BIGINT NOT NULL,      -- from 1
    operator_id     BIGINT NOT NULL,      -- who asked
    operator_login  TEXT NOT NULL,
    operator_name   TEXT NOT NULL,
    operator_line   TEXT NOT NULL,
    kind            TEXT NOT NULL,         -- blind, attended
    target_kind     TEXT NOT NULL,         -- operator, queue, plan, outer
    target          TEXT NOT NULL,         -- line, name or number
    consultation    BIGINT,               -- the call in which they talked before
    requested_at    BIGINT NOT NULL,
    ended_at        BIGINT,
    result          TEXT,                  -- done; otherwise the call went back
    status          BIGINT,               -- final SIP status of the target
    PRIMARY KEY (call, transfer)
);
