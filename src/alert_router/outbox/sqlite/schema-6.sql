-- Version 6 adds: who holds a lease. Where several services use a store, one that starts frees its
-- own only.
ALTER TABLE lane ADD COLUMN owner TEXT NOT NULL DEFAULT '';
