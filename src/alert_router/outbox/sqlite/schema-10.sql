-- Version 10 adds: when the first group was accepted of those that belong together until all is
-- resolved, for each group (0: not known), and for an identity that of its next group: 0 where that
-- begins it, NULL where that is not known. It holds after the group `next_after`, since earlier
-- versions that share a store do not write it.
ALTER TABLE alert_group ADD COLUMN since REAL NOT NULL DEFAULT 0;
ALTER TABLE identity ADD COLUMN next_since REAL;
ALTER TABLE identity ADD COLUMN next_after TEXT NOT NULL DEFAULT '';
