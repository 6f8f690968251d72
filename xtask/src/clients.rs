//! The Python of the tests with unmodified clients: virtual environments with the versions that
//! files in `tests/clients` pin.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::toolchain;
use crate::workspace::{self, Workspace};

const FOLDER: &str = "tests/clients";

/// A virtual environment: what it is called, and the file with what is in it.
struct Environment {
    name: &'static str,
    requirements: &'static str,
}

const CLIENTS: Environment = Environment { name: "clients-venv", requirements: "requirements.txt" };
/// OpenStack's Keystone, which other versions of the same libraries suit.
const KEYSTONE: Environment =
    Environment { name: "keystone-venv", requirements: "keystone-requirements.txt" };

/// The Python of an environment, which is made if it is not there or was made for others.
fn python(workspace: &Workspace, environment: &Environment) -> Result<PathBuf> {
    let requirements = workspace.root.join(FOLDER).join(environment.requirements);
    let wanted = fs::read_to_string(&requirements).with_context(|| requirements.display().to_string())?;
    let folder = workspace.target.join(environment.name);
    let python = folder.join("bin").join("python");
    if !is_made_for(&folder, &wanted) {
        make(&folder)?;
        let mut install = Command::new(&python);
        install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]);
        workspace::succeeds(install.arg(&requirements))?;
        fs::write(stamp(&folder), wanted).context("the virtual environment cannot be written")?;
    }
    Ok(python)
}

/// Runs all of them; what they leave behind stays out of the sources.
pub(crate) fn tests(workspace: &Workspace) -> Result<Command> {
    let mut tests = Command::new(python(workspace, &CLIENTS)?);
    tests.args(["-m", "pytest", "-q", "-p", "no:cacheprovider"]).current_dir(workspace.root.join(FOLDER));
    tests.env("PYTHONDONTWRITEBYTECODE", "1").env("KEYSTONE_PYTHON", python(workspace, &KEYSTONE)?);
    Ok(tests)
}

/// Written last, so that an environment that was not finished is made again.
fn stamp(folder: &Path) -> PathBuf {
    folder.join("requirements.txt")
}

fn is_made_for(folder: &Path, wanted: &str) -> bool {
    fs::read_to_string(stamp(folder)).is_ok_and(|made_for| made_for == wanted)
}

fn make(folder: &Path) -> Result<()> {
    ensure!(
        toolchain::answers("python3", &["-c", "import venv, ensurepip"]),
        "no python3 with venv; install it (Debian: apt-get install python3-venv; macOS: xcode-select --install)"
    );
    workspace::succeeds(Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_is_kept_until_the_requirements_change() {
        let folder = std::env::temp_dir().join(format!("gestalt-xtask-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        assert!(!is_made_for(&folder, "a==1\n"));
        fs::write(stamp(&folder), "a==1\n").unwrap();
        assert!(is_made_for(&folder, "a==1\n"));
        assert!(!is_made_for(&folder, "a==2\n"));
        fs::remove_dir_all(&folder).unwrap();
    }
}
