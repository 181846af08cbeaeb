-- Telephones that are registered: what the engine takes up again after a restart. Computed from the
-- events `telephone_registered` and `telephone_unregistered`, the newest of each telephone.
CREATE TABLE bindings (
    login  TEXT NOT NULL,        -- the operator's
    key    TEXT NOT NULL,        -- tells telephones of one operator apart
    until  BIGINT NOT NULL,     -- wall clock, ms since 1970-01-01T00:00:00Z: ends then at the latest
    json   TEXT NOT NULL,        -- the way to it
    PRIMARY KEY (login, key)
);
