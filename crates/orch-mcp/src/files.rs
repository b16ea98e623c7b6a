//! Files of a project: what agents wrote, and what prompts point to. Nothing outside the project is read or written.

use std::fs;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use orch_core::RunId;
use serde_json::Value;
use thiserror::Error;

/// The largest file that is taken as a result, in bytes.
const MOST_BYTES: u64 = 8 * 1024 * 1024;

/// Why a file was not taken.
#[derive(Debug, Error)]
pub(crate) enum FileError {
    /// It is not in the project.
    #[error(
        "result_file `{0}` is not inside the project; write the result to the `result_file` that was handed out."
    )]
    Outside(String),
    /// It cannot be read.
    #[error("result_file `{path}` cannot be read ({source}); write it first, or pass `result`.")]
    Read {
        /// As it was given.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// It is too large.
    #[error(
        "result_file `{path}` is larger than {MOST_BYTES} bytes; report a summary that names it."
    )]
    TooLarge {
        /// As it was given.
        path: String,
    },
    /// Its name says JSON, and it is none.
    #[error("result_file `{path}` is no JSON ({source}); correct it, or give it another ending.")]
    Json {
        /// As it was given.
        path: String,
        /// Why.
        source: serde_json::Error,
    },
    /// A file of the run cannot be written.
    #[error(
        "`{path}` cannot be written ({source}); see to it that the project's folder .orch is writable."
    )]
    Write {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
}

/// The files of one project.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    /// Canonical.
    root: PathBuf,
}

impl Files {
    pub(crate) fn new(root: &Path) -> io::Result<Self> {
        Ok(Self { root: root.canonicalize()? })
    }

    /// Reads a result: JSON when the name ends in `.json`, text otherwise. A relative path is one of the project.
    pub(crate) fn read_result(&self, path: &str) -> Result<Value, FileError> {
        let failed = |source| FileError::Read { path: path.to_owned(), source };
        if path.contains('\0') {
            return Err(FileError::Outside(path.replace('\0', "\\0")));
        }
        let real = self.root.join(path).canonicalize().map_err(failed)?;
        if !real.starts_with(&self.root) {
            return Err(FileError::Outside(path.to_owned()));
        }
        // A pipe or a device would keep the call waiting.
        if !real.is_file() {
            return Err(failed(io::Error::other("it is no regular file")));
        }
        let mut text = String::new();
        let file = fs::File::open(&real).map_err(failed)?;
        file.take(MOST_BYTES + 1).read_to_string(&mut text).map_err(failed)?;
        if text.len() as u64 > MOST_BYTES {
            return Err(FileError::TooLarge { path: path.to_owned() });
        }
        if real.extension().is_some_and(|extension| extension == "json") {
            serde_json::from_str(&text)
                .map_err(|source| FileError::Json { path: path.to_owned(), source })
        } else {
            Ok(Value::String(text))
        }
    }

    /// Writes a file of a run unless it is there, and returns its path in the project. A text is written as it is, any other
    /// value as JSON.
    pub(crate) fn keep(&self, run: RunId, name: &str, value: &Value) -> Result<String, FileError> {
        let (ending, bytes) = match value {
            Value::String(text) => ("md", text.clone().into_bytes()),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Array(_)
            | Value::Object(_) => ("json", format!("{value:#}\n").into_bytes()),
        };
        let path = format!("{}/{name}.{ending}", folder_of(run));
        self.write_new(&path, &bytes)
            .map_err(|source| FileError::Write { path: path.clone(), source })?;
        Ok(path)
    }

    /// Makes the folder of a run.
    pub(crate) fn make_folder(&self, run: RunId) -> Result<(), FileError> {
        let path = folder_of(run);
        self.folder(&path).map_err(|source| FileError::Write { path, source })
    }

    /// Written beside and moved into its place, so that no reader sees half of it.
    fn write_new(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let parent = Path::new(path).parent().map(|parent| parent.to_string_lossy().into_owned());
        self.folder(&parent.unwrap_or_default())?;
        let place = self.root.join(path);
        if place.symlink_metadata().is_ok_and(|there| there.is_file()) {
            return Ok(());
        }
        let beside = place.with_extension(format!("{}.part", std::process::id()));
        fs::write(&beside, bytes)?;
        fs::rename(&beside, &place)
    }

    /// Makes a folder of the project, step by step: one that a link leads out of the project is refused before anything is
    /// made in it.
    fn folder(&self, path: &str) -> io::Result<()> {
        let mut place = self.root.clone();
        for part in Path::new(path).components() {
            place.push(part);
            match fs::create_dir(&place) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                Ok(()) | Err(_) => {}
            }
            place = place.canonicalize()?;
            if !place.starts_with(&self.root) {
                return Err(io::Error::other("it leads out of the project"));
            }
        }
        Ok(())
    }
}

/// The folder of a run, in the project.
pub(crate) fn folder_of(run: RunId) -> String {
    format!(".orch/runs/{run}")
}

/// Makes a file name of a subtask: its place in the plan, and what of its id is harmless.
pub(crate) fn name_of(index: usize, id: &str) -> String {
    let harmless =
        |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '_' };
    let name: String = id.chars().take(40).map(harmless).collect();
    let name = format!("{}-{name}", index + 1);
    debug_assert!(Path::new(&name).components().all(|part| matches!(part, Component::Normal(_))));
    name
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn project() -> (tempfile::TempDir, Files) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("project");
        fs::create_dir_all(root.join("sub")).unwrap();
        fs::write(folder.path().join("secret.txt"), "secret").unwrap();
        fs::write(root.join("a.md"), "text").unwrap();
        fs::write(root.join("a.json"), "{\"a\": 1}").unwrap();
        fs::write(root.join("bad.json"), "{").unwrap();
        fs::write(root.join("bad.md"), b"\xff\xfe").unwrap();
        let files = Files::new(&root).unwrap();
        (folder, files)
    }

    fn run() -> RunId {
        "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap()
    }

    #[test]
    fn results_are_read_by_relative_and_absolute_paths() {
        let (_folder, files) = project();
        assert_eq!(files.read_result("a.md").unwrap(), "text");
        assert_eq!(files.read_result("sub/../a.json").unwrap(), json!({ "a": 1 }));
        let absolute = files.root.join("a.md");
        assert_eq!(files.read_result(absolute.to_str().unwrap()).unwrap(), "text");
    }

    #[test]
    fn nothing_outside_the_project_is_read() {
        let (folder, files) = project();
        std::os::unix::fs::symlink(folder.path().join("secret.txt"), files.root.join("link.md"))
            .unwrap();
        std::os::unix::fs::symlink(folder.path(), files.root.join("up")).unwrap();
        let absolute = folder.path().join("secret.txt");
        for path in [
            "../secret.txt",
            "sub/../../secret.txt",
            "/etc/passwd",
            "link.md",
            "up/secret.txt",
            "a\0b",
            absolute.to_str().unwrap(),
        ] {
            let error = files.read_result(path).unwrap_err();
            assert!(matches!(error, FileError::Outside(_)), "{path}: {error}");
        }
    }

    #[test]
    fn what_is_no_result_is_said_so() {
        let (_folder, files) = project();
        assert!(matches!(files.read_result("absent.md"), Err(FileError::Read { .. })));
        assert!(matches!(files.read_result("bad.md"), Err(FileError::Read { .. })));
        assert!(matches!(files.read_result("sub"), Err(FileError::Read { .. })));
        assert!(matches!(files.read_result("bad.json"), Err(FileError::Json { .. })));
        let file = fs::File::create(files.root.join("huge.md")).unwrap();
        file.set_len(MOST_BYTES + 1).unwrap();
        assert!(matches!(files.read_result("huge.md"), Err(FileError::TooLarge { .. })));
    }

    #[test]
    fn kept_files_are_written_once_and_stay() {
        let (_folder, files) = project();
        let path = files.keep(run(), "accepted/1-a", &json!("text")).unwrap();
        assert_eq!(path, format!(".orch/runs/{}/accepted/1-a.md", run()));
        files.keep(run(), "accepted/1-a", &json!("other")).unwrap();
        assert_eq!(files.read_result(&path).unwrap(), "text");
        let path = files.keep(run(), "accepted/2-b", &json!([1])).unwrap();
        assert_eq!(files.read_result(&path).unwrap(), json!([1]));
    }

    #[test]
    fn a_state_folder_that_leads_out_of_the_project_is_refused() {
        let (folder, files) = project();
        fs::create_dir(folder.path().join("elsewhere")).unwrap();
        std::os::unix::fs::symlink(folder.path().join("elsewhere"), files.root.join(".orch"))
            .unwrap();
        let error = files.keep(run(), "result", &json!("text")).unwrap_err();
        assert!(matches!(error, FileError::Write { .. }), "{error}");
        assert_eq!(fs::read_dir(folder.path().join("elsewhere")).unwrap().count(), 0);
    }

    #[test]
    fn file_names_are_harmless() {
        for (id, expected) in
            [("a", "3-a"), ("../../x", "3-______x"), ("é b", "3-__b"), ("..", "3-__")]
        {
            assert_eq!(name_of(2, id), expected);
        }
    }
}
