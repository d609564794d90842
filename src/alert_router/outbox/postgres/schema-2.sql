-- Version 2 adds what version 7 of SQLite's tables does: actions, and the ids of groups as an index.

CREATE TABLE action (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    identity bytea NOT NULL,
    at       double precision NOT NULL,
    since    double precision NOT NULL,
    kind     text NOT NULL,
    who      text NOT NULL,
    runbook  text NOT NULL,
    revision text NOT NULL,
    step     text NOT NULL,
    title    text NOT NULL
);
CREATE INDEX action_identity ON action (identity, at);
CREATE INDEX action_runbook ON action (runbook, at) WHERE runbook <> '';
CREATE INDEX action_age ON action (at);
CREATE INDEX alert_group_id ON alert_group (id);
