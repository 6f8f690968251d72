CREATE TABLE domains (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE projects (
    id TEXT PRIMARY KEY, domain_id TEXT NOT NULL REFERENCES domains (id),
    name TEXT NOT NULL, description TEXT NOT NULL DEFAULT '', UNIQUE (domain_id, name)
) STRICT;
CREATE TABLE users (
    id TEXT PRIMARY KEY, domain_id TEXT NOT NULL REFERENCES domains (id),
    name TEXT NOT NULL, password_hash TEXT NOT NULL, UNIQUE (domain_id, name)
) STRICT;
CREATE TABLE members (
    user_id TEXT NOT NULL REFERENCES users (id), project_id TEXT NOT NULL REFERENCES projects (id),
    PRIMARY KEY (user_id, project_id)
) STRICT;
-- Only hashes of tokens are kept.
CREATE TABLE tokens (
    hash BLOB PRIMARY KEY, user_id TEXT NOT NULL REFERENCES users (id),
    project_id TEXT REFERENCES projects (id), domain_scope INTEGER NOT NULL,
    issued INTEGER NOT NULL, expires INTEGER NOT NULL
) STRICT;
-- Secrets are needed to verify signatures, so they are sealed under the instance key.
CREATE TABLE access_keys (
    access TEXT PRIMARY KEY, user_id TEXT NOT NULL REFERENCES users (id), sealed BLOB NOT NULL
) STRICT;
CREATE TABLE graphs (
    id TEXT PRIMARY KEY, project_id TEXT NOT NULL REFERENCES projects (id), name TEXT NOT NULL,
    status INTEGER NOT NULL, size_index TEXT NOT NULL, schema_mode TEXT NOT NULL,
    created_by TEXT NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL,
    fields TEXT NOT NULL, files TEXT NOT NULL DEFAULT '{}'
) STRICT;
-- Status 400 is a deleted graph: its name is free again.
CREATE UNIQUE INDEX graph_names ON graphs (project_id, lower(name)) WHERE status <> 400;
CREATE TABLE jobs (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, project_id TEXT NOT NULL, graph_id TEXT NOT NULL,
    graph_name TEXT NOT NULL, name TEXT NOT NULL, status TEXT NOT NULL, started INTEGER NOT NULL,
    ended INTEGER, fail_reason TEXT, progress REAL NOT NULL DEFAULT 0, detail TEXT,
    -- The graph's last commit before the job, by which recovery sees whether its work was done.
    lsn_before INTEGER
) STRICT;
CREATE INDEX jobs_of_project ON jobs (project_id, seq);
CREATE INDEX jobs_alive ON jobs (status) WHERE status IN ('pending', 'running');
CREATE TABLE backups (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, project_id TEXT NOT NULL, graph_id TEXT NOT NULL,
    graph_name TEXT NOT NULL, name TEXT NOT NULL, method TEXT NOT NULL, status TEXT NOT NULL,
    started INTEGER NOT NULL, ended INTEGER, bytes INTEGER, job_id TEXT
) STRICT;
CREATE INDEX backups_of_graph ON backups (graph_id, seq);
CREATE TABLE metadata (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, project_id TEXT NOT NULL, name TEXT NOT NULL,
    description TEXT NOT NULL, path TEXT NOT NULL, labels TEXT NOT NULL,
    created INTEGER NOT NULL, updated INTEGER NOT NULL, encrypted INTEGER NOT NULL, master_key_id TEXT NOT NULL,
    UNIQUE (project_id, name)
) STRICT;
