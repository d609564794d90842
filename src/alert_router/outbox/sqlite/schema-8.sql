-- Version 8 adds: when a lane's message is to be changed because of what people did (0: it says so
-- already), and when a message last said what they did (0: they did nothing).
ALTER TABLE lane ADD COLUMN change_due REAL NOT NULL DEFAULT 0;
ALTER TABLE lane ADD COLUMN changed_at REAL NOT NULL DEFAULT 0;
CREATE INDEX lane_change ON lane (destination, change_due) WHERE change_due > 0;
CREATE INDEX lane_changed ON lane (destination, changed_at) WHERE changed_at > 0;
-- Random values that are made once and shared by all routers of a store.
CREATE TABLE secret (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
);
