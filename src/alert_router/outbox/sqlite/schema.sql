-- The store's tables, version 1. Times are unix seconds. What the states and phases mean to
-- callers is said in base.py.

CREATE TABLE destination (
    id           INTEGER PRIMARY KEY,
    receiver     TEXT NOT NULL,
    notifier     TEXT NOT NULL,
    paused_until REAL NOT NULL DEFAULT 0,
    pause_reason TEXT NOT NULL DEFAULT '',
    UNIQUE (receiver, notifier)
);

-- A body as it came. It lives as long as a delivery needs it (see the trigger below).
CREATE TABLE alert_group (
    seq         INTEGER PRIMARY KEY,
    id          TEXT NOT NULL,
    accepted_at REAL NOT NULL,
    body        BLOB NOT NULL
);

-- What each identity said last, for judging duplicates. Lanes name it by its number, which
-- grows, so that only one index is written at random. `accepted_at` is 0 once forgotten.
CREATE TABLE identity (
    id          INTEGER PRIMARY KEY,
    digest      BLOB NOT NULL UNIQUE,
    content     BLOB NOT NULL,
    group_id    TEXT NOT NULL,
    accepted_at REAL NOT NULL
);
CREATE INDEX identity_age ON identity (accepted_at) WHERE accepted_at > 0;

-- A lane: one destination and one identity. Its batch is every waiting delivery up to
-- `batch_end`: leased to a worker, or in doubt where `batch` is set and `leased` is not.
CREATE TABLE lane (
    id           INTEGER PRIMARY KEY,
    destination  INTEGER NOT NULL REFERENCES destination,
    identity     INTEGER NOT NULL REFERENCES identity,
    phase        INTEGER NOT NULL,            -- 0: nothing waits, 1: due at once, 2: at due_at
    priority     INTEGER NOT NULL,            -- of the most urgent that waits
    oldest       REAL NOT NULL,               -- when the oldest that waits was accepted
    due_at       REAL NOT NULL,               -- next attempt; the lease's end while leased
    leased       INTEGER NOT NULL DEFAULT 0,
    fence        INTEGER NOT NULL DEFAULT 0,  -- counts claims
    batch        TEXT,                        -- its webhook id
    batch_end    INTEGER NOT NULL DEFAULT 0,  -- the last delivery of the batch
    attempts     INTEGER NOT NULL DEFAULT 0,  -- since the last success
    crashes      INTEGER NOT NULL DEFAULT 0,
    smaller      INTEGER NOT NULL DEFAULT 0,
    reason       TEXT NOT NULL DEFAULT '',    -- of the last failure
    message      TEXT NOT NULL DEFAULT '',
    reference    TEXT,                        -- of the destination's message, for updates
    settled_at   REAL NOT NULL DEFAULT 0,
    UNIQUE (identity, destination)
);
-- Claiming reads these two in order, so that neither a long backlog nor many lanes in back-off
-- make it slow.
CREATE INDEX lane_ready ON lane (destination, priority, oldest) WHERE phase = 1;
CREATE INDEX lane_later ON lane (destination, priority, due_at) WHERE phase = 2;
CREATE INDEX lane_reference ON lane (settled_at) WHERE reference IS NOT NULL AND phase = 0;

CREATE TABLE delivery (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,  -- never again: people note it
    lane         INTEGER NOT NULL REFERENCES lane,
    destination  INTEGER NOT NULL REFERENCES destination,  -- its lane's, for the indexes
    alert_group  INTEGER NOT NULL REFERENCES alert_group,
    state        INTEGER NOT NULL DEFAULT 0,  -- 0: waiting, 1: delivered, 2: dead
    priority     INTEGER NOT NULL,
    accepted_at  REAL NOT NULL,               -- or replayed at
    settled_at   REAL,
    attempts     INTEGER NOT NULL DEFAULT 0,  -- once settled
    replayed_as  INTEGER,
    reason       TEXT NOT NULL DEFAULT '',
    message      TEXT NOT NULL DEFAULT '',
    fingerprints TEXT NOT NULL                -- a JSON list
);
CREATE INDEX delivery_lane ON delivery (lane, state);
CREATE INDEX delivery_group ON delivery (alert_group);
CREATE INDEX delivery_waiting ON delivery (destination, accepted_at) WHERE state = 0;
CREATE INDEX delivery_settled ON delivery (state, settled_at) WHERE state > 0;
CREATE INDEX delivery_dead ON delivery (destination) WHERE state = 2 AND replayed_as IS NULL;

-- A group and a lane go with their last delivery, an identity with its last lane. A lane that
-- knows a reference and an identity that knows its last word wait for pruning to forget it.
CREATE TRIGGER delivery_gone AFTER DELETE ON delivery BEGIN
    DELETE FROM alert_group WHERE seq = OLD.alert_group
        AND NOT EXISTS (SELECT 1 FROM delivery WHERE alert_group = OLD.alert_group);
    DELETE FROM lane WHERE id = OLD.lane AND reference IS NULL
        AND NOT EXISTS (SELECT 1 FROM delivery WHERE lane = OLD.lane);
END;
CREATE TRIGGER lane_gone AFTER DELETE ON lane BEGIN
    DELETE FROM identity WHERE id = OLD.identity AND accepted_at = 0
        AND NOT EXISTS (SELECT 1 FROM lane WHERE identity = OLD.identity);
END;
