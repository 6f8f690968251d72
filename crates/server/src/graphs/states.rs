//! The state machine of a graph: which operation is possible in which state, and what it is
//! refused with otherwise. The table at the end is the whole of it.

use crate::codes::Code;

/// A graph's state, by GES's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Status {
    Creating = 100,
    Running = 200,
    Importing = 202,
    Exporting = 204,
    Clearing = 205,
    Faulty = 300,
    CreateFailed = 303,
    Deleted = 400,
    Stopped = 900,
    Stopping = 901,
    Starting = 920,
}

/// What can be asked of a graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Operation {
    Backup,
    Import,
    Export,
    Clear,
    Stop,
    Start,
    Restart,
    Delete,
}

impl Status {
    pub(crate) const ALL: [Self; 11] = [
        Self::Creating,
        Self::Running,
        Self::Importing,
        Self::Exporting,
        Self::Clearing,
        Self::Faulty,
        Self::CreateFailed,
        Self::Deleted,
        Self::Stopped,
        Self::Stopping,
        Self::Starting,
    ];

    pub(crate) fn from_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|status| *status as i64 == number)
    }

    /// As clients see it.
    pub(crate) fn text(self) -> String {
        (self as i64).to_string()
    }
}

impl Operation {
    #[cfg(test)]
    const ALL: [Self; 8] = [
        Self::Backup,
        Self::Import,
        Self::Export,
        Self::Clear,
        Self::Stop,
        Self::Start,
        Self::Restart,
        Self::Delete,
    ];

    /// The job's name in the task centre.
    pub(crate) fn job_name(self) -> &'static str {
        match self {
            Self::Backup => "CreateBackup",
            Self::Import => "ImportGraph",
            Self::Export => "ExportGraph",
            Self::Clear => "ClearGraph",
            Self::Stop => "StopGraph",
            Self::Start => "StartGraph",
            Self::Restart => "RestartGraph",
            Self::Delete => "DeleteGraph",
        }
    }

    /// The state while it runs, or why it cannot run in this one.
    pub(crate) fn begin(self, status: Status) -> Result<Status, Code> {
        use Code::{GraphAbsent, GraphCreating, GraphNotRunning, GraphNotStopped, GraphStopped};
        use Status::{
            Clearing, Creating, Deleted, Exporting, Importing, Running, Starting, Stopped, Stopping,
        };
        match (self, status) {
            (_, Deleted) => Err(GraphAbsent),
            // A restart ends what runs; deleting a graph that failed is the only way out.
            (Self::Restart, Running | Importing | Exporting | Clearing) => Ok(Stopping),
            (Self::Delete, Running | Stopped | Status::Faulty | Status::CreateFailed) => Ok(Deleted),
            (_, Creating) => Err(GraphCreating),
            (Self::Start, Stopped) => Ok(Starting),
            (Self::Start, _) => Err(GraphNotStopped),
            (_, Stopped | Stopping) => Err(GraphStopped),
            // A backup changes nothing and hinders nobody, so the graph stays in its state.
            (Self::Backup, Running) => Ok(Running),
            (Self::Import, Running) => Ok(Importing),
            (Self::Export, Running) => Ok(Exporting),
            (Self::Clear, Running) => Ok(Clearing),
            (Self::Stop, Running) => Ok(Stopping),
            _ => Err(GraphNotRunning),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every operation in every state: `.` is possible, else the last two digits of the code.
    #[test]
    fn every_operation_in_every_state() {
        let table = "
            operation 100 200 202 204 205 300 303 400 900 901 920
            Backup    42  .   01  01  01  01  01  00  03  03  01
            Import    42  .   01  01  01  01  01  00  03  03  01
            Export    42  .   01  01  01  01  01  00  03  03  01
            Clear     42  .   01  01  01  01  01  00  03  03  01
            Stop      42  .   01  01  01  01  01  00  03  03  01
            Start     42  37  37  37  37  37  37  00  .   37  37
            Restart   42  .   .   .   .   01  01  00  03  03  01
            Delete    42  .   01  01  01  .   .   00  .   03  01";
        let mut lines = table.lines().map(str::split_whitespace).filter(|line| line.clone().count() > 0);
        let states: Vec<Status> = lines
            .next()
            .unwrap()
            .skip(1)
            .map(|number| Status::from_number(number.parse().unwrap()).unwrap())
            .collect();
        assert_eq!(states, Status::ALL);
        for (operation, mut line) in Operation::ALL.into_iter().zip(lines) {
            assert_eq!(line.next().unwrap(), format!("{operation:?}"));
            for (status, expected) in states.iter().zip(line) {
                let found =
                    operation.begin(*status).map_or_else(|code| code.code()[6..].to_owned(), |_| ".".into());
                assert_eq!(found, expected, "{operation:?} in {status:?}");
            }
        }
    }
}
