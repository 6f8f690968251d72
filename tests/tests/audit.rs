//! The record of who did what, and that nobody changes it unseen.

use std::fs;
use std::path::PathBuf;

use harness::{Client, Server, Value, gestalt, json};

fn records(admin: &Client) -> Vec<Value> {
    admin.get("/gestalt/v1/audit?from=1&limit=1000").ok()["records"].as_array().expect("a list").clone()
}

/// What `gestalt audit verify` says: whether it is content, and its one line.
fn verify(server: &Server, more: &[&str]) -> (bool, String) {
    let data = server.data().display().to_string();
    let done = gestalt(&[&["audit", "verify", "--data", &data], more].concat()).output().expect("it runs");
    let text = [done.stdout, done.stderr].concat();
    assert!(matches!(done.status.code(), Some(0 | 1)), "{:?}", done.status);
    (done.status.success(), String::from_utf8(text).expect("text"))
}

fn file(server: &Server) -> PathBuf {
    let mut files: Vec<PathBuf> = fs::read_dir(server.data().join("audit"))
        .expect("a folder")
        .map(|file| file.expect("a file").path())
        .collect();
    files.sort();
    files.pop().expect("a file")
}

#[test]
fn changes_are_recorded_with_who_what_and_where() {
    let server = Server::start();
    let admin = server.admin();
    let alice = admin.user_in(&admin.project, "alice", &["GES FullAccess"]);
    let graph = alice.create_open_graph("watched");
    let asked = alice.post(&graph.path("/backups"), ());
    let (request, ids) = (asked.header("X-Request-Id").to_owned(), asked.ok());
    graph.data_post("/vertices", json!({"vertex": "private_matter", "label": "l", "properties": {}})).ok();
    graph.data_post("/vertices/action?action_id=batch-query", json!({"vertices": ["private_matter"]})).ok();
    let id = ids["backup_id"].as_str().expect("an id");
    alice.follow(&graph.id, ids["job_id"].as_str().expect("an id"));
    alice.get(&graph.path(&format!("/backup-files?backup_id={id}"))).ok();
    alice.get("/v2/{p}/graphs").ok();
    alice.get("/v3/users").refused_identity(403);
    alice.try_log_in("alice", "a wrong password").refused_identity(401);
    // Records are written in order, and a change waits for its own.
    admin.create_project("afterwards");
    let all = records(&admin);
    let seqs: Vec<u64> = all.iter().map(|record| record["seq"].as_u64().expect("a number")).collect();
    assert_eq!(seqs, (1..=all.len() as u64).collect::<Vec<_>>());
    assert_eq!(all[0]["call"], "start");
    let of = |call: &str| {
        let found: Vec<Value> = all.iter().filter(|record| record["call"] == call).cloned().collect();
        assert!(!found.is_empty(), "{call} is not recorded: {all:#?}");
        found
    };
    let backup = &of("POST /v2/{project}/graphs/{graph}/backups")[0];
    assert_eq!(backup["user"]["name"], "alice");
    assert_eq!(backup["address"], "127.0.0.1");
    assert_eq!(backup["request"], request.as_str());
    assert_eq!((&backup["outcome"], &backup["status"]), (&json!("done"), &json!(200)));
    assert_eq!((&backup["of"]["graph"], &backup["of"]["project"]), (&json!(graph.id), &json!(alice.project)));
    assert_eq!(backup["made"], ids);
    assert_eq!(of("POST /v2/{project}/graphs")[0]["made"]["id"], graph.id.as_str());
    assert_eq!(of("POST /v3/users")[0]["user"]["name"], "admin");
    assert_eq!(of("POST /ges/v1.0/{project_id}/graphs/{graph}/vertices")[0]["of"]["graph"], "watched");
    assert_eq!(of("GET /v3/users")[0]["outcome"], "refused");
    let taken = &of("GET /v2/{project}/graphs/{graph}/backup-files")[0];
    assert_eq!((&taken["user"]["name"], &taken["of"]["backup"]), (&json!("alice"), &json!(id)));
    let log_ins = of("POST /v3/auth/tokens");
    let refused: Vec<&Value> = log_ins.iter().filter(|record| record["outcome"] == "refused").collect();
    assert_eq!(refused.len(), 1, "{log_ins:#?}");
    assert_eq!(refused[0]["user"]["name"], "alice");
    let text = json!(all).to_string();
    for absent in [
        "batch-query",
        "/vertices/action",
        "private_matter",
        "password\":",
        "correct horse",
        "wrong password",
    ] {
        assert!(!text.contains(absent), "{absent} is recorded");
    }
    assert!(!text.contains("\"GET /v2/{project}/graphs\""), "looking is not recorded");
}

#[test]
fn the_record_is_for_administrators_in_pages() {
    let server = Server::start();
    let admin = server.admin();
    (0..5).for_each(|n| drop(admin.create_project(&format!("project {n}"))));
    let alice = admin.user_in(&admin.project, "alice", &["GES FullAccess"]);
    alice.get("/gestalt/v1/audit").refused(403, "APIGW.0306");
    let all = records(&admin);
    let (mut next, mut paged) = (json!(1), Vec::new());
    while let Some(from) = next.as_u64() {
        let page = admin.get(&format!("/gestalt/v1/audit?from={from}&limit=2")).ok();
        paged.extend(page["records"].as_array().expect("a list").clone());
        next = page["next"].clone();
        assert!(paged.len() < 1000, "pages have no end");
    }
    assert_eq!(paged[..all.len()], all);
    let newest = admin.get("/gestalt/v1/audit?limit=1").ok();
    assert_eq!(newest["records"][0]["seq"], newest["head"]["seq"]);
    admin.get("/gestalt/v1/audit?from=x").refused(400, "GES.0001");
}

#[test]
fn the_chain_goes_on_over_stops_and_crashes() {
    let mut server = Server::start();
    let admin = server.admin();
    admin.create_project("one");
    let (whole, said) = verify(&server, &[]);
    assert!(whole && said.contains("records are whole"), "{said}");
    let noted = said.trim().rsplit(' ').next().expect("a word").to_owned();
    server.crash();
    admin.create_project("two");
    server.restart();
    let all = records(&admin);
    let calls: Vec<&str> = all.iter().filter_map(|record| record["call"].as_str()).collect();
    assert_eq!(calls.iter().filter(|call| **call == "start").count(), 3, "{calls:?}");
    assert_eq!(calls.iter().filter(|call| **call == "stop").count(), 1, "{calls:?}");
    assert_eq!(calls.iter().filter(|call| **call == "POST /v3/projects").count(), 2, "{calls:?}");
    server.terminate();
    let (whole, said) = verify(&server, &["--expect", &noted]);
    assert!(whole, "{said}");
    let (whole, said) = verify(&server, &["--expect", &format!("2:{}", "0".repeat(64))]);
    assert!(!whole && said.contains("record 2 "), "{said}");
}

#[test]
fn whatever_is_done_to_the_record_is_found() {
    let mut server = Server::start();
    let admin = server.admin();
    (0..5).for_each(|n| drop(admin.create_project(&format!("project {n}"))));
    server.terminate();
    let path = file(&server);
    let original = fs::read_to_string(&path).expect("a file");
    let lines: Vec<&str> = original.lines().collect();
    assert!(lines.len() >= 8, "{original}");
    let found = |lines: &[&str], record: usize| {
        let text: String = lines.iter().flat_map(|line| [*line, "\n"]).collect();
        fs::write(&path, text).expect("a file");
        let (whole, said) = verify(&server, &[]);
        assert!(!whole, "{said}");
        assert!(said.contains(&format!("record {record} ")), "record {record} is at fault: {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    };
    let changed = lines[3].replace("admin", "nobody");
    assert_ne!(changed, lines[3]);
    found(&[&lines[..3], &[&changed], &lines[4..]].concat(), 4);
    found(&[&lines[..3], &lines[4..]].concat(), 4);
    found(&[&lines[..3], &[lines[4], lines[3]], &lines[5..]].concat(), 4);
    found(&[&lines[..3], &[lines[3], lines[3]], &lines[4..]].concat(), 5);
    found(&lines[1..], 1);
    found(&lines[..lines.len() - 1], lines.len());
    found(&lines[..2], 3);
    found(&[], 1);
    fs::remove_file(&path).expect("a file");
    let (whole, said) = verify(&server, &[]);
    assert!(!whole && said.contains("record 1 "), "{said}");

    fs::write(&path, &original).expect("a file");
    assert!(verify(&server, &[]).0);
    // A line that a crash tore was never acknowledged.
    fs::write(&path, format!("{original}0123 {{\"seq\"")).expect("a file");
    assert!(verify(&server, &[]).0);
    server.start_again();
    admin.create_project("later");
    assert!(verify(&server, &[]).0);
}

#[test]
fn a_cut_tail_is_not_covered_up_by_going_on() {
    let mut server = Server::start();
    let admin = server.admin();
    (0..3).for_each(|n| drop(admin.create_project(&format!("project {n}"))));
    server.terminate();
    let path = file(&server);
    let original = fs::read_to_string(&path).expect("a file");
    let kept: String = original.split_inclusive('\n').take(2).collect();
    fs::write(&path, kept).expect("a file");
    server.announce("audit records have been cut off");
    server.start_again();
    admin.create_project("later");
    let (whole, said) = verify(&server, &[]);
    assert!(!whole && said.contains("record 3 is missing"), "{said}");
}

#[test]
fn a_folder_without_a_record_is_named() {
    let done = gestalt(&["audit", "verify", "--data", "nowhere"]).output().expect("it runs");
    assert_eq!(done.status.code(), Some(1));
    let said = String::from_utf8(done.stderr).expect("text");
    assert!(said.contains("instance.key") && said.lines().count() == 1, "{said}");
}
