-- Version 7 adds to groups what version 10 of SQLite's tables does: since when they fire.
ALTER TABLE alert_group ADD COLUMN since double precision NOT NULL DEFAULT 0;
