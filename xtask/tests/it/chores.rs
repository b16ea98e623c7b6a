//! What `ci` and `fix` find, say and leave behind.

use crate::workspace::{Workspace, has_tool};

const CHECKS: [&str; 15] = [
    "lock", "fmt", "layers", "picture", "files", "links", "words", "weight", "deny", "unused",
    "clippy", "features", "docs", "surface", "bugs",
];

/// The checks that cannot run here, since their tool is not installed; they must fail then.
fn unable() -> Vec<&'static str> {
    let needs = [("deny", "cargo-deny"), ("unused", "cargo-shear"), ("features", "cargo-hack")];
    needs.into_iter().filter(|(_, tool)| !has_tool(tool)).map(|(check, _)| check).collect()
}

#[test]
fn a_tidy_workspace_passes() {
    let run = Workspace::tidy().run("ci");
    assert_eq!(run.failed(), unable(), "{}", run.text);
    let mutants = run.text.lines().find(|line| line.starts_with("mutants ")).unwrap();
    assert!(mutants.contains("NOT RUN") && mutants.ends_with("no parent here"), "{mutants}");
    assert_eq!(run.succeeded, unable().is_empty());
    assert!(run.is_unchanged);
}

#[test]
fn every_check_finds_its_defect() {
    let run = Workspace::tidy().with_every_defect().run("ci");
    // All that the defects leave whole is the lock file.
    assert_eq!(run.failed(), CHECKS[1..], "{}", run.text);
    assert!(!run.succeeded && run.is_unchanged);
    for found in [
        "orch-route must not depend on orch-failure ([dependencies])",
        "docs/architecture.svg is not what the manifests say",
        "crates/orch-core/src/long.rs has 502 lines, at most 500",
        "README.md: docs/gone.md: there is no docs/gone.md",
        "README.md:2: `thingy` is banned, use part",
        "orch-core brings sqlx: a database client",
        "unused variable: `unused`",
        "unresolved link to `Nothing`",
        "+ pub fn orch_core::one()",
        "the planted bug `two` no longer fits the code",
    ] {
        assert!(run.text.contains(found), "{found:?} is not in:\n{}", run.text);
    }
    let by_tools = [("deny", "serde_yaml"), ("unused", "orch-core"), ("features", "never used")];
    for (check, found) in by_tools.into_iter().filter(|(check, _)| !unable().contains(check)) {
        assert!(run.text.contains(found), "{check}: {found:?} is not in:\n{}", run.text);
    }
}

#[test]
fn a_stale_lock_file_fails_and_stays_stale() {
    let run = Workspace::tidy().with_stale_lock().run("ci");
    assert!(run.failed().contains(&"lock"), "{}", run.text);
    assert!(!run.succeeded && run.is_unchanged);
}

#[test]
fn fix_repairs_what_a_tool_can() {
    let workspace = Workspace::tidy().with_fixable_defects();
    let broken = workspace.run("ci");
    assert!(
        ["fmt", "picture", "unused", "clippy", "surface"]
            .iter()
            .all(|it| broken.failed().contains(it)),
        "{}",
        broken.text
    );
    let fix = workspace.run("fix");
    if has_tool("cargo-shear") {
        assert!(fix.succeeded, "{}", fix.text);
        let run = workspace.run("ci");
        assert_eq!(run.failed(), unable(), "{}", run.text);
    } else {
        assert!(!fix.succeeded && fix.is_unchanged);
        assert!(fix.text.contains("`cargo xtask tools` installs it"), "{}", fix.text);
    }
}

#[test]
fn a_soak_that_cannot_run_ends_with_that_verdict() {
    for soak in ["bugs", "files", "kills", "mutants", "sim"] {
        let run = Workspace::tidy().without_simulator().run(&format!("soak {soak}"));
        let verdict = format!("soak {soak}: FAILED after ");
        assert!(!run.succeeded && run.text.contains(&verdict), "{}", run.text);
    }
}

#[test]
fn a_planted_bug_that_nobody_notices_fails_its_soak() {
    let workspace = Workspace::tidy();
    let run = workspace.run("soak bugs");
    for line in ["no bug: all laws hold", "two: caught after 5 cases by Sum", "passed: 1 planted"] {
        assert!(run.text.contains(line), "{line:?} is not in:\n{}", run.text);
    }
    assert!(run.succeeded && run.is_unchanged);

    let run = workspace.with_unnoticed_bug().run("soak bugs");
    let verdict = "same: `same` is not caught in 3000 cases";
    assert!(!run.succeeded && run.text.contains(verdict), "{}", run.text);
    assert!(run.text.contains("not caught: same"), "{}", run.text);
}
