/// What a caller can do about an error. Every crate's error maps to exactly one of these;
/// the server maps these to status codes in one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The request itself is wrong: change it.
    Invalid,
    /// What it names does not exist.
    NotFound,
    /// It exists already, or somebody else was faster.
    Conflict,
    /// Right request, wrong moment: the graph is not in a state that allows it.
    WrongState,
    /// A limit is reached.
    Quota,
    /// The disk or another part cannot serve now: try again later.
    Unavailable,
    /// Stored bytes are not what was written: restore from a backup.
    Corrupt,
    /// A bug in this program.
    Internal,
}
