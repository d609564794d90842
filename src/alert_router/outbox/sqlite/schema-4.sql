-- Version 4 adds: failure is the destination's state. `failures` in a row since `failing_since`, the
-- reason of the last one (its message is `pause_reason`, the next attempt `paused_until`), and
-- until when the destination asked to be left alone. Lanes that backed off for it are due.
ALTER TABLE destination ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;
ALTER TABLE destination ADD COLUMN failing_reason TEXT NOT NULL DEFAULT '';
ALTER TABLE destination ADD COLUMN asked_until REAL NOT NULL DEFAULT 0;
UPDATE destination SET paused_until = 0, pause_reason = '';
UPDATE lane SET phase = 1 WHERE phase = 2 AND NOT leased;
