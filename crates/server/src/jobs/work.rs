//! What jobs do, in the form that the database keeps, so that a job can be done by a later process
//! than the one it was asked of.

use serde::{Deserialize, Serialize};

use super::{End, Job};
use crate::backups::{self, Noted};
use crate::graphs::states::{Operation, Status};
use crate::graphs::{create, files, lifecycle, sizes};
use crate::http::body::Fields;
use crate::ids::{BackupId, GraphId};

/// The work of a job: all that it needs to know besides its graph. What is here has been checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Work {
    CreateGraph,
    StopGraph,
    StartGraph {
        from: Option<BackupOf>,
    },
    RestartGraph,
    ClearGraph {
        schema_too: bool,
    },
    DeleteGraph,
    ResizeGraph {
        size_index: String,
    },
    ExpandGraph {
        replicas: u32,
    },
    ImportGraph {
        request: Fields,
    },
    ExportGraph {
        request: Fields,
    },
    /// Automatic if it says how many of those are kept.
    CreateBackup {
        backup: Noted,
        user: String,
        keep: Option<i64>,
    },
    ExportBackup {
        backup: BackupId,
        folder: String,
    },
    ImportBackup {
        backup: Noted,
        user: String,
        folder: String,
    },
}

/// A backup and the graph whose it is, which need not be the job's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct BackupOf {
    pub(crate) graph: GraphId,
    pub(crate) backup: BackupId,
}

impl Work {
    /// As the task centre shows it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::CreateGraph => "CreateGraph",
            Self::StopGraph => "StopGraph",
            Self::StartGraph { .. } => "StartGraph",
            Self::RestartGraph => "RestartGraph",
            Self::ClearGraph { .. } => "ClearGraph",
            Self::DeleteGraph => "DeleteGraph",
            Self::ResizeGraph { .. } => "ResizeGraph",
            Self::ExpandGraph { .. } => "ExpandGraph",
            Self::ImportGraph { .. } => "ImportGraph",
            Self::ExportGraph { .. } => "ExportGraph",
            Self::CreateBackup { .. } => "CreateBackup",
            Self::ExportBackup { .. } => "ExportBackup",
            Self::ImportBackup { .. } => "ImportBackup",
        }
    }

    /// The state in which it keeps its graph; `None` if it leaves the graph alone.
    pub(crate) fn during(&self) -> Option<Status> {
        match self {
            Self::CreateGraph => Some(Status::Creating),
            Self::StopGraph => Operation::Stop.during(),
            Self::StartGraph { .. } => Operation::Start.during(),
            Self::RestartGraph => Operation::Restart.during(),
            Self::ClearGraph { .. } => Operation::Clear.during(),
            Self::DeleteGraph => Operation::Delete.during(),
            Self::ResizeGraph { .. } => Operation::Resize.during(),
            Self::ExpandGraph { .. } => Operation::Expand.during(),
            Self::ImportGraph { .. } => Operation::Import.during(),
            Self::ExportGraph { .. } => Operation::Export.during(),
            Self::CreateBackup { .. } => Operation::Backup.during(),
            Self::ExportBackup { .. } | Self::ImportBackup { .. } => None,
        }
    }

    /// Whether it takes as long as there are data. Such work waits for its turn, looks now and then
    /// whether it is to end early, and begins anew after a stop of the server.
    pub(crate) fn is_long(&self) -> bool {
        matches!(
            self,
            Self::ImportGraph { .. }
                | Self::ExportGraph { .. }
                | Self::ExportBackup { .. }
                | Self::ImportBackup { .. }
        )
    }

    /// Whether a restart of the graph puts an end to it.
    pub(crate) fn ends_with_restart(&self) -> bool {
        matches!(self, Self::ImportGraph { .. } | Self::ExportGraph { .. } | Self::ClearGraph { .. })
    }

    /// The backup that it reads, which nobody can delete meanwhile.
    pub(crate) fn reads(&self) -> Option<&BackupId> {
        match self {
            Self::ExportBackup { backup, .. } => Some(backup),
            Self::StartGraph { from } => from.as_ref().map(|from| &from.backup),
            _ => None,
        }
    }

    /// The backup that it makes.
    pub(crate) fn makes(&self) -> Option<&BackupId> {
        match self {
            Self::CreateBackup { backup, .. } | Self::ImportBackup { backup, .. } => Some(&backup.id),
            _ => None,
        }
    }

    /// Does it.
    pub(super) fn perform(&self, job: &Job) -> End {
        match self {
            Self::CreateGraph => create::build(job),
            Self::StopGraph => lifecycle::close(job),
            Self::StartGraph { from } => lifecycle::open_from(job, from.as_ref()),
            Self::RestartGraph => lifecycle::reopen(job),
            Self::ClearGraph { schema_too } => lifecycle::empty(job, *schema_too),
            Self::DeleteGraph => lifecycle::remove(job),
            Self::ResizeGraph { size_index } => sizes::set_size(job, size_index),
            Self::ExpandGraph { replicas } => sizes::set_replicas(job, *replicas),
            Self::ImportGraph { request } => files::load(job, request),
            Self::ExportGraph { request } => files::write_out(job, request),
            Self::CreateBackup { backup, user, keep } => backups::make(job, backup, user, *keep),
            Self::ExportBackup { backup, folder } => backups::archives::write(job, backup, folder),
            Self::ImportBackup { backup, user, folder } => {
                backups::archives::take_in(job, backup, user, folder)
            }
        }
    }
}
