-- The statements of the operations, each under its name, in SQL that every database runs. Constants
-- for states and phases are those of the schemas.

-- name: find_destination
SELECT id FROM destination WHERE receiver = ? AND notifier = ?;

-- name: add_destination
INSERT INTO destination (receiver, notifier) VALUES (?, ?);

-- name: sent
-- A message is a batch of one lane, all of which is settled at once. What was dropped has a reason.
SELECT settled_at FROM (
    SELECT DISTINCT settled_at, lane FROM delivery
    WHERE state = 1 AND state > 0 AND settled_at > :since AND destination = :destination AND reason = ''
) AS message
UNION ALL
SELECT CAST(:now AS DOUBLE PRECISION) FROM lane
WHERE destination = :destination AND phase IN (1, 2) AND batch IS NOT NULL
UNION ALL
SELECT changed_at FROM lane
WHERE destination = :destination AND changed_at > 0 AND changed_at > :since AND phase = 0
    AND NOT EXISTS (  -- a message that said it too
        SELECT 1 FROM delivery d
        WHERE d.lane = lane.id AND d.state = 1 AND d.settled_at >= lane.changed_at);

-- name: health
SELECT failing_since, failures, failing_reason, pause_reason, paused_until, asked_until
FROM destination WHERE id = ?;

-- name: add_group
INSERT INTO alert_group (id, accepted_at, since, body) VALUES (?, ?, ?, ?);

-- name: find_lane
SELECT id, phase FROM lane WHERE identity = ? AND destination = ?;

-- name: add_lane
INSERT INTO lane (identity, destination, phase, priority, oldest, due_at) VALUES (?, ?, 1, ?, ?, ?);

-- name: wake_lane
UPDATE lane SET phase = 1, priority = ?, oldest = ?, due_at = ? WHERE id = ?;

-- name: hasten_lane
-- One that is busy or backs off stays so; only its place among the others may change.
UPDATE lane SET priority = ? WHERE id = ? AND priority > ?;

-- name: add_delivery
INSERT INTO delivery (lane, destination, alert_group, priority, accepted_at, fingerprints)
VALUES (?, ?, ?, ?, ?, ?);

-- name: ready_lanes
SELECT priority, oldest, id, fence, batch, batch_end, leased, attempts, crashes, smaller, reference,
    change_due, changed_at
FROM lane WHERE destination = ? AND phase = 1 ORDER BY priority, oldest LIMIT ?;

-- name: later_lanes
SELECT priority, oldest, id, fence, batch, batch_end, leased, attempts, crashes, smaller, reference,
    change_due, changed_at
FROM lane WHERE destination = ? AND phase = 2 AND priority = ? AND due_at <= ?
ORDER BY due_at LIMIT ?;

-- name: lanes_to_change
SELECT priority, oldest, id, fence, batch, batch_end, leased, attempts, crashes, smaller, reference,
    change_due, changed_at
FROM lane WHERE destination = ? AND change_due > 0 AND change_due <= ? AND phase = 0
ORDER BY change_due LIMIT ?;

-- name: change_messages
UPDATE lane SET change_due = CASE WHEN settled_at + :apart > :now THEN settled_at + :apart ELSE :now END
WHERE identity = (SELECT id FROM identity WHERE digest = :identity)
    AND change_due = 0 AND (reference IS NOT NULL OR phase > 0);

-- name: take_change
UPDATE lane SET change_due = 0, changed_at = ? WHERE id = ?;

-- name: change_later
UPDATE lane SET change_due = ? WHERE id = ? AND change_due = 0;

-- name: last_batch
-- What the lane's message says: nothing unless the last that was settled was sent.
SELECT d.id, g.id, g.body, d.fingerprints, d.accepted_at, d.diverted_from
FROM delivery d JOIN alert_group g ON g.seq = d.alert_group
WHERE d.lane = ? AND d.state = 1 AND d.reason = '' AND d.settled_at = (
    SELECT CASE WHEN state = 1 AND reason = '' THEN settled_at END
    FROM delivery WHERE lane = ? AND state > 0 ORDER BY settled_at DESC, id DESC LIMIT 1)
ORDER BY d.id LIMIT ?;

-- name: next_priority
-- Not min(priority): PostgreSQL reads all of them for that where it believes that there are few.
SELECT (
    SELECT priority FROM lane WHERE destination = ? AND phase = 2 AND priority > ?
    ORDER BY priority LIMIT 1);

-- name: waiting_in_lane
SELECT d.id, g.id, g.body, d.fingerprints, d.accepted_at, d.diverted_from
FROM delivery d JOIN alert_group g ON g.seq = d.alert_group
WHERE d.lane = ? AND d.state = 0 AND d.id <= ? ORDER BY d.id LIMIT ?;

-- name: take_lease
UPDATE lane
SET phase = 2, leased = 1, fence = fence + 1, attempts = attempts + 1,
    due_at = ?, batch = ?, batch_end = ?, crashes = ?, owner = ?
WHERE id = ?;

-- name: leased_lanes
-- Leases without an owner are from before they had one.
SELECT id FROM lane WHERE phase = 2 AND leased = 1 AND owner IN (?, '');

-- name: recover
-- Nobody holds the lease any more: what was claimed is in doubt, and due at once.
UPDATE lane SET phase = 1, leased = 0, fence = fence + 1, crashes = crashes + 1
WHERE id = ? AND phase = 2 AND leased = 1 AND owner IN (?, '');

-- name: lane_of_claim
SELECT fence, leased, batch, batch_end, attempts, destination FROM lane WHERE id = ?;

-- name: destination_fails
UPDATE destination
SET failing_since = ?, failures = ?, failing_reason = ?, pause_reason = ?, paused_until = ?,
    asked_until = ?
WHERE id = ?;

-- name: destination_is_well
UPDATE destination
SET failing_since = 0, failures = 0, failing_reason = '', pause_reason = '', paused_until = 0,
    asked_until = 0
WHERE id = ? AND (failing_since > 0 OR paused_until > 0) AND asked_until <= ?;

-- name: all_is_due
UPDATE lane SET phase = 1, due_at = ? WHERE destination = ? AND phase = 2 AND leased = 0;

-- name: to_divert
SELECT d.id, d.alert_group, d.priority, d.fingerprints, l.identity
FROM delivery d JOIN lane l ON l.id = d.lane
WHERE d.state = 0 AND d.destination = ? AND d.diverted = 0 AND d.diverted_from IS NULL
ORDER BY d.accepted_at LIMIT ?;

-- name: group_is_in_lane
SELECT EXISTS (SELECT 1 FROM delivery WHERE alert_group = ? AND destination = ?);

-- name: add_diverted
INSERT INTO delivery
    (lane, destination, alert_group, priority, accepted_at, fingerprints, diverted_from)
VALUES (?, ?, ?, ?, ?, ?, ?);

-- name: mark_diverted
UPDATE delivery SET diverted = 1 WHERE id = ?;

-- name: destination_names
SELECT receiver, notifier FROM destination WHERE id = ?;

-- name: settle_batch
UPDATE delivery SET state = ?, settled_at = ?, attempts = ?, reason = ?, message = ?
WHERE lane = ? AND state = 0 AND id <= ?;

-- name: rest_of_lane
-- Few rows say enough: where more wait, the lane keeps its priority, which errs to the urgent.
SELECT count(*), min(priority), min(accepted_at)
FROM (
    SELECT priority, accepted_at FROM delivery WHERE lane = ? AND state = 0 ORDER BY id LIMIT 65
) AS few;

-- name: lane_goes_on
UPDATE lane
SET phase = :phase, priority = CASE WHEN :rest > 64 AND priority < :priority THEN priority ELSE :priority END,
    oldest = :oldest, due_at = :now, leased = 0, batch = NULL, batch_end = 0,
    attempts = 0, crashes = :crashes, smaller = 0, reason = '', message = '',
    reference = coalesce(:reference, reference), settled_at = :now,
    change_due = CASE WHEN coalesce(:reference, reference) IS NULL THEN 0 ELSE change_due END
WHERE id = :lane;

-- name: lane_tries_again
-- One that need not wait by itself is ready: whether its destination is, is known there.
UPDATE lane
SET phase = :phase, leased = 0, due_at = :due_at, smaller = :smaller, reason = :reason,
    message = :message, settled_at = :now,
    batch = CASE WHEN :keep = 1 THEN batch END, batch_end = batch_end * :keep
WHERE id = :lane;

-- name: lane_released
UPDATE lane
SET phase = 1, leased = 0, due_at = :now, attempts = attempts - 1,
    batch = CASE WHEN :keep = 1 THEN batch END, batch_end = batch_end * :keep
WHERE id = :lane;

-- name: lane_shrinks
UPDATE lane
SET priority = CASE WHEN :rest > 64 AND priority < :priority THEN priority ELSE :priority END, oldest = :oldest,
    batch = CASE WHEN :batch_left = 1 THEN batch END, batch_end = batch_end * :batch_left
WHERE id = :lane;

-- name: batch_left
SELECT EXISTS (
    SELECT 1 FROM delivery d JOIN lane l ON l.id = d.lane
    WHERE d.lane = ? AND d.state = 0 AND d.id <= l.batch_end);

-- name: backlog
SELECT d.receiver, d.notifier,
    (SELECT count(*) FROM delivery WHERE destination = d.id AND state = 0),
    (SELECT min(accepted_at) FROM delivery WHERE destination = d.id AND state = 0),
    (SELECT count(*) FROM delivery
        WHERE destination = d.id AND state = 2 AND replayed_as IS NULL),
    d.failing_since, d.failures, d.failing_reason, d.pause_reason, d.paused_until, d.asked_until
FROM destination d ORDER BY d.receiver, d.notifier;

-- name: rows
SELECT d.id, g.id, t.receiver, t.notifier, d.state, d.accepted_at, d.settled_at,
    CASE WHEN d.state = 0 THEN l.attempts ELSE d.attempts END,
    CASE WHEN d.state > 0 OR l.leased = 1 THEN NULL
        WHEN l.due_at > t.paused_until THEN l.due_at ELSE t.paused_until END,
    CASE WHEN d.state = 0 THEN l.reason ELSE d.reason END,
    CASE WHEN d.state > 0 THEN d.message
        WHEN l.message = '' AND t.paused_until > l.due_at THEN t.pause_reason
        ELSE l.message END,
    d.replayed_as, d.fingerprints
FROM delivery d
JOIN lane l ON l.id = d.lane
JOIN destination t ON t.id = d.destination
JOIN alert_group g ON g.seq = d.alert_group;

-- name: oldest_of_latest
SELECT min(id) FROM (SELECT id FROM delivery WHERE id < ? ORDER BY id DESC LIMIT ?) AS latest;

-- name: last_successes
SELECT destination, max(settled_at) FROM (
    SELECT destination, settled_at, reason FROM delivery
    WHERE state = 1 AND state > 0 AND settled_at <= :before
    ORDER BY settled_at DESC LIMIT :limit
) AS latest
WHERE reason = '' GROUP BY destination;

-- name: every_destination
SELECT id, receiver, notifier, failing_since FROM destination;

-- name: find_group
SELECT seq FROM alert_group WHERE id = ?;

-- name: body_of
SELECT g.body FROM delivery d JOIN alert_group g ON g.seq = d.alert_group WHERE d.id = ?;

-- name: to_replay
SELECT d.state, d.replayed_as, d.lane, d.destination, d.alert_group, d.priority, d.fingerprints,
    l.identity
FROM delivery d JOIN lane l ON l.id = d.lane WHERE d.id = ?;

-- name: moved_on
SELECT d.id FROM delivery d
WHERE d.lane = ? AND d.state IN (0, 1) AND d.id > ? AND d.alert_group >= ? LIMIT 1;

-- name: mark_replayed
UPDATE delivery SET replayed_as = ? WHERE id = ?;

-- name: to_discard
SELECT d.state, d.lane, l.leased = 1 AND l.due_at > ? AND d.id <= l.batch_end
FROM delivery d JOIN lane l ON l.id = d.lane WHERE d.id = ?;

-- name: delete_delivery
DELETE FROM delivery WHERE id = ?;

-- name: to_expire
SELECT d.id, d.lane, l.attempts FROM delivery d JOIN lane l ON l.id = d.lane
WHERE d.state = 0 AND d.destination = :destination AND d.accepted_at < :before
    AND NOT (l.leased = 1 AND l.due_at > :now AND d.id <= l.batch_end)
ORDER BY d.accepted_at LIMIT :limit;

-- name: to_expire_tried
-- Whose lease ran out, as where the clock was set, is claimed again.
SELECT d.id, d.lane, l.attempts FROM lane l JOIN delivery d ON d.lane = l.id
WHERE l.destination = :destination AND l.phase = 2 AND l.attempts > 0 AND d.state = 0
    AND d.accepted_at < :before AND NOT (l.leased = 1 AND d.id <= l.batch_end)
LIMIT :limit;

-- name: expire
UPDATE delivery SET state = 2, settled_at = ?, attempts = ?, reason = 'expired',
    message = 'waited longer than max_age'
WHERE id = ? AND state = 0;

-- name: hasten_lanes
UPDATE lane SET due_at = ? WHERE phase = 2 AND leased = 0 AND due_at > ?;

-- name: end_pauses
UPDATE destination SET paused_until = :now,
    asked_until = CASE WHEN asked_until < :now THEN asked_until ELSE :now END
WHERE paused_until > :latest;

-- name: failing_now
UPDATE destination SET failing_since = ? WHERE failing_since > ?;

-- name: destinations
SELECT id, failing_since FROM destination;

-- name: prune_settled
-- `state > 0` is what the index is for: without it every delivery would be read.
DELETE FROM delivery WHERE id IN (
    SELECT id FROM delivery WHERE state = ? AND state > 0 AND settled_at < ?
    ORDER BY settled_at LIMIT ?);

-- name: old_contents
SELECT id FROM identity WHERE accepted_at > 0 AND accepted_at < ? ORDER BY accepted_at LIMIT ?;

-- name: forget_content
UPDATE identity SET accepted_at = 0, content = ? WHERE id = ?;

-- name: drop_empty_identity
DELETE FROM identity WHERE id = ?
    AND NOT EXISTS (SELECT 1 FROM lane WHERE identity = identity.id);

-- name: old_references
SELECT id FROM lane
WHERE reference IS NOT NULL AND phase = 0 AND settled_at < ? ORDER BY settled_at LIMIT ?;

-- name: forget_reference
UPDATE lane SET reference = NULL WHERE id = ?;

-- name: drop_empty_lane
DELETE FROM lane WHERE id = ? AND phase = 0
    AND NOT EXISTS (SELECT 1 FROM delivery WHERE lane = lane.id);

-- name: add_to_observed
UPDATE observed SET received = received + ?, woken = woken + ?,
    seen_at = CASE WHEN seen_at > ? THEN seen_at ELSE ? END
WHERE day = ? AND alert = ? AND runbook = ? AND way = ?;

-- name: begin_observed
INSERT INTO observed (received, woken, seen_at, day, alert, runbook, way)
VALUES (?, ?, ?, ?, ?, ?, ?);

-- name: counts_on
SELECT count(*) FROM observed WHERE day = ?;

-- name: observed_on
SELECT day, alert, runbook, way, received, woken, seen_at FROM observed WHERE day = ?;

-- name: forget_observed
DELETE FROM observed WHERE (day, alert, runbook, way) IN (
    SELECT day, alert, runbook, way FROM observed WHERE day < ? ORDER BY day LIMIT ?);

-- name: identity_of_group
SELECT i.id, i.digest, g.seq, g.id, g.accepted_at, g.since, length(g.body)
FROM alert_group g JOIN delivery d ON d.alert_group = g.seq JOIN lane l ON l.id = d.lane
JOIN identity i ON i.id = l.identity
WHERE g.id = ? LIMIT 1;

-- name: groups_of_identity
SELECT DISTINCT g.seq, g.id, g.accepted_at, g.since, length(g.body)
FROM lane l JOIN delivery d ON d.lane = l.id JOIN alert_group g ON g.seq = d.alert_group
WHERE l.identity = ? ORDER BY g.seq DESC LIMIT ?;

-- name: body_of_group
SELECT body FROM alert_group WHERE seq = ?;

-- name: groups_after
SELECT g.seq,
    (SELECT i.digest FROM delivery d JOIN lane l ON l.id = d.lane JOIN identity i ON i.id = l.identity
        WHERE d.alert_group = g.seq LIMIT 1),
    g.id, g.accepted_at, g.since, g.body
FROM alert_group g WHERE g.seq > ? ORDER BY g.seq LIMIT ?;

-- name: add_action
INSERT INTO action (identity, at, since, kind, who, runbook, revision, step, title)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: actions_of
SELECT kind, who, at, since, runbook, revision, step, title
FROM action WHERE identity = ? AND at >= ? ORDER BY at DESC, id DESC LIMIT ?;

-- name: actions_since
SELECT identity, kind, who, at, since, runbook, revision, step, title
FROM action WHERE at >= ? ORDER BY at, id LIMIT ?;

-- name: usage
SELECT revision, step, max(title), kind, count(*), avg(at - since), max(at)
FROM action WHERE runbook = ? AND runbook <> '' AND kind <> 'untick'
GROUP BY revision, step, kind ORDER BY max(at) DESC, step LIMIT 1000;

-- name: find_secret
SELECT value FROM secret WHERE name = ?;

-- name: secrets
SELECT name, value FROM secret;

-- name: add_secret
INSERT INTO secret (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING;

-- name: forget_actions
DELETE FROM action WHERE id IN (SELECT id FROM action WHERE at < ? ORDER BY at LIMIT ?);

-- name: beat
INSERT INTO heartbeat (name, seen_at) VALUES (?, ?)
ON CONFLICT (name) DO UPDATE SET seen_at = excluded.seen_at;

-- name: begin_heartbeat
INSERT INTO heartbeat (name, seen_at) VALUES (?, ?) ON CONFLICT (name) DO NOTHING;

-- name: keep_heartbeat
-- Of two stores the latest times hold: it is missing if nothing was received since one of them said so.
INSERT INTO heartbeat AS h (name, seen_at, missing_since) VALUES (?, ?, ?)
ON CONFLICT (name) DO UPDATE SET
    seen_at = CASE WHEN excluded.seen_at > h.seen_at THEN excluded.seen_at ELSE h.seen_at END,
    missing_since = CASE WHEN excluded.missing_since > h.missing_since
        THEN excluded.missing_since ELSE h.missing_since END;

-- name: heartbeats
SELECT name, seen_at, missing_since FROM heartbeat;

-- name: heartbeat
SELECT name, seen_at, missing_since FROM heartbeat WHERE name = ?;

-- name: change_heartbeat
UPDATE heartbeat SET missing_since = ? WHERE name = ? AND seen_at = ? AND missing_since = ?;

-- name: forget_heartbeat
DELETE FROM heartbeat WHERE name = ?;

-- The following move and copy identities between stores.

-- name: last_content
SELECT id, content, group_id, accepted_at, CASE WHEN next_after = group_id THEN next_since END
FROM identity WHERE digest = ?;

-- name: every_identity
SELECT digest FROM identity UNION SELECT identity FROM action ORDER BY 1;

-- name: stored_deliveries
SELECT t.receiver, t.notifier, f.receiver, f.notifier, l.leased,
    d.id, g.id, g.accepted_at, g.since, d.state, d.priority, d.accepted_at, d.settled_at,
    CASE WHEN d.state = 0 THEN l.attempts ELSE d.attempts END,
    CASE WHEN d.state = 0 THEN l.reason ELSE d.reason END,
    CASE WHEN d.state = 0 THEN l.message ELSE d.message END,
    d.fingerprints, CASE WHEN d.state = 0 AND d.id <= l.batch_end THEN l.batch END,
    d.replayed_as, d.diverted, g.body
FROM lane l
JOIN delivery d ON d.lane = l.id
JOIN destination t ON t.id = d.destination
LEFT JOIN destination f ON f.id = d.diverted_from
JOIN alert_group g ON g.seq = d.alert_group
WHERE l.identity = ? ORDER BY d.id;

-- name: stored_references
SELECT t.receiver, t.notifier, l.reference, l.change_due, l.changed_at, l.settled_at
FROM lane l JOIN destination t ON t.id = l.destination
WHERE l.identity = ? AND l.reference IS NOT NULL;

-- name: put_identity
INSERT INTO identity AS i (digest, content, group_id, next_after, next_since, accepted_at)
VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (digest) DO UPDATE SET
    content = CASE WHEN excluded.accepted_at > i.accepted_at THEN excluded.content ELSE i.content END,
    group_id = CASE WHEN excluded.accepted_at > i.accepted_at
        THEN excluded.group_id ELSE i.group_id END,
    next_after = CASE WHEN excluded.accepted_at > i.accepted_at
        THEN excluded.next_after ELSE i.next_after END,
    next_since = CASE WHEN excluded.accepted_at > i.accepted_at
        THEN excluded.next_since ELSE i.next_since END,
    accepted_at = CASE WHEN excluded.accepted_at > i.accepted_at
        THEN excluded.accepted_at ELSE i.accepted_at END
RETURNING id;

-- name: add_idle_lane
INSERT INTO lane (identity, destination, phase, priority, oldest, due_at) VALUES (?, ?, 0, ?, ?, ?);

-- name: add_stored
INSERT INTO delivery (lane, destination, alert_group, state, priority, accepted_at, settled_at,
    attempts, reason, message, fingerprints, diverted, diverted_from)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: add_reference
UPDATE lane SET reference = :reference, change_due = :change_due, changed_at = :changed_at,
    settled_at = CASE WHEN settled_at < :settled_at THEN :settled_at ELSE settled_at END
WHERE identity = :identity AND destination = :destination AND reference IS NULL;

-- name: keep_attempts
UPDATE lane SET batch = CAST(:batch AS text),
    batch_end = CASE WHEN CAST(:batch AS text) IS NULL THEN 0 ELSE :id END,
    attempts = :attempts, reason = :reason, message = :message
WHERE id = :lane AND leased = 0 AND (batch = CAST(:batch AS text) OR batch IS NULL AND :idle = 1);

-- name: settle_known
UPDATE delivery SET state = ?, settled_at = ?, attempts = ?, reason = ?, message = ?
WHERE id = ? AND state = 0;

-- name: newest_of_lane
-- The newest that is not dead, and which goes out last.
SELECT id, (SELECT max(id) FROM delivery AS w WHERE w.lane = d.lane AND w.state = 0),
    destination, alert_group, priority, accepted_at, fingerprints
FROM delivery AS d WHERE lane = ? AND state IN (0, 1)
ORDER BY accepted_at DESC, id DESC LIMIT 1;

-- name: older_sent_since
SELECT DISTINCT alert_group FROM delivery
WHERE lane = ? AND state = 1 AND accepted_at < ? AND settled_at > ?;
