//! The folder in which orch keeps what it writes in a project.

use std::io;

use crate::folder::Folder;

/// The name of the folder in a project in which orch keeps what it writes there.
pub const STATE_FOLDER: &str = ".orch";

/// Opens the folder [`STATE_FOLDER`] of a project, and makes it when it is not there (0700).
///
/// It gets a `.gitignore` unless it has one: its databases and results do not belong into commits.
///
/// # Errors
/// When it is a link or a file, or cannot be made or written to.
pub fn state_folder(project: &Folder) -> io::Result<Folder> {
    let folder = project.make_folder(STATE_FOLDER)?;
    folder.create(".gitignore", b"*\n")?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn the_state_folder_is_private_and_git_ignores_it() {
        let project = tempfile::tempdir().unwrap();
        state_folder(&Folder::open(project.path()).unwrap()).unwrap();
        let state = project.path().join(STATE_FOLDER);
        assert_eq!(fs::read_to_string(state.join(".gitignore")).unwrap(), "*\n");
        for (path, mode) in [(state.clone(), 0o700), (state.join(".gitignore"), 0o600)] {
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, mode);
        }
        // What a person has written there stays.
        fs::write(state.join(".gitignore"), "runs\n").unwrap();
        state_folder(&Folder::open(project.path()).unwrap()).unwrap();
        assert_eq!(fs::read_to_string(state.join(".gitignore")).unwrap(), "runs\n");
    }

    #[test]
    fn a_state_folder_that_is_a_link_is_refused() {
        let project = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        symlink(elsewhere.path(), project.path().join(STATE_FOLDER)).unwrap();
        let error = state_folder(&Folder::open(project.path()).unwrap()).unwrap_err();
        assert_eq!(error.to_string(), "`.orch` is a link or a file where a folder must be");
        assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
    }
}
