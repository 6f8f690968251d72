//! The segments of one timeline as files: `log/<timeline>/<first>.active`, sealed as
//! `log/<timeline>/<first>-<last>-<µs>.sealed`: numbers of its first and last record, 20 digits
//! each, and when the last was made, so that retention need not open it.

use std::io;

use crate::disk::{Env, File};
use crate::error::{At, Doing, Error};
use crate::log::record::Record;
use crate::log::segment::{self, Framer, Header, Segment};

/// What a segment gets at least; the longer it is, the more it gets at once.
const MIN_ROOM: u64 = 64 << 10;

/// One timeline's directory.
#[derive(Debug, Clone)]
pub(crate) struct Timeline {
    env: Env,
    name: String,
    dir: String,
    tmp: String,
    most_room: u64,
}

/// A segment by its file name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SegmentFile {
    pub(crate) first_lsn: u64,
    /// `None` while it is active.
    pub(crate) sealed: Option<Sealed>,
}

/// What the name of a sealed segment says of its last record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Sealed {
    pub(crate) last_lsn: u64,
    pub(crate) last_us: i64,
}

/// The segment that takes records.
pub(crate) struct ActiveSegment {
    pub(crate) first_lsn: u64,
    file: Box<dyn File>,
    hasher: blake3::Hasher,
    pub(crate) len: u64,
    /// How long the file is with the room behind the last record.
    reserved: u64,
    /// How much room may be reserved at once.
    most_room: u64,
}

/// A file with room that is going to be a segment. It goes if it does not become one.
pub(crate) struct Prepared {
    draft: Draft,
    file: Box<dyn File>,
    reserved: u64,
}

/// A name in `tmp/`, removed when it is dropped.
struct Draft {
    env: Env,
    path: String,
    published: bool,
}

impl Drop for Draft {
    /// Best effort: what stays is removed when the pool is opened next.
    fn drop(&mut self) {
        if !self.published {
            let _ = self.env.disk.remove(&self.path);
        }
    }
}

impl Timeline {
    pub(crate) fn new(env: Env, pool: &str, name: &str, most_room: u64) -> Self {
        let (dir, tmp) = (format!("{pool}/log/{name}"), format!("{pool}/tmp"));
        Self { env, name: name.into(), dir, tmp, most_room }
    }

    pub(crate) fn path(&self, segment: &SegmentFile) -> String {
        let SegmentFile { first_lsn, sealed } = segment;
        match sealed {
            None => format!("{}/{first_lsn:020}.active", self.dir),
            Some(Sealed { last_lsn, last_us }) => {
                format!("{}/{first_lsn:020}-{last_lsn:020}-{last_us:020}.sealed", self.dir)
            }
        }
    }

    /// All segments by first record. Of a segment that is there in both forms only the sealed
    /// one counts: it was complete before the other was to go.
    pub(crate) fn segments(&self) -> Result<Vec<SegmentFile>, Error> {
        let mut segments = self.files()?;
        segments.sort_by_key(|segment| (segment.first_lsn, segment.sealed.is_none()));
        segments.dedup_by_key(|segment| segment.first_lsn);
        Ok(segments)
    }

    /// All files of segments.
    fn files(&self) -> Result<Vec<SegmentFile>, Error> {
        let names = self.env.disk.list(&self.dir).doing("listed", &self.dir)?;
        Ok(names.iter().filter_map(|name| parse_name(name)).collect())
    }

    /// The bytes of a segment in unsealed form.
    fn read(&self, file: &SegmentFile) -> Result<Vec<u8>, Error> {
        let path = self.path(file);
        let bytes = match self.env.disk.read(&path) {
            // The graph that writes this timeline may have sealed it since it was listed.
            Err(error) if error.kind() == io::ErrorKind::NotFound && file.sealed.is_none() => {
                let same = |other: &SegmentFile| other.first_lsn == file.first_lsn && other.sealed.is_some();
                return match self.files()?.into_iter().find(same) {
                    Some(sealed) => self.read(&sealed),
                    None => Err(error).doing("read", &path),
                };
            }
            bytes => bytes.doing("read", &path)?,
        };
        if file.sealed.is_some() { segment::unseal(&bytes, &path) } else { Ok(bytes) }
    }

    /// Calls `visit` with every record after `after_lsn` up to `last_lsn` (all if `None`), in
    /// order, and checks that none is missing. Returns the last segment, to be continued.
    pub(crate) fn replay(
        &self,
        after_lsn: u64,
        last_lsn: Option<u64>,
        visit: &mut dyn FnMut(Record, &str) -> Result<(), Error>,
    ) -> Result<Option<Tail>, Error> {
        let all = self.segments()?;
        let start = all.partition_point(|segment| segment.first_lsn <= after_lsn + 1).saturating_sub(1);
        let end = last_lsn.map_or(all.len(), |last| all.partition_point(|segment| segment.first_lsn <= last));
        let (mut next, mut tail) = (after_lsn + 1, None::<Tail>);
        for (nr, file) in all.iter().enumerate().take(end).skip(start) {
            let path = self.path(file);
            if file.first_lsn > next {
                let reason = format!("records {next} to {} before it are missing", file.first_lsn - 1);
                return Err(Error::corrupt(path, reason));
            }
            let bytes = self.read(file)?;
            let segment = Segment::parse(&bytes, &path)?;
            self.check_place(&segment, &bytes, file, tail.as_ref())?;
            // Damage behind the last record that is wanted does not matter.
            let enough = last_lsn.is_some_and(|last| last < segment.next_lsn());
            let room_is_sealed = file.sealed.is_some() && segment.valid < bytes.len();
            if (segment.torn || room_is_sealed) && !enough {
                segment.check_tail(&bytes, &path)?;
                if nr + 1 < all.len() || file.sealed.is_some() {
                    return Err(Error::corrupt(path, format!("damaged at byte {}", segment.valid)));
                }
            }
            for range in &segment.records {
                let payload = &bytes[range.clone()];
                let (lsn, _) = Record::peek(payload).at(&path)?;
                if lsn < next || last_lsn.is_some_and(|last| lsn > last) {
                    continue;
                }
                visit(Record::decode(payload).at(&path)?, &path)?;
                next = lsn + 1;
            }
            let hash = *blake3::hash(&bytes[..segment.valid]).as_bytes();
            tail = Some(Tail { file: file.clone(), segment, hash });
        }
        match last_lsn {
            None => self.check_end(next - 1)?,
            Some(last) if last >= next => {
                return Err(Error::corrupt(&self.dir, format!("records {next} to {last} are missing")));
            }
            Some(_) => {}
        }
        Ok(tail)
    }

    /// A segment must be where its name says, and follow the one before it.
    fn check_place(
        &self,
        segment: &Segment,
        bytes: &[u8],
        file: &SegmentFile,
        before: Option<&Tail>,
    ) -> Result<(), Error> {
        let path = self.path(file);
        let header = &segment.header;
        let last = last_record(segment, bytes, &path)?;
        let named = header.timeline == self.name
            && header.first_lsn == file.first_lsn
            && (file.sealed.is_none() || file.sealed == last);
        if !named {
            return Err(Error::corrupt(path, "it is not the segment that its name says"));
        }
        if before
            .is_some_and(|before| before.hash != header.previous || before.next_lsn() != header.first_lsn)
        {
            return Err(Error::corrupt(path, "it does not follow the segment before it"));
        }
        Ok(())
    }

    /// Gets a file ready to be the next segment, which is most of the work of starting it.
    /// `room` is how much it will need at once, if that is known.
    pub(crate) fn prepare(&self, room: u64) -> Result<Prepared, Error> {
        let path = format!("{}/{}", self.tmp, self.env.fresh_name());
        let reserved = room.min(self.most_room);
        let mut file = self.env.disk.create(&path).doing("created", &path)?;
        let draft = Draft { env: self.env.clone(), path, published: false };
        if reserved > 0 {
            file.reserve(reserved).doing("written", &draft.path)?;
        }
        Ok(Prepared { draft, file, reserved })
    }

    /// Starts a segment: its file appears with its header or not at all.
    pub(crate) fn start(
        &self,
        prepared: Prepared,
        first_lsn: u64,
        previous: [u8; 32],
    ) -> Result<(ActiveSegment, Framer), Error> {
        let Prepared { mut draft, mut file, reserved } = prepared;
        let header = Header { timeline: self.name.clone(), first_lsn, previous }.encode();
        let path = self.path(&SegmentFile { first_lsn, sealed: None });
        let disk = &self.env.disk;
        let written = file.write_all(&header).and_then(|()| file.sync());
        written.and_then(|()| disk.publish(&draft.path, &path)).doing("written", &path)?;
        draft.published = true;
        if let Err(error) = disk.sync_dir(&self.dir) {
            // Best effort: if it comes back after a crash, it is whole and without records.
            let _ = disk.remove(&path);
            return Err(error).doing("synced", &self.dir);
        }
        let framer = Framer::after_header(&header);
        let mut hasher = blake3::Hasher::new();
        hasher.update(&header);
        let (len, most_room) = (header.len() as u64, self.most_room);
        let reserved = reserved.max(len);
        Ok((ActiveSegment { first_lsn, file, hasher, len, reserved, most_room }, framer))
    }

    /// The same without anything prepared; room comes with the first record.
    pub(crate) fn start_fresh(
        &self,
        first_lsn: u64,
        previous: [u8; 32],
    ) -> Result<(ActiveSegment, Framer), Error> {
        self.start(self.prepare(0)?, first_lsn, previous)
    }

    /// Goes on after recovery. What was read back may be in memory only, if the last sync before
    /// failed, so it is not appended to: it is written anew, sealed, and the next segment starts.
    pub(crate) fn go_on(&self, tail: &Tail) -> Result<(ActiveSegment, Framer), Error> {
        if tail.segment.torn {
            let path = self.path(&tail.file);
            let mut file = self.env.disk.append(&path).doing("opened", &path)?;
            file.truncate(tail.segment.valid as u64).and_then(|()| file.sync()).doing("cut", &path)?;
        }
        if tail.file.sealed.is_none() {
            if tail.segment.records.is_empty() {
                return self.resume(tail);
            }
            self.seal(&tail.file, &self.path(&tail.file))?;
        }
        let next = self.start_fresh(tail.next_lsn(), tail.hash)?;
        self.seal_finished(Some(tail.next_lsn()))?;
        Ok(next)
    }

    /// Goes on with a segment that has no records yet.
    fn resume(&self, tail: &Tail) -> Result<(ActiveSegment, Framer), Error> {
        let path = self.path(&tail.file);
        let mut file = self.env.disk.append(&path).doing("opened", &path)?;
        let header = self.env.disk.read_at(&path, 0, tail.segment.valid).doing("read", &path)?;
        let (first_lsn, len) = (tail.file.first_lsn, header.len() as u64);
        // Its room may hold what a failed sync left readable, and goes.
        file.truncate(len).and_then(|()| file.sync()).doing("cut", &path)?;
        let mut hasher = blake3::Hasher::new();
        hasher.update(&header);
        let most_room = self.most_room;
        let active = ActiveSegment { first_lsn, file, hasher, len, reserved: len, most_room };
        Ok((active, tail.segment.framer.clone()))
    }

    /// Fails if the end of the timeline is missing. It always ends in an active segment: the next
    /// one is there before the last one is sealed.
    fn check_end(&self, after_lsn: u64) -> Result<(), Error> {
        let files = self.files()?;
        let last = files.iter().max_by_key(|file| (file.first_lsn, file.sealed.is_none()));
        if last.is_some_and(|file| file.sealed.is_none()) {
            return Ok(());
        }
        let first_lsn = last.and_then(|file| file.sealed).map_or(after_lsn, |sealed| sealed.last_lsn) + 1;
        let path = self.path(&SegmentFile { first_lsn, sealed: None });
        Err(Error::corrupt(path, "the last segment of the log is missing"))
    }

    /// Seals every finished segment: all active ones but the one that starts at `open`.
    pub(crate) fn seal_finished(&self, open: Option<u64>) -> Result<(), Error> {
        let files = self.files()?;
        let sealed = |first| files.iter().any(|file| file.first_lsn == first && file.sealed.is_some());
        for file in files.iter().filter(|file| file.sealed.is_none() && Some(file.first_lsn) != open) {
            let path = self.path(file);
            if !sealed(file.first_lsn) {
                self.seal(file, &path)?;
            }
            self.env.disk.remove(&path).doing("removed", &path)?;
        }
        Ok(())
    }

    fn seal(&self, file: &SegmentFile, path: &str) -> Result<(), Error> {
        let raw = self.env.disk.read(path).doing("read", path)?;
        let segment = Segment::parse(&raw, path)?;
        if segment.torn {
            return Err(Error::corrupt(path, format!("damaged at byte {}", segment.valid)));
        }
        // A segment without records says nothing and is simply dropped.
        let Some(last) = last_record(&segment, &raw, path)? else { return Ok(()) };
        let bytes = segment::seal(&raw[..segment.valid]).doing("compressed", path)?;
        let sealed = SegmentFile { first_lsn: file.first_lsn, sealed: Some(last) };
        self.write_new(&self.path(&sealed), &bytes)
    }

    fn write_new(&self, path: &str, bytes: &[u8]) -> Result<(), Error> {
        write_new(&self.env, &self.tmp, path, bytes).doing("written", path)
    }

    pub(crate) fn remove(&self, file: &SegmentFile) -> Result<u64, Error> {
        let path = self.path(file);
        let len = self.env.disk.len(&path).doing("read", &path)?;
        self.env.disk.remove(&path).doing("removed", &path)?;
        Ok(len)
    }
}

/// A file that appears whole and durable under a name that must be free. After an error it is not
/// there, so that the work at hand can be done again.
pub(crate) fn write_new(env: &Env, tmp: &str, path: &str, bytes: &[u8]) -> io::Result<()> {
    let tmp = format!("{tmp}/{}", env.fresh_name());
    let mut file = env.disk.create(&tmp)?;
    let written = file.write_all(bytes).and_then(|()| file.sync());
    let published = written.and_then(|()| env.disk.publish(&tmp, path));
    if published.is_err() {
        // Best effort: what stays is removed when the pool is opened next.
        let _ = env.disk.remove(&tmp);
    }
    published?;
    let synced = env.disk.sync_dir(crate::disk::parent(path));
    if synced.is_err() {
        // Best effort: if it comes back after a crash, it is whole.
        let _ = env.disk.remove(path);
    }
    synced
}

/// The last segment of a replay.
#[derive(Debug)]
pub(crate) struct Tail {
    pub(crate) file: SegmentFile,
    segment: Segment,
    pub(crate) hash: [u8; 32],
}

impl Tail {
    pub(crate) fn next_lsn(&self) -> u64 {
        self.segment.next_lsn()
    }
}

impl ActiveSegment {
    /// Appends and syncs. After an error nothing more may be written.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let end = self.len + bytes.len() as u64;
        if end > self.reserved {
            self.reserved = end + self.len.clamp(MIN_ROOM.min(self.most_room), self.most_room);
            self.file.reserve(self.reserved)?;
        }
        self.file.write_all(bytes)?;
        self.file.sync()?;
        self.hasher.update(bytes);
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// The hash that the next segment names.
    pub(crate) fn hash(&self) -> [u8; 32] {
        *self.hasher.finalize().as_bytes()
    }
}

/// What the name of a sealed segment must say.
fn last_record(segment: &Segment, bytes: &[u8], path: &str) -> Result<Option<Sealed>, Error> {
    let Some(range) = segment.records.last() else { return Ok(None) };
    let (last_lsn, last_us) = Record::peek(&bytes[range.clone()]).at(path)?;
    Ok(Some(Sealed { last_lsn, last_us }))
}

fn parse_name(name: &str) -> Option<SegmentFile> {
    let (stem, kind) = name.rsplit_once('.')?;
    let mut numbers = stem.split('-');
    let first_lsn = numbers.next()?.parse().ok()?;
    let sealed = match kind {
        "active" => None,
        "sealed" => {
            Some(Sealed { last_lsn: numbers.next()?.parse().ok()?, last_us: numbers.next()?.parse().ok()? })
        }
        _ => return None,
    };
    numbers.next().is_none().then_some(SegmentFile { first_lsn, sealed })
}
