//! Who may do what: the table of all calls with what each of them needs, and the table of all
//! actions with the roles that include them. A call that does not stand here is refused to
//! everybody, and a test holds the table against the router.

use std::sync::LazyLock;

use axum::http::Method;
use rustc_hash::FxHashMap;

/// What a call needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Nothing.
    Nothing,
    /// Credentials of any kind. What they show is the caller's own.
    Credentials,
    /// The user in the path, or an administrator.
    Self_,
    /// An administrator.
    Administrator,
    /// This action in the project of the path (for buckets: of the credentials).
    Action(Action),
}

macro_rules! actions {
    ($($variant:ident $name:literal $development:ident $read_only:ident;)*) => {
        /// What can be allowed or denied.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Action {
            $(#[doc = $name] $variant,)*
        }

        impl Action {
            /// All of them.
            pub(crate) const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// As policies spell it.
            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Whether "GES Development" includes it.
            pub(crate) fn in_development(self) -> bool {
                match self { $(Self::$variant => actions!(@ $development),)* }
            }

            /// Whether "GES ReadOnlyAccess" includes it.
            pub(crate) fn in_read_only(self) -> bool {
                match self { $(Self::$variant => actions!(@ $read_only),)* }
            }
        }
    };
    (@ yes) => { true };
    (@ no) => { false };
}

actions! {
    // "GES FullAccess" includes all.                Development, ReadOnlyAccess
    GraphList          "ges:graph:list"              yes yes;
    GraphShow          "ges:graph:getDetail"         yes yes;
    GraphCreate        "ges:graph:create"            no  no;
    GraphDelete        "ges:graph:delete"            no  no;
    GraphOperate       "ges:graph:operate"           yes no;
    // Resizing and expanding, which GES documents no action for.
    GraphResize        "ges:graph:resize"            no  no;
    // The whole data plane of a graph.
    GraphAccess        "ges:graph:access"            no  no;
    BackupList         "ges:backup:list"             yes yes;
    BackupCreate       "ges:backup:create"           yes no;
    BackupDelete       "ges:backup:delete"           yes no;
    // Exporting, importing, download links and the schedule, which GES documents no action for.
    BackupOperate      "ges:backup:operate"          yes no;
    MetadataList       "ges:metadata:list"           yes yes;
    MetadataShow       "ges:metadata:getDetail"      yes yes;
    MetadataCreate     "ges:metadata:create"         yes no;
    MetadataDelete     "ges:metadata:delete"         yes no;
    MetadataOperate    "ges:metadata:operate"        yes no;
    JobList            "ges:jobs:list"               yes yes;
    JobShow            "ges:jobs:getDetail"          yes yes;
    BucketList         "obs:bucket:ListBucket"       yes yes;
    ObjectGet          "obs:object:GetObject"        yes yes;
    ObjectPut          "obs:object:PutObject"        yes no;
    ObjectDelete       "obs:object:DeleteObject"     yes no;
}

/// A call: method and pattern of the path.
type Call = (&'static str, &'static str);

macro_rules! data {
    ($method:literal $below:literal) => {
        (
            ($method, concat!("/ges/v1.0/{project_id}/graphs/{graph}", $below)),
            Need::Action(Action::GraphAccess),
        )
    };
}

/// Every call. HEAD is GET.
pub(crate) const CALLS: &[(Call, Need)] = &[
    (("GET", "/healthz"), Need::Nothing),
    (("GET", "/readyz"), Need::Nothing),
    (("GET", "/openapi.json"), Need::Nothing),
    // Has a rule of its own: this machine, or who brings the token for metrics.
    (("GET", "/metrics"), Need::Nothing),
    // Graphs.
    (("GET", "/v2/{project}/graphs"), Need::Action(Action::GraphList)),
    (("POST", "/v2/{project}/graphs"), Need::Action(Action::GraphCreate)),
    (("GET", "/v2/{project}/graphs/quotas"), Need::Action(Action::GraphList)),
    (("GET", "/v2/{project}/graphs/{graph}"), Need::Action(Action::GraphShow)),
    (("DELETE", "/v2/{project}/graphs/{graph}"), Need::Action(Action::GraphDelete)),
    (("POST", "/v2/{project}/graphs/{graph}/start"), Need::Action(Action::GraphOperate)),
    (("POST", "/v2/{project}/graphs/{graph}/stop"), Need::Action(Action::GraphOperate)),
    (("POST", "/v2/{project}/graphs/{graph}/restart"), Need::Action(Action::GraphOperate)),
    (("POST", "/v2/{project}/graphs/{graph}/clear-graph"), Need::Action(Action::GraphOperate)),
    (("POST", "/v2/{project}/graphs/{graph}/import-graph"), Need::Action(Action::GraphOperate)),
    (("POST", "/v2/{project}/graphs/{graph}/export-graph"), Need::Action(Action::GraphOperate)),
    (("GET", "/v2/{project}/graphs/scenes"), Need::Action(Action::GraphList)),
    (("POST", "/v2/{project}/graphs/{graph}/upgrade"), Need::Action(Action::GraphOperate)),
    (("POST", "/v2/{project}/graphs/{graph}/resize"), Need::Action(Action::GraphResize)),
    (("POST", "/v2/{project}/graphs/{graph}/expand"), Need::Action(Action::GraphResize)),
    (("POST", "/v2/{project}/graphs/{graph}/bind-eip"), Need::Action(Action::GraphOperate)),
    (("POST", "/v2/{project}/graphs/{graph}/unbind-eip"), Need::Action(Action::GraphOperate)),
    (("POST", "/v2/{project}/graphs/{graph}/sg/change"), Need::Action(Action::GraphOperate)),
    (("POST", "/v2/{project}/graphs/{graph}/scenes/register"), Need::Action(Action::GraphOperate)),
    (("POST", "/v2/{project}/graphs/{graph}/scenes/unregister"), Need::Action(Action::GraphOperate)),
    // Backups.
    (("GET", "/v2/{project}/graphs/backups"), Need::Action(Action::BackupList)),
    (("GET", "/v2/{project}/graphs/{graph}/backups"), Need::Action(Action::BackupList)),
    (("POST", "/v2/{project}/graphs/{graph}/backups"), Need::Action(Action::BackupCreate)),
    (("DELETE", "/v2/{project}/graphs/{graph}/backups/{backup}"), Need::Action(Action::BackupDelete)),
    (("POST", "/v2/{project}/graphs/{graph}/backups/export"), Need::Action(Action::BackupOperate)),
    (("POST", "/v2/{project}/graphs/{graph}/backups/import"), Need::Action(Action::BackupOperate)),
    (("GET", "/v2/{project}/graphs/{graph}/backup-files"), Need::Action(Action::BackupOperate)),
    (("GET", "/v2/{project}/graphs/{graph}/backup-policy"), Need::Action(Action::BackupList)),
    (("PUT", "/v2/{project}/graphs/{graph}/backup-policy"), Need::Action(Action::BackupOperate)),
    // The signature in the link is the permission.
    (("GET", "/obs/backup-links/{project}/{graph}/{backup}/{*name}"), Need::Nothing),
    // The task centre.
    (("GET", "/v2/{project}/graphs/jobs"), Need::Action(Action::JobList)),
    (("GET", "/v2/{project}/graphs/{graph}/jobs/{job}/status"), Need::Action(Action::JobShow)),
    // Metadata.
    (("GET", "/v2/{project}/graphs/metadatas"), Need::Action(Action::MetadataList)),
    (("POST", "/v2/{project}/graphs/metadatas"), Need::Action(Action::MetadataCreate)),
    (("GET", "/v2/{project}/graphs/metadatas/{metadata}"), Need::Action(Action::MetadataShow)),
    (("GET", "/v1.0/{project}/graphs/metadatas/{metadata}"), Need::Action(Action::MetadataShow)),
    (("DELETE", "/v2/{project}/graphs/metadatas/{metadata}"), Need::Action(Action::MetadataDelete)),
    (("POST", "/v2/{project}/graphs/metadata/upload-from-obs"), Need::Action(Action::MetadataOperate)),
    // The data plane.
    data!("GET" "/summary"),
    data!("GET" "/version"),
    data!("GET" "/schema"),
    data!("POST" "/schema/labels"),
    data!("POST" "/schema/labels/action"),
    data!("POST" "/schema/labels/{label}/properties"),
    data!("POST" "/vertices"),
    data!("GET" "/vertices/detail"),
    data!("DELETE" "/vertices/detail"),
    data!("POST" "/vertices/action"),
    data!("DELETE" "/vertices/action"),
    data!("POST" "/vertices/properties/action"),
    data!("DELETE" "/vertices/{vertex}"),
    data!("POST" "/vertices/{vertex}/properties/action"),
    data!("POST" "/vertices/{vertex}/labels"),
    data!("DELETE" "/vertices/{vertex}/labels/{label}"),
    data!("POST" "/edges"),
    data!("DELETE" "/edges"),
    data!("GET" "/edges/detail"),
    data!("POST" "/edges/action"),
    data!("POST" "/edges/properties/action"),
    // The object area.
    (("GET", "/obs/{bucket}"), Need::Action(Action::BucketList)),
    (("GET", "/obs/{bucket}/"), Need::Action(Action::BucketList)),
    (("GET", "/obs/{bucket}/{*key}"), Need::Action(Action::ObjectGet)),
    (("PUT", "/obs/{bucket}/{*key}"), Need::Action(Action::ObjectPut)),
    (("DELETE", "/obs/{bucket}/{*key}"), Need::Action(Action::ObjectDelete)),
    // Identity: one's own.
    (("GET", "/v3"), Need::Nothing),
    (("GET", "/v3/"), Need::Nothing),
    (("POST", "/v3/auth/tokens"), Need::Nothing),
    (("GET", "/v3/auth/tokens"), Need::Credentials),
    (("DELETE", "/v3/auth/tokens"), Need::Credentials),
    (("GET", "/v3/auth/catalog"), Need::Credentials),
    (("GET", "/v3/auth/projects"), Need::Credentials),
    (("GET", "/v3/auth/domains"), Need::Credentials),
    (("GET", "/v3/projects"), Need::Credentials),
    (("GET", "/v3/projects/{project}"), Need::Credentials),
    (("GET", "/v3/users/{user}"), Need::Self_),
    (("GET", "/v3/users/{user}/groups"), Need::Self_),
    (("GET", "/v3/users/{user}/projects"), Need::Self_),
    // Who knows the old password needs nothing else: it may be expired or compromised.
    (("POST", "/v3/users/{user}/password"), Need::Nothing),
    (("GET", "/v3.0/OS-CREDENTIAL/credentials"), Need::Credentials),
    (("POST", "/v3.0/OS-CREDENTIAL/credentials"), Need::Credentials),
    (("GET", "/v3.0/OS-CREDENTIAL/credentials/{access}"), Need::Credentials),
    (("PUT", "/v3.0/OS-CREDENTIAL/credentials/{access}"), Need::Credentials),
    (("DELETE", "/v3.0/OS-CREDENTIAL/credentials/{access}"), Need::Credentials),
    // Identity: everybody's.
    (("GET", "/v3/domains"), Need::Administrator),
    (("GET", "/v3/domains/{domain}"), Need::Administrator),
    (("POST", "/v3/projects"), Need::Administrator),
    (("PATCH", "/v3/projects/{project}"), Need::Administrator),
    (("DELETE", "/v3/projects/{project}"), Need::Administrator),
    (("GET", "/v3/users"), Need::Administrator),
    (("POST", "/v3/users"), Need::Administrator),
    (("PATCH", "/v3/users/{user}"), Need::Administrator),
    (("DELETE", "/v3/users/{user}"), Need::Administrator),
    (("GET", "/v3/groups"), Need::Administrator),
    (("POST", "/v3/groups"), Need::Administrator),
    (("GET", "/v3/groups/{group}"), Need::Administrator),
    (("PATCH", "/v3/groups/{group}"), Need::Administrator),
    (("DELETE", "/v3/groups/{group}"), Need::Administrator),
    (("GET", "/v3/groups/{group}/users"), Need::Administrator),
    (("GET", "/v3/groups/{group}/users/{user}"), Need::Administrator),
    (("PUT", "/v3/groups/{group}/users/{user}"), Need::Administrator),
    (("DELETE", "/v3/groups/{group}/users/{user}"), Need::Administrator),
    (("GET", "/v3/roles"), Need::Administrator),
    (("GET", "/v3/roles/{role}"), Need::Administrator),
    (("GET", "/v3.0/OS-ROLE/roles"), Need::Administrator),
    (("POST", "/v3.0/OS-ROLE/roles"), Need::Administrator),
    (("GET", "/v3.0/OS-ROLE/roles/{role}"), Need::Administrator),
    (("PATCH", "/v3.0/OS-ROLE/roles/{role}"), Need::Administrator),
    (("DELETE", "/v3.0/OS-ROLE/roles/{role}"), Need::Administrator),
    (("GET", "/v3/role_assignments"), Need::Administrator),
    (("GET", "/v3/projects/{project}/users/{user}/roles"), Need::Administrator),
    (("GET", "/v3/projects/{project}/users/{user}/roles/{role}"), Need::Administrator),
    (("PUT", "/v3/projects/{project}/users/{user}/roles/{role}"), Need::Administrator),
    (("DELETE", "/v3/projects/{project}/users/{user}/roles/{role}"), Need::Administrator),
    (("GET", "/v3/projects/{project}/groups/{group}/roles"), Need::Administrator),
    (("GET", "/v3/projects/{project}/groups/{group}/roles/{role}"), Need::Administrator),
    (("PUT", "/v3/projects/{project}/groups/{group}/roles/{role}"), Need::Administrator),
    (("DELETE", "/v3/projects/{project}/groups/{group}/roles/{role}"), Need::Administrator),
    (("GET", "/v3/domains/{domain}/users/{user}/roles"), Need::Administrator),
    (("GET", "/v3/domains/{domain}/users/{user}/roles/{role}"), Need::Administrator),
    (("PUT", "/v3/domains/{domain}/users/{user}/roles/{role}"), Need::Administrator),
    (("DELETE", "/v3/domains/{domain}/users/{user}/roles/{role}"), Need::Administrator),
    (("GET", "/v3/domains/{domain}/groups/{group}/roles"), Need::Administrator),
    (("GET", "/v3/domains/{domain}/groups/{group}/roles/{role}"), Need::Administrator),
    (("PUT", "/v3/domains/{domain}/groups/{group}/roles/{role}"), Need::Administrator),
    (("DELETE", "/v3/domains/{domain}/groups/{group}/roles/{role}"), Need::Administrator),
    // Ours.
    (("GET", "/gestalt/v1/calls"), Need::Administrator),
    (("GET", "/gestalt/v1/audit"), Need::Administrator),
];

/// What a call needs; `None` if it does not stand in the table.
pub(crate) fn need(method: &Method, path: &str) -> Option<Need> {
    static INDEX: LazyLock<FxHashMap<Call, Need>> = LazyLock::new(|| CALLS.iter().copied().collect());
    let method = if method == Method::HEAD { "GET" } else { method.as_str() };
    INDEX.get(&(method, path)).copied()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// All calls that the router knows, as its `Debug` form tells them: for each route its methods
    /// in an `Allow` header, and its path.
    fn routed() -> BTreeSet<(String, String)> {
        let text = format!("{:?}", crate::http::routes());
        let (routes, paths) = text.split_once("node: Node").expect("routes and their paths");
        let path_of = |id: &str| {
            let (_, path) = paths.split_once(&format!("{id}: \"")).expect("a path");
            path.split_once('"').expect("an end").0.to_owned()
        };
        let mut calls = BTreeSet::new();
        for route in routes.split("RouteId(").skip(1) {
            let (number, route) = route.split_once(')').expect("a number");
            let (_, allowed) = route.rsplit_once("Bytes(b\"").expect("methods");
            let (allowed, _) = allowed.split_once('"').expect("an end");
            let path = path_of(&format!("RouteId({number})"));
            calls.extend(allowed.split(',').map(|method| (method.to_owned(), path.clone())));
        }
        calls.retain(|(method, _)| method != "HEAD");
        calls
    }

    #[test]
    fn every_call_stands_in_the_table_and_nothing_else_does() {
        let listed = CALLS.iter().map(|((method, path), _)| ((*method).to_owned(), (*path).to_owned()));
        let listed: BTreeSet<(String, String)> = listed.collect();
        assert_eq!(listed.len(), CALLS.len(), "a call stands in the table twice");
        let routed = routed();
        assert!(routed.len() > 80, "{routed:?}");
        let unlisted: Vec<_> = routed.difference(&listed).collect();
        let unrouted: Vec<_> = listed.difference(&routed).collect();
        assert!(unlisted.is_empty(), "without an entry in the table: {unlisted:#?}");
        assert!(unrouted.is_empty(), "in the table, but not routed: {unrouted:#?}");
    }

    #[test]
    fn who_is_not_asked_for_credentials() {
        let open: Vec<Call> =
            CALLS.iter().filter(|(_, need)| *need == Need::Nothing).map(|(call, _)| *call).collect();
        assert_eq!(
            open,
            [
                ("GET", "/healthz"),
                ("GET", "/readyz"),
                ("GET", "/openapi.json"),
                ("GET", "/metrics"),
                ("GET", "/obs/backup-links/{project}/{graph}/{backup}/{*name}"),
                ("GET", "/v3"),
                ("GET", "/v3/"),
                ("POST", "/v3/auth/tokens"),
                ("POST", "/v3/users/{user}/password"),
            ]
        );
        assert_eq!(need(&Method::HEAD, "/v3"), Some(Need::Nothing));
        assert_eq!(need(&Method::PUT, "/v3"), None);
    }
}
