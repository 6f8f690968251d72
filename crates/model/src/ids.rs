use serde::{Deserialize, Serialize};

/// The number of a vertex inside one graph. Given at creation, counted upwards, never reused,
/// so a number always means the same vertex for as long as the graph lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Vid(pub u32);

/// The number of a label in its graph's schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LabelId(pub u16);

/// The number of a property key in its graph's schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct KeyId(pub u16);

impl Vid {
    /// The number as an array index.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl LabelId {
    /// The number as an array index.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl KeyId {
    /// The number as an array index.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}
