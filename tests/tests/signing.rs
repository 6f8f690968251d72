//! Requests signed with an access key, as the Python SDK and Terraform send them.

use harness::{Graph, Reply, Server, Unsigned, Value, json, payload_hash, sdk_date};

/// A caller with the first user's access key.
struct Signer {
    access: String,
    secret: String,
    host: String,
}

impl Signer {
    fn of(server: &Server) -> Self {
        let credentials = server.credentials();
        let word = |key: &str| credentials[key].as_str().expect("a word").to_owned();
        Self {
            access: word("access_key"),
            secret: word("secret_key"),
            host: server.url().replace("http://", ""),
        }
    }

    /// What the Python SDK signs, for a call below a graph.
    fn sdk(&self, graph: &Graph, method: &str, below: &str, query: &str, body: &str) -> Unsigned {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        Unsigned {
            method: method.into(),
            path: graph.path(below).replace("{p}", &graph.client.project),
            query: query.into(),
            headers: vec![
                header("content-type", "application/json"),
                header("host", &self.host),
                header("user-agent", "test/1"),
                header("x-project-id", &graph.client.project),
                header("x-sdk-date", &sdk_date(0)),
            ],
            payload: payload_hash(body.as_bytes()),
        }
    }

    /// Sends this request with that `Authorization`.
    fn send(&self, graph: &Graph, request: &Unsigned, authorization: &str, body: &str) -> Reply {
        let mut headers: Vec<(&str, &str)> = vec![("authorization", authorization)];
        let own = |name: &str| name == "content-type" || name == "host";
        let signed = request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        headers.extend(signed.filter(|(name, _)| !own(name)));
        let anonymous = graph.client.without_token();
        let question = if request.query.is_empty() { "" } else { "?" };
        let path = format!("{}{question}{}", request.path, request.query);
        anonymous.send_with(&request.method, &path, body, &headers)
    }

    fn sign_and_send(&self, graph: &Graph, request: &Unsigned, body: &str) -> Reply {
        self.send(graph, request, &request.authorization(&self.access, &self.secret), body)
    }
}

fn refused(reply: &Reply) {
    let text = reply.refused(401, "APIGW.0301");
    assert!(text.starts_with("Incorrect IAM authentication information"), "{reply}");
}

#[test]
fn a_signature_opens_what_a_token_opens() {
    let server = Server::start();
    let graph = server.admin().create_graph("mine");
    let signer = Signer::of(&server);
    let send = |method: &str, below: &str, query: &str, body: &str| {
        signer.sign_and_send(&graph, &signer.sdk(&graph, method, below, query, body), body).ok()
    };
    let ids = send("POST", "/backups", "", "");
    graph.client.follow(&graph.id, ids["job_id"].as_str().expect("a job"));
    let list = send("GET", "/backups", "limit=120&offset=0", "");
    assert_eq!(list["backup_list"][0]["id"], ids["backup_id"]);
    send("POST", "/backups", "", r#"{ "unknown": "ü" }"#);
    send("GET", "", "a=%20b%2F&c=", "");
    let id = ids["backup_id"].as_str().expect("an id");
    send("DELETE", &format!("/backups/{id}"), "", "");
}

/// Terraform signs neither the host nor the project.
#[test]
fn the_signed_headers_are_the_clients_choice() {
    let server = Server::start();
    let graph = server.admin().create_graph("mine");
    let signer = Signer::of(&server);
    for unsigned in [&["host", "x-project-id"][..], &["host"], &["content-type", "user-agent"]] {
        let mut request = signer.sdk(&graph, "GET", "/backups", "limit=120", "");
        request.headers.retain(|(name, _)| !unsigned.contains(&name.as_str()));
        signer.sign_and_send(&graph, &request, "").ok();
    }
    let mut request = signer.sdk(&graph, "POST", "/backups", "", "");
    request.payload = "UNSIGNED-PAYLOAD".into();
    let position = request.headers.iter().position(|(name, _)| name == "x-sdk-date").expect("a date");
    request.headers.insert(position, ("x-sdk-content-sha256".into(), "UNSIGNED-PAYLOAD".into()));
    signer.sign_and_send(&graph, &request, "{}").ok();
}

#[test]
fn what_was_changed_after_signing_does_not_count() {
    let server = Server::start();
    let graph = server.admin().create_graph("mine");
    let signer = Signer::of(&server);
    let original = signer.sdk(&graph, "POST", "/backups", "", "{}");
    let authorization = original.authorization(&signer.access, &signer.secret);
    let send = |change: &dyn Fn(&mut Unsigned), body: &str| {
        let mut request = original.clone();
        change(&mut request);
        signer.send(&graph, &request, &authorization, body)
    };
    send(&|_| (), "{}").ok();
    refused(&send(&|_| (), "{ }"));
    refused(&send(&|_| (), ""));
    refused(&send(&|request| request.query = "a=b".into(), "{}"));
    refused(&send(&|request| request.path = request.path.replace("/backups", "/stop"), "{}"));
    refused(&send(&|request| request.method = "GET".into(), "{}"));
    for (name, value) in [("user-agent", "other/1"), ("x-project-id", "0"), ("x-sdk-date", &sdk_date(1))] {
        let change = |request: &mut Unsigned| {
            request
                .headers
                .iter_mut()
                .filter(|(own, _)| own == name)
                .for_each(|header| header.1 = value.into());
        };
        refused(&send(&change, "{}"));
    }
    refused(&send(&|request| request.headers.retain(|(name, _)| name != "user-agent"), "{}"));
    assert_eq!(graph.status(), "200");
    assert_eq!(graph.backups().len(), 1);
}

#[test]
fn keys_and_dates_are_checked() {
    let server = Server::start();
    let graph = server.admin().create_graph("mine");
    let signer = Signer::of(&server);
    let at = |minutes: i64| {
        let mut request = signer.sdk(&graph, "GET", "/backups", "", "");
        request.headers.pop();
        request.headers.push(("x-sdk-date".into(), sdk_date(minutes)));
        request
    };
    for minutes in [-14, 0, 14] {
        signer.sign_and_send(&graph, &at(minutes), "").ok();
    }
    for minutes in [-16, 16, -1_000_000] {
        refused(&signer.sign_and_send(&graph, &at(minutes), ""));
    }
    let request = at(0);
    let right = request.authorization(&signer.access, &signer.secret);
    for authorization in [
        request.authorization("UNKNOWN", &signer.secret),
        request.authorization(&signer.access, "wrong"),
        request.authorization(&signer.access, ""),
        right.replace("Signature=", "Signature=00"),
        right.split(", Signature").next().expect("a part").to_owned(),
        "SDK-HMAC-SHA256".into(),
        "SDK-HMAC-SHA256 Access=, SignedHeaders=, Signature=".into(),
        right.replace("HMAC-SHA256", "HMAC-SM3"),
        "Basic YWRtaW46YWRtaW4=".into(),
    ] {
        refused(&signer.send(&graph, &request, &authorization, ""));
    }
}

#[test]
fn a_signature_is_for_the_projects_of_its_user() {
    let server = Server::start();
    let graph = server.admin().create_graph("mine");
    let signer = Signer::of(&server);
    let foreign = Graph { client: graph.client.in_project(&"0".repeat(32)), ..graph.clone() };
    let request = signer.sdk(&foreign, "GET", "/backups", "", "");
    let reply = signer.sign_and_send(&foreign, &request, "");
    let body: Value = reply.json();
    assert!(matches!(reply.status, 400 | 401 | 403), "{reply}");
    assert_ne!(body["error_code"], json!(null), "{reply}");
}
