-- What the search and the reports of a range look for among entries of which few are so.
CREATE INDEX entries_not_completed ON entries (arrived_at)
    WHERE completed_at IS NULL AND talk_ended_at IS NOT NULL;
CREATE INDEX entries_with_deadline ON entries (arrived_at) WHERE deadline_at IS NOT NULL;
CREATE INDEX entries_rated ON entries (arrived_at) WHERE rating IS NOT NULL;
