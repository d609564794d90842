-- Version 5 adds what version 9 of SQLite's tables does: heartbeats.
CREATE TABLE heartbeat (
    name          text PRIMARY KEY,
    seen_at       double precision NOT NULL,
    missing_since double precision NOT NULL DEFAULT 0
);
