//! Tables of bad requests and of how each is to be refused, kept as text files:
//!
//! ```text
//! # A comment
//! METHOD PATH BODY => STATUS CODE|OTHER-CODE WORDS OF THE MESSAGE
//! ```
//!
//! The body may be absent, and so may the words. Where the documents leave a choice, any of
//! the codes will do.

use crate::client::{Body, Client, Reply};

struct Case {
    line: String,
    method: String,
    path: String,
    body: Body,
    status: u16,
    codes: Vec<String>,
    words: String,
}

/// Sends each request of a table, with the `names` filled in, and panics with all that were
/// not refused as it says.
pub fn assert_refused(client: &Client, names: &[(&str, &str)], table: &str) {
    let filled = names.iter().fold(table.to_owned(), |text, (name, value)| text.replace(name, value));
    let lines = filled.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let cases: Vec<Case> = lines.map(Case::parse).collect();
    assert!(!cases.is_empty(), "an empty table proves nothing");
    let wrong: Vec<String> = cases.iter().filter_map(|case| case.wrong(client)).collect();
    assert!(wrong.is_empty(), "{} of {} refusals are wrong:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

impl Case {
    fn parse(line: &str) -> Self {
        let (request, refusal) = line.split_once(" => ").unwrap_or_else(|| panic!("no => in: {line}"));
        let mut request = request.splitn(3, ' ');
        let mut refusal = refusal.splitn(3, ' ');
        let word = |part: Option<&str>| part.unwrap_or_else(|| panic!("too short: {line}")).to_owned();
        Self {
            line: line.to_owned(),
            method: word(request.next()),
            path: word(request.next()),
            body: request.next().map_or(Body::None, Body::from),
            status: word(refusal.next()).parse().unwrap_or_else(|_| panic!("no status: {line}")),
            codes: word(refusal.next()).split('|').map(str::to_owned).collect(),
            words: refusal.next().unwrap_or_default().to_owned(),
        }
    }

    fn wrong(&self, client: &Client) -> Option<String> {
        let reply = client.send(&self.method, &self.path, self.body.clone());
        let fits = reply.status == self.status && self.fits(&reply);
        (!fits).then(|| format!("{}\n    got {} {}", self.line, reply.status, reply.text()))
    }

    fn fits(&self, reply: &Reply) -> bool {
        let Ok(body) = serde_json::from_slice::<serde_json::Value>(&reply.body) else { return false };
        let text_of = |keys: [&str; 2]| keys.iter().find_map(|key| body[key].as_str()).map(str::to_owned);
        let code = text_of(["error_code", "errorCode"]);
        let text = text_of(["error_msg", "errorMessage"]);
        code.is_some_and(|code| self.codes.contains(&code))
            && text.is_some_and(|text| !text.is_empty() && text.contains(&self.words))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::panic::catch_unwind;
    use std::sync::{Arc, Mutex};
    use std::thread;

    use super::*;

    /// A server that answers one request with a refusal.
    fn refusing(body: &'static str) -> Client {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            let _ = stream.read(&mut [0; 4096]);
            let length = body.len();
            let head =
                format!("HTTP/1.1 400 Bad Request\r\nX-Request-Id: 1\r\nContent-Length: {length}\r\n\r\n");
            let _ = stream.write_all(format!("{head}{body}").as_bytes());
        });
        Client::new(Arc::new(Mutex::new(url)), "project".into(), "no such home".into(), None)
    }

    fn holds(answer: &'static str, line: &'static str) -> bool {
        catch_unwind(|| assert_refused(&refusing(answer), &[("{g}", "some")], line)).is_ok()
    }

    #[test]
    fn a_table_fails_on_every_difference() {
        let answer = r#"{"error_code":"GES.7000","error_msg":"The graph is gone."}"#;
        assert!(holds(answer, "POST /graphs/{g}/backups => 400 GES.7000 is gone"));
        assert!(holds(answer, "POST /graphs/{g}/backups { } => 400 GES.0001|GES.7000"));
        assert!(!holds(answer, "POST /graphs/{g}/backups => 404 GES.7000"));
        assert!(!holds(answer, "POST /graphs/{g}/backups => 400 GES.7001"));
        assert!(!holds(answer, "POST /graphs/{g}/backups => 400 GES.7000 [graph_id]"));
        assert!(!holds("gone", "POST /graphs/{g}/backups => 400 GES.7000"));
        assert!(!holds(answer, "# nothing but a comment"));
    }
}
