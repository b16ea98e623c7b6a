//! What a call may do with what it found.
//!
//! A folder may come from somebody else: by `git clone`, in a folder that others write to, out of an archive. Its configuration can
//! name any server, any variable of the environment and any program; its store can hold texts that end up in prompts. So a
//! configuration or a store that was *found*, by walking up from the current folder or beside a task, is used only as far as the
//! user has said:
//!
//! ```text
//! owner     files and folders of others, or that everybody may write to: refused without the word
//! stores    a store that orch has not made for this user: refused without the word
//! withheld  `status`, `plan`, .. and a server: no socket, no variable, no program without the word
//! ```
//! The word is `--trust` or `ORCH_TRUST=1` ([`Trust`]). A configuration named by `--config` is *given*, and needs none.

mod alma;
mod owner;
mod stores;
mod withheld;

use std::env;
use std::path::PathBuf;

pub(crate) use owner::check as check_owners;
pub(crate) use stores::Admission;
pub use withheld::Part;

/// How far the user has vouched for what a call finds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Trust {
    /// Not at all: files of the user's own are read, but no socket is opened, no variable is read and no program started that a
    /// found configuration names. For commands that only look, and for a server that starts.
    #[default]
    Withheld,
    /// By the command itself, for a folder of the user's own: `run`, `resume`, `claim`, `report`, `cancel`.
    OwnFolder,
    /// By `ORCH_TRUST=1`: for everything, for this call.
    ThisCall,
    /// By `--trust`: for everything, for this call; the store is known from now on.
    Remembered,
}

impl Trust {
    /// The variable that gives the word for one call; its value must be `1`.
    pub const VARIABLE: &str = "ORCH_TRUST";

    /// Returns the trust of a call: the user's word, when `is_flagged` (`--trust`) or the environment gives it, else `otherwise`.
    pub fn of_call(is_flagged: bool, otherwise: Self) -> Self {
        match (is_flagged, env::var_os(Self::VARIABLE)) {
            (true, _) => Self::Remembered,
            (false, Some(value)) if value == "1" => Self::ThisCall,
            (false, Some(_) | None) => otherwise,
        }
    }

    /// Whether the user has said that they trust what is found, also from others.
    pub(crate) fn is_word(self) -> bool {
        match self {
            Self::Withheld | Self::OwnFolder => false,
            Self::ThisCall | Self::Remembered => true,
        }
    }

    /// Whether sockets, variables and programs that a found configuration names may be used.
    pub(crate) fn uses_found(self) -> bool {
        match self {
            Self::Withheld => false,
            Self::OwnFolder | Self::ThisCall | Self::Remembered => true,
        }
    }
}

/// Returns the folder in which the user's programs keep their state: `$XDG_STATE_HOME`, else `~/.local/state`. `None` when the
/// environment has neither `XDG_STATE_HOME` nor `HOME` with an absolute path.
pub fn state_dir() -> Option<PathBuf> {
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")))
}
