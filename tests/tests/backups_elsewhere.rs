//! Backups that leave their server: to a bucket, by download link, and into another server.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use harness::{Backup, Client, Graph, Server, Value, json, sample, until};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Where a folder of a bucket lies.
fn folder(server: &Server, path: &str) -> PathBuf {
    let project = server.credentials()["project_id"].as_str().expect("an id").to_owned();
    server.data().join("obs").join(project).join(path)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).expect("a copy");
        }
    }
}

/// All files below a folder.
fn files(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

fn export(graph: &Graph, backup: &Backup, path: &str) {
    graph.run("/backups/export", json!({"backup_id": backup.id, "export_path": path}));
}

/// Imports a backup and returns it.
fn import(graph: &Graph, path: &str) -> Backup {
    let reply = graph.post("/backups/import", json!({"import_path": path})).ok();
    let id = |key: &str| reply[key].as_str().unwrap_or_else(|| panic!("no {key}: {reply}")).to_owned();
    let backup = Backup { id: id("backup_id"), job_id: id("job_id") };
    let job = graph.client.follow(&graph.id, &backup.job_id);
    assert_eq!((&job["status"], &job["job_name"]), (&json!("success"), &json!("ImportBackup")), "{job}");
    backup
}

/// A graph with a bulk load, commits after it, a backup, and commits after that.
fn traveller(client: &Client) -> (Graph, Backup, Value) {
    let graph = sample::people(client, "traveller");
    graph.add_vertices("person", &[("eve", json!({"age": [9]})), ("fay", json!({}))]);
    graph.delete_vertices(&["bob"]);
    let (summary, backup) = (graph.summary(), graph.add_backup());
    graph.add_vertices("person", &[("too late", json!({}))]);
    (graph, backup, summary)
}

#[test]
fn a_backup_travels_to_another_server() {
    let (here, mut there) = (Server::start(), Server::start());
    let (graph, backup, summary) = traveller(&here.admin());
    export(&graph, &backup, "vault/traveller/");
    copy(&folder(&here, "vault/traveller"), &folder(&there, "inbox/parcel"));

    let target = there.admin().create_open_graph("target");
    target.add_vertices("stranger", &[("zoe", json!({}))]);
    let arrived = import(&target, "inbox/parcel");
    let row = target.backups().pop().expect("a row");
    for (key, value) in [
        ("id", json!(arrived.id)),
        ("backup_method", json!("import")),
        ("graph_id", json!(target.id)),
        ("graph_name", json!("target")),
        ("status", json!("success")),
    ] {
        assert_eq!(row[key], value, "{row}");
    }
    assert!(row["size"].as_u64() >= Some(1) && row["end_time"].is_string(), "{row}");
    fs::remove_dir_all(folder(&there, "inbox")).expect("the parcel is not needed any more");
    there.crash();
    assert_eq!(target.backups(), [row]);
    target.restore(&arrived);
    assert_eq!(target.summary(), summary);
    assert!(target.vertex("zoe").is_none() && target.vertex("too late").is_none());
    assert_eq!(target.vertex("eve").expect("she is there")["properties"], json!({"age": [9]}));
    target.add_vertices("person", &[("new", json!({}))]);
    there.restart();
    target.restore(&arrived);
    assert_eq!(target.summary(), summary);
    target.delete(&format!("/backups/{}", arrived.id)).ok();
    there.restart();
    assert!(target.backups().is_empty());
    assert_eq!(target.summary(), summary);
}

#[test]
fn an_exported_backup_outlives_its_graph() {
    let server = Server::start();
    let client = server.admin();
    let (graph, backup, summary) = traveller(&client);
    graph.stop();
    export(&graph, &backup, "vault/of-a-stopped-graph");
    client.delete(&graph.path("?keep_backup=true")).ok();
    until("the deletion", || (graph.get("").status == 404).then_some(()));
    export(&graph, &backup, "vault/of-a-deleted-graph");
    graph.delete(&format!("/backups/{}", backup.id)).ok();
    for path in ["vault/of-a-stopped-graph", "vault/of-a-deleted-graph/"] {
        let name = path.replace(['/', '-'], "_");
        let heir = client.create_graph(name.trim_end_matches('_'));
        let arrived = import(&heir, path);
        heir.restore(&arrived);
        assert_eq!(heir.summary(), summary);
        // And on from there.
        let again = heir.add_backup();
        export(&heir, &again, &format!("again/{name}"));
    }
}

#[test]
fn a_folder_keeps_the_backup_that_it_holds() {
    let server = Server::start();
    let graph = sample::trio(&server.admin(), "trio");
    let (first, second) = (graph.add_backup(), graph.add_backup());
    export(&graph, &first, "vault/x/");
    let before: Vec<_> =
        files(&folder(&server, "vault/x")).iter().map(|path| fs::read(path).unwrap()).collect();
    let wanted = json!({"backup_id": second.id, "export_path": "vault/x/"});
    let reason = graph.run_in_vain("/backups/export", wanted);
    assert!(reason.contains(&first.id), "{reason}");
    export(&graph, &first, "vault/x/");
    let after: Vec<_> =
        files(&folder(&server, "vault/x")).iter().map(|path| fs::read(path).unwrap()).collect();
    assert_eq!(before, after);
}

#[test]
fn a_spoilt_file_is_named_and_nothing_arrives() {
    let server = Server::start();
    let (graph, backup, _) = traveller(&server.admin());
    export(&graph, &backup, "vault/good/");
    let good = folder(&server, "vault/good");
    let before = graph.backups();
    for (nr, file) in files(&good).iter().enumerate() {
        let name = file.strip_prefix(&good).expect("below").to_str().expect("text");
        let path = format!("vault/bad-{nr}");
        copy(&good, &folder(&server, &path));
        let spoilt = folder(&server, &path).join(name);
        let mut bytes = fs::read(&spoilt).expect("a file");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&spoilt, &bytes).expect("a file");
        let reason = graph.run_in_vain("/backups/import", json!({"import_path": path}));
        assert!(reason.contains(name), "{name}: {reason}");
        fs::remove_file(&spoilt).expect("a file");
        if name == "index" {
            graph.post("/backups/import", json!({"import_path": path})).refused(400, "GES.7017");
        } else {
            let reason = graph.run_in_vain("/backups/import", json!({"import_path": path}));
            assert!(reason.contains(name), "{name}: {reason}");
        }
        assert_eq!(graph.backups(), before);
    }
}

/// Whatever moment a crash hits, both come to an end, and both are whole.
#[test]
fn an_import_and_an_export_go_on_after_a_crash() {
    let mut server = Server::start();
    let (graph, backup, summary) = traveller(&server.admin());
    export(&graph, &backup, "vault/good");
    for round in 0..8_u64 {
        let path = format!("vault/round{round}");
        let out = graph.post("/backups/export", json!({"backup_id": backup.id, "export_path": path})).ok();
        let back = graph.post("/backups/import", json!({"import_path": "vault/good"})).ok();
        thread::sleep(Duration::from_millis(round * 6));
        server.crash();
        for reply in [&out, &back] {
            let job = graph.client.follow(&graph.id, reply["job_id"].as_str().expect("a job"));
            assert_eq!(job["status"], "success", "round {round}: {job}");
        }
        for id in [back["backup_id"].as_str().expect("an id"), &import(&graph, &path).id] {
            graph.restore(&Backup { id: id.to_owned(), job_id: String::new() });
            assert_eq!(graph.summary(), summary, "round {round}");
        }
    }
}

#[test]
fn imports_count_towards_the_quota() {
    let server = Server::with(&[("GESTALT_BACKUP_QUOTA", "2")]);
    let graph = sample::trio(&server.admin(), "trio");
    let backup = graph.add_backup();
    export(&graph, &backup, "vault/x");
    import(&graph, "vault/x");
    graph.post("/backups/import", json!({"import_path": "vault/x"})).refused(400, "GES.7019");
    graph.post("/backups", ()).refused(400, "GES.7019");
    assert_eq!(graph.backups().len(), 2);
}

fn links(graph: &Graph, backup: &Backup) -> Vec<Value> {
    let reply = graph.get(&format!("/backup-files?backup_id={}", backup.id)).ok();
    assert_eq!(reply["bucket"], "backup-links");
    reply["files"].as_array().unwrap_or_else(|| panic!("no files: {reply}")).clone()
}

/// The path and query of a link.
fn path_of<'a>(server: &Server, file: &'a Value) -> &'a str {
    let link = file["download_link"].as_str().expect("a link");
    link.strip_prefix(&server.url()).unwrap_or_else(|| panic!("not an address of the server: {link}"))
}

#[test]
fn downloaded_files_are_a_backup() {
    let (here, there) = (Server::start(), Server::start());
    let (graph, backup, summary) = traveller(&here.admin());
    let stranger = here.anonymous();
    let friend = there.admin();
    for file in links(&graph, &backup) {
        let mut keys: Vec<&String> = file.as_object().expect("an object").keys().collect();
        keys.sort();
        assert_eq!(keys, ["download_link", "link_expired_time", "name", "size"]);
        let expires = file["link_expired_time"].as_str().expect("text");
        assert!(expires.len() == 24 && expires.ends_with("+0000"), "{expires}");
        let reply = stranger.get(path_of(&here, &file));
        assert_eq!(reply.status, 200, "{reply}");
        assert_eq!(file["size"], reply.body.len().div_ceil(1000), "KB");
        assert_eq!(reply.header("Content-Length"), reply.body.len().to_string());
        let head = stranger.send("HEAD", path_of(&here, &file), ());
        assert_eq!((head.status, head.body.len()), (200, 0));
        friend.upload(&format!("inbox/parcel/{}", file["name"].as_str().expect("text")), reply.body);
    }
    let target = friend.create_graph("target");
    let arrived = import(&target, "inbox/parcel/");
    target.restore(&arrived);
    assert_eq!(target.summary(), summary);
}

/// What the server signs with, from its key.
fn sign(server: &Server, text: &str) -> String {
    let mac = |key: &[u8], text: &[u8]| {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length will do");
        mac.update(text);
        mac.finalize().into_bytes()
    };
    let key = fs::read(server.data().join("instance.key")).expect("the key");
    hex::encode(mac(&mac(&key, b"gestalt download links"), text.as_bytes()))
}

#[test]
fn links_are_good_for_one_file_and_one_hour() {
    let server = Server::start();
    let client = server.admin();
    let graph = sample::trio(&client, "trio");
    let (backup, other) = (graph.add_backup(), graph.add_backup());
    let stranger = server.anonymous();
    let all = links(&graph, &backup);
    let link = path_of(&server, &all[0]);
    assert_eq!(stranger.get(link).status, 200);
    assert_eq!(client.get(link).status, 200, "a token does no harm");

    let name = all[0]["name"].as_str().expect("text");
    let (path, query) = link.split_once('?').expect("a query");
    let (expires, signature) = query.split_once("&signature=").expect("a signature");
    let expires: i64 = expires.strip_prefix("expires=").and_then(|text| text.parse().ok()).expect("a time");
    let flipped = if signature.starts_with('0') { "1" } else { "0" };
    for tampered in [
        path.to_owned(),
        format!("{path}?expires={expires}"),
        format!("{path}?signature={signature}"),
        format!("{path}?expires={}&signature={signature}", expires + 1),
        format!("{path}?expires={expires}&signature={flipped}{}", &signature[1..]),
        format!("{path}?expires={expires}&signature={}", &signature[2..]),
        format!("{path}?expires={expires}&signature="),
        link.replacen(&backup.id, &other.id, 1),
        link.replacen(name, all[1]["name"].as_str().expect("text"), 1),
        link.replacen(&client.project, "0123456789abcdef0123456789abcdef", 1),
    ] {
        stranger.get(&tampered).refused(403, "OBS.0008");
        client.get(&tampered).refused(403, "OBS.0008");
    }
    let foreign = Server::start();
    foreign.anonymous().get(link).refused(403, "OBS.0008");

    let made = |name: &str, expires: i64| {
        let text = format!("{}\n{}\n{}\n{name}\n{expires}", client.project, graph.id, backup.id);
        let path = format!("/obs/backup-links/{}/{}/{}/{name}", client.project, graph.id, backup.id);
        stranger.get(&format!("{path}?expires={expires}&signature={}", sign(&server, &text)))
    };
    assert_eq!(made(name, expires).status, 200, "the test signs as the server does");
    made(name, expires - 7200).refused(403, "OBS.0007");
    made("chunk/unknown", expires).refused(404, "OBS.0004");
    made("../../../../instance.key", expires).refused(404, "OBS.0004");

    graph.delete(&format!("/backups/{}", backup.id)).ok();
    stranger.get(link).refused(404, "OBS.0004");
    let put = client.put("/obs/backup-links/a/b/c/d", "x");
    assert!(put.status >= 400, "the bucket takes nothing: {put}");
}

#[test]
fn links_survive_a_restart() {
    let mut server = Server::start();
    let graph = sample::trio(&server.admin(), "trio");
    let backup = graph.add_backup();
    let file = links(&graph, &backup).remove(0);
    let link = path_of(&server, &file).to_owned();
    server.crash();
    assert_eq!(server.anonymous().get(&link).status, 200);
}
