//! Metadata files: created from JSON or from XML in the object area, listed, shown, deleted.

use harness::{Client, Server, Value, json, sample};

fn labels() -> Value {
    json!([
        {"name": "person", "properties": [
            {"name": "age", "dataType": "int", "cardinality": "single"},
            {"name": "mood", "dataType": "enum", "cardinality": "set",
             "typeNameCount": "2", "typeName1": "good", "typeName2": "bad"},
            {"name": "code", "dataType": "char array", "cardinality": "single", "maxDataSize": "12"},
        ]},
        {"name": "likes", "properties": null},
    ])
}

fn body(name: &str, is_overwrite: bool) -> Value {
    json!({
        "name": name,
        "metadata_path": format!("data/meta/{name}.xml"),
        "description": "who is who",
        "is_overwrite": is_overwrite,
        "ges_metadata": {"labels": labels()},
    })
}

fn create(client: &Client, name: &str) -> String {
    let reply = client.post("/v2/{p}/graphs/metadatas", body(name, false));
    assert_eq!(reply.ok()["name"], name);
    reply.ok()["id"].as_str().unwrap_or_else(|| panic!("no id: {reply}")).to_owned()
}

fn show(client: &Client, id: &str) -> Value {
    client.get(&format!("/v2/{{p}}/graphs/metadatas/{id}")).ok()
}

#[test]
fn what_was_created_is_listed_and_shown() {
    let server = Server::start();
    let client = server.admin();
    let id = create(&client, "people");
    let list = client.get("/v2/{p}/graphs/metadatas?limit=100").ok();
    assert_eq!(list["schema_count"], 1);
    let row = &list["schema_list"][0];
    for (key, value) in [
        ("id", id.as_str()),
        ("name", "people"),
        ("description", "who is who"),
        ("metadata_path", "data/meta/people.xml"),
        ("status", "200"),
    ] {
        assert_eq!(row[key], value, "{row}");
    }
    assert_eq!(row["encrypted"], false);
    assert!(row["start_time"].is_string() && row["last_update_time"].is_string(), "{row}");

    let shown = show(&client, &id);
    assert_eq!(shown["ges_metadata"]["labels"], labels(), "{shown}");
    let older = client.get(&format!("/v1.0/{{p}}/graphs/metadatas/{id}")).ok();
    assert_eq!(older["gesMetadata"]["labels"], labels(), "{older}");
}

#[test]
fn a_graph_imports_with_it() {
    let server = Server::start();
    let client = server.admin();
    create(&client, "people");
    client.upload("data/v.csv", "ann,person,31,good;bad,abc\n");
    client.upload("data/e.csv", "ann,ann,likes\n");
    let graph = client.create_graph("people");
    graph.run(
        "/import-graph",
        json!({"schema_path": "data/meta/people.xml", "vertexset_path": "data/v.csv", "edgeset_path": "data/e.csv"}),
    );
    assert_eq!(graph.counts(), (1, 1));
    assert_eq!(graph.vertex("ann").expect("ann")["properties"]["code"], json!(["abc"]));
}

#[test]
fn a_name_is_taken_until_overwriting_is_meant() {
    let server = Server::start();
    let client = server.admin();
    let id = create(&client, "people");
    let refusal = client.post("/v2/{p}/graphs/metadatas", body("people", false));
    assert_eq!((refusal.status, refusal.error_code().as_str()), (400, "GES.2067"), "{refusal}");

    let mut changed = body("people", true);
    changed["ges_metadata"]["labels"] = json!([{"name": "only", "properties": null}]);
    client.post("/v2/{p}/graphs/metadatas", changed).ok();
    let list = client.get("/v2/{p}/graphs/metadatas").ok();
    assert_eq!(list["schema_count"], 1, "{list}");
    assert_eq!(list["schema_list"][0]["id"], id.as_str(), "an update keeps the id");
    assert_eq!(show(&client, &id)["ges_metadata"]["labels"], json!([{"name": "only", "properties": null}]));
}

#[test]
fn deleted_means_gone() {
    let server = Server::start();
    let client = server.admin();
    let id = create(&client, "people");
    client.delete(&format!("/v2/{{p}}/graphs/metadatas/{id}")).ok();
    assert_eq!(client.get("/v2/{p}/graphs/metadatas").ok()["schema_count"], 0);
    for method in ["GET", "DELETE"] {
        let refusal = client.send(method, &format!("/v2/{{p}}/graphs/metadatas/{id}"), ());
        assert_eq!(refusal.status, 400, "{refusal}");
        assert!(matches!(refusal.error_code().as_str(), "GES.2067" | "GES.7024"), "{refusal}");
    }
    let older = client.get(&format!("/v1.0/{{p}}/graphs/metadatas/{id}"));
    assert_eq!((older.status, &older.json()["errCode"]), (400, &json!("GES.2067")), "{older}");
}

#[test]
fn metadata_comes_from_the_object_area() {
    let server = Server::start();
    let client = server.admin();
    client.upload("data/people.xml", sample::PEOPLE_XML);
    let upload = |name: &str, path: &str| {
        client.post("/v2/{p}/graphs/metadata/upload-from-obs", json!({"name": name, "metadata_path": path}))
    };
    let reply = upload("people", "data/people.xml").ok();
    let shown = show(&client, reply["id"].as_str().expect("an id"));
    let labels = shown["ges_metadata"]["labels"].as_array().expect("labels").clone();
    assert_eq!(labels[0]["name"], "person");
    assert_eq!(
        labels[0]["properties"][1],
        json!({"name": "nicknames", "dataType": "string", "cardinality": "list"})
    );
    assert_eq!(labels[2], json!({"name": "likes", "properties": null}));

    upload("none", "data/none.xml").refused(400, "GES.7017");
    client.upload("data/broken.xml", "<PMML><labels>");
    upload("broken", "data/broken.xml").refused(400, "GES.7070");
    let bomb = "<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;\">]><PMML>&b;</PMML>";
    client.upload("data/bomb.xml", bomb);
    upload("bomb", "data/bomb.xml").refused(400, "GES.7070");
    client.upload("data/large.xml", vec![b' '; 10 * 1024 * 1024 + 1]);
    upload("large", "data/large.xml").refused(400, "GES.7069");
    assert_eq!(client.get("/v2/{p}/graphs/metadatas").ok()["schema_count"], 1);
}

#[test]
fn impossible_metadata_is_refused_by_name() {
    let server = Server::start();
    let client = server.admin();
    let property = |fields: Value| json!([{"name": "person", "properties": [fields]}]);
    for (labels, word) in [
        (property(json!({"name": "age", "dataType": "number", "cardinality": "single"})), "number"),
        (property(json!({"name": "age", "dataType": "int", "cardinality": "many"})), "many"),
        (property(json!({"name": "a<b", "dataType": "int", "cardinality": "single"})), "a<b"),
        (property(json!({"dataType": "int", "cardinality": "single"})), "name"),
        (json!([{"name": "twice"}, {"name": "twice"}]), "twice"),
        (json!([{"name": ""}]), "name"),
        (json!("labels"), "labels"),
    ] {
        let mut body = body("people", false);
        body["ges_metadata"]["labels"] = labels;
        let refusal = client.post("/v2/{p}/graphs/metadatas", body);
        assert_eq!(refusal.status, 400, "{refusal}");
        assert!(refusal.error_text().contains(word), "[{word}] in {refusal}");
    }
    for name in ["no-hyphens", "", &"x".repeat(65)] {
        let refusal = client.post("/v2/{p}/graphs/metadatas", body(name, false));
        assert_eq!(refusal.status, 400, "{refusal}");
        assert!(refusal.error_text().contains("name"), "{refusal}");
    }
    assert_eq!(client.get("/v2/{p}/graphs/metadatas").ok()["schema_count"], 0);
}

#[test]
fn metadata_is_listed_page_by_page_up_to_its_quota() {
    let server = Server::start();
    let client = server.admin();
    for number in 0..50 {
        create(&client, &format!("meta_{number}"));
    }
    let refusal = client.post("/v2/{p}/graphs/metadatas", body("one_more", false));
    assert_eq!(refusal.status, 400, "at most 50 a project: {refusal}");
    let page = |query: &str| {
        let list = client.get(&format!("/v2/{{p}}/graphs/metadatas{query}")).ok();
        assert_eq!(list["schema_count"], 50);
        list["schema_list"].as_array().expect("a list").len()
    };
    assert_eq!((page(""), page("?limit=100"), page("?limit=100&offset=45")), (10, 50, 5));
}

#[test]
fn a_full_project_can_still_update_its_metadata() {
    let server = Server::start();
    let client = server.admin();
    for number in 0..50 {
        create(&client, &format!("people_{number}"));
    }
    client.post("/v2/{p}/graphs/metadatas", body("one_more", false)).refused(400, "GES.0001");
    client.post("/v2/{p}/graphs/metadatas", body("people_7", true)).ok();
    assert_eq!(client.get("/v2/{p}/graphs/metadatas").ok()["schema_count"], 50);
}
