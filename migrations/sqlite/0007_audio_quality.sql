-- How good the audio of a call was, by leg. A MOS (ITU-T G.107, E-model) stands in hundredths: 100 is
-- bad, 441 is what G.711 reaches without loss and delay.
ALTER TABLE entries ADD COLUMN mos INTEGER;          -- the worst direction of any leg; NULL: not known
ALTER TABLE entries ADD COLUMN round_trip_ms INTEGER; -- the longest of any leg; NULL: no RTCP told it
ALTER TABLE entries ADD COLUMN one_way_ms INTEGER;   -- talk in which one party was not heard; NULL: no talk
ALTER TABLE segments ADD COLUMN one_way_ms INTEGER;  -- the same of this talk; NULL while they talk

-- Each leg with audio, once it is closed.
CREATE TABLE legs (
    leg                     INTEGER PRIMARY KEY,
    call                    INTEGER NOT NULL,
    operator_id             INTEGER,           -- the operator at it; NULL: caller or outer number
    operator_login          TEXT,
    outer_number            TEXT,              -- whom we called in the outer network
    outer_trunk             TEXT,
    closed_at               INTEGER NOT NULL,
    codec                   TEXT,
    received                INTEGER NOT NULL,  -- RTP packets of the peer
    sent                    INTEGER NOT NULL,  -- RTP packets to the peer
    lost                    INTEGER NOT NULL,  -- missing in the peer's numbers
    reordered               INTEGER NOT NULL,
    duplicates              INTEGER NOT NULL,
    refused                 INTEGER NOT NULL,  -- of strangers, or not what was agreed on
    jitter_us               INTEGER,           -- mean of what came, microseconds
    jitter_max_us           INTEGER,
    mos                     INTEGER,           -- of what came
    peer_lost               INTEGER,           -- of what we sent, as the peer reported it by RTCP
    peer_jitter_us          INTEGER,
    peer_mos                INTEGER,
    round_trip_us           INTEGER,           -- mean, from RTCP
    silent_ms               INTEGER            -- hung up on after so long without audio
) STRICT;
CREATE INDEX legs_by_call ON legs (call);
