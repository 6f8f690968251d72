//! The requests of the Terraform provider, in its order and read by its rules: nothing but status
//! 200 is a success, and what has another type than it expects is not there or ends it.

use harness::{Body, Client, Reply, Server, Value, graph_fields, json, until};

const JSON: &str = "application/json;charset=UTF-8";

/// The provider's HTTP client: a request with its own content type, also without a body.
struct Provider(Client);

impl Provider {
    fn send(&self, method: &str, path: &str, body: impl Into<Body>) -> Reply {
        let body = body.into();
        let headers: &[_] = if matches!(body, Body::None) { &[("Content-Type", JSON)] } else { &[] };
        self.0.send_with(method, path, body, headers)
    }

    fn get(&self, path: &str) -> Value {
        self.send("GET", path, ()).ok()
    }

    /// Waits as the provider does: so many successes in a row; an HTTP error ends it.
    fn wait(&self, what: &str, times: usize, mut state: impl FnMut(&Self) -> Option<bool>) {
        let mut row = 0;
        until(what, || {
            row = match state(self) {
                Some(true) => row + 1,
                Some(false) => panic!("{what} failed"),
                None => 0,
            };
            (row == times).then_some(())
        });
    }

    fn graph(&self, id: &str) -> Value {
        self.get(&format!("/v2/{{p}}/graphs/{id}"))["graph"].clone()
    }

    fn wait_graph(&self, id: &str) {
        self.wait("the graph", 3, |provider| match provider.graph(id)["status"].as_str() {
            Some("200") => Some(true),
            Some("300" | "303" | "800") => Some(false),
            _ => None,
        });
    }

    fn wait_job(&self, graph: &str, job: &str) {
        let path = format!("/v2/{{p}}/graphs/{graph}/jobs/{job}/status");
        self.wait("the job", 2, |provider| match provider.get(&path)["status"].as_str() {
            Some("success") => Some(true),
            Some("failed") => Some(false),
            _ => None,
        });
    }

    fn create_graph(&self, fields: &Value) -> String {
        let body = json!({"graph": graph_fields("terraform_graph", fields)});
        let created = self.send("POST", "/v2/{p}/graphs", body).ok();
        let id = ["graph_id", "id"].iter().find_map(|key| created[key].as_str());
        let id = id.filter(|id| !id.is_empty()).expect("an id").to_owned();
        self.wait_graph(&id);
        id
    }
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().filter(|text| !text.is_empty()).unwrap_or_else(|| panic!("{key}: {value}")).to_owned()
}

#[test]
fn a_graph_is_created_read_changed_and_deleted() {
    let server = Server::start();
    let provider = Provider(server.admin());
    let id = provider.create_graph(&json!({
        "enable_multi_az": true,
        "tags": [{"key": "foo", "value": "bar"}],
        "sys_tags": [{"key": "_sys_enterprise_project_id", "value": "0"}],
        "public_ip": {"public_bind_type": "bind_existing", "eip_id": "eip-1"},
        "encryption": {"enable": false},
        "lts_operation_trace": {"enable_audit": false},
    }));
    let read = || {
        let graph = provider.graph(&id);
        for key in
            ["name", "graph_size_type_index", "arch", "vpc_id", "subnet_id", "security_group_id", "az_code"]
        {
            text(&graph, key);
        }
        for key in ["crypt_algorithm", "product_type", "private_ip", "status"] {
            text(&graph, key);
        }
        assert_eq!(graph["is_multi_az"], "true", "a boolean would be read as unset");
        assert_eq!(graph["sys_tags"][0], "0", "the first element is text");
        assert_eq!(graph["tags"], json!([{"key": "foo", "value": "bar"}]));
        for key in ["enable_rbac", "enable_full_text_index", "enable_hyg", "enable_https"] {
            assert!(graph[key].is_boolean(), "{key}: {graph}");
        }
        for key in ["public_ip", "vertex_id_type"] {
            assert!(graph[key].is_null() || graph[key].is_object(), "{key} crashes the provider: {graph}");
        }
        assert!(graph["traffic_ip_list"].is_array() && graph["replication"].is_number(), "{graph}");
        graph
    };
    assert_eq!(read()["public_ip"], json!({"public_bind_type": "bind_existing", "eip_id": "eip-1"}));

    let change = |what: &str, body: Value| {
        provider.send("POST", &format!("/v2/{{p}}/graphs/{id}/{what}"), body).ok();
        provider.wait_graph(&id);
    };
    change("resize", json!({"resize": {"graph_size_type_index": "3"}}));
    assert_eq!(read()["graph_size_type_index"], "3");
    change("expand", json!({"expand": {"replication": 1}}));
    assert_eq!(read()["replication"], 2);

    let path = format!("/v2/{{p}}/graphs/{id}");
    provider.send("DELETE", &path, json!({"keep_backup": false})).ok();
    provider.wait("the deletion", 3, |provider| {
        let reply = provider.send("GET", &path, ());
        match reply.status {
            404 => Some(true),
            200 => (reply.json()["graph"]["status"] == "400").then_some(true),
            _ => Some(false),
        }
    });
}

#[test]
fn a_backup_is_created_read_imported_and_deleted() {
    let server = Server::start();
    let provider = Provider(server.admin());
    let graph = provider.create_graph(&json!({}));
    let backups = format!("/v2/{{p}}/graphs/{graph}/backups");
    let created = provider.send("POST", &backups, ()).ok();
    let (id, job) = (text(&created, "backup_id"), text(&created, "job_id"));
    provider.wait_job(&graph, &job);

    let find = |id: &str| {
        let list = provider.get(&format!("{backups}?limit=120"));
        let rows = list["backup_list"].as_array().expect("a list").clone();
        rows.into_iter().find(|row| row["id"] == id)
    };
    let row = find(&id).expect("the list has it when the job says success");
    for key in ["name", "backup_method", "status", "start_time", "end_time"] {
        text(&row, key);
    }
    assert!(row["size"].is_number() && row["duration"].is_number() && row["encrypted"].is_boolean(), "{row}");
    assert_eq!((text(&row, "status"), text(&row, "backup_method")), ("success".into(), "manual".into()));

    // Imported into the state as <graph>/<backup>.
    let name = format!("{graph}/{id}");
    let (imported_graph, imported) = name.split_once('/').expect("two parts");
    assert_eq!((imported_graph, find(imported)), (graph.as_str(), Some(row)));

    provider.send("DELETE", &format!("{backups}/{id}"), ()).ok();
    assert!(find(&id).is_none(), "absent means dropped");
}

/// The provider reads one page of 120 and must find what it just made.
#[test]
fn a_fresh_backup_is_on_the_first_page() {
    let server = Server::start();
    let provider = Provider(server.admin());
    let graph = provider.create_graph(&json!({}));
    let backups = format!("/v2/{{p}}/graphs/{graph}/backups");
    let mut last = String::new();
    for _ in 0..121 {
        let created = provider.send("POST", &backups, ()).ok();
        provider.wait_job(&graph, &text(&created, "job_id"));
        last = text(&created, "backup_id");
    }
    let list = provider.get(&format!("{backups}?limit=120"));
    let rows = list["backup_list"].as_array().expect("a list");
    assert_eq!((rows.len(), &list["backup_count"]), (120, &json!(121)));
    assert!(rows.iter().any(|row| row["id"] == last.as_str()));
}

#[test]
fn metadata_are_created_read_updated_and_deleted() {
    let server = Server::start();
    let provider = Provider(server.admin());
    let body = |overwrite: bool, label: &str| {
        json!({
            "name": "terraform_metadata", "description": "made by a test",
            "metadata_path": "terraform/schema.xml", "is_overwrite": overwrite,
            "ges_metadata": {"labels": [
                {"name": label, "properties": [
                    {"name": "age", "dataType": "int", "cardinality": "single"}]},
                {"name": "knows", "properties": null}]},
        })
    };
    let created = provider.send("POST", "/v2/{p}/graphs/metadatas", body(false, "person")).ok();
    let id = text(&created, "id");
    let read = || {
        let shown = provider.get(&format!("/v1.0/{{p}}/graphs/metadatas/{id}"));
        let list = provider.get("/v2/{p}/graphs/metadatas?limit=100");
        let rows = list["schema_list"].as_array().expect("a list").clone();
        let row = rows.into_iter().find(|row| row["id"] == id.as_str()).expect("a row");
        for key in ["name", "metadata_path", "description", "status"] {
            text(&row, key);
        }
        assert!(row["encrypted"].is_boolean() && row["master_key_id"].is_string(), "{row}");
        shown["gesMetadata"]["labels"].clone()
    };
    let labels = read();
    assert_eq!(
        (&labels[0]["name"], &labels[0]["properties"][0]["dataType"]),
        (&json!("person"), &json!("int"))
    );
    assert_eq!((&labels[1]["name"], &labels[1]["properties"]), (&json!("knows"), &Value::Null));

    provider.send("POST", "/v2/{p}/graphs/metadatas", body(true, "worker")).ok();
    assert_eq!(read()[0]["name"], "worker");

    provider.send("DELETE", &format!("/v2/{{p}}/graphs/metadatas/{id}"), ()).ok();
    let gone = provider.send("GET", &format!("/v1.0/{{p}}/graphs/metadatas/{id}"), ());
    let absent = gone.status == 404 || (gone.status == 400 && gone.json()["errCode"] == "GES.2067");
    assert!(absent, "{gone}");
}

/// Before the first resource: the project by its name, the account by its name.
#[test]
fn the_provider_finds_project_and_account() {
    let server = Server::start();
    let provider = Provider(server.admin());
    let projects = provider.get("/v3/projects?name=default");
    assert_eq!(projects["projects"].as_array().map(Vec::len), Some(1), "{projects}");
    assert_eq!(projects["projects"][0]["id"], provider.0.project.as_str());
    let accounts = provider.get("/v3/auth/domains");
    assert!(text(&accounts["domains"][0], "id").len() >= 32, "{accounts}");
}
