//! Beside ALMA: what its configuration changes here.

use std::path::Path;

use orch_app::{ALMA_FILE, AlmaStorage};

use crate::{folder, issues, load};

const SQLITE: &str = "alma: { project_id: shop, storage: sqlite }\n";

/// Reads both configurations of a folder; returns the name of the project, ALMA's storage, and where memory is kept, paths
/// from the folder on.
fn read(orch: &str, alma: &str) -> (String, Option<String>, String) {
    let folder = folder(&[("orch.yaml", orch), (ALMA_FILE, alma)]);
    let config = load(folder.path()).unwrap();
    let inner = |path: &Path| path.strip_prefix(folder.path()).unwrap().display().to_string();
    let storage = config.alma.as_ref().map(|alma| match &alma.storage {
        AlmaStorage::Sqlite(file) => format!("sqlite {}", inner(file)),
        AlmaStorage::Files(place) => format!("files {}", inner(place)),
        AlmaStorage::Elsewhere(name) => name.clone(),
    });
    (config.project.to_string(), storage, inner(&config.memory_file().unwrap()))
}

#[test]
fn the_project_has_almas_name_unless_it_has_one_of_ours() {
    let own = folder(&[("orch.yaml", "")]);
    let name = own.path().file_name().unwrap().to_str().unwrap();
    assert_eq!(load(own.path()).unwrap().project, name, "without ALMA it is that of the folder");
    for (orch, alma, project) in [
        ("", SQLITE, "shop"),
        ("", "project_id: shop\n", "shop"),
        ("", "alma: { project_id: 7 }\n", "7"),
        ("project: mine\n", SQLITE, "mine"),
        ("project: mine\n", "alma: [\n", "mine"),
    ] {
        assert_eq!(read(orch, alma).0, project, "{orch:?} {alma:?}");
    }
}

#[test]
fn almas_storage_is_where_alma_looks_for_it() {
    for (alma, expected) in [
        ("", "files .alma"),
        ("# nothing\n", "files .alma"),
        ("alma: { storage: file, storage_dir: m }\n", "files m"),
        ("alma: { storage: chroma }\n", "files .alma"),
        ("storage: sqlite\n", "sqlite .alma/alma.db"),
        ("alma: { storage: sqlite, storage_dir: data, db_name: m.db }\n", "sqlite data/m.db"),
        ("alma: { storage: postgres, postgres: { password: x } }\n", "postgres"),
    ] {
        assert_eq!(read("project: mine\n", alma).1.unwrap(), expected, "{alma:?}");
    }
}

#[test]
fn memory_is_kept_in_almas_file_when_it_is_said() {
    assert_eq!(read("", SQLITE).2, ".orch/orch.db");
    assert_eq!(read("memory: { store: orch }\n", SQLITE).2, ".orch/orch.db");
    assert_eq!(read("memory: { store: alma }\n", SQLITE).2, ".alma/alma.db");
}

#[test]
fn what_cannot_be_shared_is_said() {
    for (orch, alma, expected) in [
        ("memory: { store: alma }", Some(""), "JSON files here; this needs `storage: sqlite`"),
        ("memory: { store: alma }", Some("storage: azure\n"), "in `azure` here"),
        ("memory: { store: alma }", None, "the project has no .alma/config.yaml; this needs"),
        ("memory: { alma: { write: yes } }", Some(SQLITE), "expected a boolean"),
        ("memory: { store: alm }", Some(SQLITE), "unknown word `alm`; did you mean `alma`?"),
        (
            "memory: { alma: { raed: true } }",
            Some(SQLITE),
            "unknown field `raed`; did you mean `read`?",
        ),
        ("memory: { alma: [] }", Some(SQLITE), "expected a map"),
        ("memory: { stor: alma }", Some(SQLITE), "unknown field `stor`; did you mean `store`?"),
        ("memory: alma", Some(SQLITE), "expected a map"),
        ("", Some("alma: [\n"), "ALMA's configuration cannot be read"),
        ("", Some("alma: word\n"), "is not a map of settings; repair it, or do without it"),
        ("project: a\nmemory: { store: alma }", Some("alma: [\n"), "ALMA's configuration cannot"),
    ] {
        let mut files = vec![("orch.yaml", orch)];
        files.extend(alma.map(|text| (ALMA_FILE, text)));
        let said = issues(load(folder(&files).path()));
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].contains(expected), "{:?} of {orch:?} {alma:?}", said[0]);
    }
}

#[cfg(feature = "alma")]
#[test]
fn what_alma_knows_is_read_unless_it_is_not_to_be() {
    for (orch, alma, expected) in [
        ("", SQLITE, true),
        ("memory: { alma: { read: true } }", SQLITE, true),
        ("memory: { alma: { read: false } }", SQLITE, false),
        ("memory: { store: alma, alma: { read: false } }", SQLITE, false),
        ("", "project_id: a\n", true),
        ("", "storage: postgres\n", false),
    ] {
        let folder = folder(&[("orch.yaml", orch), (ALMA_FILE, alma)]);
        let config = load(folder.path()).unwrap();
        assert_eq!(config.alma_read().is_some(), expected, "{orch:?} {alma:?}");
    }
    assert!(load(folder(&[("orch.yaml", "")]).path()).unwrap().alma_read().is_none());
}

#[cfg(feature = "alma")]
#[test]
fn alma_is_told_what_workers_did_only_where_that_is_said() {
    for (orch, expected) in [
        ("", false),
        ("memory: { store: alma }", false),
        ("memory: { alma: { write: true } }", true),
        ("memory: { alma: { read: false, write: true } }", true),
    ] {
        let config = load(folder(&[("orch.yaml", orch), (ALMA_FILE, SQLITE)]).path()).unwrap();
        assert_eq!(config.alma_written().is_some(), expected, "{orch:?}");
    }
    for (alma, expected) in [
        (
            Some("storage: file\n"),
            "JSON files here; this needs `storage: sqlite` in .alma/config.yaml",
        ),
        (None, "the project has no .alma/config.yaml; this"),
    ] {
        let mut files = vec![("orch.yaml", "memory: { alma: { write: true } }")];
        files.extend(alma.map(|text| (ALMA_FILE, text)));
        let said = issues(load(folder(&files).path()));
        assert!(said.len() == 1 && said[0].contains(expected), "{said:?}");
    }
}

#[cfg(feature = "alma")]
#[test]
fn what_makes_almas_vectors_is_read() {
    for (alma, provider, dimension) in [
        ("storage: sqlite\n", "local", Some(384)),
        ("embedding_provider: mock\nembedding_dim: 8\n", "mock", Some(8)),
        ("embedding_provider: mock\nembedding_dim: many\n", "mock", None),
    ] {
        let config = load(folder(&[("orch.yaml", ""), (ALMA_FILE, alma)]).path()).unwrap();
        let alma = config.alma.unwrap();
        assert_eq!((alma.embedding_provider.as_str(), alma.embedding_dim), (provider, dimension));
    }
}

#[cfg(not(feature = "alma"))]
#[test]
fn a_build_that_cannot_read_what_alma_knows_says_so() {
    let read = |text| folder(&[("orch.yaml", text), (ALMA_FILE, SQLITE)]);
    for asked in ["memory: { alma: { read: true } }", "memory: { alma: { write: true } }"] {
        let said = issues(load(read(asked).path()));
        assert_eq!(said, ["this build cannot; build it with the feature `alma`"]);
    }
    assert!(load(read("").path()).unwrap().alma_read().is_none());
}
