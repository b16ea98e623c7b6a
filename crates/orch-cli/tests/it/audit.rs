//! The main job, `docs/examples/repo-audit`, on three repositories: this one, an empty one, one of 10,000 files. Its figures are
//! checked against git and the files themselves.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Done, Project};

pub(crate) fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs/examples/repo-audit")
        .canonicalize()
        .unwrap()
}

/// A work tree of its own, that nobody changes meanwhile.
pub(crate) struct Repository(tempfile::TempDir);

impl Repository {
    fn empty() -> Self {
        let repository = Self(tempfile::tempdir().unwrap());
        repository.git(&["init", "-q", "-b", "main"]);
        repository
    }

    fn this() -> Self {
        let repository = Self(tempfile::tempdir().unwrap());
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let url = format!("file://{}", here.canonicalize().unwrap().display());
        repository.git(&["clone", "-q", &url, "."]);
        repository
    }

    pub(crate) fn of_files(count: usize) -> Self {
        let repository = Self::empty();
        for n in 0..count {
            let folder = repository.path().join(format!("d{}", n % 100));
            fs::create_dir_all(&folder).unwrap();
            let mark = if n % 1_000 == 0 { "// TODO: more\n" } else { "" };
            fs::write(folder.join(format!("f{n}.txt")), format!("file {n}\n{mark}")).unwrap();
        }
        fs::write(repository.path().join("large.bin"), vec![0; 2_000_000]).unwrap();
        repository.git(&["add", "."]);
        repository.git(&["commit", "-q", "-m", "all"]);
        repository
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    fn git(&self, args: &[&str]) -> String {
        let identity = ["-c", "user.name=Ann", "-c", "user.email=ann@example.org"];
        let output = Command::new("git")
            .args(identity)
            .args(args)
            .current_dir(self.path())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "git {args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Lines of what git says; none when it has nothing to say, as without a commit.
    fn count(&self, args: &[&str]) -> usize {
        let output = Command::new("git").args(args).current_dir(self.path()).output().unwrap();
        String::from_utf8_lossy(&output.stdout).lines().count()
    }

    fn files(&self) -> Vec<PathBuf> {
        let list = self.git(&["ls-files", "-z"]);
        list.split('\0')
            .filter(|name| !name.is_empty())
            .map(|name| self.path().join(name))
            .collect()
    }
}

/// Audits a repository from another folder, and checks all that must hold for any repository.
#[track_caller]
fn audit(repository: &Repository, path: Option<&Path>) -> (Project, Value) {
    let project = Project::new(&[(".orch/keep", "")]);
    let (task, repo) =
        (example().join("task.yaml"), format!("repo={}", repository.path().display()));
    let mut command = project.command(&["run", task.to_str().unwrap(), "--json", "--set", &repo]);
    if let Some(path) = path {
        command.env("PATH", path);
    }
    let done = Done::from_command(&mut command).exits(0);
    let document = done.json();
    assert_eq!(document["status"], "completed", "{}", done.stderr);
    assert_eq!(document["subtask_results"].as_array().unwrap().len(), 12);
    let output = document["aggregated_output"].clone();
    figures_agree(repository, &output);

    let report =
        fs::read_to_string(project.path().join(output["report"]["path"].as_str().unwrap()))
            .unwrap();
    assert!(report.starts_with("# "), "{report}");
    let shown = project.orch(&["show"]).exits(0).stdout;
    let summary = output["summary"].as_str().unwrap();
    assert_eq!(
        shown,
        format!("{}\nReport: .orch/repo-audit.md\n", summary.trim_end()),
        "the summary is what a person sees"
    );
    (project, document)
}

#[track_caller]
fn figures_agree(repository: &Repository, output: &Value) {
    let files = repository.files();
    let bytes: u64 = files
        .iter()
        .map(|file| fs::symlink_metadata(file).unwrap())
        .filter(|m| m.is_file())
        .map(|m| m.len())
        .sum();
    let large =
        files.iter().filter(|file| fs::symlink_metadata(file).unwrap().len() > 1_048_576).count();
    let has_commit = repository.count(&["rev-parse", "--quiet", "--verify", "HEAD"]) > 0;
    let commits = repository.count(&["log", "--format=%H"]);
    let authors = if has_commit { repository.count(&["shortlog", "-sne", "HEAD"]) } else { 0 };
    for (pointer, wanted) in [
        ("/inventory/files", json!(files.len())),
        ("/inventory/commits", json!(commits)),
        ("/sizes/bytes", json!(bytes)),
        ("/sizes/lines", json!(repository.count(&["grep", "-I", "-h", "-e", ""]))),
        ("/large_files/count", json!(large)),
        ("/authors/count", json!(authors)),
        (
            "/marks/counts/TODO",
            json!(repository.count(&["grep", "-I", "-w", "-F", "-h", "-e", "TODO"])),
        ),
        (
            "/marks/counts/FIXME",
            json!(repository.count(&["grep", "-I", "-w", "-F", "-h", "-e", "FIXME"])),
        ),
    ] {
        assert_eq!(output.pointer(pointer), Some(&wanted), "{pointer}");
    }
    // The example's own checks compare the workers with git, find and wc in yet another way.
    let check =
        Command::new("sh").arg(example().join("check.sh")).arg(repository.path()).output().unwrap();
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stdout));
}

#[test]
fn this_repository() {
    let repository = Repository::this();
    let (_, document) = audit(&repository, None);
    let output = &document["aggregated_output"];
    assert_eq!(output["licence"]["files"].as_array().unwrap().len(), 2);
    assert!(output["dependencies"]["direct_total"].as_u64().unwrap() > 20);
    assert!(output["summary"].as_str().unwrap().contains("Licence"));
}

#[test]
fn a_repository_audited_with_runs_in_postgres() {
    let repository = Repository::of_files(50);
    let mut files = Vec::new();
    for folder in ["", "lib", "workers"] {
        for file in fs::read_dir(example().join(folder)).unwrap().flatten() {
            if file.file_type().unwrap().is_file() {
                let name = Path::new(folder).join(file.file_name());
                let text = fs::read_to_string(file.path()).unwrap();
                files.push((name.to_str().unwrap().to_owned(), text));
            }
        }
    }
    let files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let Some(project) = Project::on_postgres(&files) else { return };
    let repo = format!("repo={}", repository.path().display());
    let document = project.orch(&["run", "task.yaml", "--json", "--set", &repo]).exits(0).json();
    assert_eq!(document["status"], "completed");
    figures_agree(&repository, &document["aggregated_output"]);
    let run = project.orch(&["status", "--json"]).exits(0).json();
    let run = run["orchestration_id"].as_str().unwrap().parse().unwrap();
    assert!(project.events(run).len() > 12);
    assert!(!project.store().exists(), "nothing is kept in the folder");
}

#[test]
fn an_empty_repository() {
    let (_, document) = audit(&Repository::empty(), None);
    assert_eq!(document["aggregated_output"]["inventory"]["head"], Value::Null);
}

#[test]
fn a_repository_of_10_000_files() {
    let (_, document) = audit(&Repository::of_files(10_000), None);
    let output = &document["aggregated_output"];
    assert_eq!(output["inventory"]["files"], 10_001);
    assert_eq!(output["marks"]["counts"]["TODO"], 10);
    assert_eq!(output["large_files"]["count"], 1);
}

#[test]
fn no_repository_is_a_failure_that_says_why() {
    let folder = Project::new(&[]);
    let task = example().join("task.yaml");
    let mut command = folder.command(&["run", task.to_str().unwrap()]);
    let done =
        Done::from_command(command.env("GIT_CEILING_DIRECTORIES", folder.path().parent().unwrap()))
            .exits(1);
    done.says("invalid_input");
}

#[test]
fn without_ripgrep_the_marks_are_found_by_git() {
    let bin = tempfile::tempdir().unwrap();
    for folder in std::env::split_paths(&std::env::var_os("PATH").unwrap()) {
        for tool in fs::read_dir(folder).into_iter().flatten().flatten() {
            if tool.file_name() != "rg" {
                // The first of a name is the one that counts.
                let _ = symlink(tool.path(), bin.path().join(tool.file_name()));
            }
        }
    }
    let (project, _) = audit(&Repository::of_files(50), Some(bin.path()));
    let marks = project.orch(&["show", "latest", "marks", "--json"]).exits(0).json();
    let attempts = marks["attempts"].as_array().unwrap();
    assert_eq!(
        (&attempts[0]["worker"], &attempts[0]["end"]["failed"]["cause"]),
        (&json!("marks-rg"), &json!("unavailable"))
    );
    assert_eq!(
        (&attempts[1]["worker"], &attempts[1]["end"]),
        (&json!("marks-grep"), &json!("accepted"))
    );
    assert_eq!(attempts.len(), 2);
}
