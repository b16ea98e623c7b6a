//! Files of a project: what agents wrote, and what prompts point to. Nothing outside the folder of a run is read or written, and
//! no link is followed there.

use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use orch_core::{JsonError, RunId, read_json};
use orch_files::{Folder, ReadError, STATE_FOLDER, state_folder};
use serde_json::Value;
use thiserror::Error;

/// The largest file that is taken as a result, in bytes.
const MAX_RESULT_BYTES: u64 = 8 * 1024 * 1024;
/// The folder of all runs, in the state folder.
const RUNS_FOLDER: &str = "runs";

/// Why a file was not taken.
#[derive(Debug, Error)]
pub(crate) enum FileError {
    /// It is not in the folder of its run. The sentence is the same whether there is such a file or not.
    #[error(
        "result_file `{path}` is not in the folder of this run; write the result to {expected}, or pass `result`."
    )]
    Outside {
        /// As it was given.
        path: String,
        /// Where the prompt says that it must be.
        expected: String,
    },
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
        "result_file `{path}` is larger than {MAX_RESULT_BYTES} bytes; report a summary that names it."
    )]
    TooLarge {
        /// As it was given.
        path: String,
    },
    /// Its name says JSON, and it is none, or has a number that would change.
    #[error(
        "result_file `{path}` cannot be read as JSON ({source}); correct it, or give it another ending."
    )]
    Json {
        /// As it was given.
        path: String,
        /// Why.
        source: JsonError,
    },
    /// A file of the run cannot be written.
    #[error(
        "`{path}` cannot be written ({source}); see to it that the project's folder .orch is a folder and writable."
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
    /// How the project's folder may be called in an absolute path: as it was given, and without links.
    roots: [PathBuf; 2],
    project: Arc<Folder>,
}

impl Files {
    pub(crate) fn new(root: &Path) -> io::Result<Self> {
        let roots = [root.to_owned(), root.canonicalize()?];
        Ok(Self { project: Arc::new(Folder::open(&roots[1])?), roots })
    }

    /// Reads the result of an attempt: JSON when the name ends in `.json`, text otherwise. The file must be in the folder of the
    /// run; a relative path starts at the project. `expected` is the file that the attempt was told to write.
    pub(crate) fn read_result(
        &self,
        run: RunId,
        path: &str,
        expected: &str,
    ) -> Result<Value, FileError> {
        let Some(within) = self.within(run, path) else {
            let path = path.replace('\0', "\\0");
            return Err(FileError::Outside { path, expected: expected.to_owned() });
        };
        let failed = |source| FileError::Read { path: path.to_owned(), source };
        let folder = self.run_folder(run).map_err(failed)?;
        let bytes = folder.read(&within, MAX_RESULT_BYTES).map_err(|error| match error {
            ReadError::TooLarge(_) => FileError::TooLarge { path: path.to_owned() },
            ReadError::NotRegular | ReadError::NotText | ReadError::Io(_) => failed(error.into()),
        })?;
        value_of(path, bytes)
    }

    /// Returns a path within the folder of a run; `None` when it leads elsewhere, by its letters alone.
    fn within(&self, run: RunId, path: &str) -> Option<PathBuf> {
        let path = Path::new(path);
        let in_project =
            self.roots.iter().find_map(|root| path.strip_prefix(root).ok()).unwrap_or(path);
        let plain: PathBuf =
            in_project.components().filter(|part| !matches!(part, Component::CurDir)).collect();
        let within = plain.strip_prefix(folder_of(run)).ok()?;
        let is_plain = |part| matches!(part, Component::Normal(_));
        let is_beneath = within.components().next().is_some()
            && within.components().all(is_plain)
            && !within.as_os_str().as_encoded_bytes().contains(&0);
        is_beneath.then(|| within.to_owned())
    }

    fn run_folder(&self, run: RunId) -> io::Result<Folder> {
        self.project.folder(STATE_FOLDER)?.folder(RUNS_FOLDER)?.folder(run.to_string())
    }

    /// Sees to it that a file of a run has a value, whatever was there before, and returns its path in the project. A text is
    /// written as it is, any other value as JSON.
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
        self.put(run, &format!("{name}.{ending}"), &bytes)
            .map_err(|source| FileError::Write { path: path.clone(), source })?;
        Ok(path)
    }

    fn put(&self, run: RunId, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut folder = self.make_run_folder(run)?;
        let mut name = name;
        while let Some((first, rest)) = name.split_once('/') {
            folder = folder.make_folder(first)?;
            name = rest;
        }
        folder.put(name, bytes)
    }

    /// Makes the folder of a run.
    pub(crate) fn make_folder(&self, run: RunId) -> Result<(), FileError> {
        self.make_run_folder(run)
            .map(|_| ())
            .map_err(|source| FileError::Write { path: folder_of(run), source })
    }

    fn make_run_folder(&self, run: RunId) -> io::Result<Folder> {
        state_folder(&self.project)?.make_folder(RUNS_FOLDER)?.make_folder(run.to_string())
    }
}

fn value_of(path: &str, bytes: Vec<u8>) -> Result<Value, FileError> {
    if Path::new(path).extension().is_some_and(|extension| extension == "json") {
        return read_json(&bytes)
            .map_err(|source| FileError::Json { path: path.to_owned(), source });
    }
    String::from_utf8(bytes)
        .map(Value::String)
        .map_err(|_| FileError::Read { path: path.to_owned(), source: ReadError::NotText.into() })
}

/// The folder of a run, in the project.
pub(crate) fn folder_of(run: RunId) -> String {
    format!("{STATE_FOLDER}/{RUNS_FOLDER}/{run}")
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
    use std::fs;
    use std::os::unix::fs::symlink;

    use rustix::fs::{CWD, FileType, Mode, mknodat};
    use serde_json::json;

    use super::*;

    const EXPECTED: &str = "its file";

    /// A project with a run, and a secret beside it.
    struct World {
        folder: tempfile::TempDir,
        files: Files,
    }

    impl World {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let root = folder.path().join("project");
            fs::create_dir_all(root.join(folder_of(run())).join("sub")).unwrap();
            fs::write(folder.path().join("secret.txt"), "secret").unwrap();
            fs::write(root.join(".env"), "secret").unwrap();
            let world = Self { files: Files::new(&root).unwrap(), folder };
            for (name, bytes) in [
                ("a.md", &b"text"[..]),
                ("sub/a.json", b"{\"a\": 1}"),
                ("bad.json", b"{"),
                ("bad.md", b"\xff\xfe"),
            ] {
                fs::write(world.own(name), bytes).unwrap();
            }
            world
        }

        /// A path in the folder of the run.
        fn own(&self, name: &str) -> PathBuf {
            self.files.roots[1].join(folder_of(run())).join(name)
        }

        fn read(&self, path: &str) -> Result<Value, FileError> {
            self.files.read_result(run(), path, EXPECTED)
        }

        fn read_own(&self, name: &str) -> Result<Value, FileError> {
            self.read(&format!("{}/{name}", folder_of(run())))
        }
    }

    fn run() -> RunId {
        "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap()
    }

    #[test]
    fn results_are_read_by_relative_and_absolute_paths() {
        let world = World::new();
        assert_eq!(world.read_own("a.md").unwrap(), "text");
        assert_eq!(world.read_own("./sub/a.json").unwrap(), json!({ "a": 1 }));
        assert_eq!(world.read(&format!("./{}/a.md", folder_of(run()))).unwrap(), "text");
        assert_eq!(world.read(world.own("a.md").to_str().unwrap()).unwrap(), "text");
    }

    /// What is not in the folder of the run is refused by the same sentence, whether it is there or not.
    #[test]
    fn nothing_outside_the_folder_of_the_run_is_looked_at() {
        let world = World::new();
        let other = ".orch/runs/01890a5d-ac96-774b-bcce-b302099a8058/a.md";
        let own = folder_of(run());
        let absolute = world.folder.path().join("secret.txt");
        for path in [
            "../secret.txt",
            ".env",
            "gone.md",
            "/etc/passwd",
            "/etc/gone",
            "/dev/zero",
            ".orch/orch.db",
            ".orch/runs",
            other,
            own.as_str(),
            &format!("{own}/../../../.env"),
            &format!("{own}/sub/../a.md"),
            &format!("{own}/a\0b"),
            "a\0b",
            "",
            absolute.to_str().unwrap(),
        ] {
            let error = world.read(path).unwrap_err();
            assert!(matches!(error, FileError::Outside { .. }), "{path}: {error}");
            let path = path.replace('\0', "\\0");
            assert_eq!(
                error.to_string(),
                format!(
                    "result_file `{path}` is not in the folder of this run; write the result to its file, or pass `result`."
                )
            );
        }
    }

    #[test]
    fn no_link_is_followed_and_nothing_but_a_file_is_read() {
        let world = World::new();
        symlink(world.folder.path().join("secret.txt"), world.own("link.md")).unwrap();
        symlink(world.own("a.md"), world.own("near.md")).unwrap();
        symlink(world.folder.path(), world.own("up")).unwrap();
        symlink("/dev/zero", world.own("zero.md")).unwrap();
        mknodat(CWD, world.own("pipe.md"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        for name in ["link.md", "near.md", "up/secret.txt", "zero.md", "pipe.md", "sub"] {
            let error = world.read_own(name).unwrap_err();
            assert!(matches!(error, FileError::Read { .. }), "{name}: {error}");
        }
    }

    #[test]
    fn what_is_no_result_is_said_so() {
        let world = World::new();
        assert!(matches!(world.read_own("absent.md"), Err(FileError::Read { .. })));
        assert!(matches!(world.read_own("bad.md"), Err(FileError::Read { .. })));
        assert!(matches!(world.read_own("bad.json"), Err(FileError::Json { .. })));
        fs::write(world.own("wei.json"), "[115792089237316195423570985008687907853]").unwrap();
        let error = world.read_own("wei.json").unwrap_err().to_string();
        assert!(error.contains("does not fit into 64 bits; quote it"), "{error}");
        let file = fs::File::create(world.own("huge.md")).unwrap();
        file.set_len(MAX_RESULT_BYTES + 1).unwrap();
        assert!(matches!(world.read_own("huge.md"), Err(FileError::TooLarge { .. })));
    }

    #[test]
    fn kept_files_say_what_they_must_whatever_was_there() {
        let world = World::new();
        let path = world.files.keep(run(), "accepted/1-a", &json!("text")).unwrap();
        assert_eq!(path, format!(".orch/runs/{}/accepted/1-a.md", run()));
        fs::write(world.own("accepted/1-a.md"), "forged").unwrap();
        world.files.keep(run(), "accepted/1-a", &json!("text")).unwrap();
        assert_eq!(world.read(&path).unwrap(), "text");
        let path = world.files.keep(run(), "accepted/2-b", &json!([1])).unwrap();
        assert_eq!(world.read(&path).unwrap(), json!([1]));
    }

    #[test]
    fn a_state_folder_that_is_a_link_is_refused() {
        let world = World::new();
        let state = world.files.roots[1].join(STATE_FOLDER);
        fs::remove_dir_all(&state).unwrap();
        fs::create_dir(world.folder.path().join("elsewhere")).unwrap();
        symlink(world.folder.path().join("elsewhere"), &state).unwrap();
        let error = world.files.keep(run(), "result", &json!("text")).unwrap_err();
        assert!(matches!(error, FileError::Write { .. }), "{error}");
        assert_eq!(fs::read_dir(world.folder.path().join("elsewhere")).unwrap().count(), 0);
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
