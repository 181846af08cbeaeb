-- What is known of the sound of each recording, so that supervisors can sort by it. All of it is
-- NULL for recordings of versions that did not listen, and where there is no file.
ALTER TABLE recordings ADD COLUMN audio_sha256 TEXT;          -- of the audio before encryption
ALTER TABLE recordings ADD COLUMN encoding TEXT;              -- alaw, pcm_s16le, opus
ALTER TABLE recordings ADD COLUMN encrypted INTEGER;          -- 1 if the file is
ALTER TABLE recordings ADD COLUMN paused_ms INTEGER;          -- nothing was to be recorded
ALTER TABLE recordings ADD COLUMN gaps_ms INTEGER;            -- packets could not be kept
ALTER TABLE recordings ADD COLUMN caller_speech_ms INTEGER;
ALTER TABLE recordings ADD COLUMN caller_silence_ms INTEGER;
ALTER TABLE recordings ADD COLUMN caller_level INTEGER;       -- of speech, tenths of dBov
ALTER TABLE recordings ADD COLUMN caller_peak INTEGER;        -- tenths of dBov
ALTER TABLE recordings ADD COLUMN caller_clipped INTEGER;     -- samples at the end of the scale
ALTER TABLE recordings ADD COLUMN operator_speech_ms INTEGER;
ALTER TABLE recordings ADD COLUMN operator_silence_ms INTEGER;
ALTER TABLE recordings ADD COLUMN operator_level INTEGER;
ALTER TABLE recordings ADD COLUMN operator_peak INTEGER;
ALTER TABLE recordings ADD COLUMN operator_clipped INTEGER;
ALTER TABLE recordings ADD COLUMN dead_air_ms INTEGER;        -- silences of both of three seconds and more
ALTER TABLE recordings ADD COLUMN dead_air_longest_ms INTEGER; -- longest silence of both
ALTER TABLE recordings ADD COLUMN talk_over_ms INTEGER;       -- both spoke
ALTER TABLE recordings ADD COLUMN unheard TEXT;               -- caller, operator, both: not heard at all

-- What retention looks at each day.
CREATE INDEX recordings_kept ON recordings (call, segment)
    WHERE path IS NOT NULL AND missing IS NOT 'destroyed';
-- What is new, for the manifests of calls.
CREATE INDEX recordings_by_news ON recordings (known_at);
