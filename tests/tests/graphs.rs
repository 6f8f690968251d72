//! The life of a graph: created, stopped, started, cleared, deleted.

use harness::{Server, graph_fields, json, sample, until};

#[test]
fn a_new_graph_runs_and_is_described_as_clients_expect() {
    let server = Server::start();
    let client = server.admin();
    let reply = client.post("/v2/{p}/graphs", json!({"graph": graph_fields("people_2", &json!({}))}));
    let created = reply.ok();
    assert_eq!(created["name"], "people_2");
    let id = created["id"].as_str().expect("an id");
    assert_eq!(id.len(), 36, "{reply}");
    let first = client.get(&format!("/v2/{{p}}/graphs/{id}")).ok();
    assert!(matches!(first["graph"]["status"].as_str(), Some("100" | "200")), "{first}");

    let graph = until("the graph", || {
        let graph = client.get(&format!("/v2/{{p}}/graphs/{id}")).ok()["graph"].clone();
        (graph["status"] == "200").then_some(graph)
    });
    for (key, value) in [
        ("id", json!(id)),
        ("name", json!("people_2")),
        ("graph_size_type_index", json!("2")),
        ("product_type", json!("InMemory")),
        ("arch", json!("x86_64")),
        ("is_multi_az", json!("false")),
        ("crypt_algorithm", json!("generalCipher")),
        ("replication", json!(1)),
        ("encrypted", json!(false)),
        ("enable_https", json!(false)),
        ("enable_multi_label", json!(false)),
        ("vpc_id", json!("vpc")),
    ] {
        assert_eq!(graph[key], value, "{key}");
    }
    for key in ["public_ip", "vertex_id_type"] {
        assert!(graph[key].is_null() || graph[key].is_object(), "{key} crashes Terraform: {graph}");
    }
    for key in ["created", "created_by", "data_store_version"] {
        assert!(graph[key].as_str().is_some_and(|text| !text.is_empty()), "{key}: {graph}");
    }
    assert_eq!(graph["created"].as_str().map(str::len), Some("2026-11-23T09:00:00".len()));
}

#[test]
fn graphs_are_listed_page_by_page() {
    let server = Server::start();
    let client = server.admin();
    for number in 0..12 {
        client.create_graph(&format!("graph_{number}"));
    }
    let page = |query: &str| {
        let list = client.get(&format!("/v2/{{p}}/graphs{query}")).ok();
        assert_eq!(list["graph_count"], 12, "the count is of all, not of the page");
        let graphs = list["graphs"].as_array().expect("a list").clone();
        graphs.iter().map(|graph| graph["name"].as_str().expect("a name").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(page("").len(), 10);
    assert_eq!(page("?limit=120").len(), 12);
    let pages = [page("?limit=5"), page("?limit=5&offset=5"), page("?limit=5&offset=10")].concat();
    assert_eq!(pages, page("?limit=12"), "pages neither overlap nor leave gaps");
    assert_eq!(page("?offset=12"), [""; 0]);
    assert_eq!(page("?offset=2000000000"), [""; 0]);
}

#[test]
fn a_stopped_graph_comes_back_as_it_was() {
    let server = Server::start();
    let graph = sample::trio(&server.admin(), "trio");
    let before = graph.summary();
    graph.stop();
    let refusal = graph.data_get("/summary");
    assert!(refusal.status >= 400 && refusal.error_code().starts_with("GES.8"), "{refusal}");
    graph.start();
    assert_eq!(graph.summary(), before);
    graph.run("/restart", ());
    assert_eq!(graph.status(), "200");
    assert_eq!(graph.summary(), before);
}

#[test]
fn graphs_keep_their_state_over_a_restart_of_the_server() {
    let mut server = Server::start();
    let client = server.admin();
    let (running, stopped) = (sample::trio(&client, "running"), sample::trio(&client, "stopped"));
    let before = running.summary();
    stopped.stop();
    for restart in [Server::restart, Server::crash] {
        restart(&mut server);
        assert_eq!((running.status().as_str(), stopped.status().as_str()), ("200", "900"));
        assert_eq!(running.summary(), before);
    }
    stopped.start();
    assert_eq!(stopped.summary(), before);
}

#[test]
fn clearing_keeps_the_schema_unless_told_otherwise() {
    let server = Server::start();
    let graph = sample::people(&server.admin(), "people");
    let labels = |graph: &harness::Graph| graph.data_get("/schema").text().contains("\"person\"");
    graph.run("/clear-graph", ());
    assert_eq!(graph.counts(), (0, 0));
    assert!(labels(&graph));
    graph.run("/import-graph", sample::people_import());
    assert_eq!(graph.counts(), (4, 5));
    graph.run("/clear-graph?clear_metadata=true", ());
    assert_eq!(graph.counts(), (0, 0));
    assert!(!labels(&graph));
    assert_eq!(graph.status(), "200");
}

#[test]
fn a_cleared_graph_can_be_brought_back() {
    let server = Server::start();
    let graph = sample::people(&server.admin(), "people");
    let before = graph.summary();
    let backup = graph.add_backup();
    graph.run("/clear-graph?clear_metadata=true", ());
    graph.restore(&backup);
    assert_eq!(graph.summary(), before);
}

#[test]
fn a_deleted_graph_is_gone_and_its_name_is_free() {
    let server = Server::start();
    let client = server.admin();
    let graph = sample::trio(&client, "trio");
    let reply = graph.delete("");
    assert!(reply.ok()["job_id"].is_string(), "{reply}");
    until("the deletion", || {
        let reply = graph.get("");
        (reply.status == 404 || reply.json()["graph"]["status"] == "400").then_some(())
    });
    let list = client.get("/v2/{p}/graphs").ok();
    assert!(!list["graphs"].to_string().contains(&graph.id), "{list}");
    assert_eq!(list["graph_count"], 0);
    assert!(graph.data_get("/summary").error_code().starts_with("GES.8"));
    graph.post("/backups", ()).refused(400, "GES.7000");

    let successor = client.create_graph("trio");
    assert_ne!(successor.id, graph.id);
    assert_eq!(successor.counts(), (0, 0));
}

#[test]
fn a_stopped_graph_can_be_deleted() {
    let server = Server::start();
    let graph = server.admin().create_graph("some");
    graph.stop();
    graph.delete("").ok();
    until("the deletion", || (graph.get("").status == 404).then_some(()));
}

#[test]
fn an_open_graph_takes_labels_as_they_come_and_a_closed_one_does_not() {
    let server = Server::start();
    let client = server.admin();
    let body = json!({"vertices": [{"vertex": "ann", "label": "person", "properties": {"age": [31]}}]});
    let closed = client.create_graph("closed");
    let refusal = closed.data_post("/vertices/action?action_id=batch-add", body.clone());
    assert_eq!(refusal.status, 400, "{refusal}");
    assert!(refusal.error_text().contains("person"), "{refusal}");
    assert_eq!(closed.counts(), (0, 0));

    let open = client.create_open_graph("open_one");
    open.data_post("/vertices/action?action_id=batch-add", body).ok();
    assert_eq!(open.vertex("ann").expect("ann")["properties"]["age"], json!([31]));
}

#[test]
fn quotas_say_what_is_left() {
    let server = Server::start();
    let client = server.admin();
    let left = |kind: &str| {
        let quotas = client.get("/v2/{p}/graphs/quotas").ok();
        let rows = quotas["quotas"]["resources"].as_array().expect("rows").clone();
        let row =
            rows.into_iter().find(|row| row["type"] == kind).unwrap_or_else(|| panic!("no {kind}: {quotas}"));
        assert_eq!(row.get("edge_volume").is_some(), kind == "graph", "{row}");
        row["available"].as_u64().expect("a number")
    };
    let before = (left("graph"), left("backup"), left("metadata"));
    let graph = client.create_graph("some");
    graph.add_backup();
    assert_eq!((left("graph"), left("backup"), left("metadata")), (before.0 - 1, before.1 - 1, before.2));
}

#[test]
fn quotas_are_kept() {
    let server = Server::with(&[("GESTALT_GRAPH_QUOTA", "1"), ("GESTALT_BACKUP_QUOTA", "2")]);
    let client = server.admin();
    let graph = client.create_graph("some");
    let more = json!({"graph": graph_fields("more", &json!({}))});
    client.post("/v2/{p}/graphs", more).refused(400, "GES.7018");
    let first = graph.add_backup();
    graph.add_backup();
    graph.post("/backups", ()).refused(400, "GES.7019");
    graph.delete(&format!("/backups/{}", first.id)).ok();
    graph.add_backup();
    assert_eq!(graph.backups().len(), 2);
}
