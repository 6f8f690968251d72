//! Threads for work that blocks: so many of a sort and no more, whatever comes in from outside.
//!
//! The pool that comes with the runtime makes a thread whenever none is idle yet, which is whenever
//! the disk stalls for a moment, and the memory that each has touched stays with it.

use std::io;
use std::sync::LazyLock;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

/// A number of threads. More work than that waits in line.
pub(crate) struct Threads(LazyLock<io::Result<Runtime>>);

/// For requests. Most of what they wait for is the database, which writes one thing at a time.
pub(crate) static REQUESTS: Threads = Threads(LazyLock::new(|| pool("request", 8)));
/// For short jobs, which [`crate::turns`] limits as well.
pub(crate) static JOBS: Threads = Threads(LazyLock::new(|| pool("job", 16)));

/// A runtime of which nothing but its pool for blocking work is used.
fn pool(name: &str, most: usize) -> io::Result<Runtime> {
    let mut builder = Builder::new_current_thread();
    builder.thread_name(name).max_blocking_threads(most).thread_keep_alive(Duration::from_secs(60)).build()
}

impl Threads {
    /// Does it on one of the threads.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        match &*self.0 {
            Ok(pool) => pool.spawn_blocking(work),
            Err(_) => tokio::task::spawn_blocking(work),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn work_waits_for_one_of_the_threads() {
        static FEW: Threads = Threads(LazyLock::new(|| pool("few", 2)));
        static NOW: AtomicUsize = AtomicUsize::new(0);
        let work = || {
            let beside = NOW.fetch_add(1, Ordering::SeqCst);
            std::thread::yield_now();
            NOW.fetch_sub(1, Ordering::SeqCst);
            assert!(beside < 2);
            std::thread::current().name() == Some("few")
        };
        for one in (0..100).map(|_| FEW.spawn(work)).collect::<Vec<_>>() {
            assert!(one.await.unwrap());
        }
    }
}
