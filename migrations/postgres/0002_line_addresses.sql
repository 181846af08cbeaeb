-- A line may have a fixed SIP address: a telephone behind another exchange, which does not
-- register. NULL: it registers.
ALTER TABLE operators ADD COLUMN address TEXT;   -- sip:201@192.0.2.7
