//! What a refused request gets: one type, and the shapes that clients of each interface parse.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use model::Kind;
use serde_json::json;

use crate::codes::Code;

tokio::task_local! {
    /// The id of the request that is being answered.
    pub(crate) static REQUEST_ID: String;
}

/// A refusal: a documented code, and what it is about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} {}", .code.code(), self.message())]
pub(crate) struct ApiError {
    pub(crate) code: Code,
    detail: String,
}

impl ApiError {
    pub(crate) fn new(code: Code) -> Self {
        Self { code, detail: String::new() }
    }

    /// With the parameter, object or reason at fault.
    pub(crate) fn about(code: Code, detail: impl std::fmt::Display) -> Self {
        Self { code, detail: detail.to_string() }
    }

    /// An error that nobody outside can do anything about: logged here, without detail there.
    pub(crate) fn internal(error: impl std::fmt::Display) -> Self {
        tracing::error!(%error, "a request failed");
        Self::new(Code::Internal)
    }

    pub(crate) fn message(&self) -> String {
        match self.detail.as_str() {
            "" => self.code.text().into(),
            detail => format!("{} {detail}", self.code.text()),
        }
    }

    /// The shape of the v1.0 interface; Terraform reads `errCode`.
    pub(crate) fn v1(self) -> Response {
        let (code, text) = (self.code.code(), self.message());
        let body = json!({"errorCode": code, "errorMessage": text, "errCode": code, "externalMessage": text});
        (status(self.code), axum::Json(body)).into_response()
    }

    /// The shape of identity.
    pub(crate) fn identity(self) -> Response {
        let status = status(self.code);
        let title = status.canonical_reason().unwrap_or("Error");
        let error = json!({"code": status.as_u16(), "message": self.message(), "title": title});
        (status, axum::Json(json!({"error": error}))).into_response()
    }
}

fn status(code: Code) -> StatusCode {
    StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut body = json!({"error_code": self.code.code(), "error_msg": self.message()});
        if self.code.code().starts_with("APIGW") {
            body["request_id"] = REQUEST_ID.try_with(String::clone).unwrap_or_default().into();
        }
        (status(self.code), axum::Json(body)).into_response()
    }
}

impl From<rusqlite::Error> for ApiError {
    fn from(error: rusqlite::Error) -> Self {
        Self::internal(error)
    }
}

/// What the store says, as codes of the management plane.
impl From<store::Error> for ApiError {
    fn from(error: store::Error) -> Self {
        match error.kind() {
            Kind::NotFound => Self::about(Code::BackupAbsent, error),
            Kind::Invalid | Kind::Conflict => Self::about(Code::BadParameter, error),
            Kind::WrongState => Self::about(Code::GraphNotRunning, error),
            Kind::Quota => Self::about(Code::GraphQuota, error),
            Kind::Unavailable => {
                tracing::error!(%error, source = ?std::error::Error::source(&error), "the disk fails");
                Self::new(Code::Unavailable)
            }
            Kind::Corrupt => {
                tracing::error!(%error, "stored data are damaged");
                Self::new(Code::GraphDamaged)
            }
            Kind::Internal => Self::internal(error),
        }
    }
}
