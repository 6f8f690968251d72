//! Request bodies: a JSON object whose fields are asked for by name, so that every refusal can
//! say which one is wrong.

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use futures_util::stream::{self, StreamExt};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::MAX_BODY;
use super::error::ApiError;
use crate::codes::Code;

/// The fields of an object, and how to get there.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Fields {
    map: Map<String, Value>,
    /// Those of a whole body are kept in the database; they are at the top.
    #[serde(skip)]
    /// `graph.` for the fields of `graph`.
    path: String,
}

/// A whole body within the limit.
pub(crate) async fn read(body: Body) -> Result<Bytes, ApiError> {
    axum::body::to_bytes(body, MAX_BODY).await.map_err(|error| broken_off(&error))
}

/// Reads a body until it ends or exceeds `enough` bytes; the result gives all of it.
pub(crate) async fn read_ahead(body: Body, enough: usize) -> Result<Body, ApiError> {
    let mut rest = body.into_data_stream();
    let (mut read, mut bytes) = (Vec::new(), 0);
    while bytes <= enough {
        let Some(piece) = rest.next().await else {
            return Ok(Body::from(read.concat()));
        };
        let piece = piece.map_err(|error| broken_off(&error))?;
        bytes += piece.len();
        read.push(piece);
    }
    Ok(Body::from_stream(stream::iter(read.into_iter().map(Ok)).chain(rest)))
}

/// Why a body does not come to its end.
pub(crate) fn broken_off(error: &axum::Error) -> ApiError {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        if error.is::<http_body_util::LengthLimitError>() {
            return ApiError::new(Code::BodyTooLarge);
        }
        if error.is::<tower_http::timeout::TimeoutError>() {
            return ApiError::new(Code::RequestTooSlow);
        }
        cause = error.source();
    }
    ApiError::about(Code::RequestInvalid, "The body ended early.")
}

/// No body at all counts as an object without fields.
impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &S) -> Result<Self, ApiError> {
        Self::parse(&read(request.into_body()).await?)
    }
}

impl Fields {
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, ApiError> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        match serde_json::from_slice(bytes) {
            Ok(Value::Object(map)) => Ok(Self { map, path: String::new() }),
            Ok(_) => Err(ApiError::about(Code::RequestInvalid, "The body is no JSON object.")),
            Err(error) => Err(ApiError::about(
                Code::RequestInvalid,
                format!("The body is no JSON: line {}, column {}.", error.line(), error.column()),
            )),
        }
    }

    /// A field's value; null counts as absent.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.map.get(name).filter(|value| !value.is_null())
    }

    /// A field as refusals name it, with the way to it.
    pub(crate) fn at(&self, name: &str) -> String {
        format!("[{}{name}]", self.path)
    }

    fn wrong(&self, name: &str, expected: &str) -> ApiError {
        ApiError::about(Code::BadParameter, format!("[{}{name}] must be {expected}.", self.path))
    }

    fn missing(&self, name: &str) -> ApiError {
        ApiError::about(Code::ParameterMissing, format!("[{}{name}]", self.path))
    }

    /// Text that must be there and say something.
    pub(crate) fn text(&self, name: &str) -> Result<String, ApiError> {
        match self.optional_text(name)? {
            None => Err(self.missing(name)),
            Some(text) if text.is_empty() => {
                Err(ApiError::about(Code::ParameterEmpty, format!("[{}{name}]", self.path)))
            }
            Some(text) => Ok(text),
        }
    }

    /// Text that may be absent.
    pub(crate) fn optional_text(&self, name: &str) -> Result<Option<String>, ApiError> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(self.wrong(name, "a string")),
        }
    }

    /// True or false, also as text, as older clients send it.
    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>, ApiError> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(Value::String(text)) if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
            Some(Value::String(text)) if text.eq_ignore_ascii_case("false") => Ok(Some(false)),
            Some(_) => Err(self.wrong(name, "true or false")),
        }
    }

    /// A number from 1 on, also as text.
    pub(crate) fn count(&self, name: &str) -> Result<Option<u64>, ApiError> {
        let number = match self.get(name) {
            None => return Ok(None),
            Some(Value::String(text)) => text.parse().ok(),
            Some(value) => value.as_u64(),
        };
        number.filter(|number| *number > 0).map(Some).ok_or_else(|| self.wrong(name, "a whole number from 1"))
    }

    /// An object that may be absent.
    pub(crate) fn object(&self, name: &str) -> Result<Option<Self>, ApiError> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Object(map)) => {
                Ok(Some(Self { map: map.clone(), path: format!("{}{name}.", self.path) }))
            }
            Some(_) => Err(self.wrong(name, "an object")),
        }
    }

    /// An object that must be there.
    pub(crate) fn required_object(&self, name: &str) -> Result<Self, ApiError> {
        self.object(name)?.ok_or_else(|| self.missing(name))
    }

    /// A list of objects that may be absent.
    pub(crate) fn objects(&self, name: &str) -> Result<Option<Vec<Self>>, ApiError> {
        let Some(items) = self.list(name)? else { return Ok(None) };
        let object = |(index, item)| match item {
            Value::Object(map) => Ok(Self { map, path: format!("{}{name}.{index}.", self.path) }),
            _ => Err(self.wrong(name, "a list of objects")),
        };
        items.into_iter().enumerate().map(object).collect::<Result<_, _>>().map(Some)
    }

    /// A list that may be absent.
    pub(crate) fn list(&self, name: &str) -> Result<Option<Vec<Value>>, ApiError> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Array(items)) => Ok(Some(items.clone())),
            Some(_) => Err(self.wrong(name, "a list")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_name_the_field() {
        let fields = Fields::parse(br#"{"a":7,"b":"","c":{"d":[]},"e":null,"f":"TRUE","g":"3"}"#).unwrap();
        let said = |error: ApiError| error.to_string();
        assert!(said(fields.text("a").unwrap_err()).contains("GES.0001"));
        assert!(said(fields.text("a").unwrap_err()).contains("[a]"));
        assert!(said(fields.text("b").unwrap_err()).contains("GES.7050"));
        assert!(said(fields.text("e").unwrap_err()).contains("GES.7049"));
        let inner = fields.required_object("c").unwrap();
        assert!(said(inner.text("d").unwrap_err()).contains("[c.d]"));
        assert_eq!(fields.flag("f").unwrap(), Some(true));
        assert_eq!(fields.count("g").unwrap(), Some(3));
        let fields = Fields::parse(br#"{"a":[{"b":1}],"c":[1]}"#).unwrap();
        let item = fields.objects("a").unwrap().unwrap().remove(0);
        assert!(said(item.text("b").unwrap_err()).contains("[a.0.b]"));
        assert!(said(fields.objects("c").unwrap_err()).contains("[c]"));
        assert!(fields.objects("d").unwrap().is_none());
        for bad in ["[", "[]", "null", "{\"a\"", "\"x\""] {
            assert_eq!(Fields::parse(bad.as_bytes()).unwrap_err().code, Code::RequestInvalid);
        }
    }
}
