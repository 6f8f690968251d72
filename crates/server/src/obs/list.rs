//! Listing a bucket in the order of keys, page by page, with memory for one page.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::files::DRAFT;

/// Which keys are asked for.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    /// What they begin with.
    pub(super) prefix: String,
    /// What they come after; nothing for the first page.
    pub(super) marker: String,
    pub(super) limit: usize,
}

/// Keys with their sizes, in order.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) objects: Vec<(String, u64)>,
    /// Whether there are more after these.
    pub(super) truncated: bool,
}

/// Fails with "not found" if there is no such bucket.
pub(super) fn list(bucket: &Path, wanted: &Wanted) -> io::Result<Listed> {
    if !fs::symlink_metadata(bucket)?.is_dir() {
        return Err(io::ErrorKind::NotFound.into());
    }
    // One more than asked for tells whether there are more.
    let mut walk = Walk { wanted, most: wanted.limit.saturating_add(1), objects: Vec::new() };
    walk.folder(bucket, "")?;
    let mut objects = walk.objects;
    let truncated = objects.len() > wanted.limit;
    objects.truncate(wanted.limit);
    Ok(Listed { objects, truncated })
}

struct Walk<'a> {
    wanted: &'a Wanted,
    most: usize,
    objects: Vec<(String, u64)>,
}

/// What stands in a folder. A folder's own key ends with `/`, which gives it its place among the
/// keys of objects.
enum Entry {
    Object(u64),
    Folder(PathBuf),
}

impl Walk<'_> {
    fn left(&self) -> usize {
        self.most - self.objects.len()
    }

    /// Takes what is wanted of a folder, whose keys all begin with `key`.
    fn folder(&mut self, folder: &Path, key: &str) -> io::Result<()> {
        let mut after = String::new();
        while self.left() > 0 {
            let (entries, complete) = match self.entries(folder, key, &after) {
                // It went with its last object while the list was made.
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                entries => entries?,
            };
            for (name, entry) in entries {
                if self.left() == 0 {
                    break;
                }
                match entry {
                    Entry::Object(size) => self.objects.push((name.clone(), size)),
                    Entry::Folder(path) => self.folder(&path, &name)?,
                }
                after = name;
            }
            if complete {
                break;
            }
        }
        Ok(())
    }

    /// The first entries of a folder after one of them that can hold wanted keys, and whether
    /// these are all.
    fn entries(&self, folder: &Path, key: &str, after: &str) -> io::Result<(BTreeMap<String, Entry>, bool)> {
        let (mut first, mut complete) = (BTreeMap::new(), true);
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let kind = entry.file_type()?;
            // Files only: links and whatever else somebody put there are not objects.
            if kind.is_dir() {
                let name = format!("{key}{name}/");
                if name.as_str() > after && self.in_folder(&name) {
                    first.insert(name, Entry::Folder(entry.path()));
                }
            } else if kind.is_file() && !name.starts_with(DRAFT) {
                let name = format!("{key}{name}");
                if name.as_str() > after && self.is_object(&name) {
                    first.insert(name, Entry::Object(entry.metadata()?.len()));
                }
            }
            if first.len() > self.left() {
                first.pop_last();
                complete = false;
            }
        }
        Ok((first, complete))
    }

    fn is_object(&self, key: &str) -> bool {
        key > self.wanted.marker.as_str() && key.starts_with(&self.wanted.prefix)
    }

    /// Whether keys that are wanted may begin with this one.
    fn in_folder(&self, key: &str) -> bool {
        let Wanted { prefix, marker, .. } = self.wanted;
        (key > marker.as_str() || marker.starts_with(key))
            && (key.starts_with(prefix) || prefix.starts_with(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&str; 10] =
        ["a", "b!", "b.csv", "b/1", "b/2/x", "b/2/y", "b/3", "b0", "dir/z", "\u{10ffff}"];

    /// A bucket of these keys, and of things that are no objects.
    fn bucket() -> tempfile::TempDir {
        let bucket = tempfile::tempdir().unwrap();
        for key in KEYS {
            let place = bucket.path().join(key);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::write(place, key).unwrap();
        }
        fs::create_dir_all(bucket.path().join("b/empty/deep")).unwrap();
        fs::write(bucket.path().join(format!("{DRAFT}1")), "draft").unwrap();
        std::os::unix::fs::symlink("/", bucket.path().join("link")).unwrap();
        bucket
    }

    fn keys(bucket: &Path, prefix: &str, marker: &str, limit: usize) -> (Vec<String>, bool) {
        let wanted = Wanted { prefix: prefix.into(), marker: marker.into(), limit };
        let listed = list(bucket, &wanted).unwrap();
        (listed.objects.into_iter().map(|(key, _)| key).collect(), listed.truncated)
    }

    #[test]
    fn pages_of_every_size_add_up() {
        let bucket = bucket();
        for limit in 1..=KEYS.len() + 1 {
            let (mut all, mut marker, mut more) = (Vec::new(), String::new(), true);
            while more {
                let (page, truncated) = keys(bucket.path(), "", &marker, limit);
                assert!(page.len() == limit || !truncated);
                marker = page.last().unwrap().clone();
                all.extend(page);
                more = truncated;
            }
            assert_eq!(all, KEYS, "pages of {limit}");
        }
    }

    #[test]
    fn prefixes_and_markers_hold_together() {
        let bucket = bucket();
        for prefix in ["", "b", "b/", "b/2/", "b/2/x", "dir", "nothing"] {
            for marker in KEYS.into_iter().chain(["", "b/", "b/2", "b/9", "zzz"]) {
                let wanted = |key: &&str| key.starts_with(prefix) && *key > marker;
                let expected: Vec<&str> = KEYS.into_iter().filter(wanted).collect();
                assert_eq!(
                    keys(bucket.path(), prefix, marker, 100),
                    (expected.iter().map(ToString::to_string).collect(), false),
                    "{prefix} after {marker}"
                );
            }
        }
    }

    #[test]
    fn sizes_are_told_and_absence_is() {
        let bucket = bucket();
        let wanted = Wanted { prefix: "b/2/".into(), limit: 1, ..Wanted::default() };
        let listed = list(bucket.path(), &wanted).unwrap();
        assert_eq!(listed, Listed { objects: vec![("b/2/x".into(), 5)], truncated: true });
        for absent in ["nowhere", "link", "a"] {
            let error = list(&bucket.path().join(absent), &wanted).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::NotFound, "{absent}");
        }
    }
}
