//! What operators rely on: metrics, logs, limits, patience, an orderly stop, the description.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use harness::{
    Client, Server, Signal, Unsigned, Value, exchange, json, payload_hash, sample, sdk_date, until,
};

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.url().replace("http://", "")).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a time-out can be set");
    stream
}

/// The head of an upload of ten bytes.
fn upload_head(client: &Client, more: &str) -> String {
    let token = client.token.as_deref().expect("logged in");
    format!(
        "PUT /obs/data/file HTTP/1.1\r\nHost: gestalt\r\nX-Auth-Token: {token}\r\n{more}Content-Length: 100000\r\n\r\n"
    )
}

/// All that comes until the server closes.
fn read_all(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

fn value(metrics: &str, sample: &str) -> f64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {sample} in\n{metrics}")).parse().expect("a number")
}

#[test]
fn metrics_tell_what_the_server_does() {
    let server = Server::start();
    let client = server.admin();
    let graph = sample::trio(&client, "trio");
    client.create_graph("bare");
    graph.add_backup();
    for number in 0..20 {
        client.get(&format!("/no/such/path/{number}"));
    }
    client.send("FROB", "/v2/{p}/graphs", ());
    let reply = client.without_token().get("/metrics");
    assert_eq!(reply.status, 200, "{reply}");
    assert!(reply.header("Content-Type").starts_with("text/plain; version=0.0.4"), "{reply}");
    let text = reply.text();
    let metric = |sample: &str| value(&text, sample);
    let requests = |method: &str, route: &str, status: u16| {
        metric(&format!(
            r#"gestalt_http_requests_total{{method="{method}",route="{route}",status="{status}"}}"#
        ))
    };
    assert_eq!(requests("POST", "/v2/{project}/graphs", 200), 2.0);
    assert_eq!(requests("POST", "/v2/{project}/graphs/{graph}/backups", 200), 1.0);
    assert_eq!(requests("GET", "unmatched", 404), 20.0, "paths that do not exist make one line");
    assert_eq!(requests("other", "/v2/{project}/graphs", 404), 1.0);
    let labels = r#"{method="POST",route="/v2/{project}/graphs"}"#;
    assert_eq!(metric(&format!("gestalt_http_request_seconds_count{labels}")), 2.0);
    assert_eq!(metric(r#"gestalt_jobs{name="CreateBackup",status="success"}"#), 1.0);
    assert_eq!(metric(r#"gestalt_graphs{status="200"}"#), 2.0);
    assert!(metric(&format!(r#"gestalt_newest_backup_age_seconds{{graph="{}"}}"#, graph.id)) < 60.0);
    assert_eq!(metric("gestalt_graphs_without_backup"), 1.0);
    assert_eq!(metric("gestalt_graphs_open"), 2.0);
    assert!(metric("gestalt_log_bytes") > 0.0 && metric("gestalt_overlay_bytes") > 0.0);
    assert!(metric("gestalt_http_connections") >= 1.0);
    assert_eq!(metric("gestalt_http_requests_in_flight"), 1.0, "this one");
    assert!(metric("process_resident_memory_bytes") > 1e6);
    for name in ["gestalt_deltas", "gestalt_cache_bytes", "gestalt_store_maintenance_total", "gestalt_ready"]
    {
        metric(name);
    }
    let secrets = server.credentials();
    for secret in ["password", "access_key", "secret_key"] {
        assert!(!text.contains(secrets[secret].as_str().expect("text")), "{secret}");
    }
    assert!(!text.contains(&client.token.expect("logged in")));
}

#[test]
fn metrics_are_for_this_machine_or_for_the_token() {
    let server = Server::start();
    let stranger = server.anonymous();
    let passed_on = stranger.send_with("GET", "/metrics", (), &[("X-Forwarded-For", "192.0.2.1")]);
    passed_on.refused(401, "APIGW.0301");

    let server = Server::with(&[("GESTALT_METRICS_TOKEN", "for-prometheus")]);
    let stranger = server.anonymous();
    stranger.get("/metrics").refused(401, "APIGW.0301");
    server.admin().get("/metrics").refused(401, "APIGW.0301");
    let bearing = |token: &str| stranger.send_with("GET", "/metrics", (), &[("Authorization", token)]);
    bearing("Bearer for-prometheu").refused(401, "APIGW.0301");
    assert_eq!(bearing("Bearer for-prometheus").status, 200);
}

#[test]
fn log_lines_are_json_and_hold_no_secret() {
    let server = Server::with(&[("GESTALT_LOG_FORMAT", "json"), ("GESTALT_LOG", "debug")]);
    let client = server.admin();
    let graph = client.create_graph("logged");
    let read = client.get("/v2/{p}/graphs?secret_parameter=1");
    client.post("/v2/{p}/graphs", json!({"graph": {"name": "secret_body"}})).refused(400, "GES.7049");
    server.anonymous().post("/v3/auth/tokens", harness::log_in_body("admin", "secret_attempt", json!({})));
    client.with_token("secret_token").get("/v2/{p}/graphs").refused(401, "APIGW.0301");
    client.get("/secret_path");
    let credentials = server.credentials();
    let word = |key: &str| credentials[key].as_str().expect("a word").to_owned();
    let path = format!("/v2/{}/graphs", client.project);
    let date = sdk_date(0);
    let unsigned = Unsigned {
        method: "GET".into(),
        path: path.clone(),
        query: String::new(),
        headers: vec![("host".into(), "gestalt".into()), ("x-sdk-date".into(), date.clone())],
        payload: payload_hash(b""),
    };
    let signature = unsigned.authorization(&word("access_key"), &word("secret_key"));
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: gestalt\r\nX-Sdk-Date: {date}\r\nAuthorization: {signature}\r\nConnection: close\r\n\r\n"
    );
    let signed = exchange(&server.url(), request.as_bytes());
    assert!(signed.starts_with("HTTP/1.1 200"), "{signed}");

    let log = server.log();
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")))
        .collect();
    let id = read.header("X-Request-Id");
    let line = lines.iter().find(|line| line["request"] == id).unwrap_or_else(|| panic!("no {id} in {log}"));
    assert_eq!(line["route"], "/v2/{project}/graphs", "{line}");
    assert_eq!((&line["method"], &line["status"]), (&json!("GET"), &json!(200)), "{line}");
    assert_eq!(line["project"], client.project.as_str(), "{line}");
    assert!(line["ms"].as_f64().is_some_and(|ms| ms > 0.0), "{line}");
    let refused = lines.iter().filter(|line| line["status"] == 401).count();
    assert!(refused >= 2, "{log}");
    let signature = signature.rsplit("Signature=").next().expect("a signature").to_owned();
    let token = client.token.clone().expect("logged in");
    for secret in [word("password"), word("secret_key"), signature, token, "secret_".to_owned()] {
        assert!(!log.contains(&secret), "{secret} in {log}");
    }
    assert!(graph.status() == "200" && lines.iter().all(|line| line["level"] != "ERROR"), "{log}");
}

#[test]
fn too_many_requests_of_one_are_refused_and_others_pass() {
    let server = Server::with(&[("GESTALT_RATE_LIMIT", "5")]);
    let (busy, other) = (server.admin(), server.admin());
    let replies: Vec<_> = (0..30).map(|_| busy.get("/v2/{p}/graphs")).collect();
    let passed = replies.iter().filter(|reply| reply.status == 200).count();
    assert!((10..20).contains(&passed), "twice the rate at once, then the rate: {passed}");
    let refused = replies.iter().find(|reply| reply.status != 200).expect("a refusal");
    refused.refused(429, "APIGW.0308");
    assert_eq!(refused.header("Retry-After"), "1");
    other.get("/v2/{p}/graphs").ok();
    busy.get("/healthz").ok();
    until("the next turn", || (busy.get("/v2/{p}/graphs").status == 200).then_some(()));
}

#[test]
fn more_than_can_be_answered_is_refused_for_a_moment() {
    let server = Server::with(&[("GESTALT_MAX_IN_FLIGHT", "1")]);
    let client = server.admin();
    // An upload that meets one of the other requests is itself refused, and then tried again.
    let (mut upload, refused) = until("the place to be taken", || {
        let mut upload = connect(&server);
        upload.write_all(upload_head(&client, "Connection: close\r\n").as_bytes()).expect("a head");
        let mut replies = (0..100).map(|_| client.get("/v2/{p}/graphs"));
        replies.find(|reply| reply.status != 200).map(|reply| (upload, reply))
    });
    refused.refused(503, "APIGW.0201");
    assert_eq!(refused.header("Retry-After"), "1");
    for probe in ["/healthz", "/readyz"] {
        client.get(probe).ok();
    }
    assert_eq!(client.get("/metrics").status, 200);
    upload.write_all(&[b'x'; 100_000]).expect("the body");
    assert!(read_all(&mut upload).starts_with("HTTP/1.1 200"));
    until("the place to be free", || (client.get("/v2/{p}/graphs").status == 200).then_some(()));
}

#[test]
fn clients_that_keep_the_server_waiting_are_let_go() {
    let server = Server::with(&[("GESTALT_CLIENT_TIMEOUT_SECONDS", "1")]);
    let client = server.admin();
    let begin = Instant::now();
    let mut slow_head = connect(&server);
    slow_head.write_all(b"GET /healthz HTTP/1.1\r\nHost:").expect("half a head");
    let mut idle = connect(&server);
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: gestalt\r\n\r\n").expect("a request");
    let mut slow_body = connect(&server);
    slow_body.write_all(upload_head(&client, "").as_bytes()).expect("a head");
    slow_body.write_all(b"half").expect("half a body");
    let mut small_body = connect(&server);
    let head = upload_head(&client, "").replace("100000", "10");
    small_body.write_all(head.as_bytes()).expect("a head");

    read_all(&mut slow_head);
    assert!(read_all(&mut idle).starts_with("HTTP/1.1 200"));
    for stream in [&mut slow_body, &mut small_body] {
        let reply = read_all(stream);
        assert!(reply.starts_with("HTTP/1.1 408") && reply.contains("APIGW.0201"), "{reply}");
    }
    assert!(begin.elapsed() < Duration::from_secs(8), "{:?}", begin.elapsed());
    assert_eq!(client.get("/obs/data/file").status, 404, "half an upload is no object");
}

#[test]
fn heads_that_are_too_large_are_refused() {
    let server = Server::start();
    let client = server.admin();
    let long = "x".repeat(40_000);
    client.send_with("GET", "/v2/{p}/graphs", (), &[("X-Long", &long)]).refused(494, "APIGW.0201");
    let fits = "x".repeat(8_000);
    client.send_with("GET", "/v2/{p}/graphs", (), &[("X-Long", &fits)]).ok();
    let endless =
        format!("GET /healthz HTTP/1.1\r\nHost: gestalt\r\nX-Long: {}\r\n\r\n", "x".repeat(1_000_000));
    assert!(exchange(&server.url(), endless.as_bytes()).starts_with("HTTP/1.1 431"));
}

#[test]
fn a_stop_finishes_the_requests_under_way() {
    let mut server = Server::start();
    let client = server.admin();
    let address = server.url().replace("http://", "");
    let mut upload = connect(&server);
    upload.write_all(upload_head(&client, "").as_bytes()).expect("a head");
    upload.write_all(&[b'x'; 50_000]).expect("half of the body");
    until("the upload to have begun", || {
        let metrics = client.get("/metrics").text();
        (value(&metrics, "gestalt_http_requests_in_flight") == 2.0).then_some(())
    });
    server.signal(Signal::TERM);
    until("the end of listening", || TcpStream::connect(&address).is_err().then_some(()));
    upload.write_all(&[b'x'; 50_000]).expect("the other half");
    let reply = read_all(&mut upload);
    assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
    assert_eq!(server.wait_end().code(), Some(0), "{}", server.log());
    server.start_again();
    assert_eq!(server.admin().download("data/file"), vec![b'x'; 100_000]);
}

#[test]
fn the_description_matches_what_is_there() {
    let server = Server::start();
    let stranger = server.anonymous();
    let document = stranger.get("/openapi.json").ok();
    assert_eq!(document["openapi"], "3.1.0");
    let paths = document["paths"].as_object().expect("paths");
    let mut walked = 0;
    for (path, methods) in paths {
        for (method, operation) in methods.as_object().expect("methods") {
            let filled: Vec<&str> =
                path.split('/').map(|part| if part.starts_with('{') { "none" } else { part }).collect();
            let reply = stranger.send(&method.to_uppercase(), &filled.join("/"), ());
            let security = operation["security"].as_array().expect("security");
            let is_guarded = !security.is_empty() && security.iter().all(|way| way != &json!({}));
            assert_eq!(reply.status == 401, is_guarded, "{reply}");
            assert_ne!(reply.status, 404, "{reply}");
            let responses = operation["responses"].as_object().expect("responses");
            assert!(responses.keys().all(|status| status.parse::<u16>().is_ok()), "each is said: {path}");
            walked += 1;
        }
    }
    assert!(walked > 50, "{walked}");
}

#[test]
fn answers_have_the_described_fields() {
    let server = Server::start();
    let client = server.admin();
    let document = client.get("/openapi.json").ok();
    let graph = sample::trio(&client, "trio");
    graph.add_backup();
    for (path, described) in [
        ("/v2/{p}/graphs".to_owned(), "/v2/{project}/graphs"),
        (graph.path(""), "/v2/{project}/graphs/{graph}"),
        (graph.path("/backups"), "/v2/{project}/graphs/{graph}/backups"),
        ("/v2/{p}/graphs/jobs".to_owned(), "/v2/{project}/graphs/jobs"),
        (graph.data_path("/summary"), "/ges/v1.0/{project_id}/graphs/{graph}/summary"),
    ] {
        let answer = client.get(&path).ok();
        let schema =
            &document["paths"][described]["get"]["responses"]["200"]["content"]["application/json"]["schema"];
        let wrong = mismatches(&document, schema, &answer, "");
        assert!(wrong.is_empty(), "{described}: {wrong:?} in {answer}");
    }
}

/// Where a value does not fit its schema, as far as types, required fields and enumerations go.
fn mismatches(document: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let schema = document.pointer(reference.trim_start_matches('#')).expect("a schema");
        return mismatches(document, schema, value, at);
    }
    let fits = |kind: &Value| match kind.as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        Some("null") => value.is_null(),
        _ => true,
    };
    let kinds = schema["type"].as_array().cloned().unwrap_or_else(|| vec![schema["type"].clone()]);
    let mut wrong = Vec::new();
    if !kinds.iter().any(fits) || schema["enum"].as_array().is_some_and(|words| !words.contains(value)) {
        wrong.push(format!("{at} is {value}"));
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        let name = name.as_str().expect("a name");
        if value.get(name).is_none() {
            wrong.push(format!("{at}/{name} is missing"));
        }
    }
    for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
        if let Some(value) = value.get(name) {
            wrong.extend(mismatches(document, schema, value, &format!("{at}/{name}")));
        }
    }
    for item in value.as_array().into_iter().flatten() {
        wrong.extend(mismatches(document, &schema["items"], item, &format!("{at}[]")));
    }
    wrong
}
