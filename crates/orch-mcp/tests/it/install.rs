//! Parts of others that tests need: pinned packages from the registries, installed once into the target folder. Where that is
//! not possible the test fails and says what it needs; nothing is skipped.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Returns the Python of an environment that has these packages.
pub(crate) fn python(name: &str, packages: &[&str]) -> PathBuf {
    with_pip(name, packages, &[])
}

/// Returns the Python of an environment that has these packages, and nothing that they say they need.
#[allow(dead_code, reason = "tests of orch-memory use it, too")]
pub(crate) fn python_alone(name: &str, packages: &[&str]) -> PathBuf {
    with_pip(name, packages, &["--no-deps"])
}

fn with_pip(name: &str, packages: &[&str], options: &[&str]) -> PathBuf {
    let folder = installed(name, packages, |folder| {
        need(
            Command::new("python3").args(["-m", "venv"]).arg(folder),
            "python3 with its module venv",
        );
        let mut pip = Command::new(folder.join("bin/python"));
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
        pip.args(options).args(packages);
        need(&mut pip, &format!("{} from the Python registry", packages.join(", ")));
    });
    folder.join("bin/python")
}

/// Returns the folder `node_modules` with these packages. Their install scripts are not run.
pub(crate) fn node(name: &str, packages: &[&str]) -> PathBuf {
    let folder = installed(name, packages, |folder| {
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-save", "--no-package-lock", "--no-audit", "--no-fund"]);
        npm.args(["--ignore-scripts", "--loglevel", "error", "--prefix"])
            .arg(folder)
            .args(packages);
        need(&mut npm, &format!("npm, and {} from its registry", packages.join(", ")));
    });
    folder.join("node_modules")
}

/// Runs a command that must succeed, and returns what it says on stdout.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> String {
    attempt(command).unwrap_or_else(|error| panic!("{error}"))
}

#[track_caller]
fn need(command: &mut Command, what: &str) {
    attempt(command).unwrap_or_else(|error| panic!("this test needs {what}: {error}"));
}

fn attempt(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    let [out, err] =
        [output.stdout, output.stderr].map(|it| String::from_utf8_lossy(&it).into_owned());
    let ended = output.status;
    if ended.success() {
        Ok(out)
    } else {
        Err(format!("{command:?} ended with {ended}\n{out}\n{err}"))
    }
}

/// Returns a folder that holds the packages; what is there of an installation that broke off, or of other versions, is
/// replaced. Tests, and test processes, that need it at once wait for each other.
fn installed(name: &str, packages: &[&str], install: impl FnOnce(&Path)) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let lock = File::create(folder.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    let (note, list) = (folder.join("installed"), packages.join("\n"));
    if fs::read_to_string(&note).is_ok_and(|found| found == list) {
        return folder;
    }
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    fs::create_dir_all(&folder).unwrap();
    install(&folder);
    fs::write(note, list).unwrap();
    folder
}
