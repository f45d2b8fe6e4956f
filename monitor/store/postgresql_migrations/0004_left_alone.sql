-- The accounts that a worker has in its configuration but does not take at present, because it could not read them from the store, or cannot poll them.
ALTER TABLE worker ADD COLUMN left_alone TEXT[] COLLATE "C" NOT NULL DEFAULT '{}';
