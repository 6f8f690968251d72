//! A generator of load that costs little beside the server it measures: one thread and one
//! connection a client, the same bytes again and again.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::measure::Durations;

/// What is asked, and where.
pub struct Load {
    /// Host and port.
    pub address: String,
    /// A request without a body, as it goes over the wire.
    pub request: String,
}

impl Load {
    /// So many clients, each asking again as soon as it is answered; every answer must be a 200.
    pub fn run(&self, clients: usize, how_long: Duration) -> Result<Durations> {
        let end = Instant::now() + how_long;
        let mut all = Durations::default();
        std::thread::scope(|scope| {
            let clients: Vec<_> = (0..clients).map(|_| scope.spawn(|| self.client(end))).collect();
            for client in clients {
                let Ok(times) = client.join() else { bail!("a client panicked") };
                all.extend(times?);
            }
            Ok(all)
        })
    }

    fn client(&self, end: Instant) -> Result<Durations> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_nodelay(true)?;
        let mut times = Durations::default();
        let mut buffer = vec![0; 1 << 16];
        while Instant::now() < end {
            let start = Instant::now();
            stream.write_all(self.request.as_bytes())?;
            answer(&mut stream, &mut buffer)?;
            times.push(start.elapsed());
        }
        Ok(times)
    }
}

/// Reads one answer to its end.
fn answer(stream: &mut TcpStream, buffer: &mut [u8]) -> Result<()> {
    let mut length = 0;
    loop {
        let read = stream.read(&mut buffer[length..])?;
        ensure!(read > 0, "the server closed the connection");
        length += read;
        let Some(head) = buffer[..length].windows(4).position(|end| end == b"\r\n\r\n") else { continue };
        let text = std::str::from_utf8(&buffer[..head])?.to_ascii_lowercase();
        ensure!(text.starts_with("http/1.1 200"), "{text}");
        let body = text.split("content-length: ").nth(1).context("a length")?;
        let body: usize = body.split("\r\n").next().unwrap_or_default().parse()?;
        if length >= head + 4 + body {
            return Ok(());
        }
    }
}
