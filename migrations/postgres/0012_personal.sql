-- Entries whose personal fields were destroyed because their time was over: the caller's number and
-- name, and what people and plans wrote of the caller. Their events hold none of it any more, so what
-- is computed anew holds none either. The act itself is a file (docs/recording.md).
CREATE TABLE personal_destroyed (
    call          BIGINT PRIMARY KEY,
    destroyed_at  BIGINT NOT NULL,         -- when
    act           TEXT NOT NULL,           -- by which act
    reason        TEXT NOT NULL            -- by which rule
);
