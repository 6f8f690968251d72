use std::io::{self, Write};
use std::num::NonZeroU64;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::WrittenFile;
use super::rows::Rows;
use crate::error::Error;
use crate::files::{Output, Sink};
use crate::import::is_gzip;

/// The files of one set: a single one, or numbered pages in a folder.
pub(super) struct Pages<'a> {
    sink: &'a dyn Sink,
    name: String,
    /// Lines of a page; `None` if everything is one file.
    page_rows: Option<u64>,
    current: Page,
    written: Vec<WrittenFile>,
}

/// A file being written, compressed if its name says so.
pub(super) struct Page {
    path: String,
    rows: u64,
    output: Packed,
}

enum Packed {
    Plain(Box<dyn Output>),
    Gzip(GzEncoder<Box<dyn Output>>),
}

impl<'a> Pages<'a> {
    /// Starts with the first file: a set without rows is a file too.
    pub(super) fn new(
        sink: &'a dyn Sink,
        name: String,
        rows_per_file: Option<NonZeroU64>,
        total: u64,
    ) -> Result<Self, Error> {
        let page_rows = rows_per_file.map(NonZeroU64::get).filter(|limit| total > *limit);
        let path = match page_rows {
            Some(_) => {
                // A file of an earlier export stands where the folder belongs.
                sink.remove(&name).map_err(Error::write(&name))?;
                page_path(&name, 1)
            }
            None => {
                remove_pages(sink, &name, 1)?;
                name.clone()
            }
        };
        let current = Page::create(sink, path)?;
        Ok(Self { sink, name, page_rows, current, written: Vec::new() })
    }

    pub(super) fn write(&mut self, rows: &Rows) -> Result<(), Error> {
        let mut from = 0;
        while from < rows.len() {
            let room = self.page_rows.map_or(u64::MAX, |limit| limit - self.current.rows);
            let to = rows.len().min(from + usize::try_from(room).unwrap_or(usize::MAX - from));
            self.current.write(rows.bytes(from..to))?;
            self.current.rows += (to - from) as u64;
            from = to;
            if from < rows.len() {
                self.turn()?;
            }
        }
        Ok(())
    }

    /// Finishes a full page and starts the next.
    fn turn(&mut self) -> Result<(), Error> {
        let next = page_path(&self.name, self.written.len() as u64 + 2);
        let full = std::mem::replace(&mut self.current, Page::create(self.sink, next)?);
        self.written.push(full.finish()?);
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<Vec<WrittenFile>, Error> {
        self.written.push(self.current.finish()?);
        if self.page_rows.is_some() {
            remove_pages(self.sink, &self.name, self.written.len() as u64 + 1)?;
        }
        Ok(self.written)
    }
}

fn page_path(name: &str, number: u64) -> String {
    let end = if is_gzip(name) { ".csv.gz" } else { ".csv" };
    format!("{name}/page-{number:08}{end}")
}

/// Removes what an earlier, longer export left, so that the folder holds one export only.
fn remove_pages(sink: &dyn Sink, name: &str, first: u64) -> Result<(), Error> {
    let mut number = first;
    loop {
        let path = page_path(name, number);
        if !sink.remove(&path).map_err(Error::write(&path))? {
            return Ok(());
        }
        number += 1;
    }
}

impl Page {
    pub(super) fn create(sink: &dyn Sink, path: String) -> Result<Self, Error> {
        let output = sink.create(&path).map_err(Error::write(&path))?;
        let output = match is_gzip(&path) {
            true => Packed::Gzip(GzEncoder::new(output, Compression::fast())),
            false => Packed::Plain(output),
        };
        Ok(Self { path, rows: 0, output })
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.output.write(bytes).map_err(Error::write(&self.path))
    }

    pub(super) fn finish(self) -> Result<WrittenFile, Error> {
        self.output.finish().map_err(Error::write(&self.path))?;
        Ok(WrittenFile { path: self.path, rows: self.rows })
    }
}

impl Packed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(output) => output.write_all(bytes),
            Self::Gzip(encoder) => encoder.write_all(bytes),
        }
    }

    fn finish(self) -> io::Result<()> {
        match self {
            Self::Plain(output) => output.finish(),
            Self::Gzip(encoder) => encoder.finish()?.finish(),
        }
    }
}
