//! Tokens, projects, and what the first start leaves behind.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use harness::{Client, Reply, Server, Value, json, log_in_body};

fn log_in(client: &Client, user: &str, password: &str, scope: Value) -> Reply {
    client.post("/v3/auth/tokens", log_in_body(user, password, scope))
}

fn password(server: &Server) -> String {
    server.credentials()["password"].as_str().expect("a password").to_owned()
}

#[test]
fn the_first_start_writes_the_credentials_once() {
    let mut server = Server::with(&[("GESTALT_ADMIN_PASSWORD", "correct horse")]);
    let credentials = server.credentials();
    assert_eq!(credentials["password"], "correct horse");
    for (key, value) in
        [("domain", "default"), ("user", "admin"), ("project_name", "default"), ("region", "local-1")]
    {
        assert_eq!(credentials[key], value);
    }
    for key in ["access_key", "secret_key"] {
        assert!(credentials[key].as_str().is_some_and(|key| key.len() >= 16), "{key}");
    }
    let project = credentials["project_id"].as_str().expect("a project id");
    assert!(project.len() == 32 && project.chars().all(|c| c.is_ascii_hexdigit()), "{project}");
    let mode = fs::metadata(server.data().join("credentials.json")).expect("the file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let client = server.admin();
    server.restart();
    assert_eq!(server.credentials(), credentials);
    client.get("/v2/{p}/graphs").ok();
}

#[test]
fn a_random_password_is_no_constant() {
    let (one, other) = (Server::start(), Server::start());
    assert_ne!(password(&one), password(&other));
    assert_ne!(one.credentials()["secret_key"], other.credentials()["secret_key"]);
    assert!(password(&one).len() >= 16);
}

#[test]
fn a_password_gives_a_token_for_a_project() {
    let server = Server::start();
    let client = server.anonymous();
    let by_name = json!({"project": {"name": "default", "domain": {"name": "default"}}});
    for scope in
        [json!({"project": {"id": client.project}}), json!({"project": {"name": "default"}}), by_name]
    {
        let reply = log_in(&client, "admin", &password(&server), scope);
        assert_eq!(reply.status, 201, "{reply}");
        let token = &reply.json()["token"];
        assert_eq!(token["methods"], json!(["password"]));
        assert_eq!(token["user"]["name"], "admin");
        assert_eq!(token["user"]["domain"]["name"], "default");
        assert_eq!(token["project"]["id"], client.project.as_str());
        assert_eq!(token["project"]["name"], "default");
        assert!(token["catalog"].as_array().is_some_and(|catalog| !catalog.is_empty()), "{reply}");
        assert!(token["roles"].is_array(), "{reply}");
        for key in ["issued_at", "expires_at"] {
            let time = token[key].as_str().expect("a time");
            assert!(time.len() == 27 && time.ends_with('Z') && time.contains('.'), "{key}: {time}");
        }
        client.with_token(reply.header("X-Subject-Token")).get("/v2/{p}/graphs").ok();
    }
    let body = log_in_body("admin", &password(&server), json!({"project": {"id": client.project}}));
    let brief = client.post("/v3/auth/tokens?nocatalog=1", body);
    assert_eq!((brief.status, &brief.json()["token"]["catalog"]), (201, &json!([])));
}

#[test]
fn a_token_without_a_project_does_not_open_graphs() {
    let server = Server::start();
    let reply =
        log_in(&server.anonymous(), "admin", &password(&server), json!({"domain": {"name": "default"}}));
    assert_eq!(reply.status, 201, "{reply}");
    assert_eq!(reply.json()["token"]["domain"]["name"], "default");
    let client = server.anonymous().with_token(reply.header("X-Subject-Token"));
    let refusal = client.get("/v2/{p}/graphs");
    assert!(matches!(refusal.status, 400 | 401 | 403), "{refusal}");
}

#[test]
fn wrong_names_and_passwords_look_the_same() {
    let server = Server::start();
    let client = server.anonymous();
    let right = password(&server);
    let scope = json!({"project": {"id": client.project}});
    let mut foreign = log_in_body("admin", &right, scope.clone());
    foreign["auth"]["identity"]["password"]["user"]["domain"]["name"] = json!("elsewhere");
    let replies = [
        log_in(&client, "admin", "wrong", scope.clone()),
        log_in(&client, "nobody", &right, scope.clone()),
        log_in(&client, "admin", "", scope),
        client.post("/v3/auth/tokens", foreign),
    ];
    for reply in &replies {
        assert_eq!(reply.status, 401, "{reply}");
        assert_eq!(reply.json()["error"]["code"], 401);
        assert_eq!(reply.json()["error"]["title"], "Unauthorized");
        assert_eq!(reply.json(), replies[0].json(), "a reply tells which part was wrong");
    }
    let elsewhere = log_in(&client, "admin", &right, json!({"project": {"id": "0".repeat(32)}}));
    assert!(matches!(elsewhere.status, 401 | 403), "{elsewhere}");
}

#[test]
fn broken_log_ins_are_bad_requests() {
    let server = Server::start();
    for body in [
        "",
        "{",
        "[]",
        "{}",
        r#"{"auth":{}}"#,
        r#"{"auth":{"identity":{"methods":["password"]}}}"#,
        r#"{"auth":{"identity":{"methods":"password","password":{}}}}"#,
        r#"{"auth":{"identity":{"methods":["password"],"password":{"user":{"name":7,"password":"x"}}}}}"#,
        r#"{"auth":{"identity":{"methods":["magic"]}}}"#,
    ] {
        let reply = server.anonymous().post("/v3/auth/tokens", body);
        assert_eq!(reply.status, 400, "{body}: {reply}");
        assert_eq!(reply.json()["error"]["code"], 400, "{body}: {reply}");
        assert_eq!(reply.json()["error"]["title"], "Bad Request", "{body}: {reply}");
    }
}

#[test]
fn a_token_can_be_examined_and_revoked() {
    let server = Server::start();
    let (client, other) = (server.admin(), server.admin());
    let token = other.token.clone().expect("logged in");
    let about = |method: &str, subject: &str| {
        client.send_with(method, "/v3/auth/tokens", (), &[("X-Subject-Token", subject)])
    };
    let reply = about("GET", &token);
    assert_eq!(reply.ok()["token"]["project"]["id"], client.project.as_str());
    assert_eq!(reply.header("X-Subject-Token"), token);
    let unknown = about("GET", "gibberish");
    assert_eq!((unknown.status, &unknown.json()["error"]["code"]), (404, &json!(404)), "{unknown}");
    assert_eq!(server.anonymous().get("/v3/auth/tokens").status, 401);

    assert!(matches!(about("DELETE", &token).status, 200 | 204));
    assert_eq!(about("GET", &token).status, 404);
    assert_eq!(other.get("/v2/{p}/graphs").status, 401);
    client.get("/v2/{p}/graphs").ok();
}

#[test]
fn projects_and_domains_can_be_looked_up() {
    let server = Server::start();
    let client = server.admin();
    let named = |path: &str, key: &str| -> Vec<String> {
        let list = client.get(path).ok()[key].as_array().expect("a list").clone();
        list.iter().map(|item| item["name"].as_str().expect("a name").to_owned()).collect()
    };
    assert_eq!(named("/v3/projects", "projects"), ["default"]);
    assert_eq!(named("/v3/projects?name=default", "projects"), ["default"]);
    assert_eq!(named("/v3/projects?name=none", "projects"), [""; 0]);
    assert_eq!(named("/v3/auth/projects", "projects"), ["default"]);
    assert_eq!(named("/v3/auth/domains", "domains"), ["default"]);
    let project = &client.get("/v3/projects").ok()["projects"][0];
    assert_eq!(project["id"], client.project.as_str());
    assert_eq!((&project["enabled"], &project["is_domain"]), (&json!(true), &json!(false)));
    for path in ["/v3/projects", "/v3/auth/projects", "/v3/auth/domains"] {
        assert_eq!(server.anonymous().get(path).status, 401, "{path}");
    }
    server.anonymous().get("/v3").ok();
}

#[test]
fn no_secret_lies_on_the_disk_in_the_clear() {
    let mut server = Server::start();
    let client = server.admin();
    client.create_graph("some");
    let credentials = server.credentials();
    let secrets = [
        password(&server),
        credentials["secret_key"].as_str().expect("a key").to_owned(),
        client.token.expect("logged in"),
    ];
    server.terminate();
    let mut files = Vec::new();
    files_below(&server.data(), &mut files);
    assert!(files.len() > 2, "{files:?}");
    for file in files.iter().filter(|file| !file.ends_with("credentials.json")) {
        let bytes = fs::read(file).expect("a file");
        for secret in &secrets {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{} holds a secret", file.display());
        }
    }
    assert!(!server.log().contains(&secrets[0]) && !server.log().contains(&secrets[2]));
}

fn files_below(folder: &Path, files: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { files_below(&path, files) } else { files.push(path) }
    }
}
