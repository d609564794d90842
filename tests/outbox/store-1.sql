-- A store of version 1, as the program of that version left it (sqlite3 .dump).
PRAGMA application_id = 1097618036;
PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE alert_group (
    seq         INTEGER PRIMARY KEY,
    id          TEXT NOT NULL,
    accepted_at REAL NOT NULL,
    body        BLOB NOT NULL
);
INSERT INTO "alert_group" VALUES(1,'delivered',1700000000.0,X'64656C697665726564');
INSERT INTO "alert_group" VALUES(2,'waiting',1700000000.0,X'77616974696E67');
INSERT INTO "alert_group" VALUES(3,'dead',1700000000.0,X'64656164');
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
INSERT INTO "delivery" VALUES(1,1,1,1,1,1,1700000000.0,1700000000.0,1,NULL,'','','["fp-delivered"]');
INSERT INTO "delivery" VALUES(2,2,1,2,0,1,1700000000.0,NULL,0,NULL,'','','["fp-waiting"]');
INSERT INTO "delivery" VALUES(3,3,2,2,0,1,1700000000.0,NULL,0,NULL,'','','["fp-waiting"]');
INSERT INTO "delivery" VALUES(4,4,2,3,2,1,1700000000.0,1700000000.0,1,NULL,'rejected','refused','["fp-dead"]');
CREATE TABLE destination (
    id           INTEGER PRIMARY KEY,
    receiver     TEXT NOT NULL,
    notifier     TEXT NOT NULL,
    paused_until REAL NOT NULL DEFAULT 0,
    pause_reason TEXT NOT NULL DEFAULT '',
    UNIQUE (receiver, notifier)
);
INSERT INTO "destination" VALUES(1,'oncall','slack',0.0,'');
INSERT INTO "destination" VALUES(2,'oncall','webhook',0.0,'');
CREATE TABLE identity (
    id          INTEGER PRIMARY KEY,
    digest      BLOB NOT NULL UNIQUE,
    content     BLOB NOT NULL,
    group_id    TEXT NOT NULL,
    accepted_at REAL NOT NULL
);
INSERT INTO "identity" VALUES(1,X'61',X'64656C697665726564','delivered',1700000000.0);
INSERT INTO "identity" VALUES(2,X'62',X'77616974696E67','waiting',1700000000.0);
INSERT INTO "identity" VALUES(3,X'63',X'64656164','dead',1700000000.0);
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
INSERT INTO "lane" VALUES(1,1,1,0,0,0.0,1700000000.0,0,1,NULL,0,0,0,0,'','','message-1',1700000000.0);
INSERT INTO "lane" VALUES(2,1,2,1,1,1700000000.0,1700000000.0,0,0,NULL,0,0,0,0,'','',NULL,0.0);
INSERT INTO "lane" VALUES(3,2,2,1,1,1700000000.0,1700000000.0,0,1,NULL,0,0,0,0,'','',NULL,0.0);
INSERT INTO "lane" VALUES(4,2,3,0,0,0.0,1700000000.0,0,1,NULL,0,0,0,0,'','',NULL,1700000000.0);
CREATE INDEX identity_age ON identity (accepted_at) WHERE accepted_at > 0;
CREATE INDEX lane_ready ON lane (destination, priority, oldest) WHERE phase = 1;
CREATE INDEX lane_later ON lane (destination, priority, due_at) WHERE phase = 2;
CREATE INDEX lane_reference ON lane (settled_at) WHERE reference IS NOT NULL AND phase = 0;
CREATE INDEX delivery_lane ON delivery (lane, state);
CREATE INDEX delivery_group ON delivery (alert_group);
CREATE INDEX delivery_waiting ON delivery (destination, accepted_at) WHERE state = 0;
CREATE INDEX delivery_settled ON delivery (state, settled_at) WHERE state > 0;
CREATE INDEX delivery_dead ON delivery (destination) WHERE state = 2 AND replayed_as IS NULL;
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
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('delivery',4);
COMMIT;
