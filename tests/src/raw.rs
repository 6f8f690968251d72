//! Requests that a well-behaved HTTP client cannot send.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

/// Sends these bytes and returns all that comes back until the server closes or is silent for
/// two seconds. A server may answer, and close, before it has read everything.
pub fn exchange(url: &str, request: &[u8]) -> String {
    let address = url.strip_prefix("http://").unwrap_or(url);
    let mut stream = TcpStream::connect(address).expect("the server accepts connections");
    stream.set_read_timeout(Some(Duration::from_secs(2))).expect("a time-out can be set");
    stream.set_write_timeout(Some(Duration::from_secs(10))).expect("a time-out can be set");
    let mut writer = stream.try_clone().expect("a second handle");
    let mut reply = Vec::new();
    thread::scope(|scope| {
        scope.spawn(move || writer.write_all(request));
        let mut part = [0; 4096];
        while let Ok(length @ 1..) = stream.read(&mut part) {
            reply.extend_from_slice(&part[..length]);
        }
    });
    assert!(!reply.is_empty(), "the server closed the connection without a reply");
    String::from_utf8_lossy(&reply).into_owned()
}

/// Sends pieces a moment apart and returns all that comes back, as [`exchange`] does.
pub fn dribble(url: &str, pieces: &[&[u8]]) -> String {
    let address = url.strip_prefix("http://").unwrap_or(url);
    let mut stream = TcpStream::connect(address).expect("the server accepts connections");
    stream.set_read_timeout(Some(Duration::from_secs(2))).expect("a time-out can be set");
    for piece in pieces {
        // The server may have closed, which shows in what comes back.
        let _ = stream.write_all(piece);
        thread::sleep(Duration::from_millis(50));
    }
    let mut reply = Vec::new();
    // Ends with the silence that follows the last reply.
    let _ = stream.read_to_end(&mut reply);
    String::from_utf8_lossy(&reply).into_owned()
}
