//! The real clock and the real randomness. Everything else takes them from [`crate::app::App`],
//! so that tests can bring their own.

use store::{Clock, Entropy};

use crate::times::Time;

/// The clock of this machine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now_us(&self) -> i64 {
        jiff::Timestamp::now().as_microsecond()
    }
}

/// The randomness of the operating system.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SystemEntropy;

impl Entropy for SystemEntropy {
    #[allow(clippy::disallowed_methods, reason = "the composition root is where randomness comes in")]
    fn fill(&self, bytes: &mut [u8]) {
        if let Err(error) = getrandom::fill(bytes) {
            // Going on with predictable tokens or keys would be worse than not going on.
            tracing::error!(%error, "the operating system gives no random bytes");
            std::process::abort();
        }
    }
}

/// What the server needs from a clock and a source of randomness.
#[derive(Debug, Clone)]
pub(crate) struct Ambient {
    pub(crate) clock: std::sync::Arc<dyn Clock>,
    pub(crate) entropy: std::sync::Arc<dyn Entropy>,
}

impl Ambient {
    /// Of this machine.
    pub(crate) fn real() -> Self {
        Self { clock: std::sync::Arc::new(SystemClock), entropy: std::sync::Arc::new(SystemEntropy) }
    }

    pub(crate) fn now(&self) -> Time {
        Time(self.clock.now_us())
    }

    pub(crate) fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.entropy.fill(&mut bytes);
        bytes
    }

    /// 32 random hex characters.
    pub(crate) fn hex_id(&self) -> String {
        hex::encode(self.bytes::<16>())
    }

    /// A random (version 4) UUID.
    pub(crate) fn uuid(&self) -> String {
        uuid::Builder::from_random_bytes(self.bytes()).into_uuid().to_string()
    }
}

impl Ambient {
    /// A token: 256 random bits.
    pub(crate) fn token(&self) -> String {
        hex::encode(self.bytes::<32>())
    }
}
