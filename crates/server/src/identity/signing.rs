//! Request signatures of the form `SDK-HMAC-SHA256`, verified over exactly the headers that the
//! client signed: which ones those are differs from client to client.

use axum::http::{HeaderMap, Method, Uri};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::times::Time;

/// How far a client's clock may be off, in seconds.
const WINDOW: i64 = 15 * 60;

/// What an `Authorization` header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Signed {
    pub(crate) access: String,
    headers: Vec<String>,
    signature: Vec<u8>,
}

/// What was signed.
pub(crate) struct SignedRequest<'a> {
    pub(crate) method: &'a Method,
    pub(crate) uri: &'a Uri,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
}

/// Why a signature does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SignatureError {
    #[error("header x-sdk-date is missing or malformed")]
    NoDate,
    #[error("the signing date is not within 15 minutes of the server's time")]
    TooOld,
    #[error("a signed header is missing")]
    NoHeader,
    #[error("header x-sdk-content-sha256 is not the hash of the body")]
    OtherBody,
    #[error("AK/SK signature verification failed")]
    Wrong,
}

impl Signed {
    /// `SDK-HMAC-SHA256 Access=…, SignedHeaders=a;b;c, Signature=hex`.
    pub(crate) fn parse(header: &str) -> Option<Self> {
        let fields = header.strip_prefix("SDK-HMAC-SHA256 ")?;
        let field = |name: &str| {
            let fields = fields.split(',').map(str::trim);
            fields.filter_map(|field| field.split_once('=')).find(|(key, _)| *key == name).map(|(_, v)| v)
        };
        Some(Self {
            access: field("Access")?.to_owned(),
            headers: field("SignedHeaders")?.split(';').map(str::to_ascii_lowercase).collect(),
            signature: hex::decode(field("Signature")?).ok()?,
        })
    }

    /// Whether the holder of `secret` signed this request, just now.
    pub(crate) fn verify(
        &self,
        request: &SignedRequest<'_>,
        secret: &[u8],
        now: Time,
    ) -> Result<(), SignatureError> {
        let date = self.check_date(request.headers, now)?;
        let canonical = hex::encode(Sha256::digest(self.canonical(request)?));
        let text = format!("SDK-HMAC-SHA256\n{date}\n{canonical}");
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).map_err(|_| SignatureError::Wrong)?;
        mac.update(text.as_bytes());
        let right = mac.finalize().into_bytes();
        if bool::from(right.as_slice().ct_eq(&self.signature)) { Ok(()) } else { Err(SignatureError::Wrong) }
    }

    /// Whether it was signed within the window; the date as it was signed.
    pub(crate) fn check_date(&self, headers: &HeaderMap, now: Time) -> Result<String, SignatureError> {
        let date = header(headers, "x-sdk-date").ok_or(SignatureError::NoDate)?;
        let signed_at = Time::signing_date(&date).ok_or(SignatureError::NoDate)?;
        if now.seconds_since(signed_at).max(signed_at.seconds_since(now)) > WINDOW {
            return Err(SignatureError::TooOld);
        }
        Ok(date)
    }

    fn canonical(&self, request: &SignedRequest<'_>) -> Result<String, SignatureError> {
        let mut headers = String::new();
        for name in &self.headers {
            let value = header(request.headers, name).ok_or(SignatureError::NoHeader)?;
            headers.push_str(&format!("{name}:{}\n", value.trim()));
        }
        let parts = [
            request.method.as_str().to_owned(),
            canonical_path(request.uri.path()),
            canonical_query(request.uri.query().unwrap_or_default()),
            headers,
            self.headers.join(";"),
            payload_hash(request)?,
        ];
        Ok(parts.join("\n"))
    }
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

/// The hash that the client claims must be true, unless it says that it signed no body.
fn payload_hash(request: &SignedRequest<'_>) -> Result<String, SignatureError> {
    let actual = hex::encode(Sha256::digest(request.body));
    match header(request.headers, "x-sdk-content-sha256") {
        Some(claimed) if claimed == "UNSIGNED-PAYLOAD" || claimed == actual => Ok(claimed),
        Some(_) => Err(SignatureError::OtherBody),
        None => Ok(actual),
    }
}

fn canonical_path(path: &str) -> String {
    let mut canonical: String =
        path.split('/').map(|segment| encode(&decode(segment))).collect::<Vec<_>>().join("/");
    if !canonical.ends_with('/') {
        canonical.push('/');
    }
    canonical
}

fn canonical_query(query: &str) -> String {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let plus = |text: &str| decode(&text.replace('+', " "));
    let mut pairs: Vec<(String, String)> = pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(key, value)| (encode(&plus(key)), encode(&plus(value))))
        .collect();
    pairs.sort();
    pairs.into_iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join("&")
}

fn decode(text: &str) -> Vec<u8> {
    let (bytes, mut out, mut at) = (text.as_bytes(), Vec::new(), 0);
    while at < bytes.len() {
        let pair = (bytes[at] == b'%').then(|| bytes.get(at + 1..at + 3)).flatten();
        match pair.and_then(|pair| hex::decode(pair).ok()) {
            Some(byte) => {
                out.extend(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    out
}

fn encode(bytes: &[u8]) -> String {
    let mut out = String::new();
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(byte) {
            out.push(char::from(*byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCESS: &str = "AKEXAMPLE0000000000A";
    const SECRET: &str = "SKEXAMPLE00000000000000000000000000000SK";
    const GRAPH: &str = "/v2/0123456789abcdef0123456789abcdef/graphs/f1529b88-c958-493e-8452-fccfe932cde1";
    const SDK: &str = "content-type;host;user-agent;x-project-id;x-sdk-date";

    fn headers(content_type: &str) -> HeaderMap {
        let pairs = [
            ("accept", "application/json"),
            ("content-type", content_type),
            ("host", "127.0.0.1:8080"),
            ("user-agent", "vector/1"),
            ("x-project-id", "0123456789abcdef0123456789abcdef"),
            ("x-sdk-date", "20240601T120000Z"),
        ];
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn check(
        method: Method,
        path: &str,
        signed: &str,
        body: &str,
        signature: &str,
    ) -> Result<(), SignatureError> {
        let content_type = if signed == SDK { "application/json" } else { "application/json;charset=UTF-8" };
        let headers = headers(content_type);
        let uri: Uri = format!("{GRAPH}{path}").parse().unwrap();
        let request = SignedRequest { method: &method, uri: &uri, headers: &headers, body: body.as_bytes() };
        let header =
            format!("SDK-HMAC-SHA256 Access={ACCESS}, SignedHeaders={signed}, Signature={signature}");
        let now = Time::signing_date("20240601T121459Z").unwrap();
        Signed::parse(&header).unwrap().verify(&request, SECRET.as_bytes(), now)
    }

    /// Made by the signers of the Python and Go clients.
    #[test]
    fn signatures_of_real_clients_count() {
        let export =
            r#"{"backup_id": "105788ca-05da-454e-8cb0-9b95d2eec3a6", "export_path": "bucket/dir a/"}"#;
        let go = "accept;content-type;user-agent;x-sdk-date";
        let vectors = [
            (
                Method::POST,
                "/backups",
                SDK,
                "",
                "5375f32b78693ade55421c355fe7c30924df5afb87a15ece8d6272f0d01bbec8",
            ),
            (
                Method::GET,
                "/backups?limit=120&offset=0",
                SDK,
                "",
                "d32755f02f1d46e50bdaf44b233062a50275b0c0668256b2383536dc9e3ded71",
            ),
            (
                Method::POST,
                "/backups/export",
                SDK,
                export,
                "cd7eec99ff4e391274e2fd0e9c94b9454b419376745b79205d2199470459692f",
            ),
            (
                Method::DELETE,
                "?delete_eip=false&keep_backup=true",
                SDK,
                "",
                "9dce1d19e3406c886bb1a6d95636c0b333bdc2020dbbf1b8affcbb06c76ef71e",
            ),
            (
                Method::GET,
                "/backups?limit=120",
                go,
                "",
                "66ad387f571eb2641fd4af60327ab00f92371ccc79b69ece8e392aa82220e1bf",
            ),
        ];
        for (method, path, signed, body, signature) in vectors {
            assert_eq!(check(method.clone(), path, signed, body, signature), Ok(()), "{method} {path}");
            let other = format!("{body} ");
            assert_eq!(check(method, path, signed, &other, signature), Err(SignatureError::Wrong), "{path}");
        }
        let right = "5375f32b78693ade55421c355fe7c30924df5afb87a15ece8d6272f0d01bbec8";
        assert_eq!(check(Method::POST, "/backups?x=1", SDK, "", right), Err(SignatureError::Wrong));
        assert_eq!(check(Method::POST, "/backups", "host;x-none", "", right), Err(SignatureError::NoHeader));
        assert!(Signed::parse("SDK-HMAC-SHA256 Access=x").is_none());
    }

    #[test]
    fn a_query_is_signed_in_one_form() {
        assert_eq!(canonical_query("b=2&a=%20x&c&a=1"), "a=%20x&a=1&b=2&c=");
        assert_eq!(canonical_path("/a%2fb/%E4%BD%A0"), "/a%2Fb/%E4%BD%A0/");
    }
}
