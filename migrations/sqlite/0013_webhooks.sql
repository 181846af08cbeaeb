-- How far each webhook has read the events: what is behind it either needed no letter or has one.
CREATE TABLE webhook_cursors (
    webhook TEXT PRIMARY KEY,        -- its name in the settings
    event   INTEGER NOT NULL         -- the last event that was looked at
) STRICT, WITHOUT ROWID;

-- Letters that are still to be taken. One that was taken is gone; its text is made of the event each
-- time, so nothing personal stands here.
CREATE TABLE webhook_letters (
    webhook  TEXT NOT NULL,          -- its name in the settings
    event    INTEGER NOT NULL,       -- which event it tells of
    due_at   INTEGER NOT NULL,       -- not tried before, ms since 1970-01-01T00:00:00Z
    since_at INTEGER NOT NULL,       -- first due, or sent again by a person
    attempts INTEGER NOT NULL,       -- tries that failed
    dead_at  INTEGER,                -- given up then; tried again when a person says so
    problem  TEXT,                   -- why the last try failed
    PRIMARY KEY (webhook, event)
) STRICT, WITHOUT ROWID;
CREATE INDEX webhook_letters_due ON webhook_letters (webhook, due_at) WHERE dead_at IS NULL;
