//! Waiting for what takes longer than a request.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::api::{Api, Reply};
use crate::error::Error;
use crate::signing::encode;

/// How long a server may be away while it is asked how far a job is: a restart,
/// for example. One that never answered is not there.
const AWAY: Duration = Duration::from_secs(30);
const SHORTEST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

impl Api {
    /// Follows a job of a graph to a good end, telling what the server says of it meanwhile, and
    /// gives what it says then.
    pub fn follow(&self, graph: &str, job: &str, mut tell: impl FnMut(&Value)) -> Result<Reply, Error> {
        let path = format!("/v2/{{p}}/graphs/{}/jobs/{}/status", encode(graph), encode(job));
        self.wait(&path, |reply| match reply.text("status")?.as_str() {
            "success" => Ok(true),
            "failed" => {
                let reason = reply.body["fail_reason"].as_str().unwrap_or("It failed without a reason.");
                Err(Error::JobFailed { job: job.into(), reason: reason.into() })
            }
            _ => {
                tell(&reply.body);
                Ok(false)
            }
        })
    }

    /// Asks the same until the answer is the one that is waited for.
    pub(crate) fn wait(
        &self,
        path: &str,
        mut is_it: impl FnMut(&Reply) -> Result<bool, Error>,
    ) -> Result<Reply, Error> {
        let mut heard: Option<Instant> = None;
        let mut pause = SHORTEST_PAUSE;
        loop {
            match self.get(path) {
                Ok(reply) => {
                    heard = Some(Instant::now());
                    if is_it(&reply)? {
                        return Ok(reply);
                    }
                }
                Err(error) if error.is_passing() && heard.is_some_and(|heard| heard.elapsed() < AWAY) => {}
                Err(error) => return Err(error),
            }
            std::thread::sleep(pause);
            pause = (pause * 3 / 2).min(LONGEST_PAUSE);
        }
    }
}

/// Asks until there is an answer, at first often, and no longer than `patience`.
pub fn wait_until<T, E: From<Error>>(
    what: &str,
    patience: Duration,
    mut ask: impl FnMut() -> Result<Option<T>, E>,
) -> Result<T, E> {
    let start = Instant::now();
    let mut pause = SHORTEST_PAUSE;
    loop {
        if let Some(answer) = ask()? {
            return Ok(answer);
        }
        if start.elapsed() > patience {
            return Err(Error::TooLong(what.into()).into());
        }
        std::thread::sleep(pause);
        pause = (pause * 3 / 2).min(LONGEST_PAUSE);
    }
}
