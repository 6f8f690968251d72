//! Requests and their answers.

use std::io::Read;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use ureq::http::{Request, Response, header};
use ureq::{Agent, AsSendBody, Body, SendBody};

use crate::error::Error;
use crate::signing::{self, UNSIGNED, encode};
use crate::trust::Trust;

/// The longest answer that is read into memory.
const MAX_ANSWER: u64 = 256 << 20;
const CONNECT: Duration = Duration::from_secs(10);
/// Until an answer begins. No call keeps a client waiting for its work: that is what jobs are for.
const ANSWER: Duration = Duration::from_secs(300);

const JSON: &str = "application/json";
const BYTES: &str = "application/octet-stream";

/// In whose name requests are sent.
#[derive(Debug, Clone)]
pub enum Access {
    /// Nobody's.
    None,
    /// A token's owner.
    Token(String),
    /// An access key's owner; requests are signed.
    Key {
        /// The access key.
        access: String,
        /// The secret key.
        secret: String,
    },
}

/// A server, a project of it, and the right to use it.
#[derive(Debug, Clone)]
pub struct Api {
    agent: Agent,
    url: String,
    project: String,
    access: Access,
}

/// A good answer, with what it answers.
#[derive(Debug, Clone)]
pub struct Reply {
    asked: String,
    /// The body as it came.
    pub text: String,
    /// The same as JSON; null where there is none.
    pub body: Value,
}

impl Reply {
    /// A text that the documents promise.
    pub fn text(&self, field: &str) -> Result<String, Error> {
        self.body[field].as_str().map(str::to_owned).ok_or_else(|| self.lacks(field))
    }

    /// A list that the documents promise.
    pub fn list(&self, field: &str) -> Result<&[Value], Error> {
        self.body[field].as_array().map(Vec::as_slice).ok_or_else(|| self.lacks(field))
    }

    /// That it lacks something that the documents promise.
    pub fn lacks(&self, field: &str) -> Error {
        Error::Strange { asked: self.asked.clone(), why: format!("it lacks [{field}]") }
    }
}

impl Api {
    /// A client of the server at `url`, which has no slash at its end.
    pub fn new(url: &str, project: &str, access: Access, trust: &Trust) -> Self {
        let agent = Agent::config_builder()
            .tls_config(trust.config())
            .http_status_as_error(false)
            .user_agent(concat!("gestalt/", env!("CARGO_PKG_VERSION")))
            // A token must not follow a redirection to somebody else.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(ANSWER))
            .build()
            .into();
        Self { agent, url: url.into(), project: project.into(), access }
    }

    /// The same server in another name.
    pub(crate) fn with(&self, project: &str, access: Access) -> Self {
        Self { project: project.into(), access, ..self.clone() }
    }

    /// The project of every path.
    pub fn project(&self) -> &str {
        &self.project
    }

    /// What is sent as `X-Auth-Token`, if anything.
    pub fn token(&self) -> Option<&str> {
        match &self.access {
            Access::Token(token) => Some(token),
            Access::None | Access::Key { .. } => None,
        }
    }

    /// The whole address of a path, in which `{p}` stands for the project.
    pub fn url(&self, path: &str) -> String {
        format!("{}{}", self.url, path.replace("{p}", &self.project))
    }

    /// GET.
    pub fn get(&self, path: &str) -> Result<Reply, Error> {
        self.send("GET", path, None)
    }

    /// POST; without a body if there is none.
    pub fn post(&self, path: &str, body: Option<&Value>) -> Result<Reply, Error> {
        self.send("POST", path, body)
    }

    /// DELETE.
    pub fn delete(&self, path: &str) -> Result<Reply, Error> {
        self.send("DELETE", path, None)
    }

    /// PUT of bytes as they come.
    pub fn put(&self, path: &str, mut bytes: impl Read, length: Option<u64>) -> Result<Reply, Error> {
        let mut request = self.request("PUT", path, BYTES, UNSIGNED);
        if let Some(length) = length {
            request = request.header(header::CONTENT_LENGTH, length);
        }
        let response = self.run(request, SendBody::from_reader(&mut bytes))?;
        self.read("PUT", path, response)
    }

    /// GET of bytes, to be read by the caller; their length, if the server tells it.
    pub(crate) fn fetch(&self, path: &str) -> Result<(impl Read + use<>, Option<u64>), Error> {
        let request = self.request("GET", path, BYTES, UNSIGNED);
        let response = self.run(request, ())?;
        if !response.status().is_success() {
            let reply = self.read("GET", path, response)?;
            return Err(reply.lacks("the object"));
        }
        let length = response.body().content_length();
        Ok((response.into_body().into_reader(), length))
    }

    /// Logs in: the answer, and the token in its header.
    pub(crate) fn post_for_token(&self, path: &str, body: &Value) -> Result<(Reply, String), Error> {
        let text = body.to_string();
        let request = self.request("POST", path, JSON, &signing::payload_hash(text.as_bytes()));
        let response = self.run(request, text.as_str())?;
        let token = response.headers().get("x-subject-token").and_then(|token| token.to_str().ok());
        let token = token.map(str::to_owned);
        let reply = self.read("POST", path, response)?;
        let token = token.ok_or_else(|| reply.lacks("X-Subject-Token"))?;
        Ok((reply, token))
    }

    /// GET or DELETE of something about a token that is named in a header.
    pub(crate) fn about_token(&self, method: &str, subject: &str) -> Result<Reply, Error> {
        let path = "/v3/auth/tokens";
        let request = self.request(method, path, JSON, &signing::payload_hash(b""));
        let response = self.run(request.header("X-Subject-Token", subject), ())?;
        self.read(method, path, response)
    }

    fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Reply, Error> {
        let text = body.map(Value::to_string).unwrap_or_default();
        let request = self.request(method, path, JSON, &signing::payload_hash(text.as_bytes()));
        let response = match (body, method) {
            (Some(_), _) => self.run(request, text.as_str()),
            (None, "POST") => self.run(request, ""),
            (None, _) => self.run(request, ()),
        };
        self.read(method, path, response?)
    }

    fn request(&self, method: &str, path: &str, kind: &str, payload: &str) -> ureq::http::request::Builder {
        let url = self.url(path);
        let request = Request::builder().method(method).uri(&url).header(header::CONTENT_TYPE, kind);
        match &self.access {
            Access::None => request,
            Access::Token(token) => request.header("X-Auth-Token", token),
            Access::Key { access, secret } => {
                let headers = [
                    ("content-type", kind.to_owned()),
                    ("x-project-id", self.project.clone()),
                    ("x-sdk-content-sha256", payload.to_owned()),
                    ("x-sdk-date", Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string()),
                ];
                let path_and_query = path_of(&url);
                let signed = signing::Request { method, path_and_query, headers: &headers, payload };
                let authorization = signing::authorization(&signed, access, secret);
                let request = request.header(header::AUTHORIZATION, authorization);
                headers.iter().skip(1).fold(request, |request, (name, value)| request.header(*name, value))
            }
        }
    }

    fn run(
        &self,
        request: ureq::http::request::Builder,
        body: impl AsSendBody,
    ) -> Result<Response<Body>, Error> {
        let request = request.body(body).map_err(|error| self.unreachable(error.into()))?;
        self.agent.run(request).map_err(|error| self.unreachable(error))
    }

    fn unreachable(&self, source: ureq::Error) -> Error {
        Error::Unreachable { url: self.url.clone(), source: Box::new(source) }
    }

    fn read(&self, method: &str, path: &str, mut response: Response<Body>) -> Result<Reply, Error> {
        let asked = format!("{method} {path}");
        let status = response.status().as_u16();
        let text = response.body_mut().with_config().limit(MAX_ANSWER).read_to_string();
        let text = text.map_err(|error| self.unreachable(error))?;
        if !(200..300).contains(&status) {
            let (code, message) = refusal(status, &text);
            return Err(Error::Refused { asked, status, code, message });
        }
        let body = match text.as_str() {
            "" => Value::Null,
            text => serde_json::from_str(text)
                .map_err(|error| Error::Strange { asked: asked.clone(), why: error.to_string() })?,
        };
        Ok(Reply { asked, text, body })
    }
}

/// The path and the query of a whole address.
fn path_of(url: &str) -> &str {
    let after_scheme = url.find("://").map_or(0, |at| at + 3);
    url[after_scheme..].find('/').map_or("/", |at| &url[after_scheme + at..])
}

/// Code and message, in whichever of the documented shapes they came.
fn refusal(status: u16, text: &str) -> (String, String) {
    let body: Value = serde_json::from_str(text).unwrap_or_default();
    let field = |names: [&str; 2]| names.iter().find_map(|name| body[name].as_str()).map(str::to_owned);
    if let (Some(code), Some(message)) =
        (field(["error_code", "errorCode"]), field(["error_msg", "errorMessage"]))
    {
        return (code, message);
    }
    if let Some(message) = body["error"]["message"].as_str() {
        return (status.to_string(), message.to_owned());
    }
    (status.to_string(), "The answer has no documented form; is this the address of a Gestalt server?".into())
}

/// A path with a query, in which values may be anything.
pub(crate) fn with_query(path: &str, query: &[(&str, &str)]) -> String {
    let pairs: Vec<String> =
        query.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_read_in_every_shape() {
        let read = |text| refusal(400, text);
        let expected = ("GES.7000".to_owned(), "Gone.".to_owned());
        assert_eq!(read(r#"{"error_code":"GES.7000","error_msg":"Gone."}"#), expected);
        assert_eq!(read(r#"{"errorCode":"GES.7000","errorMessage":"Gone."}"#), expected);
        assert_eq!(read(r#"{"error":{"code":400,"message":"Gone."}}"#), ("400".into(), "Gone.".into()));
        for strange in ["", "<html>", "{}", "null", r#"{"error_code":7}"#] {
            assert_eq!(read(strange).0, "400", "{strange}");
        }
    }

    #[test]
    fn addresses_are_put_together() {
        let api = Api::new("http://h:1", "p1", Access::None, &Trust::System);
        assert_eq!(api.url("/v2/{p}/graphs"), "http://h:1/v2/p1/graphs");
        assert_eq!(path_of("http://h:1/v2/a?b=c"), "/v2/a?b=c");
        assert_eq!(path_of("http://h:1"), "/");
        assert_eq!(with_query("/x", &[("a", "1 &"), ("b", "")]), "/x?a=1%20%26&b=");
        assert_eq!(with_query("/x", &[]), "/x");
    }
}
