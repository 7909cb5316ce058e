//! The ways in which a command ends; `main` makes exit codes of them.

/// How a command ended.
pub enum Ending {
    /// Everything is right.
    Good,
    /// It found something off and said what.
    Bad,
    /// A signal ended it: its number.
    #[cfg(feature = "lab")]
    Signal(i32),
}
