-- Why each of "left_alone" is left to other workers, in the same order; empty before the first beat of a version that says it.
ALTER TABLE worker ADD COLUMN left_why TEXT[] COLLATE "C" NOT NULL DEFAULT '{}';
