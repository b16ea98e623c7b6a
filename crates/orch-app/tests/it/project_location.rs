//! Where projects and their configurations are.

use std::path::Path;

use orch_app::{ALMA_FILE, AppError, Config, ProjectLocation};

use crate::folder;

const BLOCK: &str = "orchestration: { project: alma }\n";

#[track_caller]
fn check(
    files: &[(&str, &str)],
    cwd: &str,
    explicit: Option<&str>,
    task: Option<&str>,
    expected: (&str, Option<&str>),
) {
    let folder = folder(files);
    let root = folder.path().canonicalize().unwrap();
    std::fs::create_dir_all(root.join(cwd)).unwrap();
    let location =
        ProjectLocation::find(&root.join(cwd), explicit.map(Path::new), task.map(Path::new))
            .unwrap();
    let (project_dir, config) = expected;
    let mut known =
        ProjectLocation::new(root.join(project_dir), config.map(|file| root.join(file)));
    known.is_given = explicit.is_some();
    assert_eq!(location, known);
}

#[test]
fn the_nearest_upwards_counts() {
    check(&[("orch.yaml", "")], "a/b", None, None, ("", Some("orch.yaml")));
    check(&[("orch.yaml", ""), ("a/orch.yaml", "")], "a/b", None, None, ("a", Some("a/orch.yaml")));
    check(&[("orch.yaml", ""), ("a/.orch/x", "")], "a/b", None, None, ("a", None));
    check(&[("orch.yaml", ""), (ALMA_FILE, BLOCK)], "a", None, None, ("", Some("orch.yaml")));
    check(&[(ALMA_FILE, BLOCK)], "a", None, None, ("", Some(ALMA_FILE)));
    check(
        &[("orch.yaml", ""), (&format!("a/{ALMA_FILE}"), "other: 1\n")],
        "a",
        None,
        None,
        ("", Some("orch.yaml")),
    );
}

#[test]
fn what_is_named_or_beside_the_task_counts_more() {
    let files =
        [("orch.yaml", ""), ("jobs/orch.yaml", ""), ("jobs/task.yaml", ""), ("other.yaml", "")];
    check(&files, "", None, Some("jobs/task.yaml"), ("", Some("jobs/orch.yaml")));
    check(&files, "", Some("other.yaml"), Some("jobs/task.yaml"), ("", Some("other.yaml")));
    check(&files, "x", None, Some("task.yaml"), ("", Some("orch.yaml")));
}

#[test]
fn a_named_file_must_exist() {
    let folder = folder(&[]);
    let found = ProjectLocation::find(folder.path(), Some(Path::new("gone.yaml")), None);
    assert!(matches!(found, Err(AppError::Read { file, .. }) if file.ends_with("gone.yaml")));
    let gone = ProjectLocation::new(folder.path(), Some(folder.path().join("gone.yaml")));
    assert!(matches!(Config::load(&gone), Err(AppError::Read { .. })));
}

#[test]
fn almas_file_is_read_by_its_block() {
    let folder = folder(&[(ALMA_FILE, BLOCK)]);
    let config = Config::load(&ProjectLocation::find(folder.path(), None, None).unwrap()).unwrap();
    assert_eq!(config.project, "alma");
    assert_eq!(config.config_dir(), folder.path().join(".alma"));
}
