//! Signing requests with an access key: `SDK-HMAC-SHA256` as the SDKs do it.

use std::fmt::Write;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// A body whose bytes are not signed, because they are streamed.
pub(crate) const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// What is signed. The path and its query are percent-encoded already.
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    pub(crate) path_and_query: &'a str,
    /// Lower-case names, sorted; `x-sdk-date` is among them.
    pub(crate) headers: &'a [(&'static str, String)],
    pub(crate) payload: &'a str,
}

/// The hash of a body, as it is signed.
pub(crate) fn payload_hash(body: &[u8]) -> String {
    hex::encode(Sha256::digest(body))
}

/// The `Authorization` header of a request.
pub(crate) fn authorization(request: &Request<'_>, access: &str, secret: &str) -> String {
    let names: Vec<&str> = request.headers.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let signature = signature(request, &names, secret);
    format!("SDK-HMAC-SHA256 Access={access}, SignedHeaders={names}, Signature={signature}")
}

fn signature(request: &Request<'_>, names: &str, secret: &str) -> String {
    let (path, query) = request.path_and_query.split_once('?').unwrap_or((request.path_and_query, ""));
    let slash = if path.ends_with('/') { "" } else { "/" };
    let mut pairs: Vec<&str> = query.split('&').filter(|pair| !pair.is_empty()).collect();
    pairs.sort_unstable();
    let headers: String = request.headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let canonical = format!(
        "{}\n{path}{slash}\n{}\n{headers}\n{names}\n{}",
        request.method,
        pairs.join("&"),
        request.payload
    );
    let date = request.headers.iter().find(|(name, _)| *name == "x-sdk-date");
    let date = date.map(|(_, date)| date.as_str()).unwrap_or_default();
    let text = format!("SDK-HMAC-SHA256\n{date}\n{}", payload_hash(canonical.as_bytes()));
    // A key of any length is one for HMAC.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return String::new() };
    mac.update(text.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

/// A part of a path, or a key or value of a query, percent-encoded as signatures need it.
pub(crate) fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const BELOW: &str = "/v2/0123456789abcdef0123456789abcdef/graphs/f1529b88-c958-493e-8452-fccfe932cde1";

    /// Made by the signer of a Python SDK.
    #[test]
    fn signatures_are_those_of_the_sdk() {
        let headers = [
            ("content-type", "application/json"),
            ("host", "127.0.0.1:8080"),
            ("user-agent", "vector/1"),
            ("x-project-id", "0123456789abcdef0123456789abcdef"),
            ("x-sdk-date", "20240601T120000Z"),
        ]
        .map(|(name, value)| (name, value.to_owned()));
        let export =
            r#"{"backup_id": "105788ca-05da-454e-8cb0-9b95d2eec3a6", "export_path": "bucket/dir a/"}"#;
        for (method, below, body, expected) in [
            ("POST", "/backups", "", "5375f32b78693ade55421c355fe7c30924df5afb87a15ece8d6272f0d01bbec8"),
            (
                "GET",
                "/backups?offset=0&limit=120",
                "",
                "d32755f02f1d46e50bdaf44b233062a50275b0c0668256b2383536dc9e3ded71",
            ),
            (
                "POST",
                "/backups/export",
                export,
                "cd7eec99ff4e391274e2fd0e9c94b9454b419376745b79205d2199470459692f",
            ),
        ] {
            let request = Request {
                method,
                path_and_query: &format!("{BELOW}{below}"),
                headers: &headers,
                payload: &payload_hash(body.as_bytes()),
            };
            let header =
                authorization(&request, "AKEXAMPLE0000000000A", "SKEXAMPLE00000000000000000000000000000SK");
            assert!(header.ends_with(&format!("Signature={expected}")), "{header}");
        }
    }

    #[test]
    fn everything_but_unreserved_characters_is_encoded() {
        assert_eq!(encode("a-b_c.d~1"), "a-b_c.d~1");
        assert_eq!(encode("a b/ü?"), "a%20b%2F%C3%BC%3F");
    }
}
