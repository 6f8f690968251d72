//! What stands before every call: tokens, paths, sizes, and input that is no request at all.

use harness::{Server, assert_refused, dribble, exchange, json, sample};

#[test]
fn paths_and_methods_that_do_not_exist() {
    let server = Server::start();
    let client = server.admin();
    let graph = client.create_graph("running");
    assert_refused(&client, &[("{run}", &graph.id)], include_str!("refusals/gateway.txt"));
    assert_eq!(graph.status(), "200");
}

#[test]
fn tokens_that_do_not_count() {
    let server = Server::start();
    let client = server.admin();
    let graph = client.create_graph("mine");
    let revoked = server.admin();
    let token = revoked.token.clone().expect("logged in");
    let revocation = client.send_with("DELETE", "/v3/auth/tokens", (), &[("X-Subject-Token", &token)]);
    assert!(matches!(revocation.status, 200 | 204), "{revocation}");

    let long = "x".repeat(5_000);
    let strangers = [
        server.anonymous(),
        revoked,
        client.with_token("gibberish"),
        client.with_token(""),
        client.with_token(&long),
    ];
    for stranger in &strangers {
        for (method, path) in [
            ("GET", "/v2/{p}/graphs".to_owned()),
            ("POST", graph.path("/backups")),
            ("DELETE", graph.path("")),
            ("GET", graph.data_path("/summary")),
            ("GET", "/v1.0/{p}/graphs/metadatas/none".to_owned()),
            ("PUT", "/obs/bucket/key".to_owned()),
            ("GET", "/obs/bucket/key".to_owned()),
        ] {
            let reply = stranger.send(method, &path, ());
            let text = reply.refused(401, "APIGW.0301");
            assert!(text.starts_with("Incorrect IAM authentication information"), "{reply}");
            assert_eq!(reply.json()["request_id"], reply.header("X-Request-Id"), "{reply}");
        }
    }
    assert_eq!(graph.status(), "200");
}

#[test]
fn a_token_expires() {
    let server = Server::with(&[("GESTALT_TOKEN_LIFETIME_SECONDS", "1")]);
    let client = server.admin();
    let reply = harness::until("the token's end", || {
        let reply = client.get("/v2/{p}/graphs");
        (reply.status != 200).then_some(reply)
    });
    assert!(reply.refused(401, "APIGW.0301").contains("expire"), "{reply}");
}

#[test]
fn bodies_and_addresses_that_are_too_large() {
    let server = Server::start();
    let client = server.admin();
    let token = client.token.clone().expect("logged in");
    let head = |length: &str| {
        format!(
            "POST /v2/{}/graphs HTTP/1.1\r\nHost: gestalt\r\nX-Auth-Token: {token}\r\nContent-Type: application/json\r\n{length}\r\n\r\n",
            client.project
        )
    };
    let announced = exchange(&server.url(), head("Content-Length: 13000000").as_bytes());
    assert!(announced.starts_with("HTTP/1.1 413") && announced.contains("APIGW.0201"), "{announced}");

    let mut chunked = head("Transfer-Encoding: chunked").into_bytes();
    for _ in 0..13 {
        chunked.extend_from_slice(b"f4240\r\n");
        chunked.extend(std::iter::repeat_n(b' ', 1_000_000));
        chunked.extend_from_slice(b"\r\n");
    }
    let streamed = exchange(&server.url(), &chunked);
    assert!(streamed.starts_with("HTTP/1.1 413") && streamed.contains("APIGW.0201"), "{streamed}");

    let long = client.get(&format!("/v2/{{p}}/graphs?name={}", "x".repeat(40_000)));
    assert_eq!(long.status, 414, "{long}");
    client.get("/v2/{p}/graphs").ok();
}

/// The bodies are just within the limits, and only their shape is wrong.
#[test]
fn bodies_that_are_strange_are_refused_and_no_more() {
    let server = Server::start();
    let client = server.admin();
    let graph = client.create_graph("mine");
    let deep = "[".repeat(100_000);
    let wide = format!("{{\"graph\":{{{}\"name\":\"x\"}}}}", "\"k\":1,".repeat(100_000));
    let bodies: [&[u8]; 6] = [
        deep.as_bytes(),
        wide.as_bytes(),
        b"\xff\xfe{}",
        b"{\"graph\":{\"name\":\"\\ud800\"}}",
        b"\0",
        b"1e999",
    ];
    for body in bodies {
        for path in ["/v2/{p}/graphs".to_owned(), graph.path("/backups"), graph.path("/import-graph")] {
            if body == wide.as_bytes() && path.ends_with("/backups") {
                // Unknown fields are ignored, however many they are.
                client.post(&path, body.to_vec()).ok();
                continue;
            }
            let reply = client.post(&path, body.to_vec());
            assert_eq!(reply.status, 400, "{reply}");
            assert!(reply.error_code().starts_with("GES."), "{reply}");
        }
    }
    client
        .post("/v2/{p}/graphs", json!({"graph": {"name": "x\u{0}yz1", "graph_size_type_index": "1"}}))
        .refused(400, "GES.7012");
}

/// A few thousand requests made of plausible pieces in the wrong places: each is answered, and
/// none with a server error.
#[test]
fn nothing_from_outside_makes_the_server_stumble() {
    let server = Server::start();
    let client = server.admin();
    let graph = sample::trio(&client, "trio");
    let (own, data) = (graph.path(""), graph.data_path(""));
    let starts = ["/", "/v2/{p}/graphs", &own, &data, "/v1.0/{p}/graphs", "/v3", "/obs/bucket"];
    let words = "backups jobs metadatas quotas status start import-graph vertices edges action detail \
                 properties schema labels summary auth tokens projects %00 %ff .. %2e%2e a%2Fb x";
    let words: Vec<&str> = words.split(' ').collect();
    let queries =
        ["", "?limit=1&limit=2", "?limit=", "?action_id=batch-add", "?action_id=%ff", "?=&&&=", "?offset=-0"];
    let bodies = [
        "",
        "{}",
        "[]",
        "null",
        r#"{"graph":{}}"#,
        r#"{"vertices":[null]}"#,
        r#"{"edges":[{}]}"#,
        "\"",
        r#"{"auth":1}"#,
    ];
    let mut seed = 20_261_123_u64;
    let mut pick = |among: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).expect("31 bits") % among
    };
    for _ in 0..3_000 {
        let below: String = (0..pick(4)).map(|_| format!("/{}", words[pick(words.len())])).collect();
        let path = format!("{}{below}{}", starts[pick(starts.len())], queries[pick(queries.len())]);
        let method = ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"][pick(6)];
        let deletes_the_graph = method == "DELETE" && below.is_empty();
        if !deletes_the_graph {
            let reply = client.send(method, &path, bodies[pick(bodies.len())]);
            assert!(reply.status < 500, "{reply}");
        }
    }
    assert_eq!(graph.counts(), (3, 2));
}

/// A body in chunks does not say its length; refused before it is read, it would cost its client
/// the connection and with it the next request.
#[test]
fn a_refusal_leaves_the_connection_in_order() {
    let server = Server::start();
    let head = b"POST /v2/none/graphs/none/stop HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n";
    let (chunk, end) = (b"2\r\n{}\r\n".as_slice(), b"0\r\n\r\n".as_slice());
    let replies = dribble(&server.url(), &[head, chunk, end, head, chunk, end]);
    assert_eq!(replies.matches("HTTP/1.1 401").count(), 2, "{replies}");
}
