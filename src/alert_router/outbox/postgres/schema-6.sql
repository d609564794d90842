-- Version 6 adds to identities what version 10 of SQLite's tables does: since when the next group
-- fires. It and version 7 each lock one table, so that they do not deadlock with running routers.
ALTER TABLE identity
    ADD COLUMN next_since double precision,
    ADD COLUMN next_after text NOT NULL DEFAULT '';
