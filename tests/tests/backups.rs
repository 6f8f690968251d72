//! Adding a backup, and what it is for.

use std::thread;
use std::time::Duration;

use harness::{Backup, Body, Graph, Server, Value, json, sample, until};

fn statuses(graph: &Graph) -> Vec<String> {
    graph.backups().iter().map(|row| row["status"].as_str().expect("a status").to_owned()).collect()
}

fn all_backups(graph: &Graph) -> Vec<Value> {
    let list = graph.client.get("/v2/{p}/graphs/backups?limit=120").ok();
    list["backup_list"].as_array().unwrap_or_else(|| panic!("no list: {list}")).clone()
}

fn has(rows: &[Value], backup: &Backup) -> bool {
    rows.iter().any(|row| row["id"] == backup.id.as_str())
}

#[test]
fn the_call_takes_no_body_and_empty_objects() {
    let server = Server::start();
    let graph = sample::trio(&server.admin(), "trio");
    for body in [Body::None, "{}".into(), "{ }".into(), "".into(), r#"{"unknown":1}"#.into()] {
        let reply = graph.post("/backups", body).ok();
        let keys: Vec<&String> = reply.as_object().expect("an object").keys().collect();
        assert_eq!(keys, ["backup_id", "job_id"]);
        let job_id = reply["job_id"].as_str().expect("text");
        assert_eq!(job_id.len(), 32);
        assert_eq!(reply["backup_id"].as_str().map(str::len), Some(36));
        let job = graph.client.follow(&graph.id, job_id);
        assert_eq!((&job["status"], &job["related_graph"]), (&json!("success"), &json!("trio")), "{job}");
    }
    assert_eq!(statuses(&graph), ["success"; 5]);
}

#[test]
fn a_backup_brings_back_what_was_lost() {
    let server = Server::start();
    let graph = sample::trio(&server.admin(), "trio");
    let (before, root) = (graph.summary(), graph.content_root());
    let backup = graph.add_backup();

    graph.delete_vertices(&["bob"]);
    graph.add_vertices("stranger", &[("eve", json!({}))]);
    assert_ne!(graph.content_root(), root);

    graph.restore(&backup);
    assert_eq!(graph.summary(), before);
    assert_eq!(graph.vertex("bob").expect("bob is back")["properties"], json!({"age": [45]}));
    assert!(graph.vertex("eve").is_none());
    graph.add_vertices("person", &[("dan", json!({}))]);
    assert_eq!(graph.counts(), (4, 2), "a restored graph takes writes");
}

#[test]
fn any_backup_can_follow_any_other() {
    let mut server = Server::start();
    let graph = sample::trio(&server.admin(), "trio");
    let mut history = Vec::new();
    for number in 0..4 {
        graph.add_vertices("person", &[(&format!("p{number}"), json!({"age": [number]}))]);
        history.push((graph.add_backup(), graph.summary()));
    }
    for at in [0, 3, 1, 2, 0] {
        graph.restore(&history[at].0);
        assert_eq!(graph.summary(), history[at].1);
    }
    server.crash();
    assert_eq!(graph.summary(), history[0].1);
    graph.restore(&history[3].0);
    assert_eq!(graph.summary(), history[3].1);
}

#[test]
fn starting_without_a_backup_resumes_the_last_state() {
    let server = Server::start();
    let graph = sample::trio(&server.admin(), "trio");
    graph.add_backup();
    graph.delete_vertices(&["ann"]);
    for body in
        [Body::None, "{}".into(), r#"{"graph_backup_id":""}"#.into(), r#"{"graph_backup_id":null}"#.into()]
    {
        graph.stop();
        graph.run("/start", body);
        assert_eq!(graph.counts(), (2, 1));
    }
}

#[test]
fn a_backup_is_in_both_lists_at_once() {
    let server = Server::start();
    let graph = sample::trio(&server.admin(), "trio");
    for _ in 0..20 {
        let backup = graph.request_backup();
        assert!(has(&graph.backups(), &backup), "the list of the graph");
        assert!(has(&all_backups(&graph), &backup), "the list of all");
        let job = graph.client.follow(&graph.id, &backup.job_id);
        assert_eq!(job["status"], "success", "{job}");
    }
}

#[test]
fn a_record_has_every_field_in_its_type() {
    let server = Server::start();
    let graph = sample::trio(&server.admin(), "trio");
    let backup = graph.add_backup();
    let row = graph.backups().pop().expect("a row");
    for (key, value) in [
        ("id", json!(backup.id)),
        ("backup_method", json!("manual")),
        ("graph_id", json!(graph.id)),
        ("graph_name", json!("trio")),
        ("graph_status", json!("200")),
        ("graph_size_type_index", json!("2")),
        ("arch", json!("x86_64")),
        ("status", json!("success")),
        ("encrypted", json!(false)),
    ] {
        assert_eq!(row[key], value, "{key}");
    }
    let number = |key: &str| row[key].as_u64().unwrap_or_else(|| panic!("{key}: {row}"));
    let text = |key: &str| row[key].as_str().unwrap_or_else(|| panic!("{key}: {row}")).to_owned();
    assert!(number("start_timestamp") <= number("end_timestamp"));
    assert!(number("start_timestamp") > 1_700_000_000_000, "milliseconds");
    assert!(number("size") >= 1, "MB, never 0");
    assert!(number("duration") < 60);
    let stamp: String = text("start_time").chars().filter(char::is_ascii_digit).collect();
    assert_eq!(text("name"), format!("trio-{stamp}"));
    assert_eq!(text("end_time").len(), 19);
    assert!(!text("data_store_version").is_empty());
    assert_eq!(row, all_backups(&graph).pop().expect("the same row"));
}

#[test]
fn lists_are_paged_newest_first() {
    let server = Server::start();
    let client = server.admin();
    let (one, other) = (sample::trio(&client, "one_graph"), sample::trio(&client, "other_graph"));
    let mut added: Vec<String> = (0..12).map(|_| one.add_backup().id).collect();
    added.reverse();
    other.add_backup();
    let page = |path: &str| {
        let list = client.get(path).ok();
        let rows = list["backup_list"].as_array().expect("a list").clone();
        let ids = rows.iter().map(|row| row["id"].as_str().expect("an id").to_owned()).collect::<Vec<_>>();
        (list["backup_count"].as_u64().expect("a count"), ids)
    };
    assert_eq!(page(&one.path("/backups")), (12, added[..10].to_vec()));
    assert_eq!(page(&one.path("/backups?limit=120")), (12, added.clone()));
    assert_eq!(page(&one.path("/backups?offset=10&limit=5")), (12, added[10..].to_vec()));
    assert_eq!(page(&one.path("/backups?offset=12")), (12, vec![]));
    let (count, ids) = page("/v2/{p}/graphs/backups?limit=120");
    assert_eq!((count, ids.len()), (13, 13));
}

#[test]
fn a_deleted_backup_is_gone_and_the_others_stay() {
    let server = Server::start();
    let graph = sample::trio(&server.admin(), "trio");
    let (first, second) = (graph.add_backup(), graph.add_backup());
    let path = format!("/backups/{}", first.id);
    graph.delete(&path).ok();
    assert!(!has(&graph.backups(), &first) && !has(&all_backups(&graph), &first));
    graph.delete(&path).refused(400, "GES.7024");
    graph.stop();
    graph.post("/start", json!({"graph_backup_id": first.id})).refused(400, "GES.7024");
    graph.run("/start", json!({"graph_backup_id": second.id}));
    assert_eq!(graph.counts(), (3, 2));
}

#[test]
fn a_backup_belongs_to_its_graph() {
    let server = Server::start();
    let client = server.admin();
    let (one, other) = (sample::trio(&client, "one_graph"), client.create_graph("other_graph"));
    let backup = one.add_backup();
    other.delete(&format!("/backups/{}", backup.id)).refused(400, "GES.7024");
    assert!(has(&one.backups(), &backup) && other.backups().is_empty());
}

#[test]
fn deleting_a_graph_can_keep_its_backups() {
    let server = Server::start();
    let client = server.admin();
    for (name, query, body, kept) in [
        ("by_default", "", Body::None, 0),
        ("by_query", "?keep_backup=true", Body::None, 2),
        ("by_body", "", json!({"keep_backup": true}).into(), 2),
        ("not_by_body", "", json!({"keep_backup": false}).into(), 0),
    ] {
        let graph = sample::trio(&client, name);
        let added = [graph.add_backup(), graph.add_backup(), graph.add_backup()];
        client.send("DELETE", &graph.path(query), body).ok();
        until("the deletion", || (graph.get("").status == 404).then_some(()));
        let of_graph = |row: &Value| row["graph_id"] == graph.id.as_str();
        let rows: Vec<Value> = all_backups(&graph).into_iter().filter(of_graph).collect();
        assert_eq!(rows.len(), kept, "{name}: {rows:?}");
        assert!(
            rows.iter().all(|row| row["graph_status"] == "400" && row["status"] == "success"),
            "{rows:?}"
        );
        assert!(kept == 0 || (has(&rows, &added[1]) && has(&rows, &added[2])), "the newest are kept");
    }
}

/// The way back for a graph that is gone: a new one is started from what was kept.
#[test]
fn a_kept_backup_of_a_deleted_graph_starts_another_graph() {
    let mut server = Server::start();
    let client = server.admin();
    let lost = client.create_graph_with("lost", &json!({"schema_mode": "open", "enable_multi_label": true}));
    lost.add_vertices("person", &[("ann", json!({"age": [31]})), ("bob", json!({}))]);
    lost.add_edges("knows", &[("ann", "bob")]);
    lost.data_post("/vertices/ann/labels", json!({"label": "worker"})).ok();
    let (before, backup) = (lost.summary(), lost.add_backup());
    lost.add_vertices("person", &[("late", json!({}))]);
    lost.delete("?keep_backup=true").ok();
    until("the deletion", || (lost.get("").status == 404).then_some(()));

    // Closed, and with something of its own, which goes.
    let found = sample::people(&client, "found");
    let own = found.add_backup();
    found.restore(&backup);
    assert_eq!(found.summary(), before);
    let shown = found.show();
    assert_eq!((&shown["schema_mode"], &shown["enable_multi_label"]), (&json!("open"), &json!(true)));
    found.add_vertices("stranger", &[("eve", json!({}))]);
    found.data_post("/vertices/bob/labels", json!({"label": "worker"})).ok();
    let after = found.summary();

    // It stands on its own: neither the backup nor the server is needed for it to stay.
    client.delete(&lost.path(&format!("/backups/{}", backup.id))).ok();
    let other = client.create_graph("other");
    other.delete("").ok();
    until("garbage to be collected", || (other.get("").status == 404).then_some(()));
    server.crash();
    assert_eq!(found.summary(), after);
    found.restore(&own);
    assert_eq!((found.counts(), &found.show()["schema_mode"]), ((4, 5), &json!("closed")));
}

#[test]
fn a_graph_can_be_started_from_the_backup_of_a_living_one() {
    let server = Server::start();
    let client = server.admin();
    let (one, other) = (sample::trio(&client, "one_graph"), client.create_graph("other_graph"));
    let (root, backup) = (one.content_root(), one.add_backup());
    other.restore(&backup);
    assert_eq!((other.content_root(), one.content_root()), (root.clone(), root));
    other.delete_vertices(&["ann"]);
    one.add_vertices("person", &[("dan", json!({}))]);
    assert_eq!((one.counts(), other.counts()), ((4, 2), (2, 1)), "they go their own ways");
    assert_eq!((one.backups().len(), other.backups().len()), (1, 0));
}

#[test]
fn many_backups_at_once_are_all_complete_or_refused() {
    let server = Server::start();
    let graph = sample::trio(&server.admin(), "trio");
    let replies: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| graph.post("/backups", "{}"))).collect();
        threads.into_iter().map(|thread| thread.join().expect("a reply")).collect()
    });
    let (taken, refused): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == 200);
    assert!(!taken.is_empty());
    refused.iter().for_each(|reply| drop(reply.refused(400, "GES.7002")));
    for reply in &taken {
        assert_eq!(graph.follow(reply)["status"], "success");
    }
    assert_eq!(statuses(&graph), vec!["success"; taken.len()]);
}

#[test]
fn lists_survive_restarts_and_crashes() {
    let mut server = Server::start();
    let graph = sample::trio(&server.admin(), "trio");
    graph.add_backup();
    graph.add_backup();
    let (own, all) = (graph.backups(), all_backups(&graph));
    for restart in [Server::restart, Server::crash] {
        restart(&mut server);
        assert_eq!((graph.backups(), all_backups(&graph)), (own.clone(), all.clone()));
    }
}

/// Whatever moment a crash hits, a backup that was asked for comes to be, and nothing that was
/// acknowledged is lost.
#[test]
fn a_backup_is_made_although_the_server_crashes() {
    let mut server = Server::start();
    let graph = sample::trio(&server.admin(), "trio");
    for round in 0..10_u64 {
        graph.add_vertices("person", &[(&format!("round{round}"), json!({"age": [round]}))]);
        let before = graph.summary();
        let backup = graph.request_backup();
        thread::sleep(Duration::from_micros(round * 200));
        server.crash();
        assert_eq!(graph.summary(), before);
        let job = graph.client.follow(&graph.id, &backup.job_id);
        let row = graph.backups().into_iter().find(|row| row["id"] == backup.id.as_str());
        assert_eq!(job["status"], "success", "round {round}: {job}");
        assert_eq!(row.expect("a success is listed")["status"], "success");
        graph.delete_vertices(&["ann", "bob"]);
        graph.restore(&backup);
        assert_eq!(graph.summary(), before, "round {round}");
    }
    assert!(!statuses(&graph).contains(&"backing_up".to_owned()));
}

/// Whatever moment a crash hits, the graph then is as it was at the backup, and never a mixture.
#[test]
fn a_restore_goes_on_after_a_crash() {
    let mut server = Server::start();
    let graph = sample::trio(&server.admin(), "trio");
    let (then, backup) = (graph.summary(), graph.add_backup());
    for round in 0..8_u64 {
        graph.add_vertices("person", &[(&format!("round{round}"), json!({}))]);
        graph.stop();
        let reply = graph.post("/start", json!({"graph_backup_id": backup.id}));
        thread::sleep(Duration::from_micros(round * 900));
        server.crash();
        let job = graph.follow(&reply);
        assert_eq!(job["status"], "success", "round {round}: {job}");
        graph.wait_status("200");
        assert_eq!(graph.summary(), then, "round {round}");
    }
}
