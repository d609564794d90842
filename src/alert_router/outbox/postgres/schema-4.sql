-- Version 4 adds what version 8 of SQLite's tables does: changes of messages, and secrets.
ALTER TABLE lane ADD COLUMN change_due double precision NOT NULL DEFAULT 0;
ALTER TABLE lane ADD COLUMN changed_at double precision NOT NULL DEFAULT 0;
CREATE INDEX lane_change ON lane (destination, change_due) WHERE change_due > 0;
CREATE INDEX lane_changed ON lane (destination, changed_at) WHERE changed_at > 0;

CREATE TABLE secret (
    name  text PRIMARY KEY,
    value bytea NOT NULL
);
