-- A backup that a job reads, so that nobody deletes it meanwhile.
ALTER TABLE jobs ADD COLUMN backup_id TEXT;
-- What was asked for. A graph without a row has the server's default.
CREATE TABLE backup_policies (
    graph_id TEXT PRIMARY KEY REFERENCES graphs (id), enabled INTEGER NOT NULL,
    interval_seconds INTEGER NOT NULL, keep INTEGER NOT NULL
) STRICT;
-- When an automatic backup of a graph was last tried.
CREATE TABLE backup_turns (graph_id TEXT PRIMARY KEY REFERENCES graphs (id), tried INTEGER NOT NULL) STRICT;
