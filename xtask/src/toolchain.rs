//! What a machine must have: a Rust toolchain with its components, and a C compiler for the
//! C sources of SQLite and zstd that cargo builds in.

use std::process::{Command, Stdio};

use anyhow::{Result, ensure};

/// A component of the Rust toolchain, and the cargo command that it brings.
pub(crate) struct Component {
    name: &'static str,
    command: &'static str,
}

pub(crate) const RUSTFMT: Component = Component { name: "rustfmt", command: "fmt" };
pub(crate) const CLIPPY: Component = Component { name: "clippy", command: "clippy" };

/// Makes sure that the C compiler and these components are there. A missing component is
/// installed through rustup; a missing compiler is the user's to install.
pub(crate) fn check(components: &[Component]) -> Result<()> {
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".into());
    ensure!(
        answers(&compiler, &["--version"]),
        "no C compiler [{compiler}]; SQLite and zstd are built from their C sources. \
         Install one (Debian: apt-get install build-essential; macOS: xcode-select --install) or set CC"
    );
    components.iter().try_for_each(Component::ensure)
}

impl Component {
    fn ensure(&self) -> Result<()> {
        if answers("cargo", &[self.command, "--version"]) {
            return Ok(());
        }
        println!("installing the toolchain component {} with rustup", self.name);
        let added = answers("rustup", &["component", "add", self.name]);
        ensure!(
            added && answers("cargo", &[self.command, "--version"]),
            "the toolchain component {} is missing and rustup could not add it; \
             install the Rust toolchain from rustup.rs, or the component by your package manager",
            self.name
        );
        Ok(())
    }
}

/// Whether a cargo subcommand is installed.
pub(crate) fn has_cargo_command(name: &str) -> bool {
    answers(&format!("cargo-{name}"), &["--version"])
}

pub(crate) fn answers(program: &str, args: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_does_not_answer() {
        assert!(answers("cargo", &["--version"]));
        assert!(!answers("cargo", &["no-such-command"]));
        assert!(!has_cargo_command("no-such-command"));
    }
}
