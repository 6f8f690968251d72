//! The state machine of a graph: which operation is possible in which state, what the graph's
//! state is while it runs, and what it is refused with otherwise. [`rule`] and [`Status::refusal`]
//! are the whole of it; every handler asks [`Operation::begin`].

use crate::codes::Code;

/// A graph's state, by GES's number.
///
/// A graph here never is in 201, 203, 206, 208, 210, 800 and 903: there is nothing to upgrade, roll
/// back, prepare or freeze, and a backup hinders nothing. They are in the table because clients
/// know them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Status {
    Creating = 100,
    Running = 200,
    Upgrading = 201,
    Importing = 202,
    RollingBack = 203,
    Exporting = 204,
    Clearing = 205,
    PreparingResize = 206,
    Resizing = 207,
    UndoingResize = 208,
    PreparingReplicas = 210,
    AddingReplicas = 211,
    Faulty = 300,
    CreateFailed = 303,
    Deleted = 400,
    Frozen = 800,
    Stopped = 900,
    Stopping = 901,
    BackingUp = 903,
    Starting = 920,
}

/// What can be asked of a graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Operation {
    Backup,
    Import,
    Export,
    Clear,
    Upgrade,
    Resize,
    Expand,
    BindEip,
    UnbindEip,
    ChangeSecurityGroup,
    RegisterScenes,
    UnregisterScenes,
    Stop,
    Start,
    Restart,
    Delete,
}

/// One row of the state machine.
struct Rule {
    /// Where it is possible.
    from: &'static [Status],
    /// The state while it runs; `None` where the graph stays in the one it is in.
    during: Option<Status>,
    /// What it is refused with where the state has no stronger reason of its own.
    otherwise: Code,
}

#[rustfmt::skip]
fn rule(operation: Operation) -> Rule {
    use Operation::*;
    use Status::*;
    let rule = |from, during| Rule { from, during, otherwise: Code::GraphNotRunning };
    match operation {
        // A backup changes nothing and hinders nobody.
        Backup              => rule(&[Running], None),
        Import              => rule(&[Running], Some(Importing)),
        Export              => rule(&[Running], Some(Exporting)),
        Clear               => rule(&[Running], Some(Clearing)),
        Upgrade             => rule(&[Running], Some(Upgrading)),
        Resize              => rule(&[Running], Some(Resizing)),
        Expand              => rule(&[Running], Some(AddingReplicas)),
        BindEip             => rule(&[Running], None),
        UnbindEip           => rule(&[Running], None),
        ChangeSecurityGroup => rule(&[Running], None),
        RegisterScenes      => rule(&[Running], None),
        UnregisterScenes    => rule(&[Running], None),
        Stop                => rule(&[Running], Some(Stopping)),
        // Stopped or not is all that matters to a start.
        Start               => Rule { otherwise: Code::GraphNotStopped, ..rule(&[Stopped], Some(Starting)) },
        // It ends what runs.
        Restart             => rule(&[Running, Importing, Exporting, Clearing], Some(Stopping)),
        // The only way out for a graph that failed or is frozen.
        Delete              => rule(&[Running, Stopped, Faulty, CreateFailed, Frozen], Some(Deleted)),
    }
}

impl Status {
    pub(crate) const ALL: [Self; 20] = [
        Self::Creating,
        Self::Running,
        Self::Upgrading,
        Self::Importing,
        Self::RollingBack,
        Self::Exporting,
        Self::Clearing,
        Self::PreparingResize,
        Self::Resizing,
        Self::UndoingResize,
        Self::PreparingReplicas,
        Self::AddingReplicas,
        Self::Faulty,
        Self::CreateFailed,
        Self::Deleted,
        Self::Frozen,
        Self::Stopped,
        Self::Stopping,
        Self::BackingUp,
        Self::Starting,
    ];

    pub(crate) fn from_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|status| *status as i64 == number)
    }

    /// As clients see it.
    pub(crate) fn text(self) -> String {
        (self as i64).to_string()
    }

    /// Whether the data plane may write: not while something else replaces what it would change.
    pub(crate) fn takes_writes(self) -> bool {
        matches!(self, Self::Running | Self::Exporting | Self::Resizing | Self::AddingReplicas)
    }

    /// What most operations are refused with in this state, if it is not just "not running".
    fn refusal(self) -> Option<Code> {
        match self {
            Self::Creating => Some(Code::GraphCreating),
            Self::Deleted => Some(Code::GraphAbsent),
            Self::Stopped | Self::Stopping => Some(Code::GraphStopped),
            Self::BackingUp => Some(Code::GraphBackingUp),
            _ => None,
        }
    }
}

impl Operation {
    #[cfg(test)]
    const ALL: [Self; 16] = [
        Self::Backup,
        Self::Import,
        Self::Export,
        Self::Clear,
        Self::Upgrade,
        Self::Resize,
        Self::Expand,
        Self::BindEip,
        Self::UnbindEip,
        Self::ChangeSecurityGroup,
        Self::RegisterScenes,
        Self::UnregisterScenes,
        Self::Stop,
        Self::Start,
        Self::Restart,
        Self::Delete,
    ];

    /// The state while it runs; `None` if the graph stays in the one it is in.
    pub(crate) fn during(self) -> Option<Status> {
        rule(self).during
    }

    /// The state while it runs, or why it cannot run in this one.
    pub(crate) fn begin(self, status: Status) -> Result<Status, Code> {
        let rule = rule(self);
        if rule.from.contains(&status) {
            return Ok(rule.during.unwrap_or(status));
        }
        match (status.refusal(), rule.otherwise) {
            // That it is not stopped says more than what else it does, unless it is not there yet
            // or no longer.
            (Some(Code::GraphStopped | Code::GraphBackingUp), Code::GraphNotStopped) => {
                Err(Code::GraphNotStopped)
            }
            (Some(refusal), _) => Err(refusal),
            (None, otherwise) => Err(otherwise),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every operation in every state: `.` is possible, else the last two digits of the code.
    const TABLE: &str = "
        operation           100 200 201 202 203 204 205 206 207 208 210 211 300 303 400 800 900 901 903 920
        Backup              42  .   01  01  01  01  01  01  01  01  01  01  01  01  00  01  03  03  02  01
        Import              42  .   01  01  01  01  01  01  01  01  01  01  01  01  00  01  03  03  02  01
        Export              42  .   01  01  01  01  01  01  01  01  01  01  01  01  00  01  03  03  02  01
        Clear               42  .   01  01  01  01  01  01  01  01  01  01  01  01  00  01  03  03  02  01
        Upgrade             42  .   01  01  01  01  01  01  01  01  01  01  01  01  00  01  03  03  02  01
        Resize              42  .   01  01  01  01  01  01  01  01  01  01  01  01  00  01  03  03  02  01
        Expand              42  .   01  01  01  01  01  01  01  01  01  01  01  01  00  01  03  03  02  01
        BindEip             42  .   01  01  01  01  01  01  01  01  01  01  01  01  00  01  03  03  02  01
        UnbindEip           42  .   01  01  01  01  01  01  01  01  01  01  01  01  00  01  03  03  02  01
        ChangeSecurityGroup 42  .   01  01  01  01  01  01  01  01  01  01  01  01  00  01  03  03  02  01
        RegisterScenes      42  .   01  01  01  01  01  01  01  01  01  01  01  01  00  01  03  03  02  01
        UnregisterScenes    42  .   01  01  01  01  01  01  01  01  01  01  01  01  00  01  03  03  02  01
        Stop                42  .   01  01  01  01  01  01  01  01  01  01  01  01  00  01  03  03  02  01
        Start               42  37  37  37  37  37  37  37  37  37  37  37  37  37  00  37  .   37  37  37
        Restart             42  .   01  .   01  .   .   01  01  01  01  01  01  01  00  01  03  03  02  01
        Delete              42  .   01  01  01  01  01  01  01  01  01  01  .   .   00  .   .   03  02  01";

    fn rows() -> impl Iterator<Item = Vec<&'static str>> {
        TABLE.lines().filter(|line| !line.trim().is_empty()).map(|line| line.split_whitespace().collect())
    }

    #[test]
    fn every_operation_in_every_state() {
        let numbers: Vec<String> = Status::ALL.iter().map(|status| status.text()).collect();
        assert_eq!(rows().next().unwrap()[1..], numbers);
        let mut walked = 0;
        for (operation, row) in Operation::ALL.into_iter().zip(rows().skip(1)) {
            assert_eq!(row[0], format!("{operation:?}"));
            assert_eq!(row.len(), Status::ALL.len() + 1, "{operation:?}");
            for (status, expected) in Status::ALL.into_iter().zip(&row[1..]) {
                let found = match operation.begin(status) {
                    Ok(_) => ".".to_owned(),
                    Err(code) => {
                        assert_eq!((code.status(), &code.code()[..6]), (400, "GES.70"));
                        code.code()[6..].to_owned()
                    }
                };
                assert_eq!(found, *expected, "{operation:?} in {status:?}");
                walked += 1;
            }
        }
        assert_eq!(walked, Operation::ALL.len() * Status::ALL.len());
        assert_eq!(rows().count(), Operation::ALL.len() + 1);
    }

    #[test]
    fn what_a_graph_is_meanwhile() {
        for (operation, during) in [
            (Operation::Backup, 200),
            (Operation::Import, 202),
            (Operation::Export, 204),
            (Operation::Clear, 205),
            (Operation::Upgrade, 201),
            (Operation::Resize, 207),
            (Operation::Expand, 211),
            (Operation::BindEip, 200),
            (Operation::Stop, 901),
            (Operation::Restart, 901),
            (Operation::Delete, 400),
        ] {
            assert_eq!(operation.begin(Status::Running).unwrap() as i64, during, "{operation:?}");
        }
        assert_eq!(Operation::Start.begin(Status::Stopped), Ok(Status::Starting));
    }

    #[test]
    fn numbers_are_read_back() {
        for status in Status::ALL {
            assert_eq!(Status::from_number(status as i64), Some(status));
        }
        assert_eq!(Status::from_number(600), None);
    }
}
