use std::collections::BTreeSet;

use super::*;
use crate::config::{Config, ServeOptions};
use crate::serve::Server;

type Routes = BTreeSet<(String, String)>;

const METHODS: [&str; 8] = ["get", "head", "delete", "options", "patch", "post", "put", "trace"];

/// What the router really has. It does not tell otherwise than by its debugging form.
async fn routes_of_router() -> Routes {
    let home = tempfile::tempdir().unwrap();
    let options = ServeOptions {
        data: Some(home.path().join("data")),
        listen: Some("127.0.0.1:0".parse().unwrap()),
        ..ServeOptions::default()
    };
    let server = Server::bind(Config::load(options, None).unwrap()).await.unwrap();
    let shown = format!("{:?}", server.router());
    let main = shown.split("fallback_router:").next().unwrap();
    let (routes, paths) = main.split_once("paths: {").expect("the paths of the router");
    let path_of = |id: &str| {
        let rest = paths.split_once(&format!("RouteId({id}): \"")).expect("a path for each route").1;
        rest.split('"').next().unwrap().to_owned()
    };
    let mut found = Routes::new();
    for route in routes.split("RouteId(").skip(1) {
        let (id, methods) = route.split_once(')').unwrap();
        for method in METHODS {
            let value = methods.split_once(&format!("{method}: ")).expect("each method is told").1;
            if !value.starts_with("None") {
                found.insert((method.to_owned(), path_of(id)));
            }
        }
    }
    found
}

#[tokio::test]
async fn the_document_and_the_router_have_the_same_operations() {
    let router = routes_of_router().await;
    assert!(router.len() > 50, "the router is read: {router:?}");
    let table: Routes = OPERATIONS.iter().map(|o| (o.method.to_owned(), o.path.to_owned())).collect();
    let missing: Vec<_> = router.difference(&table).collect();
    let stale: Vec<_> = table.difference(&router).collect();
    assert!(missing.is_empty(), "routes without a description: {missing:#?}");
    assert!(stale.is_empty(), "descriptions without a route: {stale:#?}");
    assert_eq!(table.len(), OPERATIONS.len(), "an operation is described twice");
}

#[test]
fn names_are_unique_and_references_resolve() {
    let document = document();
    let ids: BTreeSet<_> = OPERATIONS.iter().map(|operation| operation.id).collect();
    assert_eq!(ids.len(), OPERATIONS.len());
    let text = document.to_string();
    let mut references = 0;
    for part in text.split("\"$ref\":\"#").skip(1) {
        let pointer = part.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer} leads nowhere");
        references += 1;
    }
    assert!(references > 100, "{references}");
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        assert!(text.contains(&format!("#/components/schemas/{name}\"")), "{name} is of no use");
    }
}

#[test]
fn path_parameters_are_described() {
    let document = document();
    let object = &document["paths"]["/obs/{bucket}/{key}"]["put"];
    let names: Vec<_> = object["parameters"].as_array().unwrap().iter().map(|p| &p["name"]).collect();
    assert_eq!(names, ["bucket", "key"]);
    assert_eq!(document["paths"]["/v3/auth/tokens"]["post"]["security"], json!([]));
    assert_eq!(
        document["paths"]["/v3/auth/tokens"]["get"]["security"],
        json!([{"token": []}, {"signature": []}])
    );
}
