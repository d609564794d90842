-- Version 7 adds: what people do about a group (see `outbox/actions.py`), in order, and the ids of
-- groups as an index: they grow with time, so that it is written at its end.
CREATE TABLE action (
    id       INTEGER PRIMARY KEY,
    identity BLOB NOT NULL,   -- the digest of the group's
    at       REAL NOT NULL,
    since    REAL NOT NULL,   -- when the group began to fire
    kind     TEXT NOT NULL,
    who      TEXT NOT NULL,
    runbook  TEXT NOT NULL,   -- '' where it is about none
    revision TEXT NOT NULL,
    step     TEXT NOT NULL,   -- its key; '' where it is about none
    title    TEXT NOT NULL    -- of the step, as people saw it
);
CREATE INDEX action_identity ON action (identity, at);
CREATE INDEX action_runbook ON action (runbook, at) WHERE runbook <> '';
CREATE INDEX action_age ON action (at);
CREATE INDEX alert_group_id ON alert_group (id);
