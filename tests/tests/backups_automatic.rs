//! Backups that nobody asks for.

use std::thread;
use std::time::Duration;

use harness::{Graph, Server, Value, json, sample, until};

fn with(graph: &Graph, method: &str) -> Vec<Value> {
    let rows = graph.backups().into_iter();
    rows.filter(|row| row["backup_method"] == method && row["status"] == "success").collect()
}

fn set(graph: &Graph, policy: Value) -> Value {
    graph.client.put(&graph.path("/backup-policy"), policy).ok()
}

#[test]
fn every_graph_has_a_policy() {
    let server = Server::with(&[("GESTALT_AUTO_BACKUP_SECONDS", "86400")]);
    let client = server.admin();
    let graph = client.create_graph("usual");
    let policy = graph.get("/backup-policy").ok();
    assert!(policy["next_time"].as_str().is_some_and(|time| time.len() == 19), "{policy}");
    for (key, value) in [("enabled", json!(true)), ("interval_seconds", json!(86_400)), ("keep", json!(7))] {
        assert_eq!(policy[key], value, "{policy}");
    }
    for (name, fields) in [
        ("smallest", json!({"graph_size_type_index": "0"})),
        ("persistent", json!({"product_type": "Persistence"})),
    ] {
        let graph = client.create_graph_with(name, &fields);
        let policy = graph.get("/backup-policy").ok();
        assert_eq!((&policy["enabled"], &policy["next_time"]), (&json!(false), &Value::Null), "{name}");
        assert_eq!(set(&graph, json!({"enabled": true}))["enabled"], true, "{name}");
    }
    assert_eq!(set(&graph, json!({"keep": 3}))["interval_seconds"], 86_400, "the rest stays");
    assert_eq!(set(&graph, json!({"enabled": false}))["keep"], 3);
    assert_eq!(graph.get("/backup-policy").ok()["enabled"], false);
}

#[test]
fn they_come_by_themselves_and_the_oldest_go() {
    let mut server = Server::with(&[("GESTALT_AUTO_BACKUP_SECONDS", "1")]);
    let graph = sample::trio(&server.admin(), "trio");
    let summary = graph.summary();
    set(&graph, json!({"keep": 2}));
    let manual = graph.add_backup();
    let first = until("a backup", || with(&graph, "auto").pop());
    let name = first["name"].as_str().expect("a name");
    let stamp = name.strip_prefix("trio_").and_then(|rest| rest.strip_suffix("_auto"));
    assert!(stamp.is_some_and(|stamp| stamp.len() == 14), "{name}");
    until("its end", || (!with(&graph, "auto").iter().any(|row| row["id"] == first["id"])).then_some(()));
    until("rest", || (with(&graph, "auto").len() == 2).then_some(()));
    assert_eq!(with(&graph, "manual").len(), 1);
    let jobs = server.admin().get("/v2/{p}/graphs/jobs?limit=100&status=success").ok();
    let names = jobs["job_list"].as_array().expect("a list").iter();
    assert!(names.filter(|job| job["job_name"] == "CreateBackup").count() >= 4, "{jobs}");

    set(&graph, json!({"enabled": false}));
    thread::sleep(Duration::from_millis(1500));
    let rest = graph.backups();
    assert_eq!(rest.len(), 3);
    thread::sleep(Duration::from_millis(2500));
    server.restart();
    thread::sleep(Duration::from_millis(1500));
    assert_eq!(graph.backups(), rest, "off is off, also after a restart");
    let id = with(&graph, "auto")[0]["id"].as_str().expect("an id").to_owned();
    graph.delete_vertices(&["ann"]);
    graph.restore(&harness::Backup { id, job_id: String::new() });
    assert_eq!(graph.summary(), summary);
    graph.restore(&manual);
}

#[test]
fn a_turn_that_was_missed_is_made_up_for_once() {
    let mut server = Server::start();
    let graph = sample::trio(&server.admin(), "trio");
    set(&graph, json!({"enabled": true, "interval_seconds": 6, "keep": 100}));
    until("the first", || (with(&graph, "auto").len() == 1).then_some(()));
    server.kill();
    thread::sleep(Duration::from_secs(13));
    server.start_again();
    until("the missed one", || (with(&graph, "auto").len() == 2).then_some(()));
    set(&graph, json!({"enabled": false}));
    let found = with(&graph, "auto").len();
    assert!(found <= 3, "two turns were missed, one was made up for: {found}");
}

#[test]
fn a_stopped_graph_has_its_turn_when_it_runs_again() {
    let server = Server::start();
    let graph = sample::trio(&server.admin(), "trio");
    graph.stop();
    set(&graph, json!({"enabled": true, "interval_seconds": 1}));
    thread::sleep(Duration::from_millis(2500));
    assert!(graph.backups().is_empty());
    graph.start();
    until("its backup", || with(&graph, "auto").pop());
}

#[test]
fn deleting_a_graph_keeps_one_automatic_and_two_others() {
    let server = Server::start();
    let client = server.admin();
    let graph = sample::trio(&client, "trio");
    set(&graph, json!({"enabled": true, "interval_seconds": 1}));
    let manual: Vec<_> = (0..3).map(|_| graph.add_backup()).collect();
    until("three", || (with(&graph, "auto").len() >= 3).then_some(()));
    set(&graph, json!({"enabled": false}));
    thread::sleep(Duration::from_millis(1500));
    let newest = with(&graph, "auto").remove(0);
    client.delete(&graph.path("?keep_backup=true")).ok();
    until("the deletion", || (graph.get("").status == 404).then_some(()));
    let kept: Vec<String> =
        graph.backups().iter().map(|row| row["id"].as_str().expect("an id").to_owned()).collect();
    assert_eq!(kept.len(), 3);
    for id in [newest["id"].as_str().expect("an id"), &manual[1].id, &manual[2].id] {
        assert!(kept.iter().any(|kept| kept == id), "{id}");
    }
}

#[test]
fn the_quota_holds_for_automatic_backups_too() {
    let server = Server::with(&[("GESTALT_BACKUP_QUOTA", "1"), ("GESTALT_AUTO_BACKUP_SECONDS", "1")]);
    server.announce("the quota is reached");
    let graph = sample::trio(&server.admin(), "trio");
    until("a backup", || (graph.backups().len() == 1).then_some(()));
    thread::sleep(Duration::from_millis(2500));
    assert_eq!(graph.backups().len(), 1);
    graph.post("/backups", ()).refused(400, "GES.7019");
}
