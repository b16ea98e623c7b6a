//! Dependencies point inward: a crate knows orch-core and orch-files and no sibling; only the wiring crates know the rest.

use anyhow::ensure;

use super::Verdict;
use crate::project::{Kind, Package, Project};

const CORE: &str = "orch-core";

/// Knows nobody, like the core. The core itself does no I/O and so does not know it.
const FILES: &str = "orch-files";

/// The crates that wire the others together, each with those of them it may know.
const WIRING: [(&str, &[&str]); 3] =
    [("orch-app", &[]), ("orch-cli", &["orch-app", "orch-mcp"]), ("orch-mcp", &["orch-app"])];

/// No part of the house: it may know everything, and nothing may know it.
const CHORES: &str = "xtask";

/// An edge that only tests have: `user` has `used` among its dev-dependencies.
struct DevEdge {
    user: &'static str,
    used: &'static str,
    reason: &'static str,
}

/// The edges between siblings that tests may have; orch-core needs no entry.
const DEV_EDGES: &[DevEdge] = &[];

/// Reads the edges from `cargo metadata` and fails on one that points outward or sideways.
pub(super) fn check(project: &Project) -> anyhow::Result<Verdict> {
    let packages = project.packages();
    ensure!(packages.iter().any(|package| package.name == CORE), "the workspace has no {CORE}");
    let issues = issues(packages, DEV_EDGES);
    let note = format!("{} crates", packages.len());
    Ok(Verdict::of_issues(
        &issues,
        note,
        "by hand: move the type to orch-core or the wiring to orch-app",
    ))
}

fn issues(packages: &[Package], dev_edges: &[DevEdge]) -> Vec<String> {
    let forbidden = edges(packages)
        .filter(|edge| !is_allowed(*edge, dev_edges))
        .map(|(user, kind, used)| format!("{user} must not depend on {used} ({})", table(kind)));
    let stale = dev_edges.iter().filter(|listed| !edges(packages).any(|edge| listed.is(edge))).map(
        |DevEdge { user, used, reason }| {
            format!("{user} -> {used} is listed ({reason}), but it is gone: drop it from the list")
        },
    );
    forbidden.chain(stale).collect()
}

type Edge<'a> = (&'a str, Option<Kind>, &'a str);

/// Every edge from one member of the workspace to another.
fn edges(packages: &[Package]) -> impl Iterator<Item = Edge<'_>> {
    let is_member = |name: &str| packages.iter().any(|package| package.name == name);
    packages.iter().flat_map(move |package| {
        let inside = package.dependencies.iter().filter(move |used| is_member(&used.name));
        inside.map(|used| (package.name.as_str(), used.kind, used.name.as_str()))
    })
}

fn is_allowed(edge: Edge<'_>, dev_edges: &[DevEdge]) -> bool {
    let (user, kind, used) = edge;
    if user == CHORES {
        return true;
    }
    if used == CHORES {
        return false;
    }
    // A crate's own features for tests are no edge.
    let is_own = user == used;
    if kind == Some(Kind::Dev)
        && (is_own || used == CORE || dev_edges.iter().any(|listed| listed.is(edge)))
    {
        return true;
    }
    match (wired_by(user), wired_by(used)) {
        (None, _) => user != CORE && user != FILES && (used == CORE || used == FILES),
        (Some(_), None) => true,
        (Some(known), Some(_)) => known.contains(&used),
    }
}

/// The wiring crates that `name` may know, if it is one itself.
fn wired_by(name: &str) -> Option<&'static [&'static str]> {
    WIRING.iter().find(|(wiring, _)| *wiring == name).map(|(_, known)| *known)
}

fn table(kind: Option<Kind>) -> &'static str {
    match kind {
        None => "[dependencies]",
        Some(Kind::Build) => "[build-dependencies]",
        Some(Kind::Dev) => "[dev-dependencies], and not listed in xtask",
    }
}

impl DevEdge {
    fn is(&self, (user, kind, used): Edge<'_>) -> bool {
        kind == Some(Kind::Dev) && (self.user, self.used) == (user, used)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The members that every case has, and one edge more, in the words of `cargo metadata`.
    fn house(user: &str, kind: Option<&str>, used: &str) -> Vec<Package> {
        const MEMBERS: [&str; 8] =
            [CORE, FILES, "orch-route", "orch-memory", "orch-app", "orch-cli", "orch-mcp", CHORES];
        let package = |name| {
            let edge = json!({"name": used, "kind": kind, "rename": "alias", "optional": true});
            let outside = json!({"name": "serde", "kind": null});
            let dependencies = if name == user { vec![outside, edge] } else { vec![outside] };
            json!({"name": name, "dependencies": dependencies, "features": {}})
        };
        serde_json::from_value(MEMBERS.into_iter().map(package).collect()).unwrap()
    }

    #[track_caller]
    fn allows(user: &str, kind: Option<&str>, used: &str) {
        assert_eq!(issues(&house(user, kind, used), &[]), [""; 0]);
    }

    #[track_caller]
    fn forbids(user: &str, kind: Option<&str>, used: &str) {
        let found = issues(&house(user, kind, used), &[]);
        let start = format!("{user} must not depend on {used} (");
        assert!(found.len() == 1 && found[0].starts_with(&start), "{found:?}");
    }

    #[test]
    fn libraries_know_only_the_core() {
        allows("orch-route", None, CORE);
        allows("orch-route", Some("build"), CORE);
        forbids("orch-route", None, "orch-memory");
        forbids("orch-route", Some("build"), "orch-memory");
        forbids("orch-route", None, "orch-app");
        forbids("orch-route", None, "orch-cli");
    }

    #[test]
    fn everybody_but_the_core_knows_files_which_know_nobody() {
        allows("orch-memory", None, FILES);
        allows("orch-app", None, FILES);
        forbids(CORE, None, FILES);
        forbids(FILES, None, CORE);
        forbids(FILES, None, "orch-route");
    }

    #[test]
    fn the_core_knows_nobody() {
        forbids(CORE, None, "orch-route");
        forbids(CORE, None, "orch-app");
        forbids(CORE, Some("dev"), "orch-memory");
    }

    #[test]
    fn wiring_knows_the_libraries_and_binaries_know_the_wiring() {
        allows("orch-app", None, "orch-memory");
        allows("orch-cli", None, "orch-app");
        allows("orch-mcp", None, "orch-route");
        forbids("orch-app", None, "orch-cli");
        allows("orch-cli", None, "orch-mcp");
        forbids("orch-mcp", None, "orch-cli");
    }

    #[test]
    fn chores_know_everybody_and_nobody_knows_them() {
        allows(CHORES, None, "orch-cli");
        forbids("orch-cli", None, CHORES);
        forbids("orch-route", Some("dev"), CHORES);
    }

    #[test]
    fn tests_know_the_core_and_what_is_listed() {
        allows("orch-route", Some("dev"), CORE);
        allows(CORE, Some("dev"), CORE);
        allows("orch-memory", Some("dev"), "orch-memory");
        forbids("orch-route", Some("dev"), "orch-memory");
        let listed = [DevEdge { user: "orch-route", used: "orch-memory", reason: "history" }];
        assert_eq!(issues(&house("orch-route", Some("dev"), "orch-memory"), &listed), [""; 0]);
        assert_eq!(issues(&house("orch-route", None, "orch-memory"), &listed).len(), 2);
    }

    #[test]
    fn a_listed_edge_that_is_gone_is_reported() {
        let listed = [DevEdge { user: "orch-route", used: "orch-memory", reason: "history" }];
        let found = issues(&house("orch-route", None, CORE), &listed);
        assert!(found.len() == 1 && found[0].contains("drop it from the list"), "{found:?}");
    }
}
