-- Cards of persons that were destroyed because nothing personal of any entry refers to them any more.
-- Their events hold nothing of them; the act itself is a file (docs/recording.md).
CREATE TABLE cards_destroyed (
    person       INTEGER PRIMARY KEY,    -- id of the event that made the card
    destroyed_at INTEGER NOT NULL,       -- when
    act          TEXT NOT NULL,           -- by which act
    reason       TEXT NOT NULL            -- by which rule
) STRICT;
