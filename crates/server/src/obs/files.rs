//! Buckets on the file system.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

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
        fs::create_dir_all(folder)?;
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
        let above = place.ancestors().skip(1).take_while(|folder| **folder != *bucket);
        for folder in above {
            // Fails where something else is left, which ends it.
            if fs::remove_dir(folder).is_err() {
                break;
            }
        }
        Ok(())
    }

    /// All objects of a bucket, by key, with their sizes.
    pub(crate) fn keys(&self, bucket: &str) -> io::Result<Vec<(String, u64)>> {
        let mut keys = Vec::new();
        collect(&self.root.join(bucket), "", &mut keys)?;
        keys.sort();
        Ok(keys)
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

impl Draft {
    /// Makes it an object, in the place of one that may be there, durably.
    pub(crate) fn publish(&mut self) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.path, &self.target)?;
        self.published = true;
        match self.target.parent() {
            Some(folder) => OpenOptions::new().read(true).open(folder)?.sync_all(),
            None => Ok(()),
        }
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
