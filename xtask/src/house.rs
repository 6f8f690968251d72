//! The house rules, as code: what a reviewer would otherwise have to look for each time.

mod files;
mod layers;
mod links;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::tally::Tally;
use crate::workspace::{Package, Workspace};

/// What the rules look at.
struct Tree<'a> {
    root: &'a Path,
    files: Vec<File>,
    packages: &'a [Package],
}

/// A file of the project, by its path from the root.
struct File {
    path: PathBuf,
    /// `None` for what is not UTF-8: rules about words do not apply to it.
    text: Option<String>,
}

struct Rule {
    says: &'static str,
    /// The offences, each naming its place.
    offences: fn(&Tree<'_>) -> Vec<String>,
}

const RULES: [Rule; 8] = [
    Rule { says: "no source file has more than 600 lines", offences: files::too_long },
    Rule { says: "no unfinished marks or ignored tests", offences: files::unfinished },
    Rule { says: "no paths of the machine something was built on", offences: files::machine_paths },
    Rule { says: "every library says what it is", offences: files::undocumented_crates },
    Rule { says: "decisions are numbered NNNN-name.md", offences: files::misnamed_decisions },
    Rule { says: "links between the documents resolve", offences: links::broken },
    Rule { says: "dependencies point one way", offences: layers::against_the_grain },
    Rule { says: "only the server answers HTTP and knows async and SQL", offences: layers::effects_inside },
];

/// Checks every rule and prints the offences. Each rule counts as one check.
pub(crate) fn check(workspace: &Workspace) -> Result<Tally> {
    let files = files_of(&workspace.root)?;
    let tree = Tree { root: &workspace.root, files, packages: &workspace.packages };
    let mut tally = Tally::default();
    for rule in RULES {
        let offences = (rule.offences)(&tree);
        println!("{:<8}{}", if offences.is_empty() { "ok" } else { "FAILED" }, rule.says);
        offences.iter().for_each(|offence| println!("        {offence}"));
        tally += Tally::of(offences.is_empty());
    }
    Ok(tally)
}

/// All files that are in the repository or would be with the next `git add --all`.
fn files_of(root: &Path) -> Result<Vec<File>> {
    let mut git = Command::new("git");
    git.args(["-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let output = git.current_dir(root).output().context("the list of files comes from git; install it")?;
    ensure!(output.status.success(), "git ls-files: {}", String::from_utf8_lossy(&output.stderr).trim());
    let list = String::from_utf8(output.stdout).context("a file name is not UTF-8")?;
    let paths = list.split('\0').filter(|path| !path.is_empty());
    let files: Vec<File> = paths.filter_map(|path| File::read(root, path)).collect();
    ensure!(!files.is_empty(), "git lists no files in {}", root.display());
    Ok(files)
}

impl File {
    /// `None` for a file that was deleted but is still in the index.
    fn read(root: &Path, path: &str) -> Option<Self> {
        let bytes = std::fs::read(root.join(path)).ok()?;
        Some(Self { path: path.into(), text: String::from_utf8(bytes).ok() })
    }

    fn is(&self, extension: &str) -> bool {
        self.path.extension().is_some_and(|own| own == extension)
    }

    /// Its lines with their numbers from 1; none for what is not text.
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.text.as_deref().unwrap_or_default().lines())
    }
}

#[cfg(test)]
impl<'a> Tree<'a> {
    fn of(files: &[(&str, &str)], packages: &'a [Package]) -> Self {
        let file = |(path, text): &(&str, &str)| File { path: path.into(), text: Some((*text).into()) };
        Self { root: Path::new("no-such-root"), files: files.iter().map(file).collect(), packages }
    }
}
