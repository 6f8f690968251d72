-- What a job does, so that a later process can do it, and how often it was begun. A job of before
-- has no work, and ends with the process it began in.
ALTER TABLE jobs ADD COLUMN work TEXT;
ALTER TABLE jobs ADD COLUMN starts INTEGER NOT NULL DEFAULT 1;
-- Which backup a job makes is in its work.
ALTER TABLE backups DROP COLUMN job_id;
