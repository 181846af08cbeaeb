-- How long one party of a talk had put the other on hold; part of talk_ms. NULL in rows made before
-- holds were written down, and while they talk.
ALTER TABLE entries ADD COLUMN held_ms BIGINT;
ALTER TABLE segments ADD COLUMN held_ms BIGINT;
