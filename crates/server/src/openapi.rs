//! The description of the whole HTTP surface, made from one table of operations. A test holds the
//! table against the router, in both directions, so that neither can drift from the other.

mod operations;
mod schemas;
#[cfg(test)]
mod tests;

use std::sync::OnceLock;

use axum::Router;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;
use serde_json::{Map, Value, json};

use self::operations::{OPERATIONS, Operation, Payload, Query, Sort};
use crate::app::App;

pub(crate) fn routes() -> Router<App> {
    Router::new().route("/openapi.json", get(show))
}

async fn show() -> impl IntoResponse {
    static TEXT: OnceLock<String> = OnceLock::new();
    let text = TEXT.get_or_init(|| document().to_string());
    ([(header::CONTENT_TYPE, "application/json")], text.as_str())
}

/// The document, OpenAPI 3.1.
fn document() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for operation in OPERATIONS {
        let path = operation.path.replace("{*", "{");
        let methods = paths.entry(path).or_insert_with(|| json!({}));
        methods[operation.method] = describe(operation);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Gestalt",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Graphs over the REST interface of Graph Engine Service v2.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": Area::ALL.map(|area| json!({"name": area.name(), "description": area.about()})),
        "paths": paths,
        "components": {
            "schemas": schemas::all(),
            "responses": Area::ALL.iter().map(|area| (area.refusal_name(), area.refusal())).collect::<Map<_, _>>(),
            "securitySchemes": {
                "token": {"type": "apiKey", "in": "header", "name": "X-Auth-Token"},
                "signature": {
                    "type": "apiKey", "in": "header", "name": "Authorization",
                    "description": "SDK-HMAC-SHA256 with access key and secret key.",
                },
                "metrics": {"type": "http", "scheme": "bearer", "description": "The metrics token, if one is set."},
            },
        },
    })
}

/// A part of the surface: what is common to its operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Area {
    Identity,
    Management,
    Data,
    Objects,
    Operations,
}

impl Area {
    const ALL: [Self; 5] = [Self::Identity, Self::Management, Self::Data, Self::Objects, Self::Operations];

    fn of(path: &str) -> Self {
        match path.split('/').nth(1) {
            Some("v2" | "v1.0") => Self::Management,
            Some("ges") => Self::Data,
            Some("obs") => Self::Objects,
            Some(version) if version.starts_with("v3") => Self::Identity,
            _ => Self::Operations,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Management => "management",
            Self::Data => "data",
            Self::Objects => "objects",
            Self::Operations => "operations",
        }
    }

    fn about(self) -> &'static str {
        match self {
            Self::Identity => "Users, projects and tokens, as OpenStack Identity v3 has them.",
            Self::Management => "Graphs, backups, metadata and the task centre.",
            Self::Data => "Vertices, edges and labels of one graph.",
            Self::Objects => "Files for import, export and backups.",
            Self::Operations => "Probes, metrics and this document.",
        }
    }

    fn security(self, path: &str) -> Value {
        match self {
            Self::Management | Self::Data | Self::Objects => json!([{"token": []}, {"signature": []}]),
            Self::Identity if path == "/v3" || path == "/v3/" => json!([]),
            Self::Identity => json!([{"token": []}, {"signature": []}]),
            Self::Operations if path.starts_with("/gestalt/") => json!([{"token": []}, {"signature": []}]),
            Self::Operations if path == "/metrics" => json!([{}, {"metrics": []}]),
            Self::Operations => json!([]),
        }
    }

    /// Statuses that refusals of all its operations may have. What changes users and rights may be
    /// in the way of something.
    fn refusals(self, method: &str) -> &'static [u16] {
        match self {
            Self::Management | Self::Data | Self::Objects => &[401, 403],
            Self::Identity if matches!(method, "get" | "head") => &[401, 403, 404],
            Self::Identity => &[401, 403, 404, 409],
            Self::Operations => &[],
        }
    }

    fn refusal_name(self) -> String {
        format!("{}-refusal", self.name())
    }

    /// Every refusal has this shape, whatever its status.
    fn refusal(self) -> Value {
        json!({
            "description": "Refused: the code says why, the message names what is at fault.",
            "headers": headers(),
            "content": {"application/json": {"schema": self.refusal_schema()}},
        })
    }

    fn refusal_schema(self) -> Value {
        let shape = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
        let gateway = shape("Error");
        match self {
            Self::Identity => json!({"anyOf": [shape("IdentityError"), gateway]}),
            Self::Data => json!({"anyOf": [shape("DataError"), gateway]}),
            Self::Management => json!({"anyOf": [gateway, shape("DataError")]}),
            Self::Objects | Self::Operations => gateway,
        }
    }
}

/// Statuses with which any call may be refused: a bad request, one that is too slow, too large, too
/// long or too frequent, a failure of the server's own, too much at once, and a call that took too
/// long.
const GATEWAY: &[u16] = &[400, 408, 413, 414, 429, 494, 500, 503, 504];

fn headers() -> Value {
    json!({"X-Request-Id": {"schema": {"type": "string"}}})
}

fn describe(operation: &Operation) -> Value {
    let area = Area::of(operation.path);
    let mut parameters: Vec<Value> = path_parameters(operation.path).map(path_parameter).collect();
    parameters.extend(operation.query.iter().map(query_parameter));
    let mut answer = json!({"description": "Done.", "headers": headers()});
    if let Some(content) = content(operation.answer) {
        answer["content"] = content;
    }
    let mut responses = Map::from_iter([(operation.status.to_string(), answer)]);
    for status in GATEWAY.iter().chain(area.refusals(operation.method)).chain(operation.refuses) {
        let shape = json!({"$ref": format!("#/components/responses/{}", area.refusal_name())});
        responses.insert(status.to_string(), shape);
    }
    let mut described = json!({
        "operationId": operation.id,
        "summary": operation.summary,
        "tags": [area.name()],
        "parameters": parameters,
        "responses": responses,
        "security": if operation.public { json!([]) } else { area.security(operation.path) },
    });
    if let Some(content) = content(operation.body) {
        described["requestBody"] = json!({"required": operation.needs_body, "content": content});
    }
    described
}

fn content(payload: Payload) -> Option<Value> {
    let bytes = json!({"type": "string", "format": "binary"});
    match payload {
        Payload::None => None,
        Payload::Json(name) => {
            Some(json!({"application/json": {"schema": {"$ref": format!("#/components/schemas/{name}")}}}))
        }
        Payload::Bytes => Some(json!({"application/octet-stream": {"schema": bytes}})),
        Payload::Text => Some(json!({"text/plain": {"schema": {"type": "string"}}})),
    }
}

/// The names between braces.
fn path_parameters(path: &str) -> impl Iterator<Item = &str> {
    let parts = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    parts.map(|name| name.trim_start_matches('*'))
}

fn path_parameter(name: &str) -> Value {
    json!({"name": name, "in": "path", "required": true, "schema": {"type": "string", "minLength": 1}})
}

fn query_parameter(query: &Query) -> Value {
    let schema = match query.sort {
        Sort::Text => json!({"type": "string"}),
        Sort::Count { least } => json!({"type": "integer", "minimum": least}),
        Sort::Flag => json!({"type": "boolean"}),
        Sort::Day => json!({"type": "string", "format": "date"}),
        Sort::OneOf(words) => json!({"type": "string", "enum": words}),
    };
    json!({"name": query.name, "in": "query", "required": query.required, "schema": schema})
}
