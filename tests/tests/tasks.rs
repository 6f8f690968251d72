//! The task centre under load and over time: whose turn it is, what is kept, what survives.

use harness::{Client, Graph, Reply, Server, Value, json, sample, until};

const LENGTH: usize = 100_000;

fn upload_ring(client: &Client) {
    let (vertices, edges) = sample::ring(LENGTH);
    client.upload("data/schema.xml", sample::RING_XML);
    client.upload("data/v.csv", vertices);
    client.upload("data/e.csv", edges);
}

fn import_ring(graph: &Graph) -> Reply {
    let files = json!({
        "schema_path": "data/schema.xml", "vertexset_path": "data/v.csv", "edgeset_path": "data/e.csv",
    });
    let reply = graph.post("/import-graph", files);
    reply.ok();
    reply
}

fn jobs(client: &Client, query: &str) -> Vec<Value> {
    let list = client.get(&format!("/v2/{{p}}/graphs/jobs?limit=100{query}")).ok();
    list["job_list"].as_array().expect("a list").clone()
}

/// Starts one import after another, on a graph each.
fn import_all(client: &Client, graphs: usize) -> Vec<(Graph, Reply)> {
    upload_ring(client);
    let graphs: Vec<Graph> =
        (0..graphs).map(|number| client.create_graph(&format!("ring_{number}"))).collect();
    let start = |graph: Graph| {
        let reply = import_ring(&graph);
        (graph, reply)
    };
    graphs.into_iter().map(start).collect()
}

#[test]
fn a_project_has_two_imports_at_a_time_and_the_others_wait() {
    let server = Server::start();
    let client = server.admin();
    let imports = import_all(&client, 6);
    let mut waited = 0;
    until("the end of all imports", || {
        // Both from one reply, so that they are of one moment.
        let all: Vec<Value> =
            jobs(&client, "").into_iter().filter(|job| job["job_name"] == "ImportGraph").collect();
        let count = |status: &str| all.iter().filter(|job| job["status"] == status).count();
        let pending = count("pending");
        waited = waited.max(pending);
        // One that has just been accepted may not have found out yet that it has to wait.
        assert!(count("running") <= 3, "{all:?}");
        (count("success") == 6).then_some(())
    });
    assert!(waited >= 2, "nobody was seen waiting");
    for (graph, reply) in &imports {
        let job = graph.follow(reply);
        assert_eq!((&job["status"], &job["job_progress"]), (&json!("success"), &json!(100.0)), "{job}");
        assert!(job["submit_time"].as_str() <= job["begin_time"].as_str(), "{job}");
        assert!(job["begin_time"].as_str() <= job["end_time"].as_str(), "{job}");
        assert_eq!(graph.counts(), (LENGTH as u64, LENGTH as u64));
    }
}

#[test]
fn short_jobs_do_not_wait_for_long_ones() {
    let server = Server::start();
    let client = server.admin();
    let quick = client.create_graph("quick");
    let imports = import_all(&client, 5);
    quick.add_backup();
    quick.stop();
    assert!(!jobs(&client, "&status=waiting").is_empty(), "imports still wait");
    for (graph, reply) in &imports {
        assert_eq!(graph.follow(reply)["status"], "success");
    }
}

#[test]
fn a_restart_of_the_graph_ends_an_import_that_waits() {
    let server = Server::start();
    let client = server.admin();
    let imports = import_all(&client, 5);
    let (graph, import) = imports.last().expect("five");
    graph.run("/restart", ());
    graph.wait_status("200");
    let job = graph.follow(import);
    if job["status"] == "failed" {
        assert_eq!(job["fail_reason"], "ended by a restart of the graph", "{job}");
        assert_eq!(graph.counts(), (0, 0));
    }
    for (graph, reply) in &imports[..4] {
        assert_eq!(graph.follow(reply)["status"], "success");
    }
    let again = import_ring(graph);
    assert_eq!(graph.follow(&again)["status"], "success");
    assert_eq!(graph.counts(), (LENGTH as u64, LENGTH as u64));
}

#[test]
fn jobs_go_on_after_a_crash() {
    let mut server = Server::start();
    let client = server.admin();
    let imports = import_all(&client, 5);
    server.crash();
    for (graph, reply) in &imports {
        let job = graph.follow(reply);
        assert_eq!((&job["status"], &job["job_progress"]), (&json!("success"), &json!(100.0)), "{job}");
        graph.wait_status("200");
        assert_eq!(graph.counts(), (LENGTH as u64, LENGTH as u64), "once and not twice: {job}");
    }
}

#[test]
fn jobs_go_on_after_any_number_of_stops() {
    let mut server = Server::start();
    let client = server.admin();
    let imports = import_all(&client, 4);
    for _ in 0..4 {
        assert!(!jobs(&client, "&status=waiting").is_empty(), "there is still something to do");
        server.restart();
    }
    for (graph, reply) in &imports {
        assert_eq!(graph.follow(reply)["status"], "success");
        assert_eq!(graph.counts(), (LENGTH as u64, LENGTH as u64));
    }
}

#[test]
fn what_two_crashes_interrupted_fails_and_says_why() {
    let mut server = Server::start();
    server.announce("interrupted");
    let client = server.admin();
    let (graph, import) = import_all(&client, 1).remove(0);
    for _ in 0..2 {
        until("the import to run", || (!jobs(&client, "&status=running").is_empty()).then_some(()));
        server.crash();
    }
    let job = graph.follow(&import);
    graph.wait_status("200");
    if job["status"] == "failed" {
        assert!(job["fail_reason"].as_str().is_some_and(|why| why.contains("interrupted")), "{job}");
        assert!(job["end_time"].is_string(), "{job}");
        assert_eq!(graph.counts(), (0, 0), "{job}");
    } else {
        // It was quicker than the second crash.
        assert_eq!(graph.counts(), (LENGTH as u64, LENGTH as u64), "{job}");
    }
    let again = graph.follow(&import_ring(&graph));
    assert_eq!(again["status"], "success", "{again}");
}

#[test]
fn ended_jobs_are_forgotten_after_their_time() {
    let mut server = Server::with(&[("GESTALT_JOB_RETENTION_SECONDS", "1")]);
    let client = server.admin();
    let graph = client.create_graph("some");
    let job = graph.request_backup().job_id;
    client.follow(&graph.id, &job);
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    server.restart();
    until("the jobs to be forgotten", || jobs(&client, "").is_empty().then_some(()));
    graph.get(&format!("/jobs/{job}/status")).refused(400, "GES.8301");
    assert_eq!(graph.backups().len(), 1, "what a job made stays");
    let list = client.get("/v2/{p}/graphs/jobs").ok();
    assert_eq!(list["job_count"], 0);
}
