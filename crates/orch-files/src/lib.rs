//! Reading and writing files by handle.
//!
//! A path can change its meaning between two looks at it: somebody puts a link, a pipe or a device in the place of a file. The
//! functions here open a file once, check what they have opened, and then use that handle only.
//!
//! - [`read_text`] reads a file that a person has named or that a search has found: a regular file of bounded size.
//! - [`Folder`] is an open folder. Names in it are never followed through links; new files are private (0600) and appear whole.
//! - [`state_folder`] opens `.orch`, the folder in which orch keeps what it writes in a project.
//!
//! **Invariant:** this crate knows files and nothing else of the project; it starts no thread and logs nothing.

mod folder;
mod read;
mod state;

pub use folder::{Folder, NewFile};
pub use read::{ReadError, open, read, read_text};
pub use state::{STATE_FOLDER, state_folder};
