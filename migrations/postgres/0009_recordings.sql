-- What is known of the sound of each recording, so that supervisors can sort by it. All of it is
-- NULL for recordings of versions that did not listen, and where there is no file.
ALTER TABLE recordings ADD COLUMN audio_sha256 TEXT;          -- of the audio before encryption
ALTER TABLE recordings ADD COLUMN encoding TEXT;              -- alaw, pcm_s16le, opus
ALTER TABLE recordings ADD COLUMN encrypted BOOLEAN;          -- whether the file is
ALTER TABLE recordings ADD COLUMN paused_ms BIGINT;          -- nothing was to be recorded
ALTER TABLE recordings ADD COLUMN gaps_ms BIGINT;            -- packets could not be kept
ALTER TABLE recordings ADD COLUMN caller_speech_ms BIGINT;
ALTER TABLE recordings ADD COLUMN caller_silence_ms BIGINT;
ALTER TABLE recordings ADD COLUMN caller_level BIGINT;       -- of speech, tenths of dBov
ALTER TABLE recordings ADD COLUMN caller_peak BIGINT;        -- tenths of dBov
ALTER TABLE recordings ADD COLUMN caller_clipped BIGINT;     -- samples at the end of the scale
ALTER TABLE recordings ADD COLUMN operator_speech_ms BIGINT;
ALTER TABLE recordings ADD COLUMN operator_silence_ms BIGINT;
ALTER TABLE recordings ADD COLUMN operator_level BIGINT;
ALTER TABLE recordings ADD COLUMN operator_peak BIGINT;
ALTER TABLE recordings ADD COLUMN operator_clipped BIGINT;
ALTER TABLE recordings ADD COLUMN dead_air_ms BIGINT;        -- silences of both of three seconds and more
ALTER TABLE recordings ADD COLUMN dead_air_longest_ms BIGINT; -- longest silence of both
ALTER TABLE recordings ADD COLUMN talk_over_ms BIGINT;       -- both spoke
ALTER TABLE recordings ADD COLUMN unheard TEXT;               -- caller, operator, both: not heard at all

-- What retention looks at each day.
CREATE INDEX recordings_kept ON recordings (call, segment)
    WHERE path IS NOT NULL AND (missing IS NULL OR missing <> 'destroyed');
-- What is new, for the manifests of calls.
CREATE INDEX recordings_by_news ON recordings (known_at);
