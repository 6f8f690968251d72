use store::Loaded;

use crate::error::Error;

/// What an import did, file by file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportReport {
    /// Metadata files.
    pub schema: Vec<FileReport>,
    /// Vertex files.
    pub vertexset: Vec<FileReport>,
    /// Edge files.
    pub edgeset: Vec<FileReport>,
    /// What changed in the graph; `None` if nothing did, as the import failed.
    pub loaded: Option<Loaded>,
}

/// An import that failed: the graph is as it was.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct ImportFailure {
    /// Why.
    #[source]
    pub error: Error,
    /// The files that were read until then; the last one is that which failed, if one did.
    pub report: ImportReport,
}

/// One file. Blank lines do not count as lines; a record with line breaks in it is one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileReport {
    /// Its path.
    pub path: String,
    /// How it went.
    pub status: FileStatus,
    /// The log of its bad lines, if there are any and a folder was given.
    pub log: Option<String>,
    /// The first bad line's reason, or why the file failed.
    pub cause: Option<String>,
    /// Lines.
    pub total_lines: u64,
    /// Bad lines.
    pub failed_lines: u64,
    /// Good lines.
    pub successful_lines: u64,
}

/// How a file went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileStatus {
    /// Every line is good.
    Success,
    /// Some lines are bad.
    PartFailed,
    /// The file cannot be used, or the import ended in it.
    Failed,
}

impl FileStatus {
    /// The word for it in job details.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::PartFailed => "partFailed",
            Self::Failed => "failed",
        }
    }
}

impl FileReport {
    pub(super) fn new(path: &str) -> Self {
        Self {
            path: path.into(),
            status: FileStatus::Success,
            log: None,
            cause: None,
            total_lines: 0,
            failed_lines: 0,
            successful_lines: 0,
        }
    }

    pub(super) fn of_metadata(path: &str, error: Option<&Error>) -> Self {
        let mut report = Self::new(path);
        report.settle(error);
        report
    }

    /// Says how the file went, now that nothing more comes.
    pub(super) fn settle(&mut self, error: Option<&Error>) {
        self.status = match error {
            Some(_) => FileStatus::Failed,
            None if self.failed_lines > 0 => FileStatus::PartFailed,
            None => FileStatus::Success,
        };
        if let Some(error) = error {
            self.cause = Some(error.to_string());
        }
    }
}
