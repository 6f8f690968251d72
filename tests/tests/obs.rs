//! The object area: files in buckets, and nothing else of the machine.

use std::fs;

use harness::{Server, exchange, json};

#[test]
fn what_is_put_can_be_got() {
    let server = Server::start();
    let client = server.admin();
    let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    for path in [
        "bucket/key",
        "bucket/dir/deep/er/key.bin",
        "bucket/it's-(a)_key!.*",
        "bucket/%E4%BD%A0%E5%A5%BD.csv",
    ] {
        client.upload(path, bytes.clone());
        assert_eq!(client.download(path), bytes, "{path}");
        let head = client.send("HEAD", &format!("/obs/{path}"), ());
        assert_eq!(
            (head.status, head.header("Content-Length"), head.body.len()),
            (200, "100000", 0),
            "{path}"
        );
    }
    client.upload("bucket/key", "shorter");
    assert_eq!(client.download("bucket/key"), b"shorter");
    client.upload("bucket/empty", "");
    assert_eq!(client.download("bucket/empty"), b"");
}

#[test]
fn files_are_larger_than_requests() {
    let server = Server::start();
    let client = server.admin();
    let large = vec![b'x'; 30_000_000];
    client.upload("bucket/large", large.clone());
    assert_eq!(client.download("bucket/large"), large);
}

#[test]
fn files_survive_a_crash() {
    let mut server = Server::start();
    let client = server.admin();
    client.upload("bucket/key", "content");
    server.crash();
    assert_eq!(client.download("bucket/key"), b"content");
}

#[test]
fn a_list_names_the_keys_of_a_bucket() {
    let server = Server::start();
    let client = server.admin();
    for key in ["a", "dir/b", "dir/sub/c"] {
        client.upload(&format!("bucket/{key}"), "x");
    }
    client.upload("elsewhere/d", "x");
    let text = client.get("/obs/bucket").ok().to_string();
    for key in ["\"a\"", "\"dir/b\"", "\"dir/sub/c\""] {
        assert!(text.contains(key), "{key} in {text}");
    }
    assert!(!text.contains("\"d\""), "{text}");
    let text = client.get("/obs/bucket?prefix=dir/sub/").ok().to_string();
    assert!(text.contains("\"dir/sub/c\"") && !text.contains("\"dir/b\""), "{text}");
}

#[test]
fn a_list_comes_page_by_page() {
    let server = Server::start();
    let client = server.admin();
    let keys: Vec<String> = (0..25).map(|n| format!("{}/key{n:02}", ["a", "b", "c"][n / 10])).collect();
    for key in &keys {
        client.upload(&format!("bucket/{key}"), "xyz");
    }
    let page = |query: &str| {
        let list = client.get(&format!("/obs/bucket{query}")).ok();
        let objects = list["objects"].as_array().expect("a list").clone();
        assert!(objects.iter().all(|object| object["size"] == 3), "{list}");
        let keys: Vec<String> =
            objects.iter().map(|object| object["key"].as_str().expect("a key").to_owned()).collect();
        assert_eq!(list["is_truncated"], list["next_marker"].is_string(), "{list}");
        (keys, list["next_marker"].as_str().map(str::to_owned))
    };
    assert_eq!(page(""), (keys.clone(), None));
    let (mut all, mut marker) = (Vec::new(), Some(String::new()));
    while let Some(after) = marker {
        let (keys, next) = page(&format!("?limit=7&marker={after}"));
        assert!(keys.len() == 7 || next.is_none());
        all.extend(keys);
        marker = next;
    }
    assert_eq!(all, keys);
    assert_eq!(page("?prefix=b/&limit=4"), (keys[10..14].to_vec(), Some(keys[13].clone())));
    assert_eq!(page("/c/?limit=9"), (keys[20..].to_vec(), None));
    assert_eq!(page("?marker=zzz"), (vec![], None));
    assert_eq!(page("?limit=5000").0.len(), 25);
    for limit in ["0", "-1", "many"] {
        let refusal = client.get(&format!("/obs/bucket?limit={limit}"));
        assert!(refusal.refused(400, "GES.0001").contains("[limit]"), "{refusal}");
    }
    client.get("/obs/nowhere").refused(404, "OBS.0003");
}

#[test]
fn what_is_deleted_is_gone() {
    let server = Server::start();
    let client = server.admin();
    client.upload("bucket/dir/key", "x");
    assert!(matches!(client.delete("/obs/bucket/dir/key").status, 200 | 204));
    for path in ["/obs/bucket/dir/key", "/obs/bucket/none", "/obs/nowhere/key"] {
        assert_eq!(client.get(path).status, 404, "{path}");
    }
    assert!(!client.get("/obs/bucket").ok().to_string().contains("dir/key"));
}

#[test]
fn every_call_needs_a_token() {
    let server = Server::start();
    server.admin().upload("bucket/key", "secret");
    for (method, path) in [("GET", "key"), ("PUT", "key"), ("DELETE", "key"), ("GET", "")] {
        server.anonymous().send(method, &format!("/obs/bucket/{path}"), ()).refused(401, "APIGW.0301");
    }
    assert_eq!(server.admin().download("bucket/key"), b"secret");
}

#[test]
fn no_path_leads_out_of_a_bucket() {
    let server = Server::start();
    let client = server.admin();
    let token = client.token.clone().expect("logged in");
    client.upload("bucket/key", "content");
    fs::write(server.path("outside"), "outside").expect("a file beside the data");
    let password = server.credentials()["password"].as_str().expect("a password").to_owned();
    for path in [
        "/obs/../credentials.json",
        "/obs/bucket/../../credentials.json",
        "/obs/bucket/%2e%2e/%2e%2e/credentials.json",
        "/obs/bucket/..%2f..%2fcredentials.json",
        "/obs/bucket/..%5c..%5ccredentials.json",
        "/obs/%2e%2e/credentials.json",
        "/obs/..%2fcredentials.json/x",
        "/obs/bucket/%2e%2e%2f%2e%2e%2f%2e%2e%2foutside",
        "/obs/bucket//etc/passwd",
        "/obs//etc/passwd",
        "/obs/%2fetc/passwd",
        "/obs/bucket/%2fetc%2fpasswd",
        "/obs/bucket/key%00.txt",
        "/obs/bucket/./key/../../../credentials.json",
        "/obs/bucket/%c0%ae%c0%ae/credentials.json",
        "/obs/.",
        "/obs/..",
        "/obs/bucket/..",
        "/obs/bucket/key/below-a-file",
    ] {
        for method in ["GET", "PUT", "DELETE"] {
            let request = format!(
                "{method} {path} HTTP/1.1\r\nHost: gestalt\r\nX-Auth-Token: {token}\r\nContent-Length: 4\r\nConnection: close\r\n\r\nevil"
            );
            let reply = exchange(&server.url(), request.as_bytes());
            let status: u16 =
                reply.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
            assert!((400..500).contains(&status), "{method} {path}: {reply}");
            assert!(!reply.contains(&password) && !reply.contains("root:"), "{method} {path}: {reply}");
        }
    }
    assert_eq!(fs::read_to_string(server.path("outside")).expect("still there"), "outside");
    assert_eq!(server.credentials()["password"], password.as_str());
    assert_eq!(client.download("bucket/key"), b"content");
}

#[test]
fn no_link_leads_out_of_a_bucket() {
    let server = Server::start();
    let client = server.admin();
    client.upload("bucket/key", "content");
    fs::write(server.path("outside"), "outside").expect("a file beside the data");
    let buckets = server.data().join("obs");
    let bucket = find_folder(&buckets, "bucket").expect("a bucket is a folder below obs");
    std::os::unix::fs::symlink(server.path("outside"), bucket.join("link")).expect("a link");
    let reply = client.get("/obs/bucket/link");
    assert!((400..500).contains(&reply.status), "{reply}");
    let graph = client.create_graph("some");
    let import = graph.post("/import-graph", json!({"vertexset_path": "bucket/link"}));
    assert!(import.status == 400 || graph.follow(&import)["status"] == "failed", "{import}");
}

fn find_folder(below: &std::path::Path, name: &str) -> Option<std::path::PathBuf> {
    let folders = fs::read_dir(below).ok()?.filter_map(Result::ok).map(|entry| entry.path());
    folders
        .filter(|path| path.is_dir())
        .find_map(|path| if path.ends_with(name) { Some(path) } else { find_folder(&path, name) })
}

#[test]
fn bucket_names_are_checked() {
    let server = Server::start();
    for bucket in ["-", "UPPER", "a b", "x", &"x".repeat(64)] {
        let bucket = bucket.replace(' ', "%20");
        let reply = server.admin().put(&format!("/obs/{bucket}/key"), "x");
        assert_eq!(reply.status, 400, "{reply}");
    }
}
