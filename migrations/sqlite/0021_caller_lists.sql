-- Numbers on the lists of callers that the settings name ([[caller_list]]): `hotline callers` writes
-- them, beside the files of those lists. A running engine notices changes by the version.
CREATE TABLE caller_list (
    list    TEXT NOT NULL,       -- the name in the settings
    number  TEXT NOT NULL,       -- as it was written; the engine normalises it
    owner   TEXT,                -- login of the operator who looks after this caller
    note    TEXT NOT NULL,
    written_by  TEXT NOT NULL,
    written_at  INTEGER NOT NULL,
    PRIMARY KEY (list, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE caller_list_version (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    version  INTEGER NOT NULL
) STRICT;
INSERT INTO caller_list_version (one, version) VALUES (1, 1);
CREATE TRIGGER caller_list_added AFTER INSERT ON caller_list
    BEGIN UPDATE caller_list_version SET version = version + 1; END;
CREATE TRIGGER caller_list_changed AFTER UPDATE ON caller_list
    BEGIN UPDATE caller_list_version SET version = version + 1; END;
CREATE TRIGGER caller_list_removed AFTER DELETE ON caller_list
    BEGIN UPDATE caller_list_version SET version = version + 1; END;
