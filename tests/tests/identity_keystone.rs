//! Tokens of another Keystone. The other one here is a second server, which speaks the same v3.

use harness::{Client, Server, json};

struct Pair {
    keystone: Server,
    server: Server,
}

impl Pair {
    fn start() -> Self {
        let keystone = Server::start();
        let url = format!("{}/v3", keystone.url());
        let server = Server::with(&[("GESTALT_KEYSTONE_URL", &url)]);
        Self { keystone, server }
    }

    /// A client of the server with a token that somebody has at the Keystone.
    fn with_token_of(&self, client: &Client) -> Client {
        let token = client.token.clone().expect("logged in");
        self.server.anonymous().in_project(&client.project).with_token(&token)
    }
}

#[test]
fn a_token_of_the_keystone_opens_its_project() {
    let pair = Pair::start();
    let there = pair.keystone.admin();
    let client = pair.with_token_of(&there);
    let graph = client.create_graph("here");
    graph.data_get("/summary").ok();
    let catalog = client.get("/v3/auth/catalog").ok();
    let identity = catalog["catalog"][0]["endpoints"][0]["url"].as_str().expect("where to log in");
    assert_eq!(identity, format!("{}/v3", pair.keystone.url()));

    let reader = there.user_in(&there.project, "reader", &["GES ReadOnlyAccess"]);
    let reader = pair.with_token_of(&reader);
    assert_eq!(reader.get("/v2/{p}/graphs").ok()["graph_count"], 1);
    reader.delete(&graph.path("")).refused(403, "GES.7041");

    let elsewhere = there.create_project("elsewhere");
    let stranger = pair.with_token_of(&there.user_in(&elsewhere, "eve", &["GES FullAccess"]));
    assert_eq!(stranger.get("/v2/{p}/graphs").ok()["graph_count"], 0);
    stranger.in_project(&there.project).get(&graph.path("")).refused(400, "GES.0016");
}

#[test]
fn nobody_else_gets_in_and_nothing_is_managed_here() {
    let pair = Pair::start();
    let client = pair.with_token_of(&pair.keystone.admin());
    let anonymous = pair.server.anonymous();
    let own = pair.server.credentials();
    let password = own["password"].as_str().expect("a password");
    anonymous.try_log_in("admin", password).refused_identity(403);
    anonymous.with_token("gibberish").get("/v2/{p}/graphs").refused(401, "APIGW.0301");
    client.get("/v3/users").refused_identity(403);
    client
        .post("/v3/users", json!({"user": {"name": "eve", "password": "correct horse"}}))
        .refused_identity(403);
    client.get("/gestalt/v1/audit").ok();
}

#[test]
fn an_unreachable_keystone_lets_nobody_in() {
    let mut pair = Pair::start();
    let there = pair.keystone.admin();
    let (known, fresh) = (pair.with_token_of(&there), pair.with_token_of(&pair.keystone.admin()));
    known.get("/v2/{p}/graphs").ok();
    pair.keystone.terminate();
    pair.server.announce("the Keystone cannot be asked about a token");
    known.get("/v2/{p}/graphs").ok();
    fresh.get("/v2/{p}/graphs").refused(503, "GES.7005");
}
