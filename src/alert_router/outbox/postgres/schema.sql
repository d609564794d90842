-- The tables, version 1, as in SQLite's schemas, which say what states and phases mean. There are
-- no foreign keys: each insert would lock its parents' rows. Rows are short-lived, so that vacuum
-- comes early.
CREATE TABLE destination (
    id             integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    receiver       text NOT NULL,
    notifier       text NOT NULL,
    paused_until   double precision NOT NULL DEFAULT 0,
    pause_reason   text NOT NULL DEFAULT '',
    failing_since  double precision NOT NULL DEFAULT 0,
    failures       integer NOT NULL DEFAULT 0,
    failing_reason text NOT NULL DEFAULT '',
    asked_until    double precision NOT NULL DEFAULT 0,
    probing_until  double precision NOT NULL DEFAULT 0,  -- one router at a time tries it
    probing_lane   bigint NOT NULL DEFAULT 0,
    UNIQUE (receiver, notifier)
) WITH (fillfactor = 50);

CREATE TABLE alert_group (
    seq         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id          text NOT NULL UNIQUE,
    accepted_at double precision NOT NULL,
    body        bytea NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.05);

CREATE TABLE identity (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    digest      bytea NOT NULL UNIQUE,
    content     bytea NOT NULL,
    group_id    text NOT NULL,
    accepted_at double precision NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX identity_age ON identity (accepted_at) WHERE accepted_at > 0;

CREATE TABLE lane (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    destination integer NOT NULL,
    identity    bigint NOT NULL,
    phase       smallint NOT NULL,
    priority    smallint NOT NULL,
    oldest      double precision NOT NULL,
    due_at      double precision NOT NULL,
    leased      smallint NOT NULL DEFAULT 0,
    fence       bigint NOT NULL DEFAULT 0,
    batch       text,
    batch_end   bigint NOT NULL DEFAULT 0,
    attempts    integer NOT NULL DEFAULT 0,
    crashes     integer NOT NULL DEFAULT 0,
    smaller     smallint NOT NULL DEFAULT 0,
    reason      text NOT NULL DEFAULT '',
    message     text NOT NULL DEFAULT '',
    reference   text,
    settled_at  double precision NOT NULL DEFAULT 0,
    owner       text NOT NULL DEFAULT '',
    UNIQUE (identity, destination)
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);
CREATE INDEX lane_ready ON lane (destination, priority, oldest) WHERE phase = 1;
CREATE INDEX lane_later ON lane (destination, priority, due_at) WHERE phase = 2;
CREATE INDEX lane_reference ON lane (settled_at) WHERE reference IS NOT NULL AND phase = 0;

CREATE TABLE delivery (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    lane          bigint NOT NULL,
    destination   integer NOT NULL,
    alert_group   bigint NOT NULL,
    state         smallint NOT NULL DEFAULT 0,
    priority      smallint NOT NULL,
    accepted_at   double precision NOT NULL,
    settled_at    double precision,
    attempts      integer NOT NULL DEFAULT 0,
    replayed_as   bigint,
    reason        text NOT NULL DEFAULT '',
    message       text NOT NULL DEFAULT '',
    fingerprints  text NOT NULL,
    diverted      smallint NOT NULL DEFAULT 0,
    diverted_from integer
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
CREATE INDEX delivery_lane ON delivery (lane, state);
CREATE INDEX delivery_group ON delivery (alert_group);
CREATE INDEX delivery_waiting ON delivery (destination, accepted_at) WHERE state = 0;
CREATE INDEX delivery_settled ON delivery (state, settled_at) WHERE state > 0;
CREATE INDEX delivery_dead ON delivery (destination) WHERE state = 2 AND replayed_as IS NULL;

CREATE TABLE observed (
    day      integer NOT NULL,
    alert    text NOT NULL,
    runbook  text NOT NULL,
    way      text NOT NULL,
    received bigint NOT NULL,
    woken    bigint NOT NULL,
    seen_at  double precision NOT NULL,
    PRIMARY KEY (day, alert, runbook, way)
);

-- As SQLite's triggers of these names. What is to go is locked first: each statement that follows
-- sees what others have committed until then.
CREATE FUNCTION delivery_gone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM alert_group WHERE seq IN (SELECT alert_group FROM gone) ORDER BY seq FOR UPDATE;
    DELETE FROM alert_group WHERE seq IN (SELECT alert_group FROM gone)
        AND NOT EXISTS (SELECT 1 FROM delivery WHERE delivery.alert_group = alert_group.seq);
    PERFORM 1 FROM lane WHERE id IN (SELECT lane FROM gone) ORDER BY id FOR UPDATE;
    DELETE FROM lane WHERE id IN (SELECT lane FROM gone) AND reference IS NULL
        AND NOT EXISTS (SELECT 1 FROM delivery WHERE delivery.lane = lane.id);
    RETURN NULL;
END $$;
CREATE TRIGGER delivery_gone AFTER DELETE ON delivery REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION delivery_gone();

CREATE FUNCTION lane_gone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM identity WHERE id IN (SELECT identity FROM gone) ORDER BY id FOR UPDATE;
    DELETE FROM identity WHERE id IN (SELECT identity FROM gone) AND accepted_at = 0
        AND NOT EXISTS (SELECT 1 FROM lane WHERE lane.identity = identity.id);
    RETURN NULL;
END $$;
CREATE TRIGGER lane_gone AFTER DELETE ON lane REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION lane_gone();
