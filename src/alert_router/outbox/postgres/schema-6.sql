-- Version 6 adds what version 10 of SQLite's tables does: since when groups belong together.
ALTER TABLE alert_group ADD COLUMN since double precision NOT NULL DEFAULT 0;
ALTER TABLE identity ADD COLUMN next_since double precision;
ALTER TABLE identity ADD COLUMN next_after text NOT NULL DEFAULT '';
