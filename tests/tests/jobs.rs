//! The task centre.

use harness::{Client, Server, Value, json, sample};

fn list(client: &Client, query: &str) -> (u64, Vec<Value>) {
    let list = client.get(&format!("/v2/{{p}}/graphs/jobs{query}")).ok();
    let jobs = list["job_list"].as_array().unwrap_or_else(|| panic!("no list: {list}")).clone();
    (list["job_count"].as_u64().expect("a count"), jobs)
}

fn names(jobs: &[Value]) -> Vec<String> {
    let mut names: Vec<String> =
        jobs.iter().map(|job| job["job_name"].as_str().expect("a name").to_owned()).collect();
    names.sort();
    names
}

#[test]
fn every_asynchronous_call_is_a_job() {
    let server = Server::start();
    let client = server.admin();
    let graph = sample::people(&client, "people");
    graph.add_backup();
    graph.run(
        "/export-graph",
        json!({"graph_export_path": "data/out/", "edge_set_name": "e", "vertex_set_name": "v", "schema_name": "s"}),
    );
    graph.run("/clear-graph", ());
    graph.run("/restart", ());
    graph.stop();
    graph.start();
    let (count, jobs) = list(&client, "?limit=50");
    assert_eq!(count, 8);
    for name in
        ["CreateGraph", "ImportGraph", "ExportGraph", "ClearGraph", "RestartGraph", "StopGraph", "StartGraph"]
    {
        assert!(names(&jobs).contains(&name.to_owned()), "{name} in {:?}", names(&jobs));
    }
    for job in &jobs {
        assert_eq!((&job["status"], &job["related_graph"]), (&json!("success"), &json!("people")), "{job}");
        assert_eq!(job["job_type"], "GraphManagement");
        assert!(job["job_progress"].is_number(), "{job}");
        assert!(job["begin_time"].as_str() <= job["end_time"].as_str(), "{job}");
        assert_eq!(job["begin_time"].as_str().map(str::len), Some(19));
        assert_eq!(
            job.get("job_detail").is_some_and(Value::is_object),
            job["job_name"] == "ImportGraph",
            "{job}"
        );
        let id = job["job_id"].as_str().expect("an id");
        assert_eq!(&graph.get(&format!("/jobs/{id}/status")).ok(), job, "the list and the status agree");
    }
}

#[test]
fn jobs_are_filtered() {
    let server = Server::start();
    let client = server.admin();
    let (one, other) = (client.create_graph("one_graph"), client.create_graph("other_graph"));
    one.add_backup();
    other.stop();
    client.upload("data/cut.csv.gz", &sample::gzip(sample::PEOPLE_VERTICES)[..40]);
    one.run_in_vain("/import-graph", json!({"vertexset_path": "data/cut.csv.gz"}));
    let count = |query: &str| {
        let (count, jobs) = list(&client, query);
        assert_eq!(count, jobs.len() as u64, "{query}");
        count
    };
    for (query, expected) in [
        ("", 5),
        ("?graph_name=one_graph", 3),
        ("?graph_name=other_graph", 2),
        ("?graph_name=none", 0),
        ("?status=success", 4),
        ("?status=failed", 1),
        ("?status=failed&graph_name=other_graph", 0),
        ("?status=running", 0),
        ("?status=waiting", 0),
        ("?status=pending", 0),
        ("?start_time=2019-03-27", 5),
        ("?start_time=2019-03-27&end_time=2100-01-01", 5),
        ("?end_time=2019-03-27", 0),
        ("?start_time=2100-01-01", 0),
        ("?unknown=1", 5),
    ] {
        assert_eq!(count(query), expected, "{query}");
    }
}

#[test]
fn jobs_are_listed_page_by_page() {
    let server = Server::start();
    let client = server.admin();
    let graph = client.create_graph("some");
    for _ in 0..11 {
        graph.add_backup();
    }
    assert_eq!(list(&client, "").1.len(), 10);
    let ids = |query: &str| {
        let (count, jobs) = list(&client, query);
        assert_eq!(count, 12);
        jobs.iter().map(|job| job["job_id"].as_str().expect("an id").to_owned()).collect::<Vec<_>>()
    };
    let pages = [ids("?limit=5"), ids("?limit=5&offset=5"), ids("?limit=5&offset=10")].concat();
    assert_eq!(pages, ids("?limit=120"));
    assert_eq!(ids("?offset=12"), [""; 0]);
}

#[test]
fn jobs_outlive_restarts() {
    let mut server = Server::start();
    let client = server.admin();
    client.create_graph("some").add_backup();
    let before = list(&client, "?limit=50");
    server.restart();
    assert_eq!(list(&client, "?limit=50"), before);
    server.crash();
    assert_eq!(list(&client, "?limit=50"), before);
}

#[test]
fn an_import_reports_each_file() {
    let server = Server::start();
    let client = server.admin();
    sample::upload_people(&client);
    client.upload(
        "data/people/vertices.csv",
        format!("{}broken,person,not a number\n", sample::PEOPLE_VERTICES),
    );
    let graph = client.create_graph("people");
    let job = graph.run("/import-graph", sample::people_import());
    let detail = &job["job_detail"];
    let vertices = &detail["vertexset_path"][0];
    assert_eq!(
        (&vertices["path"], &vertices["status"]),
        (&json!("data/people/vertices.csv"), &json!("partFailed")),
        "{job}"
    );
    assert_eq!(vertices["total_lines"], 5);
    assert_eq!((&vertices["successful_lines"], &vertices["failed_lines"]), (&json!(4), &json!(1)));
    assert!(vertices["log"].as_str().is_some_and(|log| log.starts_with("data/people/log/")), "{vertices}");
    let edges = &detail["edgeset_path"][0];
    assert_eq!((&edges["status"], &edges["successful_lines"]), (&json!("success"), &json!(5)), "{job}");
    assert_eq!(detail["schema_path"][0]["path"], "data/people/schema.xml", "{job}");
}
