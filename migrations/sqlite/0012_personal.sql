-- Entries whose personal fields were destroyed because their time was over: the caller's number and
-- name, and what people and plans wrote of the caller. Their events hold none of it any more, so what
-- is computed anew holds none either. The act itself is a file (docs/recording.md).
CREATE TABLE personal_destroyed (
    call          INTEGER PRIMARY KEY,
    destroyed_at  INTEGER NOT NULL,        -- when
    act           TEXT NOT NULL,           -- by which act
    reason        TEXT NOT NULL            -- by which rule
) STRICT;

-- Words that are deleted go out of the index of the search at once, not with a later merge.
INSERT INTO entry_texts (entry_texts, rank) VALUES ('secure-delete', 1);
