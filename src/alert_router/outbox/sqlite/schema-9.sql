-- Version 9 adds: when each heartbeat was last received, and the last time before it was missing while
-- people know that it is, else 0.
CREATE TABLE heartbeat (
    id            INTEGER PRIMARY KEY,
    name          TEXT NOT NULL UNIQUE,
    seen_at       REAL NOT NULL,
    missing_since REAL NOT NULL DEFAULT 0
);
