//! Every operation of the HTTP surface.

/// One method of one route.
#[derive(Debug, Clone, Copy)]
pub(super) struct Operation {
    pub(super) method: &'static str,
    /// As the router has it.
    pub(super) path: &'static str,
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    pub(super) query: &'static [Query],
    pub(super) body: Payload,
    pub(super) needs_body: bool,
    pub(super) status: u16,
    pub(super) answer: Payload,
    /// Needs no credentials, although its neighbours do.
    pub(super) public: bool,
    /// Statuses of refusals besides those that every neighbour has.
    pub(super) refuses: &'static [u16],
}

/// What a request or an answer carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Payload {
    None,
    /// The name of a schema.
    Json(&'static str),
    Bytes,
    Text,
}

/// A parameter behind the question mark.
#[derive(Debug, Clone, Copy)]
pub(super) struct Query {
    pub(super) name: &'static str,
    pub(super) required: bool,
    pub(super) sort: Sort,
}

/// What a parameter's value may be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sort {
    Text,
    Count { least: u32 },
    Flag,
    Day,
    OneOf(&'static [&'static str]),
}

const fn operation(
    method: &'static str,
    path: &'static str,
    id: &'static str,
    summary: &'static str,
) -> Operation {
    Operation {
        method,
        path,
        id,
        summary,
        query: &[],
        body: Payload::None,
        needs_body: false,
        status: 200,
        answer: Payload::Json("Any"),
        public: false,
        refuses: &[],
    }
}

const fn get(path: &'static str, id: &'static str, summary: &'static str) -> Operation {
    operation("get", path, id, summary)
}

const fn head(path: &'static str, id: &'static str, summary: &'static str) -> Operation {
    operation("head", path, id, summary).gives(200, Payload::None)
}

const fn post(path: &'static str, id: &'static str, summary: &'static str) -> Operation {
    operation("post", path, id, summary)
}

const fn put(path: &'static str, id: &'static str, summary: &'static str) -> Operation {
    operation("put", path, id, summary)
}

const fn patch(path: &'static str, id: &'static str, summary: &'static str) -> Operation {
    operation("patch", path, id, summary)
}

const fn delete(path: &'static str, id: &'static str, summary: &'static str) -> Operation {
    operation("delete", path, id, summary)
}

impl Operation {
    const fn asks(self, query: &'static [Query]) -> Self {
        Self { query, ..self }
    }

    /// Must be sent.
    const fn takes(self, schema: &'static str) -> Self {
        Self { body: Payload::Json(schema), needs_body: true, ..self }
    }

    /// May be sent.
    const fn may_take(self, schema: &'static str) -> Self {
        Self { body: Payload::Json(schema), ..self }
    }

    const fn takes_bytes(self) -> Self {
        Self { body: Payload::Bytes, needs_body: true, ..self }
    }

    const fn answers(self, schema: &'static str) -> Self {
        Self { answer: Payload::Json(schema), ..self }
    }

    const fn gives(self, status: u16, answer: Payload) -> Self {
        Self { status, answer, ..self }
    }

    const fn refuses(self, refuses: &'static [u16]) -> Self {
        Self { refuses, ..self }
    }

    const fn open(self) -> Self {
        Self { public: true, ..self }
    }
}

const fn may(name: &'static str, sort: Sort) -> Query {
    Query { name, required: false, sort }
}

const fn must(name: &'static str, sort: Sort) -> Query {
    Query { name, required: true, sort }
}

const OFFSET: Query = may("offset", Sort::Count { least: 0 });
const LIMIT: Query = may("limit", Sort::Count { least: 1 });
const PAGE: &[Query] = &[OFFSET, LIMIT];
const JOB_FILTER: &[Query] = &[
    OFFSET,
    LIMIT,
    may("status", Sort::OneOf(&["pending", "waiting", "running", "success", "failed"])),
    may("graph_name", Sort::Text),
    may("start_time", Sort::Day),
    may("end_time", Sort::Day),
];
const PROJECT_FILTER: &[Query] = &[
    may("page", Sort::Count { least: 1 }),
    may("per_page", Sort::Count { least: 1 }),
    may("name", Sort::Text),
    may("domain_id", Sort::Text),
    may("parent_id", Sort::Text),
    may("enabled", Sort::Flag),
    may("is_domain", Sort::Flag),
];
const NO_CATALOG: &[Query] = &[may("nocatalog", Sort::Text)];
const EDGE: &[Query] = &[
    must("source", Sort::Text),
    must("target", Sort::Text),
    may("index", Sort::Count { least: 0 }),
    may("label", Sort::Text),
];
const EDGES_TO_DELETE: &[Query] = &[
    must("source", Sort::Text),
    must("target", Sort::Text),
    may("index", Sort::Count { least: 0 }),
    may("label", Sort::Text),
    may("property", Sort::Text),
    may("value", Sort::Text),
];
const BATCH: &[Query] = &[must("action_id", Sort::OneOf(&["batch-query", "batch-add", "batch-delete"]))];
const CHANGE_ONE: &[Query] = &[must("action_id", Sort::OneOf(&["update", "add", "del"]))];
const CHANGE_BATCH: &[Query] = &[must("action_id", Sort::OneOf(&["batch-update", "batch-add", "batch-del"]))];
const CHANGE_EDGES: &[Query] = &[
    must("action_id", Sort::OneOf(&["update", "add", "del", "batch-update", "batch-add", "batch-del"])),
    may("source", Sort::Text),
    may("target", Sort::Text),
    may("index", Sort::Count { least: 0 }),
];

const OBJECT_PAGE: &[Query] = &[may("prefix", Sort::Text), may("marker", Sort::Text), LIMIT];

const CREDENTIALS: &[u16] = &[401, 403];
const GONE: &[u16] = &[404];
/// A key that is a folder, or the other way around.
const CONFLICT: &[u16] = &[409];

/// The whole table, in the order of the document.
pub(super) const OPERATIONS: &[Operation] = &[
    // Probes, metrics, this document.
    get("/healthz", "isAlive", "Whether the process lives"),
    get("/readyz", "isReady", "Whether recovery is done and requests are accepted"),
    get("/metrics", "readMetrics", "Numbers for Prometheus").gives(200, Payload::Text).refuses(CREDENTIALS),
    get("/openapi.json", "describe", "This document"),
    // Identity.
    get("/v3", "showIdentityVersion", "The version of the identity interface"),
    get("/v3/", "showIdentityVersionBelow", "The same"),
    post("/v3/auth/tokens", "logIn", "A token for a password; it comes in X-Subject-Token")
        .asks(NO_CATALOG)
        .takes("LogIn")
        .gives(201, Payload::Json("Token"))
        .open(),
    get("/v3/auth/tokens", "examineToken", "The token in X-Subject-Token").asks(NO_CATALOG).answers("Token"),
    head("/v3/auth/tokens", "checkToken", "Whether the token in X-Subject-Token is good"),
    delete("/v3/auth/tokens", "revokeToken", "Ends the token in X-Subject-Token").gives(204, Payload::None),
    get("/v3/projects", "listProjects", "Projects of the caller").asks(PROJECT_FILTER).answers("ProjectList"),
    get("/v3/auth/projects", "listOwnProjects", "The same").asks(PROJECT_FILTER).answers("ProjectList"),
    get("/v3/auth/domains", "listOwnDomains", "The caller's account").answers("DomainList"),
    post("/v3/users/{user}/password", "changePassword", "A new password for the old one")
        .takes("NewPassword")
        .gives(204, Payload::None)
        .open(),
    get("/v3/auth/catalog", "showCatalog", "Where the services are"),
    post("/v3/projects", "createProject", "Create a project")
        .takes("NewProject")
        .gives(201, Payload::Json("OneProject")),
    get("/v3/projects/{project}", "showProject", "One project").answers("OneProject"),
    patch("/v3/projects/{project}", "changeProject", "Change a project")
        .takes("ChangedProject")
        .answers("OneProject"),
    delete("/v3/projects/{project}", "deleteProject", "Delete an empty project").gives(204, Payload::None),
    get("/v3/domains", "listDomains", "The account").answers("DomainList"),
    get("/v3/domains/{domain}", "showDomain", "The account, by id").answers("OneDomain"),
    get("/v3/users", "listUsers", "List users").answers("UserList"),
    post("/v3/users", "createUser", "Create a user").takes("NewUser").gives(201, Payload::Json("OneUser")),
    get("/v3/users/{user}", "showUser", "One user").answers("OneUser"),
    patch("/v3/users/{user}", "changeUser", "Change a user").takes("ChangedUser").answers("OneUser"),
    delete("/v3/users/{user}", "deleteUser", "Delete a user").gives(204, Payload::None),
    get("/v3/users/{user}/groups", "listGroupsOfUser", "Groups of a user").answers("GroupList"),
    get("/v3/users/{user}/projects", "listProjectsOfUser", "Projects of a user")
        .asks(PROJECT_FILTER)
        .answers("ProjectList"),
    get("/v3/groups", "listGroups", "List groups").answers("GroupList"),
    post("/v3/groups", "createGroup", "Create a group")
        .takes("NewGroup")
        .gives(201, Payload::Json("OneGroup")),
    get("/v3/groups/{group}", "showGroup", "One group").answers("OneGroup"),
    patch("/v3/groups/{group}", "changeGroup", "Change a group").takes("ChangedGroup").answers("OneGroup"),
    delete("/v3/groups/{group}", "deleteGroup", "Delete a group").gives(204, Payload::None),
    get("/v3/groups/{group}/users", "listMembers", "Users of a group").answers("UserList"),
    get("/v3/groups/{group}/users/{user}", "checkMember", "Whether a user is in a group")
        .gives(204, Payload::None),
    put("/v3/groups/{group}/users/{user}", "addMember", "Put a user into a group").gives(204, Payload::None),
    delete("/v3/groups/{group}/users/{user}", "removeMember", "Take a user out of a group")
        .gives(204, Payload::None),
    get("/v3/roles", "listRoles", "List roles").answers("RoleList"),
    get("/v3/roles/{role}", "showRole", "One role").answers("OneRole"),
    get("/v3.0/OS-ROLE/roles", "listCustomRoles", "The same").answers("RoleList"),
    post("/v3.0/OS-ROLE/roles", "createRole", "Create a role with a policy")
        .takes("NewRole")
        .gives(201, Payload::Json("OneRole")),
    get("/v3.0/OS-ROLE/roles/{role}", "showCustomRole", "One role").answers("OneRole"),
    patch("/v3.0/OS-ROLE/roles/{role}", "changeRole", "Change a role")
        .takes("ChangedRole")
        .answers("OneRole"),
    delete("/v3.0/OS-ROLE/roles/{role}", "deleteRole", "Delete a role").gives(204, Payload::None),
    get("/v3/role_assignments", "listAssignments", "Who has which role where"),
    get(
        "/v3/projects/{project}/users/{user}/roles",
        "listRolesOfUserInProject",
        "Roles of a user in a project",
    )
    .answers("RoleList"),
    get(
        "/v3/projects/{project}/users/{user}/roles/{role}",
        "checkRoleOfUserInProject",
        "Whether a user has a role in a project",
    )
    .gives(204, Payload::None),
    put(
        "/v3/projects/{project}/users/{user}/roles/{role}",
        "assignRoleOfUserInProject",
        "Give a user a role in a project",
    )
    .gives(204, Payload::None),
    delete("/v3/projects/{project}/users/{user}/roles/{role}", "withdrawRoleOfUserInProject", "Take it away")
        .gives(204, Payload::None),
    get(
        "/v3/projects/{project}/groups/{group}/roles",
        "listRolesOfGroupInProject",
        "Roles of a group in a project",
    )
    .answers("RoleList"),
    get(
        "/v3/projects/{project}/groups/{group}/roles/{role}",
        "checkRoleOfGroupInProject",
        "Whether a group has a role in a project",
    )
    .gives(204, Payload::None),
    put(
        "/v3/projects/{project}/groups/{group}/roles/{role}",
        "assignRoleOfGroupInProject",
        "Give a group a role in a project",
    )
    .gives(204, Payload::None),
    delete(
        "/v3/projects/{project}/groups/{group}/roles/{role}",
        "withdrawRoleOfGroupInProject",
        "Take it away",
    )
    .gives(204, Payload::None),
    get("/v3/domains/{domain}/users/{user}/roles", "listRolesOfUserInDomain", "Roles of a user in a domain")
        .answers("RoleList"),
    get(
        "/v3/domains/{domain}/users/{user}/roles/{role}",
        "checkRoleOfUserInDomain",
        "Whether a user has a role in a domain",
    )
    .gives(204, Payload::None),
    put(
        "/v3/domains/{domain}/users/{user}/roles/{role}",
        "assignRoleOfUserInDomain",
        "Give a user a role in a domain",
    )
    .gives(204, Payload::None),
    delete("/v3/domains/{domain}/users/{user}/roles/{role}", "withdrawRoleOfUserInDomain", "Take it away")
        .gives(204, Payload::None),
    get(
        "/v3/domains/{domain}/groups/{group}/roles",
        "listRolesOfGroupInDomain",
        "Roles of a group in a domain",
    )
    .answers("RoleList"),
    get(
        "/v3/domains/{domain}/groups/{group}/roles/{role}",
        "checkRoleOfGroupInDomain",
        "Whether a group has a role in a domain",
    )
    .gives(204, Payload::None),
    put(
        "/v3/domains/{domain}/groups/{group}/roles/{role}",
        "assignRoleOfGroupInDomain",
        "Give a group a role in a domain",
    )
    .gives(204, Payload::None),
    delete("/v3/domains/{domain}/groups/{group}/roles/{role}", "withdrawRoleOfGroupInDomain", "Take it away")
        .gives(204, Payload::None),
    get("/v3.0/OS-CREDENTIAL/credentials", "listKeys", "Access keys of a user")
        .asks(&[may("user_id", Sort::Text)])
        .answers("CredentialList"),
    post("/v3.0/OS-CREDENTIAL/credentials", "createKey", "An access key; its secret is in this answer only")
        .may_take("NewCredential")
        .gives(201, Payload::Json("OneCredential")),
    get("/v3.0/OS-CREDENTIAL/credentials/{access}", "showKey", "One access key").answers("OneCredential"),
    put("/v3.0/OS-CREDENTIAL/credentials/{access}", "changeKey", "Switch an access key on or off")
        .takes("ChangedCredential")
        .answers("OneCredential"),
    delete("/v3.0/OS-CREDENTIAL/credentials/{access}", "deleteKey", "Delete an access key")
        .gives(204, Payload::None),
    get("/gestalt/v1/calls", "listCalls", "Every call and the action it needs").refuses(CREDENTIALS),
    get("/gestalt/v1/audit", "readAudit", "Who did what")
        .asks(&[may("from", Sort::Count { least: 1 }), LIMIT])
        .refuses(CREDENTIALS),
    // Graphs.
    get("/v2/{project}/graphs", "listGraphs", "List graphs").asks(PAGE).answers("GraphList"),
    post("/v2/{project}/graphs", "createGraph", "Create a graph").takes("NewGraph").answers("GraphName"),
    get("/v2/{project}/graphs/quotas", "showQuotas", "What is left of the quotas").answers("Quotas"),
    get("/v2/{project}/graphs/{graph}", "showGraph", "One graph").answers("OneGraph").refuses(GONE),
    delete("/v2/{project}/graphs/{graph}", "deleteGraph", "Delete a graph")
        .asks(&[may("keep_backup", Sort::Flag)])
        .may_take("Any")
        .answers("JobId"),
    post("/v2/{project}/graphs/{graph}/start", "startGraph", "Start a graph, as it was or from a backup")
        .may_take("Start")
        .answers("JobId"),
    post("/v2/{project}/graphs/{graph}/stop", "stopGraph", "Stop a graph").may_take("Any").answers("JobId"),
    post("/v2/{project}/graphs/{graph}/restart", "restartGraph", "Restart a graph")
        .may_take("Any")
        .answers("JobId"),
    post("/v2/{project}/graphs/{graph}/clear-graph", "clearGraph", "Remove all vertices and edges")
        .asks(&[may("clear_metadata", Sort::Flag)])
        .may_take("Any")
        .answers("JobId"),
    post("/v2/{project}/graphs/{graph}/import-graph", "importGraph", "Import files of the object area")
        .takes("Import")
        .answers("JobId"),
    post("/v2/{project}/graphs/{graph}/export-graph", "exportGraph", "Export to the object area")
        .takes("Export")
        .answers("JobId"),
    // Backups.
    get("/v2/{project}/graphs/backups", "listBackups", "Backups of all graphs")
        .asks(PAGE)
        .answers("BackupList"),
    get("/v2/{project}/graphs/{graph}/backups", "listBackupsOfGraph", "Backups of one graph")
        .asks(PAGE)
        .answers("BackupList"),
    post("/v2/{project}/graphs/{graph}/backups", "addBackup", "Add a backup")
        .may_take("Any")
        .answers("NewBackup"),
    delete("/v2/{project}/graphs/{graph}/backups/{backup}", "deleteBackup", "Delete a backup")
        .answers("Empty"),
    post("/v2/{project}/graphs/{graph}/backups/export", "exportBackup", "Copy a backup to a bucket")
        .takes("BackupExport")
        .answers("JobId"),
    post("/v2/{project}/graphs/{graph}/backups/import", "importBackup", "Take a backup in from a bucket")
        .takes("BackupImport")
        .answers("NewBackup"),
    get("/v2/{project}/graphs/{graph}/backup-files", "listBackupFiles", "Download links of a backup")
        .asks(&[must("backup_id", Sort::Text)])
        .answers("BackupFiles"),
    get("/v2/{project}/graphs/{graph}/backup-policy", "showBackupPolicy", "Automatic backups of a graph")
        .answers("BackupPolicyInForce"),
    put(
        "/v2/{project}/graphs/{graph}/backup-policy",
        "changeBackupPolicy",
        "Set automatic backups of a graph",
    )
    .takes("BackupPolicy")
    .answers("BackupPolicyInForce"),
    get("/obs/backup-links/{project}/{graph}/{backup}/{*name}", "downloadBackupFile", "A file of a backup")
        .gives(200, Payload::Bytes)
        .refuses(GONE)
        .open(),
    // Size, network and scenes.
    post("/v2/{project}/graphs/{graph}/resize", "resizeGraph", "Another edge quota")
        .takes("Resize")
        .answers("JobId"),
    post("/v2/{project}/graphs/{graph}/expand", "expandGraph", "Record more replicas")
        .takes("Expand")
        .answers("JobId"),
    post("/v2/{project}/graphs/{graph}/upgrade", "upgradeGraph", "Move a graph to another version")
        .takes("Upgrade"),
    post("/v2/{project}/graphs/{graph}/bind-eip", "bindEip", "Record an EIP").takes("Eip").answers("Empty"),
    post("/v2/{project}/graphs/{graph}/unbind-eip", "unbindEip", "Forget an EIP")
        .takes("Eip")
        .answers("Empty"),
    post("/v2/{project}/graphs/{graph}/sg/change", "changeSecurityGroup", "Record a security group")
        .takes("SecurityGroup")
        .answers("Empty"),
    get("/v2/{project}/graphs/scenes", "listScenes", "Scenes there are: none").answers("SceneList"),
    post("/v2/{project}/graphs/{graph}/scenes/register", "registerScenes", "Register scenes").takes("Scenes"),
    post("/v2/{project}/graphs/{graph}/scenes/unregister", "unregisterScenes", "Unregister scenes")
        .takes("Scenes")
        .answers("UnregisteredScenes"),
    // The task centre.
    get("/v2/{project}/graphs/jobs", "listJobs", "The task centre").asks(JOB_FILTER).answers("JobList"),
    get("/v2/{project}/graphs/{graph}/jobs/{job}/status", "showJob", "One job").answers("Job"),
    // Metadata.
    get("/v2/{project}/graphs/metadatas", "listMetadata", "List metadata").asks(PAGE).answers("MetadataList"),
    post("/v2/{project}/graphs/metadatas", "createMetadata", "Create metadata")
        .takes("NewMetadata")
        .answers("MetadataName"),
    get("/v2/{project}/graphs/metadatas/{metadata}", "showMetadata", "One metadata").answers("OneMetadata"),
    delete("/v2/{project}/graphs/metadatas/{metadata}", "deleteMetadata", "Delete metadata").answers("Empty"),
    post(
        "/v2/{project}/graphs/metadata/upload-from-obs",
        "uploadMetadata",
        "Metadata from a file of the object area",
    )
    .takes("MetadataFile")
    .answers("MetadataName"),
    get("/v1.0/{project}/graphs/metadatas/{metadata}", "showMetadataV1", "One metadata, the older way"),
    // The object area.
    get("/obs/{bucket}", "listObjects", "Objects of a bucket")
        .asks(OBJECT_PAGE)
        .refuses(GONE)
        .answers("ObjectList"),
    get("/obs/{bucket}/", "listObjectsBelow", "The same")
        .asks(OBJECT_PAGE)
        .refuses(GONE)
        .answers("ObjectList"),
    get("/obs/{bucket}/{*key}", "readObject", "An object's bytes").gives(200, Payload::Bytes).refuses(GONE),
    head("/obs/{bucket}/{*key}", "checkObject", "An object's size").refuses(GONE),
    put("/obs/{bucket}/{*key}", "writeObject", "Store an object").takes_bytes().refuses(CONFLICT),
    delete("/obs/{bucket}/{*key}", "deleteObject", "Remove an object")
        .gives(204, Payload::None)
        .refuses(GONE),
    // The data plane.
    get("/ges/v1.0/{project_id}/graphs/{graph}/summary", "showSummary", "Counts and the content root")
        .asks(&[may("label_details", Sort::Flag)])
        .answers("Summary"),
    get("/ges/v1.0/{project_id}/graphs/{graph}/version", "showVersion", "The engine's version"),
    get("/ges/v1.0/{project_id}/graphs/{graph}/schema", "showSchema", "All labels, or one")
        .asks(&[may("label", Sort::Text)]),
    post("/ges/v1.0/{project_id}/graphs/{graph}/schema/labels", "addLabel", "Add a label").takes("Label"),
    post("/ges/v1.0/{project_id}/graphs/{graph}/schema/labels/action", "addLabels", "Add labels")
        .asks(&[must("action_id", Sort::OneOf(&["batch-add"]))])
        .takes("Labels"),
    post(
        "/ges/v1.0/{project_id}/graphs/{graph}/schema/labels/{label}/properties",
        "setProperties",
        "Append or replace properties of a label",
    )
    .takes("Properties"),
    post("/ges/v1.0/{project_id}/graphs/{graph}/vertices", "addVertex", "Add a vertex").takes("NewVertex"),
    get("/ges/v1.0/{project_id}/graphs/{graph}/vertices/detail", "showVertices", "Vertices by id")
        .asks(&[must("vertexIds", Sort::Text)]),
    delete(
        "/ges/v1.0/{project_id}/graphs/{graph}/vertices/detail",
        "deleteVertexDetail",
        "The vertex `detail`",
    ),
    post(
        "/ges/v1.0/{project_id}/graphs/{graph}/vertices/action",
        "batchVertices",
        "Query, add or delete vertices",
    )
    .asks(BATCH)
    .takes("Vertices"),
    delete(
        "/ges/v1.0/{project_id}/graphs/{graph}/vertices/action",
        "deleteVertexAction",
        "The vertex `action`",
    ),
    post(
        "/ges/v1.0/{project_id}/graphs/{graph}/vertices/properties/action",
        "changeVertices",
        "Change properties of vertices",
    )
    .asks(CHANGE_BATCH)
    .takes("Vertices"),
    delete("/ges/v1.0/{project_id}/graphs/{graph}/vertices/{vertex}", "deleteVertex", "Delete a vertex"),
    post(
        "/ges/v1.0/{project_id}/graphs/{graph}/vertices/{vertex}/properties/action",
        "changeVertex",
        "Change properties of a vertex",
    )
    .asks(CHANGE_ONE)
    .takes("Change"),
    post(
        "/ges/v1.0/{project_id}/graphs/{graph}/vertices/{vertex}/labels",
        "addVertexLabel",
        "Label a vertex",
    )
    .takes("LabelName"),
    delete(
        "/ges/v1.0/{project_id}/graphs/{graph}/vertices/{vertex}/labels/{label}",
        "removeVertexLabel",
        "Take a label from a vertex",
    ),
    post("/ges/v1.0/{project_id}/graphs/{graph}/edges", "addEdge", "Add an edge").takes("NewEdge"),
    delete("/ges/v1.0/{project_id}/graphs/{graph}/edges", "deleteEdges", "Delete edges between two vertices")
        .asks(EDGES_TO_DELETE),
    get("/ges/v1.0/{project_id}/graphs/{graph}/edges/detail", "showEdges", "Edges between two vertices")
        .asks(EDGE),
    post("/ges/v1.0/{project_id}/graphs/{graph}/edges/action", "batchEdges", "Query, add or delete edges")
        .asks(BATCH)
        .takes("Edges"),
    post(
        "/ges/v1.0/{project_id}/graphs/{graph}/edges/properties/action",
        "changeEdges",
        "Change properties of edges",
    )
    .asks(CHANGE_EDGES)
    .takes("Any"),
];
