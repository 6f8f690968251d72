-- When a job was asked for; `started` is when its work began.
ALTER TABLE jobs ADD COLUMN submitted INTEGER NOT NULL DEFAULT 0;
UPDATE jobs SET submitted = started;
CREATE INDEX jobs_ended ON jobs (ended) WHERE ended IS NOT NULL;
