//! Every bad request to the management plane gets the documented status and code, and a text
//! that names the field.

use harness::{Server, assert_refused};

const UNKNOWN: &str = "f1529b88-c958-493e-8452-fccfe932cde1";

#[test]
fn bad_requests_are_refused_as_documented() {
    let server = Server::start();
    let client = server.admin();
    let running = client.create_graph("running");
    let stopped = client.create_graph("stopped");
    stopped.stop();
    let names = [("{run}", running.id.as_str()), ("{stop}", &stopped.id), ("{none}", UNKNOWN)];
    assert_refused(&client, &names, include_str!("refusals/management.txt"));
    assert_eq!(running.status(), "200", "no refused request changes anything");
    assert_eq!(stopped.status(), "900", "no refused request changes anything");
    assert_eq!(client.get("/v2/{p}/graphs").ok()["graph_count"], 2);
}

#[test]
fn projects_of_others_are_refused() {
    let server = Server::start();
    let graph = server.admin().create_graph("mine");
    let foreign = server.admin().in_project("0123456789abcdef0123456789abcdef");
    assert_refused(&foreign, &[("{run}", &graph.id)], include_str!("refusals/projects.txt"));
    let data = foreign.get("/ges/v1.0/{p}/graphs/mine/summary");
    assert_eq!(data.status, 400, "{data}");
    assert_eq!(graph.status(), "200");
}

/// Documented as 400, but Terraform takes only a 404 for "gone"; the body is the same.
#[test]
fn an_unknown_graph_is_gone_for_terraform() {
    let server = Server::start();
    server.admin().get(&format!("/v2/{{p}}/graphs/{UNKNOWN}")).refused(404, "GES.7000");
}
