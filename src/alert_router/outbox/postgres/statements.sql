-- The statements that PostgreSQL needs in another form, or that it alone runs.

-- name: last_contents
SELECT digest, id, content, group_id, accepted_at,
    CASE WHEN next_after = group_id THEN next_since END AS next_since
FROM identity WHERE digest = ANY(CAST(? AS bytea[])) ORDER BY digest FOR UPDATE;

-- name: set_last_contents
UPDATE identity SET content = new.content, group_id = new.group_id, accepted_at = new.accepted_at,
    next_since = new.next_since, next_after = new.group_id
FROM unnest(
    CAST(? AS bigint[]), CAST(? AS bytea[]), CAST(? AS text[]), CAST(? AS double precision[]),
    CAST(? AS double precision[])
) AS new (id, content, group_id, accepted_at, next_since)
WHERE identity.id = new.id;

-- name: lanes_of
SELECT l.id, l.identity, l.destination, l.phase, l.priority
FROM lane l JOIN unnest(CAST(? AS bigint[]), CAST(? AS integer[])) AS place (i, d)
    ON l.identity = place.i AND l.destination = place.d
ORDER BY l.id FOR UPDATE OF l;

-- name: enter_lanes
-- As wake_lane where nothing was pending, else as hasten_lane.
UPDATE lane SET
    priority = new.priority,
    oldest = CASE WHEN phase = 0 THEN new.at ELSE oldest END,
    due_at = CASE WHEN phase = 0 THEN new.at ELSE due_at END,
    phase = CASE WHEN phase = 0 THEN 1 ELSE phase END
FROM unnest(CAST(? AS bigint[]), CAST(? AS smallint[]), CAST(? AS double precision[]))
    AS new (id, priority, at)
WHERE lane.id = new.id;

-- name: new_identities
INSERT INTO identity (digest, content, group_id, next_after, next_since, accepted_at)
SELECT digest, content, group_id, group_id, next_since, accepted_at FROM unnest(
    CAST(? AS bytea[]), CAST(? AS bytea[]), CAST(? AS text[]), CAST(? AS double precision[]),
    CAST(? AS double precision[])
) AS new (digest, content, group_id, accepted_at, next_since)
ON CONFLICT (digest) DO NOTHING RETURNING digest, id;

-- name: new_groups
INSERT INTO alert_group (id, accepted_at, since, body)
SELECT * FROM unnest(
    CAST(? AS text[]), CAST(? AS double precision[]), CAST(? AS double precision[]),
    CAST(? AS bytea[]))
RETURNING id, seq;

-- name: new_lanes
INSERT INTO lane (identity, destination, priority, oldest, due_at, phase)
SELECT i, d, p, a, a, 1 FROM unnest(
    CAST(? AS bigint[]), CAST(? AS integer[]), CAST(? AS smallint[]), CAST(? AS double precision[])
) AS new (i, d, p, a)
RETURNING identity, destination, id;

-- name: new_deliveries
INSERT INTO delivery (lane, destination, alert_group, priority, accepted_at, fingerprints)
SELECT * FROM unnest(
    CAST(? AS bigint[]), CAST(? AS integer[]), CAST(? AS bigint[]), CAST(? AS smallint[]),
    CAST(? AS double precision[]), CAST(? AS text[]));

-- name: add_destination
-- Another router may just have added it.
INSERT INTO destination (receiver, notifier) VALUES (?, ?)
ON CONFLICT (receiver, notifier) DO UPDATE SET receiver = EXCLUDED.receiver;

-- name: begin_observed
INSERT INTO observed AS o (received, woken, seen_at, day, alert, runbook, way)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (day, alert, runbook, way) DO UPDATE SET received = o.received + EXCLUDED.received,
    woken = o.woken + EXCLUDED.woken, seen_at = greatest(o.seen_at, EXCLUDED.seen_at);

-- name: lock_destination
SELECT probing_until FROM destination WHERE id = ? FOR UPDATE;

-- name: small_batches
-- As waiting_in_lane, for many, those with more than 16 rows left out, and those from which on the
-- bodies have more bytes than there is room for.
SELECT lane, id, name, body, fingerprints, accepted_at, diverted_from
FROM (
    SELECT w.lane, d.id, g.id AS name, g.body, d.fingerprints, d.accepted_at, d.diverted_from,
        count(*) OVER (PARTITION BY w.lane) AS rows,
        sum(length(g.body)) OVER (ORDER BY w.number) AS bytes
    FROM unnest(CAST(? AS bigint[]), CAST(? AS bigint[]), CAST(? AS integer[]))
        WITH ORDINALITY AS w (lane, last, most, number)
    CROSS JOIN LATERAL (
        SELECT * FROM delivery
        WHERE delivery.lane = w.lane AND state = 0 AND delivery.id <= w.last
        ORDER BY delivery.id LIMIT least(w.most, 17)
    ) AS d
    JOIN alert_group g ON g.seq = d.alert_group
) AS found
WHERE rows <= 16 AND bytes <= ?
ORDER BY lane, id;

-- name: lanes_of_claims
SELECT id, fence, leased, batch, batch_end, attempts, destination FROM lane
WHERE id = ANY(CAST(? AS bigint[])) ORDER BY id FOR UPDATE;

-- name: settle_batches
-- As settle_batch, for many. OFFSET keeps PostgreSQL from reading what is pending in all lanes where
-- it believes that little is.
UPDATE delivery SET state = ended.state, settled_at = ended.at, attempts = ended.attempts,
    reason = ended.reason, message = ended.message
FROM unnest(
    CAST(? AS bigint[]), CAST(? AS bigint[]), CAST(? AS smallint[]), CAST(? AS double precision[]),
    CAST(? AS integer[]), CAST(? AS text[]), CAST(? AS text[])
) AS ended (lane, batch_end, state, at, attempts, reason, message)
CROSS JOIN LATERAL (
    SELECT d.id FROM delivery d
    WHERE d.lane = ended.lane AND d.state = 0 AND d.id <= ended.batch_end OFFSET 0
) AS batch
WHERE delivery.id = batch.id;

-- name: lanes_go_on
-- As rest_of_lane and lane_goes_on, for many.
UPDATE lane
SET phase = CASE WHEN rest.count > 0 THEN 1 ELSE 0 END,
    priority = CASE WHEN rest.count > 64 AND lane.priority < rest.priority THEN lane.priority
        ELSE coalesce(rest.priority, 0) END,
    oldest = coalesce(rest.oldest, 0), due_at = ended.at, leased = 0, batch = NULL, batch_end = 0,
    attempts = 0, crashes = 0, smaller = 0, reason = '', message = '',
    reference = coalesce(ended.reference, lane.reference), settled_at = ended.at,
    change_due = CASE WHEN coalesce(ended.reference, lane.reference) IS NULL THEN 0 ELSE change_due END
FROM unnest(CAST(? AS bigint[]), CAST(? AS double precision[]), CAST(? AS text[]))
    AS ended (lane, at, reference)
CROSS JOIN LATERAL (
    SELECT count(*) AS count, min(priority) AS priority, min(accepted_at) AS oldest
    FROM (
        SELECT d.priority, d.accepted_at FROM delivery d
        WHERE d.lane = ended.lane AND d.state = 0 ORDER BY d.id LIMIT 65
    ) AS few
) AS rest
WHERE lane.id = ended.lane;

-- name: failing_among
SELECT id FROM destination
WHERE id = ANY(CAST(? AS integer[])) AND (failing_since > 0 OR paused_until > 0);

-- name: end_probes
UPDATE destination SET probing_until = 0
FROM unnest(CAST(? AS integer[]), CAST(? AS bigint[])) AS ended (destination, lane)
WHERE id = ended.destination AND probing_lane = ended.lane AND probing_until > 0;

-- name: begin_probe
UPDATE destination SET probing_until = ?, probing_lane = ? WHERE id = ?;

-- name: end_probe
UPDATE destination SET probing_until = 0 WHERE id = ? AND probing_lane = ? AND probing_until > 0;

-- name: destination_fails
UPDATE destination
SET failing_since = ?, failures = ?, failing_reason = ?, pause_reason = ?, paused_until = ?,
    asked_until = ?, probing_until = 0
WHERE id = ?;

-- name: destination_is_well
UPDATE destination
SET failing_since = 0, failures = 0, failing_reason = '', pause_reason = '', paused_until = 0,
    asked_until = 0, probing_until = 0
WHERE id = ? AND (failing_since > 0 OR paused_until > 0) AND asked_until <= ?;

-- name: extend_pause
UPDATE destination SET paused_until = ?, asked_until = ? WHERE id = ?;

-- name: end_pauses
UPDATE destination SET
    paused_until = CASE WHEN paused_until > :latest THEN :now ELSE paused_until END,
    asked_until = CASE WHEN asked_until > :latest THEN :now ELSE asked_until END,
    probing_until = CASE WHEN probing_until > :latest THEN :now ELSE probing_until END
WHERE paused_until > :latest OR probing_until > :latest;

-- name: all_is_due
-- What another router has locked just now is being settled or joined there.
UPDATE lane SET phase = 1, due_at = ? WHERE id IN (
    SELECT id FROM lane WHERE destination = ? AND phase = 2 AND leased = 0
    FOR UPDATE SKIP LOCKED);

-- name: prune_settled
DELETE FROM delivery WHERE id IN (
    SELECT id FROM delivery WHERE state = ? AND state > 0 AND settled_at < ?
    ORDER BY settled_at LIMIT ? FOR UPDATE SKIP LOCKED);

-- name: announce
SELECT pg_notify('alert_router', name) FROM unnest(CAST(? AS text[])) AS name;

-- name: find_groups
SELECT id, seq FROM alert_group
WHERE id = ANY(ARRAY(SELECT json_array_elements_text(CAST(? AS json))));

-- name: known_deliveries
SELECT d.alert_group, d.id, d.lane, d.state, l.leased FROM delivery d JOIN lane l ON l.id = d.lane
WHERE d.alert_group = ANY(CAST(ARRAY(SELECT json_array_elements_text(CAST(? AS json))) AS bigint[]))
    AND d.destination = ?
ORDER BY d.id;

-- name: held_names
SELECT count(*) FROM pg_locks
WHERE locktype = 'advisory' AND objsubid = 2 AND CAST(classid AS bigint) = ?
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database());

-- name: touch
-- Whether the database can be written to.
UPDATE version SET number = number WHERE number = 1;
