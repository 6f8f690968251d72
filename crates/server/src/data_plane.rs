//! The data plane: one graph's elements, addressed by the graph's name. Every call is one atomic
//! transaction, or one snapshot.

mod edges;
mod schema;
mod values;
mod vertices;

use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use model::{ElementKind, Kind};
use serde_json::{Map, Value, json};
use store::{Graph, Snapshot};

use crate::app::App;
use crate::graphs::record::{self, ENGINE_VERSION, GraphRow};
use crate::graphs::states::Status;
use crate::http::auth::Caller;
use crate::http::body::{Fields, read};
use crate::http::error::ApiError;
use crate::http::{Parameters, blocking};

const BASE: &str = "/ges/v1.0/{project}/graphs/{name}";
/// Elements of one batch.
const MAX_BATCH: usize = 10_000;

pub(crate) fn routes() -> Router<App> {
    let at = |path: &str| format!("{BASE}{path}");
    Router::new()
        .route(&at("/summary"), get(summary))
        .route(&at("/version"), get(version))
        .route(&at("/schema"), get(schema::read))
        .route(&at("/schema/labels"), post(schema::add))
        .route(&at("/schema/labels/{label}/properties"), post(schema::set_properties))
        .route(&at("/vertices"), post(vertices::add))
        .route(&at("/vertices/detail"), get(vertices::detail))
        .route(&at("/vertices/action"), post(vertices::action))
        .route(&at("/vertices/{vertex}"), axum::routing::delete(vertices::delete))
        .route(&at("/vertices/{vertex}/properties/action"), post(vertices::properties))
        .route(&at("/edges"), post(edges::add).delete(edges::delete))
        .route(&at("/edges/detail"), get(edges::detail))
        .route(&at("/edges/action"), post(edges::action))
        .route(&at("/edges/properties/action"), post(edges::properties))
}

/// What a call is refused with: a code of the engine, and what is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code} {text}")]
pub(crate) struct DataError {
    status: u16,
    code: &'static str,
    text: String,
}

/// The general code for bad parameters, and for what exists already or not at all.
pub(crate) const PARAMETER: &str = "GES.8000";

impl DataError {
    pub(crate) fn new(code: &'static str, text: impl std::fmt::Display) -> Self {
        Self { status: 400, code, text: text.to_string() }
    }

    pub(crate) fn parameter(text: impl std::fmt::Display) -> Self {
        Self::new(PARAMETER, text)
    }
}

impl IntoResponse for DataError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = json!({"errorCode": self.code, "errorMessage": self.text, "result": "failed"});
        (status, Json(body)).into_response()
    }
}

impl From<store::Error> for DataError {
    fn from(error: store::Error) -> Self {
        match error.kind() {
            Kind::Unavailable => Self { status: 503, code: "GES.8601", text: error.to_string() },
            Kind::Corrupt | Kind::Internal => {
                tracing::error!(%error, "the data plane met damage");
                Self { status: 500, code: "GES.8601", text: "Stored data of the graph are damaged.".into() }
            }
            Kind::WrongState => Self::new("GES.8602", error),
            _ => Self::parameter(error),
        }
    }
}

impl From<model::SchemaError> for DataError {
    fn from(error: model::SchemaError) -> Self {
        Self::from(store::Error::from(error))
    }
}

/// Refusals of the shared parts, in the shape of this plane.
impl From<ApiError> for DataError {
    fn from(error: ApiError) -> Self {
        Self { status: error.code.status(), code: PARAMETER, text: error.message() }
    }
}

impl From<PathRejection> for DataError {
    fn from(error: PathRejection) -> Self {
        Self::parameter(error)
    }
}

/// The graph that a path names, open.
pub(crate) struct Target {
    pub(crate) graph: Graph,
    pub(crate) row: GraphRow,
}

impl FromRequestParts<App> for Target {
    type Rejection = DataError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, DataError> {
        let path: Path<Map<String, Value>> = Path::from_request_parts(parts, app).await?;
        let name = path.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let caller = parts.extensions.get::<Caller>().cloned();
        let project = caller.map(|caller| caller.project).ok_or_else(|| DataError::parameter("no caller"))?;
        let lookup = app.clone();
        let shown = name.clone();
        let row =
            blocking(move || Ok(lookup.db().read(|db| record::find_by_name(db, &project, &name))?)).await?;
        let row = row.ok_or_else(|| DataError::parameter(format!("graph [{shown}] is not found")))?;
        let graph = app.graph(&row.id).map_err(|_| {
            let stopped = row.status == Status::Stopped;
            let state = if stopped { "stopped" } else { "not running" };
            DataError::new("GES.8602", format!("graph [{shown}] is {state}"))
        })?;
        Ok(Self { graph, row })
    }
}

impl Target {
    /// Refuses changes while an import or a clearing is under way: it would not mix with them.
    pub(crate) fn writable(self) -> Result<Self, DataError> {
        match self.row.status {
            Status::Running | Status::Exporting => Ok(self),
            _ => Err(DataError::new("GES.8602", format!("graph [{}] takes no writes now", self.row.name))),
        }
    }

    /// Runs blocking work on the graph.
    pub(crate) async fn run<T: Send + 'static>(
        self,
        work: impl FnOnce(&Self) -> Result<T, DataError> + Send + 'static,
    ) -> Result<T, DataError> {
        match tokio::task::spawn_blocking(move || work(&self)).await {
            Ok(result) => result,
            Err(error) => Err(ApiError::internal(error).into()),
        }
    }

    /// Reads a snapshot.
    pub(crate) async fn read(
        self,
        work: impl FnOnce(&Snapshot) -> Result<Value, DataError> + Send + 'static,
    ) -> Result<Json<Value>, DataError> {
        self.run(move |target| work(&target.graph.snapshot())).await.map(Json)
    }

    /// How many edges the graph may have.
    pub(crate) fn edge_limit(&self) -> u64 {
        record::edge_limit(&self.row.size_index).unwrap_or(u64::MAX)
    }
}

/// A body whose refusals have the shape of this plane.
pub(crate) struct Body(pub(crate) Fields);

impl<S: Send + Sync> axum::extract::FromRequest<S> for Body {
    type Rejection = Response;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Response> {
        // Too large a body is the gateway's business, whatever the plane.
        let bytes = read(request.into_body()).await.map_err(IntoResponse::into_response)?;
        Fields::parse(&bytes).map(Self).map_err(|error| DataError::from(error).into_response())
    }
}

/// The items of a batch, which must be there and be a list.
pub(crate) fn batch(body: &Fields, name: &str, absent: &'static str) -> Result<Vec<Value>, DataError> {
    let items =
        body.list(name)?.ok_or_else(|| DataError::new(absent, format!("[{name}] must not be null")))?;
    if items.len() > MAX_BATCH {
        return Err(DataError::parameter(format!("[{name}] has more than {MAX_BATCH} items")));
    }
    Ok(items)
}

/// The action that a path with `action_id` asks for.
pub(crate) fn action_of(parameters: &Parameters) -> Result<&str, DataError> {
    let action = parameters.get("action_id").map(String::as_str);
    action.ok_or_else(|| DataError::parameter("[action_id] is missing"))
}

pub(crate) fn success() -> Value {
    json!({"result": "success"})
}

async fn version() -> Json<Value> {
    Json(json!({"version": ENGINE_VERSION}))
}

/// Counts per label, and the content root: equal roots mean equal graphs.
async fn summary(target: Target, parameters: Parameters) -> Result<Json<Value>, DataError> {
    let details = parameters.get("label_details").is_some_and(|flag| flag.eq_ignore_ascii_case("true"));
    target
        .read(move |snapshot| {
            let content = snapshot.content();
            let mut data = json!({
                "vertexNum": content.vertices.count,
                "edgeNum": content.edges.count,
                "contentRoot": content.root().to_string(),
            });
            if details {
                let of = |wanted: ElementKind| {
                    let labels = content.labels.iter().filter(|((kind, _), _)| *kind == wanted);
                    let named = labels.map(|((_, label), tally)| {
                        (snapshot.schema().label_name(*label).to_owned(), Value::from(tally.count))
                    });
                    named.collect::<Map<_, _>>()
                };
                data["labelDetails"] =
                    json!({"labelInVertex": of(ElementKind::Vertex), "labelInEdge": of(ElementKind::Edge)});
            }
            Ok(json!({"data": data, "result": "success"}))
        })
        .await
}
