-- How good the audio of a call was, by leg. A MOS (ITU-T G.107, E-model) stands in hundredths: 100 is
-- bad, 441 is what G.711 reaches without loss and delay.
ALTER TABLE entries ADD COLUMN mos BIGINT;          -- the worst direction of any leg; NULL: not known
ALTER TABLE entries ADD COLUMN round_trip_ms BIGINT; -- the longest of any leg; NULL: no RTCP told it
ALTER TABLE entries ADD COLUMN one_way_ms BIGINT;   -- talk in which one party was not heard; NULL: no talk
ALTER TABLE segments ADD COLUMN one_way_ms BIGINT;  -- the same of this talk; NULL while they talk

-- Each leg with audio, once it is closed.
CREATE TABLE legs (
    leg                     BIGINT PRIMARY KEY,
    call                    BIGINT NOT NULL,
    operator_id             BIGINT,           -- the operator at it; NULL: caller or outer number
    operator_login          TEXT,
    outer_number            TEXT,              -- whom we called in the outer network
    outer_trunk             TEXT,
    closed_at               BIGINT NOT NULL,
    codec                   TEXT,
    received                BIGINT NOT NULL,  -- RTP packets of the peer
    sent                    BIGINT NOT NULL,  -- RTP packets to the peer
    lost                    BIGINT NOT NULL,  -- missing in the peer's numbers
    reordered               BIGINT NOT NULL,
    duplicates              BIGINT NOT NULL,
    refused                 BIGINT NOT NULL,  -- of strangers, or not what was agreed on
    jitter_us               BIGINT,           -- mean of what came, microseconds
    jitter_max_us           BIGINT,
    mos                     BIGINT,           -- of what came
    peer_lost               BIGINT,           -- of what we sent, as the peer reported it by RTCP
    peer_jitter_us          BIGINT,
    peer_mos                BIGINT,
    round_trip_us           BIGINT,           -- mean, from RTCP
    silent_ms               BIGINT            -- hung up on after so long without audio
);
CREATE INDEX legs_by_call ON legs (call);
