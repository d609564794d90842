-- Version 5 adds: whether a service has the store open. It is set before anything is accepted and
-- cleared at a stop, so that a store that is open at the start was left by a process that ended
-- without one, and must have a -wal file beside it.
CREATE TABLE opened (
    only    INTEGER PRIMARY KEY CHECK (only = 1),
    is_open INTEGER NOT NULL
);
INSERT INTO opened VALUES (1, 0);
