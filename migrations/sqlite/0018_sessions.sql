-- Who may sign in to the HTTP API by login and password, beside tokens. A login may be that of an operator
-- or of anybody else; what a telephone registers with is another secret.
CREATE TABLE accounts (
    login      TEXT PRIMARY KEY COLLATE NOCASE,
    password   TEXT NOT NULL,        -- scrypt:LOG_N:R:P:SALT:HASH, salt and hash in hex
    rights     TEXT NOT NULL,        -- with a comma between two
    changed_at INTEGER NOT NULL      -- ms since 1970-01-01T00:00:00Z
) STRICT, WITHOUT ROWID;

-- Who is signed in. Of the secret in the browser's cookie only the hash stands here.
CREATE TABLE sessions (
    hash     TEXT PRIMARY KEY,       -- SHA-256 of the secret, in hex
    login    TEXT NOT NULL COLLATE NOCASE,
    began_at INTEGER NOT NULL,       -- signed in
    seen_at  INTEGER NOT NULL        -- last used, to the minute
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_of ON sessions (login);
