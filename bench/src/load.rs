//! A generator of load that costs little beside the server it measures: one thread and one
//! connection a client, the same bytes again and again.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::measure::Durations;
use crate::world::Random;

/// What is asked, and where.
pub struct Load {
    /// Host and port.
    pub address: String,
    /// Requests as they go over the wire, each with how often it comes among all; the first is
    /// the one whose times are given.
    pub requests: Vec<(usize, String)>,
    /// Statuses that an answer may have.
    pub allowed: &'static [u16],
}

/// What became of a load.
#[derive(Default)]
pub struct Outcome {
    /// Of the first request.
    pub times: Durations,
    /// Of all requests.
    pub answers: usize,
    /// Answers that put their client off: 429 and 503.
    pub put_off: usize,
}

impl Load {
    /// So many clients, each asking again as soon as it is answered.
    pub fn run(&self, clients: usize, how_long: Duration) -> Result<Outcome> {
        let end = Instant::now() + how_long;
        let mut all = Outcome::default();
        std::thread::scope(|scope| {
            let clients: Vec<_> =
                (0..clients).map(|nr| scope.spawn(move || self.client(nr as u64, end))).collect();
            for client in clients {
                let Ok(outcome) = client.join() else { bail!("a client panicked") };
                let outcome = outcome?;
                all.times.extend(outcome.times);
                all.answers += outcome.answers;
                all.put_off += outcome.put_off;
            }
            Ok(all)
        })
    }

    fn client(&self, nr: u64, end: Instant) -> Result<Outcome> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_nodelay(true)?;
        let mut outcome = Outcome::default();
        let mut buffer = vec![0; 1 << 20];
        let mut random = Random(nr);
        let total: usize = self.requests.iter().map(|(share, _)| share).sum();
        while Instant::now() < end {
            let mut dice = random.below(total as u32) as usize;
            let chosen = self.requests.iter().position(|(share, _)| {
                let hit = dice < *share;
                dice = dice.saturating_sub(*share);
                hit
            });
            let chosen = chosen.unwrap_or(0);
            let start = Instant::now();
            stream.write_all(self.requests[chosen].1.as_bytes())?;
            let status = answer(&mut stream, &mut buffer)?;
            if chosen == 0 {
                outcome.times.push(start.elapsed());
            }
            ensure!(self.allowed.contains(&status), "status {status}: {}", self.requests[chosen].1);
            outcome.answers += 1;
            outcome.put_off += usize::from(status != 200);
        }
        Ok(outcome)
    }
}

/// Reads one answer to its end; its status.
fn answer(stream: &mut TcpStream, buffer: &mut [u8]) -> Result<u16> {
    let mut length = 0;
    loop {
        let read = stream.read(&mut buffer[length..])?;
        ensure!(read > 0, "the server closed the connection");
        length += read;
        let Some(head) = buffer[..length].windows(4).position(|end| end == b"\r\n\r\n") else { continue };
        let text = std::str::from_utf8(&buffer[..head])?.to_ascii_lowercase();
        let status = text.get(9..12).context("a status")?.parse()?;
        let body = text.split("content-length: ").nth(1).context("a length")?;
        let body: usize = body.split("\r\n").next().unwrap_or_default().parse()?;
        if length >= head + 4 + body {
            return Ok(status);
        }
    }
}
