//! Agent files, each named after the rule of the format that it stresses: `tests/agents/good` and `tests/agents/bad`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use orch_workers::{AgentFault, AgentFile, AgentFolder};
use serde_json::{Value, json};

fn fixtures(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/agents").join(kind)
}

/// Every file has its line in the table, and every line its file.
#[track_caller]
fn check_names<'a>(kind: &str, listed: impl Iterator<Item = &'a str>, least: usize) {
    let name = |path: PathBuf| path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let there: BTreeSet<String> = fs::read_dir(fixtures(kind))
        .unwrap()
        .filter_map(|entry| name(entry.unwrap().path()))
        .collect();
    assert_eq!(there, listed.map(ToOwned::to_owned).collect());
    assert!(there.len() >= least, "{}", there.len());
}

/// All that can be seen of an agent, under the names that the table uses.
fn seen(agent: &AgentFile) -> Value {
    json!({
        "name": agent.name,
        "description": agent.description,
        "tools": agent.tools,
        "task_types": agent.extras.task_types,
        "proficiency": agent.extras.proficiency,
        "max_concurrency": agent.extras.max_concurrency,
        "timeout_s": agent.extras.timeout.map(|timeout| timeout.as_secs()),
        "memory_tokens": agent.extras.memory_tokens,
        "scope": agent.extras.scope,
        "other": agent.other,
        "prompt": agent.prompt,
    })
}

#[test]
fn good_files_are_read_as_they_are_meant() {
    let table = include_str!("../agents/good.json");
    let table: serde_json::Map<String, Value> = serde_json::from_str(table).unwrap();
    check_names("good", table.keys().map(String::as_str), 40);
    for (name, expected) in &table {
        let path = fixtures("good").join(name).with_extension("md");
        let text = fs::read_to_string(&path).unwrap();
        let agent = AgentFile::parse(&path, &text).unwrap_or_else(|issue| panic!("{issue}"));
        let seen = seen(&agent);
        for (field, value) in expected.as_object().unwrap() {
            assert_eq!(seen[field], *value, "{name}: {field}");
        }
    }
}

#[test]
fn bad_files_are_skipped_and_said_why_and_where() {
    let table = include_str!("../agents/bad.json");
    let table: serde_json::Map<String, Value> = serde_json::from_str(table).unwrap();
    check_names("bad", table.keys().map(String::as_str), 20);
    let project = project(&fixtures("bad"));
    let folder = AgentFolder::load(project.path(), None);
    assert_eq!(folder.agents, []);
    assert_eq!(folder.issues.len(), table.len());
    for issue in &folder.issues {
        let name = issue.path.file_stem().unwrap().to_string_lossy();
        let (line, says) = (&table[&*name][0], table[&*name][1].as_str().unwrap());
        assert_eq!(json!(issue.line), *line, "{issue}");
        assert!(issue.to_string().contains(says), "{issue}");
    }
}

/// A project whose agents are those of a folder.
fn project(agents: &Path) -> tempfile::TempDir {
    let project = tempfile::tempdir().unwrap();
    let folder = project.path().join(".claude/agents");
    fs::create_dir_all(&folder).unwrap();
    for entry in fs::read_dir(agents).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
    }
    project
}

fn write(root: &Path, path: &str, name: &str, description: &str) {
    let path = root.join(".claude/agents").join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, format!("---\nname: {name}\ndescription: {description}\n---\n")).unwrap();
}

#[test]
fn the_project_goes_before_the_user_and_nested_folders_count() {
    let (project, user) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(project.path(), "b.md", "both", "of the project");
    write(project.path(), "deep/er/c.md", "nested", "deep down");
    write(project.path(), "notes.txt", "text", "no agent file");
    write(user.path(), "a.md", "both", "of the user");
    write(user.path(), "z.md", "mine", "of the user");
    let folder = AgentFolder::load(project.path(), Some(user.path()));
    let found: Vec<(&str, &str)> = folder
        .agents
        .iter()
        .map(|agent| (agent.name.as_str(), agent.description.as_str()))
        .collect();
    let expected = [("both", "of the project"), ("nested", "deep down"), ("mine", "of the user")];
    assert_eq!(found, expected);
    assert!(folder.issues.is_empty(), "{:?}", folder.issues);
}

#[test]
fn of_two_files_with_one_name_the_first_counts_and_the_other_is_reported() {
    let project = tempfile::tempdir().unwrap();
    write(project.path(), "a.md", "same", "first");
    write(project.path(), "b.md", "same", "second");
    let folder = AgentFolder::load(project.path(), Some(project.path()));
    assert_eq!(folder.agents.len(), 1, "a home folder that is the project is read once");
    assert_eq!(folder.agents[0].description, "first");
    let [issue] = &folder.issues[..] else { panic!("{:?}", folder.issues) };
    assert!(issue.path.ends_with("b.md"));
    assert!(matches!(&issue.fault, AgentFault::Repeated { first, .. } if first.ends_with("a.md")));
}

#[test]
fn folders_that_are_not_there_have_no_agents() {
    let project = tempfile::tempdir().unwrap();
    let folder = AgentFolder::load(project.path(), Some(&project.path().join("nowhere")));
    assert!(folder.agents.is_empty() && folder.issues.is_empty(), "{folder:?}");
}

#[cfg(unix)]
#[test]
fn a_circle_of_links_ends() {
    let project = tempfile::tempdir().unwrap();
    write(project.path(), "a.md", "a", "once");
    let folder = project.path().join(".claude/agents");
    std::os::unix::fs::symlink(&folder, folder.join("again")).unwrap();
    let found = AgentFolder::load(project.path(), None);
    assert_eq!(found.agents.len(), 1);
    assert!(found.issues.iter().all(|issue| matches!(issue.fault, AgentFault::Repeated { .. })));
}

#[test]
fn a_huge_file_is_refused() {
    let project = tempfile::tempdir().unwrap();
    write(project.path(), "a.md", "a", &"x".repeat(1024 * 1024));
    let folder = AgentFolder::load(project.path(), None);
    assert!(matches!(folder.issues[0].fault, AgentFault::TooLarge { .. }), "{:?}", folder.issues);
}

/// What a folder with one agent and something beside it says, and how many agents it has.
#[cfg(unix)]
#[track_caller]
fn beside(plant: impl FnOnce(&Path), expected: &str, agents: usize) {
    let project = tempfile::tempdir().unwrap();
    write(project.path(), "a.md", "a", "an agent");
    plant(&project.path().join(".claude/agents"));
    let folder = AgentFolder::load(project.path(), None);
    let said: Vec<String> = folder.issues.iter().map(ToString::to_string).collect();
    assert!(said.iter().any(|said| said.contains(expected)), "{expected}: {said:?}");
    assert_eq!(folder.agents.len(), agents, "{said:?}");
}

#[cfg(unix)]
#[test]
fn a_folder_is_searched_within_bounds() {
    use std::os::unix::fs::symlink;
    let many = |folder: &Path| {
        (0..1_000).for_each(|n| fs::write(folder.join(format!("{n}")), "").unwrap())
    };
    beside(many, "has more than 1000 entries", 0);
    beside(
        |folder| symlink("/", folder.join("all")).unwrap(),
        "leads to a folder that holds the project",
        1,
    );
    beside(|folder| symlink("/dev/zero", folder.join("b.md")).unwrap(), "is not a regular file", 1);
    let linked = |folder: &Path| {
        fs::remove_dir_all(folder).unwrap();
        symlink("/", folder).unwrap();
    };
    beside(linked, "leads to a folder that holds the project", 0);
}

#[cfg(unix)]
#[test]
fn a_link_leads_to_files_of_the_same_owner_only() {
    use std::os::unix::fs::{chown, symlink};
    let elsewhere = tempfile::tempdir().unwrap();
    write(elsewhere.path(), "shared.md", "shared", "of the same owner");
    let shared = elsewhere.path().join(".claude/agents/shared.md");
    let project = tempfile::tempdir().unwrap();
    fs::create_dir_all(project.path().join(".claude/agents")).unwrap();
    symlink(&shared, project.path().join(".claude/agents/shared.md")).unwrap();
    assert_eq!(AgentFolder::load(project.path(), None).agents.len(), 1);
    if chown(&shared, Some(65_534), None).is_err() {
        eprintln!("SKIPPED: only root can give a file to another user");
        return;
    }
    let folder = AgentFolder::load(project.path(), None);
    let said: Vec<String> = folder.issues.iter().map(ToString::to_string).collect();
    assert!(
        folder.agents.is_empty() && said[0].contains("is a link to something of another user"),
        "{said:?}"
    );
}
