//! Files in and out.

use harness::{Client, Graph, Server, Value, json, sample};

fn values(graph: &Graph, id: &str, property: &str) -> Value {
    graph.vertex(id).unwrap_or_else(|| panic!("no {id}"))["properties"][property].clone()
}

fn import(graph: &Graph, fields: Value) -> Value {
    let mut body = json!({"schema_path": "data/schema.xml"});
    for (key, value) in fields.as_object().expect("an object") {
        body[key] = value.clone();
    }
    graph.run("/import-graph", body)
}

/// The files of a folder of the object area, as one text.
fn folder(client: &Client, path: &str) -> String {
    let (bucket, prefix) = path.split_once('/').expect("a bucket");
    let list = client.get(&format!("/obs/{bucket}?prefix={prefix}")).ok().to_string();
    let keys = list.split('"').filter(|word| word.starts_with(prefix));
    keys.map(|key| String::from_utf8(client.download(&format!("{bucket}/{key}"))).expect("text")).collect()
}

#[test]
fn what_files_say_is_in_the_graph() {
    let server = Server::start();
    let graph = sample::people(&server.admin(), "people");
    let details = &graph.summary()["labelDetails"];
    assert_eq!(graph.counts(), (4, 5));
    assert_eq!(details["labelInVertex"]["person"], 4);
    assert_eq!((&details["labelInEdge"]["knows"], &details["labelInEdge"]["likes"]), (&json!(3), &json!(2)));
    assert_eq!(values(&graph, "ann", "age"), json!([31]));
    assert_eq!(values(&graph, "ann", "nicknames"), json!(["annie", "nan"]));
    assert_eq!(values(&graph, "ann", "tags"), json!(["a", "b"]), "a set holds a value once");
    assert_eq!(values(&graph, "cleo, the elder", "nicknames"), json!(["c", "\"the\""]));
    let parallel = graph.edges("ann", "bob");
    assert_eq!(parallel.len(), 2);
    assert_ne!(parallel[0]["index"], parallel[1]["index"]);
    let weights: Vec<&Value> = parallel.iter().map(|edge| &edge["properties"]["weight"][0]).collect();
    assert!(weights.contains(&&json!(0.5)) && weights.contains(&&json!(1.5)), "{parallel:?}");
    assert_eq!(graph.edges("dan", "dan").len(), 1);
}

#[test]
fn a_bad_line_is_logged_and_stops_nothing() {
    let server = Server::start();
    let client = server.admin();
    client.upload("data/schema.xml", sample::PEOPLE_XML);
    client.upload(
        "data/v.csv",
        "ann,person,31\n\
         bob,person,old\n\
         cleo,robot,1\n\
         ,person,5\n\
         onlyid\n\
         dan,person,99999999999\n\
         eve,person,5,,,surplus\n\
         fay,person,7\n",
    );
    client.upload(
        "data/e.csv",
        "ann,fay,knows,2001-02-03\n\
         ann,nobody,knows\n\
         ann,fay,hates\n\
         ann,fay,knows,2001-13-45\n\
         fay,ann,likes\n",
    );
    let graph = client.create_graph("people");
    let job = import(
        &graph,
        json!({"vertexset_path": "data/v.csv", "edgeset_path": "data/e.csv", "log_dir": "data/log/"}),
    );
    let (vertices, edges) = (&job["job_detail"]["vertexset_path"][0], &job["job_detail"]["edgeset_path"][0]);
    assert_eq!((&vertices["total_lines"], &vertices["failed_lines"]), (&json!(8), &json!(6)), "{job}");
    assert_eq!((&edges["total_lines"], &edges["failed_lines"]), (&json!(5), &json!(3)), "{job}");
    assert_eq!(graph.counts(), (2, 2));
    assert_eq!(graph.show()["vertexset_path"][0]["status"], "partiallyFailed");

    let log = folder(&client, "data/log/");
    for (line, words) in
        [(2, "old"), (3, "robot"), (4, "id"), (5, "onlyid"), (6, "99999999999"), (7, "surplus")]
    {
        let found = log.lines().any(|entry| {
            entry.contains("v.csv") && entry.contains(&line.to_string()) && entry.contains(words)
        });
        assert!(found, "line {line} with [{words}] in:\n{log}");
    }
    for words in ["nobody", "hates", "2001-13-45"] {
        assert!(
            log.lines().any(|entry| entry.contains("e.csv") && entry.contains(words)),
            "[{words}] in:\n{log}"
        );
    }
}

#[test]
fn a_file_that_is_wrong_as_a_whole_loads_nothing() {
    let server = Server::start();
    let client = server.admin();
    sample::upload_people(&client);
    client.upload("data/broken.xml", "<PMML><labels><label name=");
    client.upload("data/not.gz", "this is no gzip");
    client.upload("data/cut.csv.gz", &sample::gzip(sample::PEOPLE_VERTICES)[..40]);
    client.upload("data/binary.csv", vec![0xff, 0xfe, 0x00, 0x80, b'\n']);
    let graph = client.create_graph("people");
    let good = sample::people_import();
    for (key, path) in [
        ("schema_path", "data/none.xml"),
        ("schema_path", "data/broken.xml"),
        ("vertexset_path", "data/none.csv"),
        ("vertexset_path", "data/none/"),
        ("edgeset_path", "nowhere/edges.csv"),
        ("vertexset_path", "data/not.gz"),
        ("vertexset_path", "data/cut.csv.gz"),
    ] {
        let mut body = good.clone();
        body[key] = json!(path);
        let reply = graph.post("/import-graph", body);
        if reply.status == 400 {
            let code = reply.error_code();
            assert!(["GES.7017", "GES.7011", "GES.7070"].contains(&code.as_str()), "{reply}");
            assert!(reply.error_text().contains(path), "{reply}");
        } else {
            let job = graph.follow(&reply);
            assert_eq!(job["status"], "failed", "{path}: {job}");
            assert!(job["fail_reason"].as_str().is_some_and(|reason| reason.contains(path)), "{path}: {job}");
        }
        assert_eq!((graph.counts(), graph.status()), ((0, 0), "200".into()), "{path}");
    }
    graph.run("/import-graph", good);
    assert_eq!(graph.counts(), (4, 5));
}

#[test]
fn export_and_import_give_the_same_graph() {
    let server = Server::start();
    let client = server.admin();
    let graph = sample::people(&client, "people");
    let names = |paginate: Value| {
        json!({"graph_export_path": "data/out/", "edge_set_name": "set_edge", "vertex_set_name": "set_vertex",
               "schema_name": "set_schema.xml", "paginate": paginate})
    };
    for (number, paginate) in
        [json!({"enable": false}), json!({}), json!({"enable": true, "row_count_per_file": 2})]
            .into_iter()
            .enumerate()
    {
        let mut export = names(paginate);
        let path = format!("data/out{number}/");
        export["graph_export_path"] = json!(path);
        graph.run("/export-graph", export);
        let list = client.get(&format!("/obs/data?prefix=out{number}/")).ok().to_string();
        let of = |name: &str| {
            let keys = list.split('"').filter(|word| word.starts_with(&format!("out{number}/{name}")));
            keys.map(str::to_owned).collect::<Vec<_>>()
        };
        let (vertex_files, edge_files) = (of("set_vertex"), of("set_edge"));
        assert_eq!(
            (vertex_files.len(), edge_files.len()),
            if number == 2 { (2, 3) } else { (1, 1) },
            "{list}"
        );

        let copy = client.create_graph(&format!("copy_{number}"));
        let schema = format!("{path}set_schema.xml");
        for file in &vertex_files {
            copy.run(
                "/import-graph",
                json!({"schema_path": schema, "vertexset_path": format!("data/{file}")}),
            );
        }
        for file in &edge_files {
            copy.run("/import-graph", json!({"schema_path": schema, "edgeset_path": format!("data/{file}")}));
        }
        assert_eq!(copy.summary(), graph.summary(), "counts and content root");
        assert_ne!(copy.content_root(), client.create_graph(&format!("empty_{number}")).content_root());
    }
}

#[test]
fn folders_and_compressed_files_are_read() {
    let server = Server::start();
    let client = server.admin();
    let (vertices, edges) = sample::ring(1_000);
    client.upload("data/schema.xml", sample::RING_XML);
    client.upload("data/plain/v.csv", vertices.clone());
    client.upload("data/plain/e.csv", edges.clone());
    let plain = client.create_graph("plain");
    import(&plain, json!({"vertexset_path": "data/plain/v.csv", "edgeset_path": "data/plain/e.csv"}));
    assert_eq!(plain.counts(), (1_000, 1_000));

    let (first, second) = vertices.split_at(vertices.find("v500,").expect("line 500"));
    client.upload("data/v/1.csv", first);
    client.upload("data/v/2.csv.gz", sample::gzip(second));
    client.upload("data/e/1.csv.gz", sample::gzip(&edges));
    let folders = client.create_graph("folders");
    let job = import(&folders, json!({"vertexset_path": "data/v/", "edgeset_path": "data/e/"}));
    assert_eq!(folders.summary(), plain.summary());
    assert_eq!(job["job_detail"]["vertexset_path"].as_array().map(Vec::len), Some(2), "{job}");
}

#[test]
fn parallel_edges_are_kept_ignored_or_overridden() {
    let server = Server::start();
    let client = server.admin();
    client.upload("data/schema.xml", sample::PEOPLE_XML);
    client.upload("data/v.csv", "ann,person\nbob,person\n");
    client.upload("data/e.csv", "ann,bob,knows,,1\nann,bob,likes\nann,bob,knows,,2\nann,bob,knows,,3\n");
    for (number, (parallel, expected)) in [
        (Value::Null, &["knows 1.0", "knows 2.0", "knows 3.0", "likes"][..]),
        (json!({"action": "allow"}), &["knows 1.0", "knows 2.0", "knows 3.0", "likes"]),
        (json!({"action": "ignore"}), &["knows 1.0"]),
        (json!({"action": "ignore", "ignore_label": true}), &["knows 1.0"]),
        (json!({"action": "ignore", "ignore_label": false}), &["knows 1.0", "likes"]),
        (json!({"action": "override"}), &["knows 3.0"]),
        (json!({"action": "override", "ignore_label": false}), &["knows 3.0", "likes"]),
    ]
    .into_iter()
    .enumerate()
    {
        let graph = client.create_graph(&format!("graph_{number}"));
        let mut files = json!({"vertexset_path": "data/v.csv", "edgeset_path": "data/e.csv"});
        if !parallel.is_null() {
            files["parallel_edge"] = parallel.clone();
        }
        import(&graph, files);
        let shown = |edge: &Value| {
            let label = edge["label"].as_str().expect("a label");
            edge["properties"]["weight"][0]
                .as_f64()
                .map_or(label.into(), |weight| format!("{label} {weight:.1}"))
        };
        let mut found: Vec<String> = graph.edges("ann", "bob").iter().map(shown).collect();
        found.sort();
        assert_eq!(found, expected, "{parallel}");
    }
}

#[test]
fn separators_and_quotes_can_be_chosen() {
    let server = Server::start();
    let client = server.admin();
    client.upload("data/schema.xml", sample::PEOPLE_XML);
    client.upload("data/v.csv", "'a|b'|person|31|x;y\r\n'two\nlines'|person|32\r\n");
    let graph = client.create_graph("people");
    import(&graph, json!({"vertexset_path": "data/v.csv", "delimiter": "|", "trim_quote": "'"}));
    assert_eq!(graph.counts(), (2, 0));
    assert_eq!(values(&graph, "a|b", "nicknames"), json!(["x", "y"]));
    assert_eq!(values(&graph, "two\nlines", "age"), json!([32]));
}

#[test]
fn vertices_come_from_the_edges_when_there_is_no_vertex_file() {
    let server = Server::start();
    let client = server.admin();
    client.upload("data/schema.xml", sample::PEOPLE_XML);
    client.upload("data/e.csv", "ann,bob,likes\nbob,cleo,likes\n");
    let graph = client.create_graph("people");
    import(&graph, json!({"edgeset_path": "data/e.csv"}));
    assert_eq!(graph.counts(), (3, 2));
    assert_eq!(graph.vertex("cleo").expect("cleo")["label"], "__DEFAULT__");
}

#[test]
fn an_import_adds_to_what_is_there() {
    let server = Server::start();
    let client = server.admin();
    let graph = sample::people(&client, "people");
    client.upload("data/more_v.csv", "ann,person,32\neve,person,5\n");
    client.upload("data/more_e.csv", "eve,ann,likes\n");
    graph.run(
        "/import-graph",
        json!({"vertexset_path": "data/more_v.csv", "edgeset_path": "data/more_e.csv"}),
    );
    assert_eq!(graph.counts(), (5, 6));
    assert_eq!(values(&graph, "ann", "age"), json!([32]), "a repeated id replaces the vertex");
    assert_eq!(graph.edges("ann", "bob").len(), 2);
}

#[test]
fn while_it_imports_a_graph_says_so_and_can_be_read() {
    let server = Server::start();
    let client = server.admin();
    let (vertices, edges) = sample::ring(300_000);
    client.upload("data/schema.xml", sample::RING_XML);
    client.upload("data/v.csv", vertices);
    client.upload("data/e.csv", edges);
    let graph = client.create_graph("ring");
    let body = json!({"schema_path": "data/schema.xml", "vertexset_path": "data/v.csv", "edgeset_path": "data/e.csv"});
    let reply = graph.post("/import-graph", body.clone());
    let mut seen = 0;
    loop {
        let status = graph.status();
        if status != "202" {
            break assert_eq!(status, "200");
        }
        seen += 1;
        let counts = graph.counts();
        assert!(counts == (0, 0) || counts == (300_000, 300_000), "an import is atomic: {counts:?}");
    }
    assert!(seen > 0, "the import was never seen at work");
    assert_eq!(graph.follow(&reply)["status"], "success");
    assert_eq!(graph.counts(), (300_000, 300_000));
}

/// All of it and never twice, at whatever moment the crash comes.
#[test]
fn an_import_goes_on_after_a_crash() {
    let mut server = Server::start();
    let client = server.admin();
    let (vertices, edges) = sample::ring(30_000);
    client.upload("data/schema.xml", sample::RING_XML);
    client.upload("data/v.csv", vertices);
    client.upload("data/e.csv", edges);
    let body = json!({"schema_path": "data/schema.xml", "vertexset_path": "data/v.csv", "edgeset_path": "data/e.csv"});
    for round in 0..8_u64 {
        let graph = client.create_graph(&format!("ring_{round}"));
        let reply = graph.post("/import-graph", body.clone());
        std::thread::sleep(std::time::Duration::from_millis(round * 20));
        server.crash();
        let job = graph.follow(&reply);
        graph.wait_status("200");
        assert_eq!(job["status"], "success", "round {round}: {job}");
        assert_eq!(graph.counts(), (30_000, 30_000), "round {round}");
    }
}
