//! The files of the record: `audit/<number of its first record, 20 digits>.log`.
//!
//! # Promise
//! What [`Files::append`] has written is on the disk when it returns. Nothing is overwritten.
//!
//! # After a crash
//! The last line may be torn; it was never acknowledged, and is cut off when the files are opened.
//!
//! # Not handled
//! Whoever can write the files, the database and `instance.key` can make a chain of his own.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::chain::{Fault, Link};

/// A file is followed by another when it is this long.
const LONGEST: u64 = 16 << 20;
/// The longest line that is read back.
const LONGEST_LINE: u64 = 1 << 20;

/// The files, open at their end.
pub(crate) struct Files {
    folder: PathBuf,
    key: [u8; 32],
    file: Option<File>,
    bytes: u64,
    link: Link,
}

/// Why the record does not open or verify.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FilesError {
    /// The disk.
    #[error("{path} cannot be read or written: {source}")]
    Io {
        /// Which file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The chain.
    #[error("{path}: {fault}")]
    Broken {
        /// Which file.
        path: String,
        /// Where and how.
        fault: Fault,
    },
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> FilesError {
    let path = path.display().to_string();
    move |source| FilesError::Io { path, source }
}

fn broken(path: &Path, fault: Fault) -> FilesError {
    FilesError::Broken { path: path.display().to_string(), fault }
}

/// The files in order, each with the number of its first record.
fn list(folder: &Path) -> Result<Vec<(u64, PathBuf)>, FilesError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(at(folder)(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(at(folder))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".log"));
        if let Some(first) = name.filter(|name| name.len() == 20).and_then(|name| name.parse().ok()) {
            found.push((first, path));
        }
    }
    found.sort();
    Ok(found)
}

impl Files {
    /// Opens the files to append. `anchor` is the last record that is known to have been written:
    /// should the files end before it, the chain goes on after it, so that the gap stays visible.
    /// Also tells how many bytes of a torn line were cut off.
    pub(crate) fn open(folder: &Path, key: [u8; 32], anchor: Link) -> Result<(Self, u64), FilesError> {
        fs::create_dir_all(folder).map_err(at(folder))?;
        let mut files = Self { folder: folder.to_owned(), key, file: None, bytes: 0, link: Link::start() };
        let mut cut = 0;
        if let Some((first, path)) = list(folder)?.pop() {
            let mut file = OpenOptions::new().read(true).append(true).open(&path).map_err(at(&path))?;
            let mut text = Vec::new();
            file.read_to_end(&mut text).map_err(at(&path))?;
            let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            cut = (text.len() - whole) as u64;
            if cut > 0 {
                file.set_len(whole as u64).and_then(|()| file.sync_data()).map_err(at(&path))?;
            }
            files.link = match String::from_utf8_lossy(&text[..whole]).lines().last() {
                Some(line) => {
                    Link::read(line).ok_or_else(|| broken(&path, Fault::Unreadable { seq: first }))?
                }
                None => before(folder, first)?,
            };
            file.seek(SeekFrom::End(0)).map_err(at(&path))?;
            (files.file, files.bytes) = (Some(file), whole as u64);
        }
        if files.link.seq < anchor.seq {
            tracing::error!(found = files.link.seq, written = anchor.seq, "audit records have been cut off");
            files.link = anchor;
            files.file = None;
        }
        Ok((files, cut))
    }

    pub(crate) fn link(&self) -> &Link {
        &self.link
    }

    /// Appends records, each made for its number, and waits until the disk has them.
    pub(crate) fn append(
        &mut self,
        records: impl Iterator<Item = impl FnOnce(u64) -> String>,
    ) -> io::Result<()> {
        let mut text = String::new();
        let first = self.link.seq + 1;
        for record in records {
            let (line, next) = self.link.append(&self.key, &record(self.link.seq + 1));
            text.push_str(&line);
            self.link = next;
        }
        let file = self.file_for(first)?;
        file.write_all(text.as_bytes())?;
        file.sync_data()?;
        self.bytes += text.len() as u64;
        Ok(())
    }

    fn file_for(&mut self, first: u64) -> io::Result<&mut File> {
        if self.bytes >= LONGEST {
            self.file = None;
        }
        if self.file.is_none() {
            let path = self.folder.join(format!("{first:020}.log"));
            self.file = Some(OpenOptions::new().create_new(true).append(true).open(path)?);
            OpenOptions::new().read(true).open(&self.folder)?.sync_all()?;
            self.bytes = 0;
        }
        self.file.as_mut().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// The last record of the files before the one that begins with `first` and is empty.
fn before(folder: &Path, first: u64) -> Result<Link, FilesError> {
    let earlier = list(folder)?.into_iter().rfind(|(start, _)| *start < first);
    let Some((_, path)) = earlier else { return Ok(Link::start()) };
    let text = fs::read_to_string(&path).map_err(at(&path))?;
    text.lines()
        .last()
        .and_then(Link::read)
        .ok_or_else(|| broken(&path, Fault::Unreadable { seq: first - 1 }))
}

/// Records from number `from` on, at most `limit`: the lines without their ends.
pub(crate) fn read(folder: &Path, from: u64, limit: usize) -> Result<Vec<String>, FilesError> {
    let files = list(folder)?;
    // The file in which `from` lies, and those after it.
    let start = files.iter().rposition(|(first, _)| *first <= from).unwrap_or(0);
    let mut found = Vec::new();
    for (_, path) in &files[start..] {
        lines(path, |line| {
            if Link::read(line).is_some_and(|link| link.seq >= from) {
                found.push(line.to_owned());
            }
            Ok(found.len() < limit)
        })?;
        if found.len() >= limit {
            break;
        }
    }
    Ok(found)
}

/// Checks the whole chain against itself and against the anchor, and gives its end.
pub(crate) fn verify(folder: &Path, key: &[u8; 32], anchor: &Link) -> Result<Link, FilesError> {
    let (mut link, mut last) = (Link::start(), folder.to_owned());
    for (first, path) in list(folder)? {
        if first != link.seq + 1 {
            return Err(broken(&path, Fault::Missing { seq: link.seq + 1, found: first }));
        }
        lines(&path, |line| {
            link = link.check(key, line).map_err(|fault| broken(&path, fault))?;
            if link.seq == anchor.seq && link.mac != anchor.mac {
                return Err(broken(&path, Fault::Replaced { seq: link.seq }));
            }
            Ok(true)
        })?;
        last = path;
    }
    match link.seq < anchor.seq {
        true => Err(broken(&last, Fault::Cut { seq: link.seq + 1, anchored: anchor.seq })),
        false => Ok(link),
    }
}

/// The whole lines of a file, until `each` has enough. A line without an end is being written, or
/// was never acknowledged.
fn lines(path: &Path, mut each: impl FnMut(&str) -> Result<bool, FilesError>) -> Result<(), FilesError> {
    let mut reader = BufReader::new(OpenOptions::new().read(true).open(path).map_err(at(path))?);
    let mut line = Vec::new();
    loop {
        line.clear();
        reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line).map_err(at(path))?;
        let Some(whole) = line.strip_suffix(b"\n") else { return Ok(()) };
        if !each(&String::from_utf8_lossy(whole))? {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [7; 32];

    fn record(text: &str) -> impl FnOnce(u64) -> String {
        move |seq| format!(r#"{{"seq":{seq},"what":"{text}"}}"#)
    }

    fn written(folder: &Path, records: usize) -> Link {
        let (mut files, _) = Files::open(folder, KEY, Link::start()).unwrap();
        (0..records).for_each(|_| files.append([record("some")].into_iter()).unwrap());
        files.link().clone()
    }

    #[test]
    fn a_chain_goes_on_over_restarts_and_files() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("audit");
        assert_eq!(written(&folder, 3).seq, 3);
        let (mut files, cut) = Files::open(&folder, KEY, Link::start()).unwrap();
        assert_eq!(cut, 0);
        files.bytes = LONGEST;
        files.append([record("a"), record("b")].into_iter()).unwrap();
        let end = files.link().clone();
        assert_eq!(list(&folder).unwrap().len(), 2);
        assert_eq!(verify(&folder, &KEY, &end).unwrap(), end);
        let seqs =
            |lines: Vec<String>| lines.iter().map(|line| Link::read(line).unwrap().seq).collect::<Vec<_>>();
        assert_eq!(seqs(read(&folder, 2, 3).unwrap()), [2, 3, 4]);
        assert_eq!(seqs(read(&folder, 5, 9).unwrap()), [5]);
        assert_eq!(seqs(read(&folder, 6, 9).unwrap()), [0; 0]);
    }

    #[test]
    fn a_torn_line_is_cut_and_a_cut_tail_is_not_forgotten() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path();
        let end = written(folder, 3);
        let path = folder.join(format!("{:020}.log", 1));
        let whole = fs::read(&path).unwrap();
        fs::write(&path, [whole.as_slice(), b"0123 torn"].concat()).unwrap();
        assert_eq!(verify(folder, &KEY, &end).unwrap(), end);
        let (files, cut) = Files::open(folder, KEY, end.clone()).unwrap();
        assert_eq!((files.link(), cut), (&end, 9));
        assert_eq!(fs::read(&path).unwrap(), whole);

        let text = String::from_utf8(whole).unwrap();
        let two: String = text.split_inclusive('\n').take(2).collect();
        fs::write(&path, two).unwrap();
        let cut =
            |error: FilesError| matches!(error, FilesError::Broken { fault: Fault::Cut { seq: 3, .. }, .. });
        assert!(cut(verify(folder, &KEY, &end).unwrap_err()));
        let (mut files, _) = Files::open(folder, KEY, end.clone()).unwrap();
        files.append([record("later")].into_iter()).unwrap();
        let missing = verify(folder, &KEY, files.link()).unwrap_err().to_string();
        assert!(missing.contains("record 3 is missing"), "{missing}");
    }

    #[test]
    fn a_whole_file_cannot_vanish() {
        let home = tempfile::tempdir().unwrap();
        written(home.path(), 2);
        let (mut files, _) = Files::open(home.path(), KEY, Link::start()).unwrap();
        for _ in 0..2 {
            files.bytes = LONGEST;
            files.append([record("x")].into_iter()).unwrap();
        }
        let (end, files) = (files.link().clone(), list(home.path()).unwrap());
        assert_eq!(files.len(), 3);
        for (first, path) in files {
            let kept = fs::read(&path).unwrap();
            fs::remove_file(&path).unwrap();
            let error = verify(home.path(), &KEY, &end).unwrap_err().to_string();
            assert!(error.contains(&format!("record {first} ")), "{error}");
            fs::write(&path, kept).unwrap();
        }
        let other = Link { seq: 2, mac: "f".repeat(64) };
        assert!(verify(home.path(), &KEY, &other).unwrap_err().to_string().contains("record 2"));
    }
}
