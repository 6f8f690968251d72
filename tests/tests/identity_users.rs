//! Users, groups, projects, access keys and passwords, as administrators and users see them.

use harness::{Client, Server, Unsigned, Value, json, log_in_body, payload_hash, sdk_date};

/// A request signed with a key of a user, as the Python SDK does.
fn signed(server: &Server, client: &Client, key: &Value, method: &str, path: &str) -> harness::Reply {
    let word = |name: &str| key[name].as_str().expect("a word").to_owned();
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let (bare, query) = path.split_once('?').unwrap_or((path, ""));
    let request = Unsigned {
        method: method.into(),
        path: bare.replace("{p}", &client.project),
        query: query.into(),
        headers: vec![
            header("host", &server.url().replace("http://", "")),
            header("x-project-id", &client.project),
            header("x-sdk-date", &sdk_date(0)),
        ],
        payload: payload_hash(b""),
    };
    let authorization = request.authorization(&word("access"), &word("secret"));
    let date = request.headers[2].1.clone();
    let headers =
        [("authorization", authorization.as_str()), ("x-project-id", &client.project), ("x-sdk-date", &date)];
    client.without_token().send_with(method, path, (), &headers)
}

fn first_key(server: &Server) -> Value {
    let credentials = server.credentials();
    json!({"access": credentials["access_key"], "secret": credentials["secret_key"]})
}

#[test]
fn an_administrator_makes_users_and_projects() {
    let server = Server::start();
    let admin = server.admin();
    let project = admin.create_project("research");
    let user = admin.create_user("alice", "correct horse");
    let shown = admin.get(&format!("/v3/users/{user}")).ok()["user"].clone();
    assert_eq!((&shown["name"], &shown["enabled"]), (&json!("alice"), &json!(true)));
    assert!(!shown.to_string().contains("argon2") && shown["password"].is_null());
    assert_eq!(admin.get("/v3/users?name=alice").ok()["users"].as_array().map(Vec::len), Some(1));
    admin
        .post("/v3/users", json!({"user": {"name": "alice", "password": "correct horse"}}))
        .refused_identity(409);
    admin.post("/v3/projects", json!({"project": {"name": "research"}})).refused_identity(409);

    let outside = admin.without_token().in_project(&project);
    outside.try_log_in("alice", "correct horse").refused_identity(401);
    admin.assign(&user, &project, &admin.role("GES FullAccess"));
    let alice = outside.log_in("alice", "correct horse");
    assert_eq!(alice.get("/v2/{p}/graphs").ok()["graph_count"], 0);
    let projects = alice.get("/v3/projects").ok()["projects"].clone();
    assert_eq!(projects.as_array().map(Vec::len), Some(1), "{projects}");
    assert_eq!(projects[0]["name"], "research");
    assert_eq!(alice.get(&format!("/v3/users/{user}")).ok()["user"]["name"], "alice");
    alice.get("/v3/users").refused_identity(403);
    alice
        .post("/v3/users", json!({"user": {"name": "eve", "password": "correct horse"}}))
        .refused_identity(403);
    alice.get(&format!("/v3/projects/{}", admin.project)).refused_identity(404);

    // A project that holds something stays.
    let graph = alice.create_graph("alive");
    admin.delete(&format!("/v3/projects/{project}")).refused_identity(409);
    assert_eq!(graph.status(), "200");
    let renamed =
        admin.send("PATCH", &format!("/v3/projects/{project}"), json!({"project": {"name": "other"}}));
    assert_eq!(renamed.ok()["project"]["name"], "other");
    let empty = admin.create_project("empty");
    admin.delete(&format!("/v3/projects/{empty}")).done();
    admin.get(&format!("/v3/projects/{empty}")).refused_identity(404);

    admin.delete(&format!("/v3/users/{user}")).done();
    assert_eq!(alice.get("/v2/{p}/graphs").status, 401);
    outside.try_log_in("alice", "correct horse").refused_identity(401);
}

#[test]
fn a_switched_off_user_or_project_is_out_at_once() {
    let server = Server::start();
    let admin = server.admin();
    let project = admin.create_project("research");
    let alice = admin.user_in(&project, "alice", &["GES FullAccess"]);
    let user = admin.get("/v3/users?name=alice").ok()["users"][0]["id"].as_str().expect("an id").to_owned();
    let key = admin.post("/v3.0/OS-CREDENTIAL/credentials", json!({"credential": {"user_id": user}}));
    let key = key.json()["credential"].clone();
    signed(&server, &alice, &key, "GET", "/v2/{p}/graphs").ok();
    let turn = |path: &str, kind: &str, on: bool| {
        admin.send("PATCH", path, json!({ kind: {"enabled": on} })).ok();
    };
    turn(&format!("/v3/projects/{project}"), "project", false);
    assert_eq!(alice.get("/v2/{p}/graphs").status, 401);
    assert_ne!(signed(&server, &alice, &key, "GET", "/v2/{p}/graphs").status, 200);
    turn(&format!("/v3/projects/{project}"), "project", true);
    alice.get("/v2/{p}/graphs").ok();

    turn(&format!("/v3/users/{user}"), "user", false);
    assert_eq!(alice.get("/v2/{p}/graphs").status, 401);
    assert_eq!(signed(&server, &alice, &key, "GET", "/v2/{p}/graphs").status, 401);
    alice.try_log_in("alice", "correct horse").refused_identity(401);
    turn(&format!("/v3/users/{user}"), "user", true);
    assert_eq!(alice.get("/v2/{p}/graphs").status, 401, "switching off has ended the token");
    alice.log_in("alice", "correct horse").get("/v2/{p}/graphs").ok();
}

#[test]
fn what_a_group_may_its_members_may() {
    let server = Server::start();
    let admin = server.admin();
    let alice = admin.create_user("alice", "correct horse");
    let group = admin.created("/v3/groups", "group", json!({"name": "readers"}));
    let role = admin.role("GES ReadOnlyAccess");
    admin.send("PUT", &format!("/v3/projects/{}/groups/{group}/roles/{role}", admin.project), ()).done();
    admin.try_log_in("alice", "correct horse").refused_identity(401);
    let member = format!("/v3/groups/{group}/users/{alice}");
    admin.get(&member).refused_identity(404);
    admin.send("PUT", &member, ()).done();
    admin.get(&member).done();
    let client = admin.without_token().log_in("alice", "correct horse");
    client.get("/v2/{p}/graphs").ok();
    assert_eq!(client.get(&format!("/v3/users/{alice}/groups")).ok()["groups"][0]["name"], "readers");
    assert_eq!(admin.get(&format!("/v3/groups/{group}/users")).ok()["users"][0]["name"], "alice");
    let assigned = admin.get(&format!("/v3/role_assignments?group.id={group}")).ok();
    assert_eq!(assigned["role_assignments"][0]["scope"]["project"]["id"], admin.project.as_str());
    admin.delete(&member).done();
    client.get("/v2/{p}/graphs").refused(403, "GES.7041");
    admin.delete(&format!("/v3/groups/{group}")).done();
    admin.get(&format!("/v3/groups/{group}")).refused_identity(404);
}

#[test]
fn a_key_shows_its_secret_once_and_opens_the_look_ups() {
    let server = Server::start();
    let admin = server.admin();
    let alice = admin.user_in(&admin.project, "alice", &["GES ReadOnlyAccess"]);
    let made =
        alice.post("/v3.0/OS-CREDENTIAL/credentials", json!({"credential": {"description": "laptop"}}));
    assert_eq!(made.status, 201, "{made}");
    let key = made.json()["credential"].clone();
    let access = key["access"].as_str().expect("a key").to_owned();
    let path = format!("/v3.0/OS-CREDENTIAL/credentials/{access}");
    let list = alice.get("/v3.0/OS-CREDENTIAL/credentials").ok();
    assert_eq!(
        (&list["credentials"][0]["access"], &list["credentials"][0]["description"]),
        (&key["access"], &json!("laptop"))
    );
    assert!(!list.to_string().contains("secret") && !alice.get(&path).ok().to_string().contains("secret"));

    let by_key = |method: &str, path: &str| signed(&server, &alice, &key, method, path);
    by_key("GET", "/v2/{p}/graphs").ok();
    assert_eq!(by_key("GET", "/v3/projects?name=default").ok()["projects"][0]["id"], alice.project.as_str());
    assert_eq!(by_key("GET", "/v3/auth/domains").ok()["domains"][0]["name"], "default");
    assert_eq!(by_key("GET", "/v3/users").status, 403);
    assert_eq!(
        signed(&server, &admin, &first_key(&server), "GET", "/v3/users").ok()["users"][0]["name"],
        "admin"
    );

    let first = first_key(&server)["access"].as_str().expect("a key").to_owned();
    alice.delete(&format!("/v3.0/OS-CREDENTIAL/credentials/{first}")).refused_identity(404);
    let inactive = alice.send("PUT", &path, json!({"credential": {"status": "inactive"}}));
    assert_eq!(inactive.ok()["credential"]["status"], "inactive");
    assert_eq!(by_key("GET", "/v2/{p}/graphs").status, 401);
    alice.send("PUT", &path, json!({"credential": {"status": "active"}})).ok();
    by_key("GET", "/v2/{p}/graphs").ok();
    alice.delete(&path).done();
    assert_eq!(by_key("GET", "/v2/{p}/graphs").status, 401);
    for _ in 0..10 {
        assert_eq!(alice.post("/v3.0/OS-CREDENTIAL/credentials", json!({})).status, 201);
    }
    alice.post("/v3.0/OS-CREDENTIAL/credentials", json!({})).refused_identity(409);
}

#[test]
fn passwords_have_rules_and_their_change_ends_tokens() {
    let server = Server::start();
    let admin = server.admin();
    for weak in ["", "short 1", "lettersonly", "my alice 1", &"a1".repeat(65)] {
        let reply = admin.post("/v3/users", json!({"user": {"name": "alice", "password": weak}}));
        assert!(reply.refused_identity(400).contains("[password]"), "{reply}");
    }
    let alice = admin.user_in(&admin.project, "alice", &["GES ReadOnlyAccess"]);
    let id = admin.get("/v3/users?name=alice").ok()["users"][0]["id"].as_str().expect("an id").to_owned();
    let path = format!("/v3/users/{id}/password");
    let change = |old: &str, new: &str| {
        admin.without_token().post(&path, json!({"user": {"original_password": old, "password": new}}))
    };
    change("wrong", "battery staple").refused_identity(401);
    change("correct horse", "weak").refused_identity(400);
    change("correct horse", "correct horse").refused_identity(400);
    alice.get("/v2/{p}/graphs").ok();
    change("correct horse", "battery staple").done();
    assert_eq!(alice.get("/v2/{p}/graphs").status, 401);
    alice.try_log_in("alice", "correct horse").refused_identity(401);
    let again = alice.log_in("alice", "battery staple");
    admin.send("PATCH", &format!("/v3/users/{id}"), json!({"user": {"password": "another staple"}})).ok();
    assert_eq!(again.get("/v2/{p}/graphs").status, 401);
    alice.log_in("alice", "another staple");
}

#[test]
fn five_wrong_passwords_lock_the_account() {
    let server = Server::start();
    let admin = server.admin();
    admin.user_in(&admin.project, "alice", &["GES ReadOnlyAccess"]);
    let anonymous = admin.without_token();
    let texts = |name: &str| {
        (0..6).map(|_| anonymous.try_log_in(name, "wrong").refused_identity(401)).collect::<Vec<_>>()
    };
    let (known, unknown) = (texts("alice"), texts("nobody"));
    assert!(known[..5].iter().all(|text| !text.contains("Too many")), "{known:?}");
    assert!(known[5].contains("Too many") && unknown[5].contains("Too many"), "names are not told apart");
    assert!(anonymous.try_log_in("alice", "correct horse").refused_identity(401).contains("Too many"));
    server.admin().get("/v2/{p}/graphs").ok();
}

#[test]
fn five_wrong_signatures_lock_the_key() {
    let server = Server::start();
    let admin = server.admin();
    let right = first_key(&server);
    let wrong = json!({"access": right["access"], "secret": "wrong"});
    for _ in 0..5 {
        assert_eq!(signed(&server, &admin, &wrong, "GET", "/v2/{p}/graphs").status, 401);
    }
    let refused = signed(&server, &admin, &right, "GET", "/v2/{p}/graphs").refused(401, "APIGW.0301");
    assert!(refused.contains("try again"), "{refused}");
    admin.get("/v2/{p}/graphs").ok();
}

#[test]
fn the_last_administrator_stays() {
    let server = Server::start();
    let admin = server.admin();
    let me = admin.get("/v3/users?name=admin").ok()["users"][0].clone();
    let (id, domain) = (me["id"].as_str().expect("an id"), me["domain_id"].as_str().expect("an id"));
    let path = format!("/v3/domains/{domain}/users/{id}/roles/{}", admin.role("admin"));
    admin.get(&path).done();
    admin.delete(&path).refused_identity(409);
    admin.delete(&format!("/v3/users/{id}")).refused_identity(409);
    admin
        .send("PATCH", &format!("/v3/users/{id}"), json!({"user": {"enabled": false}}))
        .refused_identity(409);
    admin.get("/v2/{p}/graphs").ok();

    let second = admin.create_user("second", "correct horse");
    admin.send("PUT", &path.replace(id, &second), ()).done();
    admin.delete(&path).done();
    admin.get("/v3/users").refused_identity(403);
    let second = admin.without_token().log_in("second", "correct horse");
    assert_eq!(second.get("/v3/users").ok()["users"].as_array().map(Vec::len), Some(2));
    second.get("/v2/{p}/graphs").ok();
}

#[test]
fn a_token_gives_another_that_ends_with_it() {
    let server = Server::start();
    let admin = server.admin();
    let other = admin.create_project("other");
    let body = |token: &str| {
        let identity = json!({"methods": ["token"], "token": {"id": token}});
        json!({"auth": {"identity": identity, "scope": {"project": {"id": other}}}})
    };
    let token = admin.token.clone().expect("logged in");
    let mine = admin.send_with("GET", "/v3/auth/tokens", (), &[("X-Subject-Token", &token)]).ok();
    let rescoped = admin.without_token().post("/v3/auth/tokens", body(&token));
    assert_eq!(rescoped.status, 201, "{rescoped}");
    assert_eq!(rescoped.json()["token"]["expires_at"], mine["token"]["expires_at"]);
    assert_eq!(rescoped.json()["token"]["project"]["name"], "other");
    admin.with_token(rescoped.header("X-Subject-Token")).in_project(&other).get("/v2/{p}/graphs").ok();
    admin.post("/v3/auth/tokens", body("gibberish")).refused_identity(401);
}

#[test]
fn tokens_of_others_are_nobodys_business() {
    let server = Server::start();
    let admin = server.admin();
    let alice = admin.user_in(&admin.project, "alice", &["GES FullAccess"]);
    let subject = |client: &Client, method: &str, about: &Client| {
        let token = about.token.clone().expect("logged in");
        client.send_with(method, "/v3/auth/tokens", (), &[("X-Subject-Token", &token)])
    };
    subject(&alice, "GET", &admin).refused_identity(404);
    subject(&alice, "DELETE", &admin).refused_identity(404);
    subject(&alice, "GET", &alice).ok();
    let seen = subject(&admin, "GET", &alice).ok();
    assert_eq!(seen["token"]["roles"][0]["name"], "GES FullAccess");
    subject(&admin, "DELETE", &alice).done();
    assert_eq!(alice.get("/v2/{p}/graphs").status, 401);
}

#[test]
fn users_and_tokens_survive_a_crash() {
    let mut server = Server::start();
    let admin = server.admin();
    let alice = admin.user_in(&admin.project, "alice", &["GES ReadOnlyAccess"]);
    server.crash();
    alice.get("/v2/{p}/graphs").ok();
    let body = log_in_body("alice", "correct horse", json!({"domain": {"name": "default"}}));
    assert_eq!(alice.without_token().post("/v3/auth/tokens", body).status, 201);
}
