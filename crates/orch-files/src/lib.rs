//! Reading and writing files by handle.
//!
//! A path can change its meaning between two looks at it: somebody puts a link, a pipe or a device in the place of a file. The
//! functions here open a file once, check what they have opened, and then use that handle only.
//!
//! - [`read_text`] reads a file that a person has named or that a search has found: a regular file of bounded size.
//! - [`Folder`] is an open folder. Names in it are never followed through links; new files are private (0600) and appear whole.
//! - [`state_folder`] opens `.orch`, the folder in which orch keeps what it writes in a project.
//!
//! ```
//! use std::path::Path;
//!
//! # let place = tempfile::tempdir()?;
//! # let path = place.path();
//! let project = orch_files::Folder::open(path)?;
//! let state = orch_files::state_folder(&project)?;
//! state.create("note.md", b"done")?;
//! assert_eq!(state.read(Path::new("note.md"), 1024)?, b"done");
//! // A link is refused, wherever it leads.
//! std::os::unix::fs::symlink("/etc/hostname", path.join(".orch/link.md"))?;
//! assert!(state.read(Path::new("link.md"), 1024).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **Invariant:** this crate knows files and nothing else of the project; it starts no thread and logs nothing.

mod folder;
mod read;
mod state;

pub use folder::{Folder, NewFile};
pub use read::{ReadError, open, read, read_text};
pub use state::{STATE_FOLDER, state_folder};
