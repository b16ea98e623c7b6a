//! Where the workspace is, what is in it, and how to call cargo there.

use std::{
    collections::BTreeMap,
    env,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;

/// The workspace around the current folder.
pub(crate) struct Project {
    metadata: Metadata,
}

/// What a chore reads of `cargo metadata`.
#[derive(Deserialize)]
struct Metadata {
    workspace_root: PathBuf,
    target_directory: PathBuf,
    packages: Vec<Package>,
}

/// A member of the workspace.
#[derive(Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) features: BTreeMap<String, Vec<String>>,
}

/// A line of a manifest's dependency tables, optional and target-specific ones included.
#[derive(Deserialize)]
pub(crate) struct Dependency {
    /// The name of the package, even where the manifest renames it.
    pub(crate) name: String,
    pub(crate) kind: Option<Kind>,
}

/// The table a dependency stands in; `None` is `[dependencies]`.
#[derive(Clone, Copy, Deserialize, PartialEq, Eq, Debug)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Build,
    Dev,
}

impl Project {
    /// Asks cargo for the workspace around the current folder.
    pub(crate) fn find() -> anyhow::Result<Self> {
        let output = Command::new(cargo())
            .args(["metadata", "--no-deps", "--format-version", "1"])
            .output()
            .context("cannot start cargo")?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let metadata = serde_json::from_slice(&output.stdout)?;
        Ok(Self { metadata })
    }

    /// The folder of the workspace's manifest.
    pub(crate) fn root(&self) -> &Path {
        &self.metadata.workspace_root
    }

    /// The folder for everything that is built.
    pub(crate) fn target(&self) -> &Path {
        &self.metadata.target_directory
    }

    /// The virtual environment that [`tools`](crate::tools) are installed into.
    pub(crate) fn tools(&self) -> PathBuf {
        self.target().join("tools")
    }

    /// The members of the workspace.
    pub(crate) fn packages(&self) -> &[Package] {
        &self.metadata.packages
    }

    /// A cargo call at the root; subcommands are also found among the installed tools.
    pub(crate) fn cargo<I: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = I>) -> Command {
        let mut command = Command::new(cargo());
        command.args(arguments).current_dir(self.root());
        if let Ok(path) = env::join_paths(self.search_path()) {
            command.env("PATH", path);
        }
        command
    }

    /// Finds an executable on PATH or among the installed tools.
    pub(crate) fn executable(&self, name: &str) -> Option<PathBuf> {
        let file = format!("{name}{}", env::consts::EXE_SUFFIX);
        self.search_path().into_iter().map(|folder| folder.join(&file)).find(|path| path.is_file())
    }

    /// PATH first, so that the virtual environment's own programs (`python`) shadow nothing.
    fn search_path(&self) -> Vec<PathBuf> {
        let path = env::var_os("PATH").unwrap_or_default();
        env::split_paths(&path).chain([self.tools().join("bin")]).collect()
    }
}

/// Runs a command whose output the user sees, and fails with its words if it fails.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("cannot start {}", words(command)))?;
    if !status.success() {
        bail!("{} failed with {status}", words(command));
    }
    Ok(())
}

/// Runs a command that the user sees, and hands on its exit code.
pub(crate) fn forward(command: &mut Command) -> anyhow::Result<ExitCode> {
    let status = command.status().with_context(|| format!("cannot start {}", words(command)))?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

/// The command as a person would type it.
pub(crate) fn words(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let program = program.file_stem().unwrap_or(program.as_os_str());
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

fn cargo() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}
