-- Version 3 adds: since when a destination takes nothing (0: it does), and what was told
-- elsewhere meanwhile: `diverted` marks a delivery that another stands for too, and
-- `diverted_from` the other, by the destination that it stands for.
ALTER TABLE destination ADD COLUMN failing_since REAL NOT NULL DEFAULT 0;
ALTER TABLE delivery ADD COLUMN diverted INTEGER NOT NULL DEFAULT 0;
ALTER TABLE delivery ADD COLUMN diverted_from INTEGER REFERENCES destination;
