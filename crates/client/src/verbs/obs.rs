//! Files between this machine and the object area.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use clap::{Args, Subcommand};

use super::{Desk, file_error};
use crate::api::with_query;
use crate::connection::Common;
use crate::error::Error;
use crate::find::text;
use crate::output::{Counted, size};
use crate::signing::encode;
use crate::table::Table;

/// `gestalt obs`
#[derive(Debug, Args)]
pub(super) struct ObsOptions {
    #[command(flatten)]
    pub(super) common: Common,
    #[command(subcommand)]
    pub(super) verb: ObsVerb,
}

#[derive(Debug, Subcommand)]
pub(super) enum ObsVerb {
    /// Put files into a bucket
    Put {
        /// Files of this machine; `-` is standard input
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// `bucket/key`, or `bucket/folder/` to keep the files' names
        object: String,
    },
    /// Get an object, or all objects of a folder
    Get {
        /// `bucket/key`, or `bucket/folder/`
        object: String,
        /// File or folder of this machine; `-` is standard output; by default the name of the object
        file: Option<PathBuf>,
    },
    /// List the objects of a bucket
    List {
        /// `bucket` or `bucket/prefix`
        place: String,
    },
}

/// A bucket and what stands behind it, as the person wrote it. The server says what is legal.
struct Place<'a> {
    bucket: &'a str,
    key: &'a str,
}

impl<'a> Place<'a> {
    fn parse(text: &'a str) -> Result<Self, Error> {
        match text.split_once('/') {
            Some((bucket, key)) if !bucket.is_empty() => Ok(Self { bucket, key }),
            None if !text.is_empty() => Ok(Self { bucket: text, key: "" }),
            _ => Err(Error::Usage(format!("[{text}] is no place such as bucket/folder/file"))),
        }
    }

    fn is_folder(&self) -> bool {
        self.key.is_empty() || self.key.ends_with('/')
    }

    fn path(bucket: &str, key: &str) -> String {
        let key: Vec<String> = key.split('/').map(encode).collect();
        format!("/obs/{}/{}", encode(bucket), key.join("/"))
    }
}

pub(super) fn run(verb: &ObsVerb, desk: &Desk) -> Result<(), Error> {
    match verb {
        ObsVerb::Put { files, object } => put_all(desk, files, &Place::parse(object)?),
        ObsVerb::Get { object, file } => get(desk, &Place::parse(object)?, file.as_deref()),
        ObsVerb::List { place } => list(desk, &Place::parse(place)?),
    }
}

fn put_all(desk: &Desk, files: &[PathBuf], place: &Place<'_>) -> Result<(), Error> {
    if files.len() > 1 && !place.is_folder() {
        return Err(Error::Usage("several files need a folder: end it with a slash".into()));
    }
    for file in files {
        let key = match (place.is_folder(), file.file_name()) {
            (false, _) => place.key.to_owned(),
            (true, Some(name)) if file.as_os_str() != "-" => {
                let name = name
                    .to_str()
                    .ok_or_else(|| Error::Usage(format!("the name of {} is not UTF-8", file.display())))?;
                format!("{}{name}", place.key)
            }
            (true, _) => return Err(Error::Usage(format!("say what {} is to be called", file.display()))),
        };
        put(desk, file, place.bucket, &key)?;
    }
    Ok(())
}

fn put(desk: &Desk, file: &Path, bucket: &str, key: &str) -> Result<(), Error> {
    let (bytes, length): (Box<dyn Read>, Option<u64>) = if file.as_os_str() == "-" {
        (Box::new(io::stdin().lock()), None)
    } else {
        let opened = File::open(file).map_err(file_error(file))?;
        let about = opened.metadata().map_err(file_error(file))?;
        if about.is_dir() {
            return Err(file_error(file)(io::ErrorKind::IsADirectory.into()));
        }
        let length = about.is_file().then_some(about.len());
        (Box::new(opened), length)
    };
    let counted = Counted::new(bytes, key, length);
    let reply = desk.api.put(&Place::path(bucket, key), counted, length)?;
    desk.out.show(&reply, |reply| {
        let length = reply.body["size"].as_u64().map(size).unwrap_or_default();
        Ok(format!("{bucket}/{key}  {length}\n"))
    })
}

fn get(desk: &Desk, place: &Place<'_>, file: Option<&Path>) -> Result<(), Error> {
    if !place.is_folder() {
        let name = place.key.rsplit('/').next().unwrap_or(place.key);
        let target = match file {
            Some(file) if file.is_dir() => file.join(name),
            Some(file) => file.into(),
            None => name.into(),
        };
        return get_one(desk, place.bucket, place.key, &target);
    }
    let folder = file.unwrap_or(Path::new("."));
    let reply = objects(desk, place)?;
    let keys: Vec<String> = reply.list("objects")?.iter().map(|object| text(object, "key")).collect();
    if keys.is_empty() {
        let name = format!("{}/{}", place.bucket, place.key);
        return Err(Error::Absent { code: "OBS.0004", what: "object below", name });
    }
    for key in &keys {
        let below = key.strip_prefix(place.key).unwrap_or(key);
        get_one(desk, place.bucket, key, &folder.join(inside(below)?))?;
    }
    Ok(())
}

/// A path that stays below the folder it is joined to, whatever a server says.
fn inside(key: &str) -> Result<&Path, Error> {
    let path = Path::new(key);
    if !key.is_empty() && path.components().all(|part| matches!(part, Component::Normal(_))) {
        Ok(path)
    } else {
        Err(Error::Usage(format!(
            "the object [{key}] cannot be a file here; get it alone, with a name for it"
        )))
    }
}

/// An object is a file when all of it is there.
fn get_one(desk: &Desk, bucket: &str, key: &str, file: &Path) -> Result<(), Error> {
    let (bytes, length) = desk.api.fetch(&Place::path(bucket, key))?;
    let mut bytes = Counted::new(bytes, key, length);
    if file.as_os_str() == "-" {
        return io::copy(&mut bytes, &mut io::stdout().lock()).map(|_| ()).map_err(Error::Output);
    }
    let draft = file.with_added_extension(format!("{}.part", std::process::id()));
    let written = (|| {
        if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder)?;
        }
        let length = io::copy(&mut bytes, &mut File::create(&draft)?)?;
        fs::rename(&draft, file)?;
        Ok(length)
    })();
    let written = written.map_err(|error| {
        let _ = fs::remove_file(&draft);
        file_error(file)(error)
    })?;
    drop(bytes);
    desk.out.say(&format!("{}  {}", file.display(), size(written)))
}

fn objects(desk: &Desk, place: &Place<'_>) -> Result<crate::api::Reply, Error> {
    desk.api.get(&with_query(&format!("/obs/{}", encode(place.bucket)), &[("prefix", place.key)]))
}

fn list(desk: &Desk, place: &Place<'_>) -> Result<(), Error> {
    let reply = objects(desk, place)?;
    desk.out.show(&reply, |reply| {
        let mut table = Table::new(["SIZE", "OBJECT"]);
        for object in reply.list("objects")? {
            let bytes = object["size"].as_u64().map(size).unwrap_or_default();
            table.row([bytes, format!("{}/{}", place.bucket, text(object, "key"))]);
        }
        Ok(table.lines())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_buckets_and_keys() {
        for (text, bucket, key, folder) in [
            ("data", "data", "", true),
            ("data/", "data", "", true),
            ("data/a/b.csv", "data", "a/b.csv", false),
            ("data/a/", "data", "a/", true),
        ] {
            let place = Place::parse(text).unwrap();
            assert_eq!((place.bucket, place.key, place.is_folder()), (bucket, key, folder), "{text}");
        }
        assert!(Place::parse("").is_err() && Place::parse("/x").is_err());
        assert_eq!(Place::path("data", "a b/ü?.csv"), "/obs/data/a%20b/%C3%BC%3F.csv");
    }

    #[test]
    fn nothing_is_written_outside_the_folder() {
        assert!(inside("a/b.csv").is_ok());
        for bad in ["", "/etc/x", "../x", "a/../../x"] {
            assert!(inside(bad).is_err(), "{bad}");
        }
    }
}
