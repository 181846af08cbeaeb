-- Cards of persons, computed from the events `person_written`: the newest of each.
CREATE TABLE persons (
    person      INTEGER PRIMARY KEY, -- id of the event that made the card
    name        TEXT NOT NULL,
    notes       TEXT NOT NULL,
    words       TEXT NOT NULL,       -- all of it in lower case, for the search
    written_at  INTEGER NOT NULL,    -- ms since 1970-01-01T00:00:00Z
    written_by  TEXT NOT NULL,
    merged_into INTEGER,             -- the card that it became a part of
    version     INTEGER NOT NULL     -- the last event about it
) STRICT;

-- Whose a number is. One that was taken from a card stays with nobody's name, so that an older event
-- that comes again does not give it back.
CREATE TABLE person_numbers (
    key     TEXT PRIMARY KEY,        -- the last ten digits
    number  TEXT NOT NULL,           -- as it was written
    person  INTEGER,
    version INTEGER NOT NULL         -- the event that said so
) STRICT, WITHOUT ROWID;
CREATE INDEX person_numbers_of ON person_numbers (person);
