//! The workspace as cargo sees it, and the processes started in it.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

/// Where cargo puts a build.
#[derive(Clone, Copy)]
pub(crate) enum Profile {
    Dev,
    Release,
}

/// A package of ours and what its manifest asks for.
pub(crate) struct Package {
    pub(crate) name: String,
    /// Of every kind: normal, build and dev.
    pub(crate) dependencies: Vec<String>,
}

pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    /// Honours `CARGO_TARGET_DIR`: cargo is asked, nothing is guessed.
    pub(crate) target: PathBuf,
    pub(crate) packages: Vec<Package>,
}

impl Workspace {
    pub(crate) fn read() -> Result<Self> {
        let mut metadata = Command::new(cargo_program());
        metadata.args(["metadata", "--no-deps", "--format-version", "1"]);
        // Cargo tells it to what it runs; the place where this was built may be gone by now.
        if let Some(here) = std::env::var_os("CARGO_MANIFEST_DIR") {
            metadata.current_dir(here);
        }
        let output = metadata.stderr(Stdio::inherit()).output().context("cannot run cargo metadata")?;
        ensure!(output.status.success(), "cargo metadata failed");
        Self::parse(&serde_json::from_slice(&output.stdout)?)
    }

    fn parse(metadata: &Value) -> Result<Self> {
        let path = |key: &str| {
            let text = metadata[key].as_str().with_context(|| format!("cargo metadata without {key}"))?;
            anyhow::Ok(PathBuf::from(text))
        };
        let packages = metadata["packages"].as_array().context("cargo metadata without packages")?;
        Ok(Self {
            root: path("workspace_root")?,
            target: path("target_directory")?,
            packages: packages.iter().map(Package::parse).collect::<Result<_>>()?,
        })
    }

    /// A cargo command in the root of the workspace.
    pub(crate) fn cargo(&self, args: &[&str]) -> Command {
        let mut command = Command::new(cargo_program());
        command.args(args).current_dir(&self.root);
        command
    }

    pub(crate) fn build_gestalt(&self, profile: Profile) -> Result<()> {
        let mut build = self.cargo(&["build", "--bin", "gestalt"]);
        if matches!(profile, Profile::Release) {
            build.arg("--release");
        }
        succeeds(&mut build)
    }

    /// The product, as `build_gestalt` left it.
    pub(crate) fn gestalt(&self, profile: Profile) -> Command {
        let mut command = Command::new(self.gestalt_path(profile));
        command.current_dir(&self.root);
        command
    }

    pub(crate) fn gestalt_path(&self, profile: Profile) -> PathBuf {
        let folder = match profile {
            Profile::Dev => "debug",
            Profile::Release => "release",
        };
        self.target.join(folder).join("gestalt")
    }
}

impl Package {
    fn parse(package: &Value) -> Result<Self> {
        let name = |value: &Value| {
            let name = value["name"].as_str().context("cargo metadata: a package without a name")?;
            anyhow::Ok(name.to_owned())
        };
        let dependencies = package["dependencies"].as_array().context("a package without dependencies")?;
        Ok(Self { name: name(package)?, dependencies: dependencies.iter().map(name).collect::<Result<_>>()? })
    }
}

/// The cargo that started this program, so that a `+toolchain` stays in force.
fn cargo_program() -> PathBuf {
    std::env::var_os("CARGO").map_or_else(|| "cargo".into(), PathBuf::from)
}

/// Runs a command to its end; anything but success is an error that names it.
pub(crate) fn succeeds(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot run {}", shown(command)))?;
    ensure!(status.success(), "{} ended with {status}", shown(command));
    Ok(())
}

/// Runs a command, passing each line of its standard output on and to `line`.
pub(crate) fn watch(command: &mut Command, mut line: impl FnMut(&str)) -> Result<()> {
    let mut child =
        command.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot run {}", shown(command)))?;
    if let Some(output) = child.stdout.take() {
        for text in BufReader::new(output).split(b'\n') {
            let text = String::from_utf8_lossy(&text?).into_owned();
            println!("{text}");
            line(&text);
        }
    }
    let status = child.wait()?;
    ensure!(status.success(), "{} ended with {status}", shown(command));
    Ok(())
}

/// Becomes the command, so that signals and the exit code are its own.
pub(crate) fn replace_by(command: &mut Command) -> Result<ExitCode> {
    let error = command.exec();
    bail!("cannot run {}: {error}", shown(command))
}

fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let program = program.file_name().unwrap_or(program.as_os_str());
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_gives_places_and_edges() {
        let workspace = Workspace::parse(&serde_json::json!({
            "workspace_root": "/src", "target_directory": "/cache/target",
            "packages": [{"name": "a", "dependencies": [{"name": "b", "kind": null}, {"name": "c", "kind": "dev"}]}],
        }))
        .unwrap();
        assert_eq!(workspace.root, Path::new("/src"));
        assert_eq!(workspace.gestalt_path(Profile::Dev), Path::new("/cache/target/debug/gestalt"));
        assert_eq!(workspace.packages[0].dependencies, ["b", "c"]);
    }

    #[test]
    fn a_watched_command_passes_lines_on_and_its_failure_up() {
        let mut lines = Vec::new();
        let result = watch(Command::new("sh").args(["-c", "echo one; echo two; exit 3"]), |line| {
            lines.push(line.to_owned());
        });
        assert_eq!(lines, ["one", "two"]);
        assert!(result.unwrap_err().to_string().contains("exit status: 3"));
    }
}
