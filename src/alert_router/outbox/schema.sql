-- The store's tables. Times are unix seconds. A lane is one destination × one identity; its row
-- exists while something waits in it, and a little longer for its reference.
CREATE TABLE destination (
    id           INTEGER PRIMARY KEY,
    receiver     TEXT NOT NULL,
    notifier     TEXT NOT NULL,
    paused_until REAL NOT NULL DEFAULT 0,
    pause_reason TEXT NOT NULL DEFAULT '',
    UNIQUE (receiver, notifier)
);

CREATE TABLE alert_group (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    name        TEXT NOT NULL,
    identity    BLOB NOT NULL,
    body        BLOB NOT NULL,
    accepted_at REAL NOT NULL
);

CREATE TABLE last_word (
    identity    BLOB PRIMARY KEY,
    content     BLOB NOT NULL,
    name        TEXT NOT NULL,
    accepted_at REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX last_word_by_age ON last_word (accepted_at);

-- ready_at: when the lane may be claimed; NULL while nothing waits. While a claim is leased it is
-- the lease's end, so that one index serves both.
CREATE TABLE lane (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    destination INTEGER NOT NULL REFERENCES destination (id),
    identity    BLOB NOT NULL,
    priority    INTEGER NOT NULL,
    ready_at    REAL,
    batch       TEXT,
    leased      INTEGER NOT NULL DEFAULT 0,
    fence       INTEGER NOT NULL DEFAULT 0,
    attempts    INTEGER NOT NULL DEFAULT 0,
    crashes     INTEGER NOT NULL DEFAULT 0,
    resent      INTEGER NOT NULL DEFAULT 0,
    smaller     INTEGER NOT NULL DEFAULT 0,
    reference   TEXT,
    touched_at  REAL NOT NULL,
    UNIQUE (destination, identity)
);
CREATE INDEX lane_ready ON lane (destination, priority, ready_at) WHERE ready_at IS NOT NULL;
CREATE INDEX lane_idle ON lane (touched_at) WHERE ready_at IS NULL;

-- batch: the claim that covers the delivery, NULL while it waits for one.
CREATE TABLE delivery (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    alert_group  INTEGER NOT NULL REFERENCES alert_group (id),
    lane         INTEGER NOT NULL,
    destination  INTEGER NOT NULL REFERENCES destination (id),
    fingerprints TEXT NOT NULL,
    priority     INTEGER NOT NULL,
    state        TEXT NOT NULL DEFAULT 'waiting',
    batch        TEXT,
    attempts     INTEGER NOT NULL DEFAULT 0,
    accepted_at  REAL NOT NULL,
    settled_at   REAL,
    reason       TEXT NOT NULL DEFAULT '',
    message      TEXT NOT NULL DEFAULT ''
);
CREATE INDEX delivery_waiting ON delivery (lane, id) WHERE state = 'waiting';
CREATE INDEX delivery_oldest ON delivery (destination, accepted_at) WHERE state = 'waiting';
CREATE INDEX delivery_dead ON delivery (destination) WHERE state = 'dead';
CREATE INDEX delivery_settled ON delivery (state, settled_at) WHERE state <> 'waiting';
CREATE INDEX delivery_of_group ON delivery (alert_group);
