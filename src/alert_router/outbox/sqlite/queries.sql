-- The statements that only SQLite runs. `add_new` numbers its rows itself, so that many go into one
-- statement. No number of a group is used again once the group is gone: pages read on from the last
-- one. Every group has a delivery, and their numbers are never used again, so what is above the
-- highest of both is new.

-- name: known
SELECT digest FROM identity WHERE digest IN (?);

-- name: set_last_content
UPDATE identity SET content = ?, group_id = ?, next_after = ?, next_since = ?, accepted_at = ?
WHERE id = ?;

-- name: last_numbers
SELECT
    (SELECT coalesce(max(id), 0) FROM identity),
    max((SELECT coalesce(max(seq), 0) FROM alert_group),
        (SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'delivery')),
    (SELECT coalesce(max(id), 0) FROM lane);

-- name: add_identities
INSERT INTO identity (id, digest, content, group_id, next_after, next_since, accepted_at)
VALUES (?, ?, ?, ?, ?, ?, ?);

-- name: add_group
INSERT INTO alert_group (seq, id, accepted_at, since, body)
VALUES (1 + max((SELECT coalesce(max(seq), 0) FROM alert_group),
        (SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'delivery')), ?, ?, ?, ?);

-- name: add_groups
INSERT INTO alert_group (seq, id, accepted_at, since, body) VALUES (?, ?, ?, ?, ?);

-- name: add_lanes
INSERT INTO lane (id, identity, destination, phase, priority, oldest, due_at) VALUES (?, ?, ?, 1, ?, ?, ?);

-- name: spooled_identities
SELECT i.digest FROM lane l JOIN identity i ON i.id = l.identity UNION SELECT identity FROM action;

-- name: remove_spooled_actions
DELETE FROM action WHERE identity = ?;

-- name: forget_spooled_references
UPDATE lane SET reference = NULL WHERE identity = ?;

-- name: remove_spooled
DELETE FROM delivery WHERE lane IN (SELECT id FROM lane WHERE identity = ?);

-- name: drop_spooled_lanes
DELETE FROM lane WHERE identity = ?;

-- The following put a store right of which some rows were lost; `observed` apart, all rows of a
-- table that are left are in it.

-- name: make_destination_again
INSERT OR IGNORE INTO destination (id, receiver, notifier) VALUES (?, ?, ?);

-- name: make_identity_again
INSERT OR IGNORE INTO identity (id, digest, content, group_id, accepted_at)
VALUES (?, ?, x'', '', 0);

-- name: make_lane_again
INSERT OR IGNORE INTO lane (id, identity, destination, phase, priority, oldest, due_at)
VALUES (?, ?, ?, 0, 0, 0, 0);

-- name: drop_unsound_lanes
-- What they say of their deliveries cannot be right; those get new ones.
DELETE FROM lane
WHERE id <= 0 OR identity <= 0 OR destination NOT IN (SELECT id FROM destination);

-- name: repair_deliveries
-- Better sent twice than never. Without fingerprints, all alerts of the group are sent.
UPDATE delivery SET
    state = CASE WHEN state IN (0, 1, 2) THEN state ELSE 0 END,
    fingerprints = CASE WHEN json_valid(fingerprints) THEN fingerprints ELSE '[]' END
WHERE state NOT IN (0, 1, 2) OR NOT json_valid(fingerprints);

-- name: make_lanes_up
-- For deliveries whose lane nothing is known of: one each, of an identity that no webhook has.
INSERT INTO lane (id, identity, destination, phase, priority, oldest, due_at)
SELECT lane, -lane, min(destination), 0, 0, 0, 0
FROM delivery WHERE lane NOT IN (SELECT id FROM lane) GROUP BY lane;

-- name: make_identities_up
INSERT INTO identity (id, digest, content, group_id, accepted_at)
SELECT identity, randomblob(32), x'', '', 0
FROM lane WHERE identity NOT IN (SELECT id FROM identity) GROUP BY identity;

-- name: groups_missing
SELECT count(DISTINCT alert_group) FROM delivery
WHERE alert_group NOT IN (SELECT seq FROM alert_group);

-- name: drop_orphans
DELETE FROM delivery
WHERE alert_group NOT IN (SELECT seq FROM alert_group)
    OR destination NOT IN (SELECT id FROM destination)
    OR id <= 0 OR lane <= 0;

-- name: drop_idle_groups
DELETE FROM alert_group WHERE seq NOT IN (SELECT alert_group FROM delivery);

-- name: idle_lanes
-- What a batch covered may be lost. What is left of one goes again under its id.
UPDATE lane
SET phase = 0, leased = 0, fence = fence + 1, batch = NULL, batch_end = 0, attempts = 0, crashes = 0
WHERE NOT EXISTS (SELECT 1 FROM delivery WHERE lane = lane.id AND state = 0);

-- name: drop_empty_lanes
DELETE FROM lane WHERE phase = 0 AND (
    destination NOT IN (SELECT id FROM destination)
    OR reference IS NULL AND NOT EXISTS (SELECT 1 FROM delivery WHERE lane = lane.id));

-- name: wake_lanes
UPDATE lane
SET phase = 1, leased = 0, fence = fence + 1,
    priority = (SELECT min(priority) FROM delivery WHERE lane = lane.id AND state = 0),
    oldest = (SELECT min(accepted_at) FROM delivery WHERE lane = lane.id AND state = 0)
WHERE EXISTS (SELECT 1 FROM delivery WHERE lane = lane.id AND state = 0);

-- name: forget_batches
UPDATE lane SET batch = NULL, batch_end = 0
WHERE batch IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM delivery WHERE lane = lane.id AND state = 0 AND id <= batch_end);

-- name: drop_idle_identities
DELETE FROM identity WHERE accepted_at = 0 AND id NOT IN (SELECT identity FROM lane);

-- name: find_groups
SELECT id, seq FROM alert_group WHERE id IN (SELECT value FROM json_each(?));

-- name: known_deliveries
SELECT d.alert_group, d.id, d.lane, d.state, l.leased FROM delivery d JOIN lane l ON l.id = d.lane
WHERE d.alert_group IN (SELECT value FROM json_each(?)) AND d.destination = ? ORDER BY d.id;
