-- Numbers on the lists of callers that the settings name ([[caller_list]]): `hotline callers` writes
-- them, beside the files of those lists. A running engine notices changes by the version.
CREATE TABLE caller_list (
    list    TEXT NOT NULL,       -- the name in the settings
    number  TEXT NOT NULL,       -- as it was written; the engine normalises it
    owner   TEXT,                -- login of the operator who looks after this caller
    note    TEXT NOT NULL,
    written_by  TEXT NOT NULL,
    written_at  BIGINT NOT NULL,
    PRIMARY KEY (list, number)
);
CREATE TABLE caller_list_version (
    one      BIGINT PRIMARY KEY CHECK (one = 1),
    version  BIGINT NOT NULL
);
INSERT INTO caller_list_version (one, version) VALUES (1, 1);
CREATE FUNCTION count_caller_list_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE caller_list_version SET version = version + 1;
        RETURN NULL;
    END
$$;
CREATE TRIGGER caller_list_changed AFTER INSERT OR UPDATE OR DELETE ON caller_list
    FOR EACH ROW EXECUTE FUNCTION count_caller_list_change();
