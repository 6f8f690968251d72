//! Sizes, replicas, addresses, security groups, scenes: what is recorded of a graph and what it
//! has an effect on.

use std::fs;

use harness::{Graph, Reply, Server, Value, graph_fields, json, sample};

fn batch(graph: &Graph, edges: Value) -> Reply {
    graph.data_post("/edges/action?action_id=batch-add", json!({"edges": edges, "createNotExists": true}))
}

/// A graph of the smallest size with as many edges as fit.
fn full(server: &Server) -> Graph {
    let client = server.admin();
    let (_, edges) = sample::ring(10_000);
    client.upload("data/e.csv", edges);
    let graph =
        client.create_graph_with("full", &json!({"schema_mode": "open", "graph_size_type_index": "0"}));
    graph.run("/import-graph", json!({"edgeset_path": "data/e.csv"}));
    assert_eq!(graph.counts(), (10_000, 10_000));
    graph
}

#[test]
fn a_graph_holds_as_many_edges_as_its_size_and_no_more() {
    let server = Server::start();
    let graph = full(&server);
    let before = graph.summary();

    let one_more = batch(&graph, json!([{"source": "v0", "target": "new", "label": "next"}]));
    assert!(one_more.refused(400, "GES.7018").contains("10000"), "{one_more}");
    let single = graph.data_post("/edges", json!({"source": "v0", "target": "v2", "label": "next"}));
    single.refused(400, "GES.7018");
    graph.client.upload("data/more.csv", "v0,v2,next\nother,v3,next\n");
    let reason = graph.run_in_vain("/import-graph", json!({"edgeset_path": "data/more.csv"}));
    assert!(reason.starts_with("GES.7018"), "{reason}");
    assert_eq!(graph.summary(), before, "what was refused changed nothing, not even a vertex");

    // An edge in the place of another is none more.
    let body = json!({"edges": [{"source": "v0", "target": "v1", "label": "next"}],
        "parallelEdge": {"action": "override"}});
    graph.data_post("/edges/action?action_id=batch-add", body).ok();
    assert_eq!(graph.counts(), (10_000, 10_000));
    // Room can be made.
    graph
        .data_post(
            "/edges/action?action_id=batch-delete",
            json!({"edges": [{"source": "v5", "target": "v6"}]}),
        )
        .ok();
    batch(&graph, json!([{"source": "v0", "target": "v2", "label": "next"}])).ok();
    batch(&graph, json!([{"source": "v0", "target": "v3", "label": "next"}])).refused(400, "GES.7018");
}

#[test]
fn a_resize_makes_room_for_edges() {
    let mut server = Server::start();
    let client = server.admin();
    let graph = client.create_graph_with("some", &json!({"graph_size_type_index": "1"}));
    assert!(graph.show().get("resize_time").is_none());
    let job = graph.run("/resize", json!({"resize": {"graph_size_type_index": "3"}}));
    assert_eq!(job["job_name"], "ResizeGraph");
    graph.run("/resize", json!({"resize": {"graph_size_type_index": 4}}));
    server.crash();
    let shown = graph.show();
    for (key, value) in
        [("graph_size_type_index", "4"), ("origin_graph_size_type_index", "1"), ("status", "200")]
    {
        assert_eq!(shown[key], value, "{shown}");
    }
    assert_eq!(shown["resize_time"].as_str().map(str::len), Some(19));
    let refused = graph.post("/resize", json!({"resize": {"graph_size_type_index": "2"}}));
    refused.refused(400, "GES.7057");
}

/// A resize moves the limit that imports and writes keep to: seen from below, as the next size is a
/// hundred times larger.
#[test]
fn the_limit_is_that_of_the_present_size() {
    let server = Server::start();
    let graph = full(&server);
    graph.post("/resize", json!({"resize": {"graph_size_type_index": "2"}})).refused(400, "GES.7056");
    let backup = graph.add_backup();
    let larger = graph.client.create_graph_with("larger", &json!({"graph_size_type_index": "1"}));
    larger.restore(&backup);
    assert_eq!(larger.counts(), (10_000, 10_000));
    batch(&larger, json!([{"source": "v0", "target": "v2", "label": "next"}])).ok();
    larger.run("/import-graph", json!({"edgeset_path": "data/e.csv"}));
    assert_eq!(larger.counts(), (10_000, 20_001));

    // What does not fit is not brought back.
    let backup = larger.add_backup();
    graph.stop();
    let refusal = graph.post("/start", json!({"graph_backup_id": backup.id}));
    assert!(refusal.refused(400, "GES.7018").contains("20001"), "{refusal}");
    assert_eq!(graph.status(), "900");
    graph.start();
    assert_eq!(graph.counts(), (10_000, 10_000));
}

#[test]
fn replicas_are_recorded() {
    let mut server = Server::start();
    let graph = server.admin().create_graph("some");
    let job = graph.run("/expand", json!({"expand": {"replication": 2}}));
    assert_eq!(job["job_name"], "ExpandGraph");
    graph.run("/expand", json!({"expand": {"replication": "1"}}));
    server.crash();
    let shown = graph.show();
    assert_eq!((&shown["replication"], &shown["status"]), (&json!(4), &json!("200")));
    assert_eq!(shown["expand_time"].as_str().map(str::len), Some(19));
    // Documented: no resize after it.
    graph.post("/resize", json!({"resize": {"graph_size_type_index": "3"}})).refused(400, "GES.7056");
    let smallest = graph.client.create_graph_with("small", &json!({"graph_size_type_index": "0"}));
    smallest.post("/expand", json!({"expand": {"replication": 1}})).refused(400, "GES.0001");
}

#[test]
fn an_address_is_bound_shown_and_unbound() {
    let mut server = Server::start();
    let client = server.admin();
    let (graph, other) = (client.create_graph("some"), client.create_graph("other"));
    assert!(graph.show()["public_ip"].is_null());
    let eip = |id: &str| json!({"eip_id": id});
    graph.post("/unbind-eip", eip("eip-1")).refused(400, "GES.7039");
    assert_eq!(graph.post("/bind-eip", eip("eip-1")).ok(), json!({}));
    server.crash();
    assert_eq!(graph.show()["public_ip"], json!({"public_bind_type": "bind_existing", "eip_id": "eip-1"}));
    graph.post("/bind-eip", eip("eip-2")).refused(400, "GES.7038");
    let taken = other.post("/bind-eip", eip("eip-1"));
    assert!(taken.refused(400, "GES.7038").contains("[some]"), "{taken}");
    graph.post("/unbind-eip", eip("eip-2")).refused(400, "GES.7039");
    assert_eq!(graph.post("/unbind-eip", eip("eip-1")).ok(), json!({}));
    assert!(graph.show()["public_ip"].is_null());
    other.post("/bind-eip", eip("eip-1")).ok();

    let fields = |kind: &str| {
        graph_fields("third", &json!({"public_ip": {"public_bind_type": kind, "eip_id": "eip-1"}}))
    };
    client.post("/v2/{p}/graphs", json!({"graph": fields("bind_existing")})).refused(400, "GES.7038");
    other.delete("?delete_eip=true").ok();
    client.post("/v2/{p}/graphs", json!({"graph": fields("bind_existing")})).ok();
    let assigned =
        client.create_graph_with("fourth", &json!({"public_ip": {"public_bind_type": "auto_assign"}}));
    let address = assigned.show()["public_ip"].clone();
    assert_eq!(address["public_bind_type"], "auto_assign");
    assert_eq!(assigned.post("/unbind-eip", json!({"eip_id": address["eip_id"]})).ok(), json!({}));
}

#[test]
fn a_security_group_can_be_changed() {
    let server = Server::start();
    let graph = server.admin().create_graph("some");
    assert_eq!(graph.show()["security_group_id"], "group");
    assert_eq!(graph.post("/sg/change", json!({"security_group_id": "other-group"})).ok(), json!({}));
    assert_eq!(graph.show()["security_group_id"], "other-group");
}

#[test]
fn there_are_no_scenes() {
    let server = Server::start();
    let client = server.admin();
    let graph = client.create_graph("some");
    let of_graph = format!("?graph_id={}", graph.id);
    for query in ["", "?scene_name=fraud", "?scene_name=fraud&application_name=loops", &of_graph] {
        assert_eq!(client.get(&format!("/v2/{{p}}/graphs/scenes{query}")).ok(), json!({"results": []}));
    }
    let scenes = json!({"scenes": [{"name": "fraud"}]});
    let refusal = graph.post("/scenes/register", scenes.clone());
    assert!(refusal.refused(400, "GES.0001").contains("fraud"), "{refusal}");
    assert_eq!(graph.post("/scenes/unregister", scenes).ok(), json!({"success": [], "failure": ["fraud"]}));
}

#[test]
fn a_graph_is_at_the_newest_version_already() {
    let server = Server::start();
    let graph = server.admin().create_graph("some");
    let version = graph.show()["data_store_version"].as_str().expect("a version").to_owned();
    let upgrade = |to: &str| graph.post("/upgrade", json!({"upgrade_version": to, "force_upgrade": true}));
    for older in ["1.0.0", "2.4.99", &version] {
        let refusal = upgrade(older);
        assert!(refusal.refused(400, "GES.7036").contains(&version), "{refusal}");
    }
    for unknown in ["99.0.0", "newest"] {
        upgrade(unknown).refused(400, "GES.0001");
    }
    assert_eq!(graph.status(), "200");
}

#[test]
fn what_was_asked_for_is_shown() {
    let server = Server::start();
    let graph = server.admin().create_graph_with(
        "some",
        &json!({
            "graph_size_type_index": 6, "crypt_algorithm": "SMcompatible", "sort_key_type": "varString",
            "vertex_id_type": {"id_type": "fixedLengthString", "id_length": 20}, "capacity_ratio": 3,
            "lts_operation_trace": {"enable_audit": true, "audit_log_group_name": "logs"},
            "enable_multi_az": false, "arch": "aarch64",
        }),
    );
    let shown = graph.show();
    for (key, value) in [
        ("graph_size_type_index", json!("6")),
        ("product_type", json!("Persistence")),
        ("crypt_algorithm", json!("SMcompatible")),
        ("sort_key_type", json!("varString")),
        ("vertex_id_type", json!({"id_type": "fixedLengthString", "id_length": 20})),
        ("capacity_ratio", json!(3)),
        ("enable_lts", json!(true)),
        ("is_multi_az", json!("false")),
        ("arch", json!("aarch64")),
        ("encrypted", json!(false)),
    ] {
        assert_eq!(shown[key], value, "{key}");
    }
}

/// What each operation is refused with in the states that requests and damage can bring about.
#[test]
fn every_operation_is_refused_by_the_state_of_the_graph() {
    let mut server = Server::start();
    server.announce("cannot be opened");
    server.announce("stored data are damaged");
    let client = server.admin();
    let (stopped, deleted, faulty) =
        (client.create_graph("stopped"), client.create_graph("deleted"), client.create_graph("faulty"));
    stopped.stop();
    deleted.delete("").ok();
    server.terminate();
    for file in fs::read_dir(manifests(&server, &faulty.id)).expect("a folder") {
        fs::write(file.expect("a file").path(), "damaged").expect("a file can be damaged");
    }
    server.start_again();
    assert_eq!(faulty.status(), "300");

    let posts = [
        ("/backups", json!({})),
        ("/import-graph", json!({"edgeset_path": "bucket/e.csv"})),
        (
            "/export-graph",
            json!({"graph_export_path": "bucket/x/", "edge_set_name": "e", "vertex_set_name": "v", "schema_name": "s"}),
        ),
        ("/clear-graph", json!({})),
        ("/upgrade", json!({"upgrade_version": "99.0.0"})),
        ("/resize", json!({"resize": {"graph_size_type_index": "4"}})),
        ("/expand", json!({"expand": {"replication": 1}})),
        ("/bind-eip", json!({"eip_id": "eip"})),
        ("/unbind-eip", json!({"eip_id": "eip"})),
        ("/sg/change", json!({"security_group_id": "group"})),
        ("/scenes/register", json!({"scenes": [{"name": "fraud"}]})),
        ("/scenes/unregister", json!({"scenes": [{"name": "fraud"}]})),
        ("/stop", json!({})),
        ("/restart", json!({})),
    ];
    for (graph, code) in [(&stopped, "GES.7003"), (&deleted, "GES.7000"), (&faulty, "GES.7001")] {
        for (path, body) in &posts {
            graph.post(path, body.clone()).refused(400, code);
            // The state comes before what is wrong with the request.
            graph.post(path, json!({"scenes": 7, "eip_id": 7, "resize": 7})).refused(400, code);
        }
    }
    faulty.post("/start", ()).refused(400, "GES.7037");
    deleted.post("/start", ()).refused(400, "GES.7000");
    deleted.delete("").refused(400, "GES.7000");
    faulty.delete("").ok();
    stopped.delete("").ok();
    assert_eq!(client.get("/v2/{p}/graphs").ok()["graph_count"], 0);
}

fn manifests(server: &Server, graph: &str) -> std::path::PathBuf {
    let project = server.credentials()["project_id"].as_str().expect("a project").to_owned();
    server.data().join("pool").join(project).join("graph").join(graph).join("manifest")
}

#[test]
fn while_it_imports_nothing_else_may_begin() {
    let server = Server::start();
    let client = server.admin();
    let (vertices, edges) = sample::ring(300_000);
    client.upload("data/schema.xml", sample::RING_XML);
    client.upload("data/v.csv", vertices);
    client.upload("data/e.csv", edges);
    let graph = client.create_graph("ring");
    let import = graph.post(
        "/import-graph",
        json!({"schema_path": "data/schema.xml", "vertexset_path": "data/v.csv", "edgeset_path": "data/e.csv"}),
    );
    let replies = [
        graph.post("/backups", ()),
        graph.post("/resize", json!({"resize": {"graph_size_type_index": "4"}})),
        graph.post("/bind-eip", json!({"eip_id": "eip"})),
        graph.post("/stop", ()),
        graph.delete(""),
    ];
    assert_eq!(graph.status(), "202", "the import ended too early for this test");
    replies.iter().for_each(|reply| drop(reply.refused(400, "GES.7001")));
    assert_eq!(graph.follow(&import)["status"], "success");
}
