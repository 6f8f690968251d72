//! Buckets on the file system.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::OFlags;
use rustix::io::Errno;

use super::path::ObjectPath;

/// The buckets of one project.
#[derive(Debug, Clone)]
pub(crate) struct Buckets {
    root: PathBuf,
}

/// An object that is being written. Dropping it leaves nothing behind.
pub(crate) struct Draft {
    pub(crate) file: File,
    path: PathBuf,
    target: PathBuf,
    published: bool,
}

/// How the names of files begin that are not objects yet.
pub(super) const DRAFT: &str = ".gestalt-draft-";

impl Buckets {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// The place of an object, if no link on the way leads elsewhere.
    fn resolve(&self, path: &ObjectPath) -> io::Result<PathBuf> {
        let mut place = self.root.join(path.bucket());
        for part in path.key().split('/') {
            if fs::symlink_metadata(&place).is_ok_and(|there| there.is_symlink()) {
                return Err(io::ErrorKind::NotFound.into());
            }
            place.push(part);
        }
        Ok(place)
    }

    pub(crate) fn open(&self, path: &ObjectPath) -> io::Result<File> {
        let opened = OpenOptions::new()
            .read(true)
            .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
            .open(self.resolve(path)?);
        let file = opened.map_err(|error| match error.kind() {
            io::ErrorKind::NotADirectory => io::ErrorKind::NotFound.into(),
            _ if Errno::from_io_error(&error) == Some(Errno::LOOP) => io::ErrorKind::NotFound.into(),
            _ => error,
        })?;
        if file.metadata()?.is_file() { Ok(file) } else { Err(io::ErrorKind::IsADirectory.into()) }
    }

    /// Starts an object; `name` is one that nobody else uses.
    pub(crate) fn start(&self, path: &ObjectPath, name: &str) -> io::Result<Draft> {
        let target = self.resolve(path)?;
        let folder = target.parent().unwrap_or(&self.root);
        let _alone = folders();
        make_folders(folder, &sync)?;
        if target.is_dir() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let path = folder.join(format!("{DRAFT}{name}"));
        let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        Ok(Draft { file, path, target, published: false })
    }

    /// Removes an object, and the folders that were there only for it.
    pub(crate) fn remove(&self, path: &ObjectPath) -> io::Result<()> {
        let place = self.resolve(path)?;
        fs::remove_file(&place).map_err(|error| match error.kind() {
            io::ErrorKind::NotADirectory => io::ErrorKind::NotFound.into(),
            _ => error,
        })?;
        let bucket = self.root.join(path.bucket());
        let _alone = folders();
        let above = place.ancestors().skip(1).take_while(|folder| **folder != *bucket);
        for folder in above {
            // Fails where something else is left, which ends it.
            if fs::remove_dir(folder).is_err() {
                break;
            }
        }
        Ok(())
    }

    /// The folder of a bucket.
    pub(super) fn bucket(&self, bucket: &str) -> PathBuf {
        self.root.join(bucket)
    }

    /// The object of this name, else all objects in the folder of this name, with their sizes.
    pub(crate) fn below(&self, path: &ObjectPath) -> io::Result<Vec<(String, u64)>> {
        let place = self.resolve(path)?;
        let named = |key: &str| format!("{}/{key}", path.bucket());
        match fs::symlink_metadata(&place) {
            Ok(there) if there.is_file() => Ok(vec![(named(path.key()), there.len())]),
            Ok(there) if there.is_dir() => {
                let mut keys = Vec::new();
                collect(&place, &format!("{}/", path.key()), &mut keys)?;
                keys.sort();
                Ok(keys.into_iter().map(|(key, size)| (named(&key), size)).collect())
            }
            _ => Ok(Vec::new()),
        }
    }
}

/// Files only: links and whatever else somebody put there are not objects.
fn collect(folder: &Path, prefix: &str, keys: &mut Vec<(String, u64)>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let kind = entry.file_type()?;
        if kind.is_dir() {
            collect(&entry.path(), &format!("{prefix}{name}/"), keys)?;
        } else if kind.is_file() && !name.starts_with(DRAFT) {
            keys.push((format!("{prefix}{name}"), entry.metadata()?.len()));
        }
    }
    Ok(())
}

/// Held while folders come and go: whoever finds one made must not get ahead of its sync, and one
/// that is made for an object must not go before the object is in it.
static FOLDERS: Mutex<()> = Mutex::new(());

fn folders() -> MutexGuard<'static, ()> {
    FOLDERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes a folder and those above it, and makes each durable in the one above.
fn make_folders(folder: &Path, sync: &dyn Fn(&Path) -> io::Result<()>) -> io::Result<()> {
    let missing: Vec<&Path> = folder.ancestors().take_while(|folder| !folder.exists()).collect();
    for folder in missing.into_iter().rev() {
        match fs::create_dir(folder) {
            // An object or a link came to be in its place: what is made below it will fail.
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => folder.parent().map_or(Ok(()), sync)?,
        }
    }
    if folder.is_dir() { Ok(()) } else { Err(io::ErrorKind::NotADirectory.into()) }
}

fn sync(folder: &Path) -> io::Result<()> {
    OpenOptions::new().read(true).open(folder)?.sync_all()
}

impl Draft {
    /// Makes it an object, in the place of one that may be there, durably.
    pub(crate) fn publish(&mut self) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.path, &self.target)?;
        self.published = true;
        self.target.parent().map_or(Ok(()), sync)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.published {
            // Whatever stays is no object and is never listed.
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl io::Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn new_folders_are_synced_in_the_ones_above() {
        let home = tempfile::tempdir().unwrap();
        let synced = RefCell::new(Vec::new());
        let note = |folder: &Path| {
            synced.borrow_mut().push(folder.strip_prefix(home.path()).unwrap().display().to_string());
            Ok(())
        };
        make_folders(&home.path().join("project/bucket/dir"), &note).unwrap();
        assert_eq!(synced.take(), ["", "project", "project/bucket"]);
        make_folders(&home.path().join("project/bucket/other"), &note).unwrap();
        assert_eq!(synced.take(), ["project/bucket"]);
        make_folders(&home.path().join("project/bucket/other"), &note).unwrap();
        assert_eq!(synced.take(), [""; 0]);
    }

    #[test]
    fn a_folder_that_is_not_durable_is_not_used() {
        let home = tempfile::tempdir().unwrap();
        let fails = |_: &Path| Err(io::ErrorKind::StorageFull.into());
        let made = make_folders(&home.path().join("bucket"), &fails);
        assert_eq!(made.unwrap_err().kind(), io::ErrorKind::StorageFull);
    }

    #[test]
    fn no_folder_is_made_below_an_object() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("object"), "x").unwrap();
        for folder in ["object", "object/dir"] {
            let made = make_folders(&home.path().join(folder), &sync);
            assert!(made.is_err(), "{folder}");
        }
    }
}
