//! Who may do what, and that nobody reaches what belongs to another project.

use harness::{Client, Graph, Reply, Server, Value, json};

/// The table of all calls, as the server tells it.
fn calls(admin: &Client) -> Vec<(String, String, String)> {
    let calls = admin.get("/gestalt/v1/calls").ok()["calls"].as_array().expect("a list").clone();
    let word = |call: &Value, key: &str| call[key].as_str().expect("a word").to_owned();
    calls.iter().map(|call| (word(call, "method"), word(call, "path"), word(call, "needs"))).collect()
}

/// A project with one of everything, none of which a stranger may see.
struct Household {
    admin: Client,
    graph: Graph,
    parts: Vec<(&'static str, String)>,
}

const SECRET: &str = "family_silver";

impl Household {
    fn new(server: &Server) -> Self {
        let admin = server.admin();
        let graph = admin.create_open_graph(SECRET);
        graph.data_post("/vertices", json!({"vertex": "v1", "label": SECRET, "properties": {}})).ok();
        let backup = graph.add_backup();
        admin.upload("house/some/key", SECRET);
        let metadata = json!({
            "name": SECRET, "metadata_path": "house/some.xml", "description": SECRET, "is_overwrite": false,
            "ges_metadata": {"labels": [{"name": SECRET, "properties": []}]},
        });
        let metadata = admin.post("/v2/{p}/graphs/metadatas", metadata).ok();
        let role = admin.create_role("house", json!([{"Effect": "Allow", "Action": ["ges:*:*"]}]));
        let group = admin.created("/v3/groups", "group", json!({"name": "household"}));
        let credentials = server.credentials();
        let me = admin.get("/v3/users?name=admin").ok()["users"][0].clone();
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let parts = vec![
            ("{project}", admin.project.clone()),
            ("{project_id}", admin.project.clone()),
            ("{graph}", graph.id.clone()),
            ("{backup}", backup.id),
            ("{job}", backup.job_id),
            ("{metadata}", text(&metadata["id"])),
            ("{vertex}", "v1".into()),
            ("{label}", "l".into()),
            ("{*name}", "index.json".into()),
            ("{bucket}", "house".into()),
            ("{*key}", "some/key".into()),
            ("{user}", text(&me["id"])),
            ("{domain}", text(&me["domain_id"])),
            ("{group}", group),
            ("{role}", role),
            ("{access}", text(&credentials["access_key"])),
        ];
        Self { admin, graph, parts }
    }

    /// A path to what is here, or to the same things as if they were in another project.
    fn path(&self, pattern: &str, project: &str) -> String {
        let mut path = pattern.to_owned();
        if pattern.starts_with("/ges/") {
            path = path.replace("{graph}", SECRET);
        }
        if pattern.starts_with("/v2/") || pattern.starts_with("/v1.0/") || pattern.starts_with("/ges/") {
            path = path.replace("{project}", project).replace("{project_id}", project);
        }
        let path = self.parts.iter().fold(path, |path, (name, value)| path.replace(name, value));
        assert!(!path.contains('{'), "{pattern}: nothing stands for a part of this path");
        path
    }

    /// A body in which every call finds something that it could take.
    fn body(&self) -> Value {
        let part = |name: &str| &self.parts.iter().find(|(part, _)| *part == name).expect("a part").1;
        json!({
            "graph_backup_id": part("{backup}"), "backup_id": part("{backup}"),
            "vertex": "v2", "labels": [], "vertices": ["v1"], "edges": [],
            "credential": {"user_id": part("{user}")},
            "edgeset_path": "house/some/", "metadata_path": "house/some.xml", "graph_export_path": "house/some/",
        })
    }

    /// All that could be changed.
    fn state(&self) -> Value {
        let get = |path: &str| self.admin.get(path).ok();
        let users = get("/v3/users");
        let user = users["users"][0]["id"].as_str().expect("an id");
        json!([
            get("/v2/{p}/graphs"),
            get("/v2/{p}/graphs/backups"),
            get("/v2/{p}/graphs/metadatas"),
            get("/v2/{p}/graphs/jobs"),
            get("/obs/house"),
            self.graph.data_get("/summary").ok(),
            self.graph.data_get("/schema").ok(),
            get("/v3/users"),
            get("/v3/groups"),
            get("/v3/roles"),
            get("/v3/projects"),
            get("/v3/role_assignments"),
            get(&format!("/v3.0/OS-CREDENTIAL/credentials?user_id={user}")),
            String::from_utf8(self.admin.download("house/some/key")).expect("text"),
        ])
    }
}

#[test]
fn a_foreign_token_reveals_and_changes_nothing() {
    let server = Server::start();
    let house = Household::new(&server);
    let project = house.admin.create_project("elsewhere");
    let stranger = house.admin.user_in(&project, "eve", &["GES FullAccess"]);
    let before = house.state();
    let all = calls(&house.admin);
    assert!(all.len() > 80, "{all:?}");
    for (method, pattern, needs) in &all {
        let send = |project: &str| stranger.send(method, &house.path(pattern, project), house.body());
        let there = send(&house.admin.project);
        let in_project = needs.contains(':') && pattern.contains("{project");
        if in_project {
            assert_eq!(there.status, 400, "{there}");
            assert!(there.text().contains("GES.0016"), "{there}");
        } else if needs.contains("administrator") {
            assert_eq!(there.status, 403, "{there}");
        }
        reveals_nothing(&there, pattern);
        if in_project {
            reveals_nothing(&send(&project), pattern);
        }
    }
    assert_eq!(house.state(), before, "a stranger changed something");
    house.admin.get("/v2/{p}/graphs").ok();
}

/// The name of the graph is no secret to whoever has put it into the path.
fn reveals_nothing(reply: &Reply, pattern: &str) {
    assert!(reply.status < 500, "{reply}");
    let named = pattern.starts_with("/ges/") && reply.status >= 400;
    assert!(named || !reply.text().contains(SECRET), "{reply}");
    assert!(!reply.text().contains("admin\""), "{reply}");
}

#[test]
fn without_credentials_or_roles_everything_is_refused() {
    let server = Server::start();
    let house = Household::new(&server);
    let nobody = house.admin.create_user("nobody", "correct horse");
    house.admin.assign(&nobody, &house.admin.project, &house.admin.role("GES ReadOnlyAccess"));
    let unprivileged = house.admin.without_token().log_in("nobody", "correct horse");
    house.admin.withdraw(&nobody, &house.admin.project, &house.admin.role("GES ReadOnlyAccess"));
    let before = house.state();
    for (method, pattern, needs) in calls(&house.admin).iter().filter(|(_, _, needs)| needs != "nothing") {
        let path = house.path(pattern, &house.admin.project);
        let anonymous = house.admin.without_token().send(method, &path, house.body());
        assert_eq!(anonymous.status, 401, "{anonymous}");
        let bad = house.admin.with_token("00").send(method, &path, house.body());
        assert_eq!(bad.status, 401, "{bad}");
        if needs.contains(':') {
            let refused = unprivileged.send(method, &path, house.body());
            assert_eq!(refused.status, 403, "{refused}");
        }
    }
    assert_eq!(house.state(), before);
}

/// Each role, against every call that needs an action.
#[test]
fn a_role_opens_what_the_table_says() {
    let server = Server::start();
    let house = Household::new(&server);
    let actions = house.admin.get("/gestalt/v1/calls").ok()["actions"].as_array().expect("a list").clone();
    for (role, column) in [("GES Development", "development"), ("GES ReadOnlyAccess", "read_only")] {
        let user = house.admin.user_in(&house.admin.project, column, &[role]);
        for (method, pattern, needs) in calls(&house.admin).iter().filter(|(_, _, needs)| needs.contains(':'))
        {
            let action = actions.iter().find(|action| action["action"] == needs.as_str()).expect("an action");
            // Nothing that exists is named, so what is allowed finds nothing to change.
            let path = pattern.replace("{project}", "{p}").replace("{project_id}", "{p}");
            let path = path.replace(['{', '}', '*'], "").replace("/p/", "/{p}/");
            let reply = user.send(method, &path, json!({"nothing": 1}));
            let allowed = action[column].as_bool().expect("a flag");
            assert_eq!(reply.status != 403, allowed, "{role}, {needs}: {reply}");
            if !allowed {
                let text = reply.text();
                assert!(text.contains(needs.as_str()), "the refusal names the action: {reply}");
            }
        }
    }
}

#[test]
fn levels_are_those_of_the_documents() {
    let server = Server::start();
    let admin = server.admin();
    let graph = admin.create_graph("shared");
    let as_user = |name: &str, roles: &[&str]| {
        let client = admin.user_in(&admin.project, name, roles);
        Graph { client, ..graph.clone() }
    };
    let (developer, reader) =
        (as_user("dev", &["GES Development"]), as_user("read", &["GES ReadOnlyAccess"]));
    let operator = as_user("oper", &["GES ReadOnlyAccess", "GES GraphAccess"]);

    assert_eq!(reader.status(), "200");
    assert!(reader.post("/backups", ()).refused(403, "GES.7041").contains("ges:backup:create"));
    reader.post("/stop", ()).refused(403, "GES.7041");
    reader.data_get("/summary").refused(403, "GES.8020");
    reader.client.get("/obs/some").refused(404, "OBS.0003");
    reader.client.put("/obs/some/key", "x").refused(403, "APIGW.0306");

    developer.client.upload("some/key", "x");
    developer.post("/backups", ()).ok();
    developer.delete("").refused(403, "GES.7041");
    developer.data_get("/summary").refused(403, "GES.8020");
    developer.client.post("/v2/{p}/graphs", json!({})).refused(403, "GES.7041");

    operator.data_get("/summary").ok();
    operator.post("/backups", ()).refused(403, "GES.7041");
    assert_eq!(graph.status(), "200");
}

#[test]
fn policies_tell_graphs_apart_and_deny() {
    let server = Server::start();
    let admin = server.admin();
    let (team, other) = (admin.create_graph("team_one"), admin.create_graph("other"));
    let role = admin.create_role(
        "team",
        json!([
            {"Effect": "Allow", "Action": ["ges:graph:get*", "ges:graph:access", "ges:backup:*", "ges:jobs:*"],
             "Resource": ["ges:*:*:graphName:Team_*"]},
            {"Effect": "Deny", "Action": ["ges:backup:delete"]},
        ]),
    );
    let user = admin.create_user("bob", "correct horse");
    admin.assign(&user, &admin.project, &role);
    let client = admin.without_token().log_in("bob", "correct horse");
    let mine = |graph: &Graph| Graph { client: client.clone(), ..graph.clone() };
    let (team, other) = (mine(&team), mine(&other));
    team.data_get("/summary").ok();
    let backup = team.add_backup();
    team.delete(&format!("/backups/{}", backup.id)).refused(403, "GES.7041");
    other.get("").refused(403, "GES.7041");
    other.data_get("/summary").refused(403, "GES.8020");
    client.get("/v2/{p}/graphs").refused(403, "GES.7041");

    // A change of the policy holds at once, for tokens that are out already.
    let policy = json!({"Version": "1.1", "Statement": [{"Effect": "Allow", "Action": ["ges:graph:list"]}]});
    let changed =
        admin.send("PATCH", &format!("/v3.0/OS-ROLE/roles/{role}"), json!({"role": {"policy": policy}}));
    assert_eq!(changed.ok()["role"]["policy"], policy);
    client.get("/v2/{p}/graphs").ok();
    team.data_get("/summary").refused(403, "GES.8020");
    admin.delete(&format!("/v3.0/OS-ROLE/roles/{role}")).done();
    client.get("/v2/{p}/graphs").refused(403, "GES.7041");
}
