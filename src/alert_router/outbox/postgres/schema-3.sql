-- Version 3 adds an index of what is pending in a lane. Where statistics say that nothing is pending,
-- as before a storm, another index seemed as good, and each claim read all of it. It drops one that
-- is equal to that of the ids' uniqueness.
CREATE INDEX delivery_pending ON delivery (lane, id) WHERE state = 0;
DROP INDEX IF EXISTS alert_group_id;
