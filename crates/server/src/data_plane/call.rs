//! From a request to the graph that it means. All that the data plane needs of the rest of the
//! server goes through here.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query as QueryOf, Request};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use model::Kind;
use serde_json::json;

use super::body::{Fields, Query};
use super::error::{DataError, Operation};
use super::request::Change;
use crate::app::App;
use crate::codes::Code;
use crate::graphs::{record, sizes};
use crate::http::auth::Caller;
use crate::http::body;
use crate::http::error::ApiError;
use crate::ids::ProjectId;

pub(crate) use crate::graphs::record::ENGINE_VERSION;

/// A call, taken apart but not understood.
pub(crate) struct Call {
    app: App,
    project: ProjectId,
    pub(crate) asked: Asked,
}

/// What is asked, and of which graph.
pub(crate) struct Asked {
    path: BTreeMap<String, String>,
    last_segment: String,
    pub(crate) query: Query,
    body: Bytes,
}

/// The graph that is meant, running.
pub(crate) struct Target {
    pub(crate) graph: store::Graph,
    /// Whether vertices may have several labels.
    pub(crate) multi_label: bool,
    /// How many edges it may have.
    pub(crate) edge_limit: Option<u64>,
}

/// Answered with its body, or refused.
pub(crate) type Answer = Result<Response, DataError>;

impl FromRequest<App> for Call {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        let (mut parts, body) = request.into_parts();
        let malformed = || ApiError::new(Code::BadRequest);
        let Extension(caller) = Extension::<Caller>::from_request_parts(&mut parts, app)
            .await
            .map_err(|_| ApiError::new(Code::Unauthenticated))?;
        let Path(path) = Path::from_request_parts(&mut parts, app).await.map_err(|_| malformed())?;
        let QueryOf(query) = QueryOf::from_request_parts(&mut parts, app).await.map_err(|_| malformed())?;
        let last_segment = parts.uri.path().rsplit('/').next().unwrap_or_default().into();
        let body = body::read(body).await?;
        let asked = Asked { path, last_segment, query: Query(query), body };
        Ok(Self { app: app.clone(), project: caller.project, asked })
    }
}

impl Call {
    /// Finds the graph and does the work, on a thread where it may block.
    pub(crate) async fn answer(
        self,
        operation: Operation,
        work: impl FnOnce(&Asked, &Target) -> Answer + Send + 'static,
    ) -> Response {
        let task = tokio::task::spawn_blocking(move || {
            let target = Target::find(&self.app, &self.project, self.asked.segment("graph"), operation)?;
            work(&self.asked, &target)
        });
        match task.await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => refuse(operation, &error),
            Err(error) => ApiError::internal(error).into_response(),
        }
    }
}

impl Asked {
    /// A part of the path. One that the route does not name stands at the end.
    pub(crate) fn segment(&self, name: &str) -> &str {
        self.path.get(name).unwrap_or(&self.last_segment)
    }

    pub(crate) fn body(&self) -> Result<Fields, DataError> {
        Fields::parse(&self.body)
    }

    pub(crate) fn action(&self) -> Result<&str, DataError> {
        self.query.text("action_id")
    }

    /// The change that the action stands for, as `names` spell update, add and delete.
    pub(crate) fn change(&self, names: [&str; 3]) -> Result<Option<Change>, DataError> {
        let action = self.action()?;
        let changes = [Change::Update, Change::Add, Change::Remove];
        Ok(names.into_iter().zip(changes).find(|(name, _)| *name == action).map(|(_, change)| change))
    }
}

impl Target {
    fn find(app: &App, project: &ProjectId, name: &str, operation: Operation) -> Result<Self, DataError> {
        let row = app.db().read(|db| record::find_by_name(db, project, name))?;
        let row = row.ok_or_else(|| DataError::NoGraph(name.into()))?;
        let refused = || DataError::NotRunning { graph: name.into(), status: row.status as u16 };
        // While an import or a clearing is under way, other writes would not mix with it.
        if !operation.reads() && !row.status.takes_writes() {
            return Err(refused());
        }
        let graph = app.graph(&row.id).map_err(|_| refused())?;
        let edge_limit = sizes::edge_limit(&row.size_index);
        Ok(Self { graph, multi_label: row.multi_label(), edge_limit })
    }
}

fn refuse(operation: Operation, error: &DataError) -> Response {
    let (status, code) = error.code(operation);
    match error.kind() {
        Kind::Unavailable | Kind::Corrupt | Kind::Internal => {
            let reason = std::error::Error::source(error).map(ToString::to_string);
            tracing::error!(?operation, %error, reason, "a call to the data plane failed");
        }
        _ => tracing::debug!(?operation, %error, "refused"),
    }
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, Json(json!({"errorMessage": error.to_string(), "errorCode": code}))).into_response()
}
