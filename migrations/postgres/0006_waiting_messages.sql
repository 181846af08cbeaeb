-- Voice messages that wait for an operator in a voice mail system beside the engine, which tells
-- their numbers (`hotline user waiting`): not heard yet, and heard and kept.
ALTER TABLE operators ADD COLUMN waiting_new BIGINT NOT NULL DEFAULT 0;
ALTER TABLE operators ADD COLUMN waiting_old BIGINT NOT NULL DEFAULT 0;
