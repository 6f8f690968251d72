ALTER TABLE users ADD COLUMN enabled INTEGER NOT NULL DEFAULT 1;
ALTER TABLE users ADD COLUMN description TEXT NOT NULL DEFAULT '';
ALTER TABLE projects ADD COLUMN enabled INTEGER NOT NULL DEFAULT 1;
ALTER TABLE tokens ADD COLUMN method TEXT NOT NULL DEFAULT 'password';
ALTER TABLE access_keys ADD COLUMN created INTEGER NOT NULL DEFAULT 0;
ALTER TABLE access_keys ADD COLUMN active INTEGER NOT NULL DEFAULT 1;
ALTER TABLE access_keys ADD COLUMN description TEXT NOT NULL DEFAULT '';
CREATE TABLE groups (
    id TEXT PRIMARY KEY, domain_id TEXT NOT NULL REFERENCES domains (id),
    name TEXT NOT NULL, description TEXT NOT NULL DEFAULT '', UNIQUE (domain_id, name)
) STRICT;
CREATE TABLE group_members (
    group_id TEXT NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE, PRIMARY KEY (group_id, user_id)
) STRICT;
-- Roles that administrators made. Those that are built in stand in the program.
CREATE TABLE roles (
    id TEXT PRIMARY KEY, domain_id TEXT NOT NULL REFERENCES domains (id),
    name TEXT NOT NULL, description TEXT NOT NULL, policy TEXT NOT NULL, UNIQUE (domain_id, name)
) STRICT;
-- Who (a user or a group) has which role where (in a project, or in an account and so in each of
-- its projects). Ids are random, so one column holds either kind.
CREATE TABLE assignments (
    actor TEXT NOT NULL, target TEXT NOT NULL, role_id TEXT NOT NULL, PRIMARY KEY (actor, target, role_id)
) STRICT;
CREATE INDEX assignments_of_target ON assignments (target);
CREATE VIEW holdings (user_id, target, role_id) AS
    SELECT actor, target, role_id FROM assignments
    UNION
    SELECT m.user_id, a.target, a.role_id FROM group_members m JOIN assignments a ON a.actor = m.group_id;
-- Users of this schema's first form could do everything in the projects they were members of, and
-- the only one that it could make is the administrator.
INSERT INTO assignments SELECT user_id, project_id, '00000000000000000000000000000002' FROM members;
INSERT INTO assignments SELECT id, domain_id, '00000000000000000000000000000001' FROM users;
DROP TABLE members;
-- The last record of the audit that is known to be on the disk. Audit files that end before it
-- have been cut.
CREATE TABLE audit_anchor (one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL, mac TEXT NOT NULL) STRICT;
