-- Version 2 of the tables adds: what came in, for `coverage --observed`. One row for each day
-- (since 1970-01-01, UTC), alert name, runbook ('' for none) and way in which that was found.
CREATE TABLE observed (
    day      INTEGER NOT NULL,
    alert    TEXT NOT NULL,
    runbook  TEXT NOT NULL,
    way      TEXT NOT NULL,
    received INTEGER NOT NULL,
    woken    INTEGER NOT NULL,
    seen_at  REAL NOT NULL,
    PRIMARY KEY (day, alert, runbook, way)
) WITHOUT ROWID;
