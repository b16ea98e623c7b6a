//! What `cargo xtask ci` checks. A check reads the tree, may build into the target folder, and changes nothing else.

mod bugs;
mod cargo;
mod files;
mod layers;
mod links;
mod mutants;
mod picture;
mod surface;
pub(crate) mod tree;
mod weight;
mod words;

use crate::project::Project;

/// One thing that must hold of the tree.
pub(crate) struct Check {
    /// The word that the user sees.
    pub(crate) name: &'static str,
    /// An error means that the check could not run, which counts as failed.
    pub(crate) run: fn(&Project) -> anyhow::Result<Verdict>,
}

/// What a check found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It holds; the text says what was looked at.
    Passed(String),
    /// There is nothing to look at here; the text says why.
    NotRun(String),
    /// It does not hold.
    Failed {
        /// What is wrong, for a person.
        output: String,
        /// The command, or the change by hand, that repairs it.
        repair: String,
    },
}

impl Verdict {
    /// A failure with its repair.
    pub(crate) fn failed(output: impl Into<String>, repair: impl Into<String>) -> Self {
        Self::Failed { output: output.into(), repair: repair.into() }
    }

    /// Passes with `note` if there are no issues, and lists them otherwise.
    fn of_issues(issues: &[String], note: String, repair: &str) -> Self {
        if issues.is_empty() { Self::Passed(note) } else { Self::failed(issues.join("\n"), repair) }
    }
}

/// Quick checks first, so that a slip shows at once. Those that build come last and in an order that shares artifacts:
/// `clippy` checks every dependency, which `features` and `docs` then find done.
pub(crate) const ALL: [Check; 16] = [
    Check { name: "lock", run: cargo::lock },
    Check { name: "fmt", run: cargo::fmt },
    Check { name: "layers", run: layers::check },
    Check { name: "picture", run: picture::check },
    Check { name: "files", run: files::check },
    Check { name: "links", run: links::check },
    Check { name: "words", run: words::check },
    Check { name: "weight", run: weight::check },
    Check { name: "deny", run: cargo::deny },
    Check { name: "unused", run: cargo::unused },
    Check { name: "clippy", run: cargo::clippy },
    Check { name: "features", run: cargo::features },
    Check { name: "docs", run: cargo::docs },
    Check { name: "surface", run: surface::check },
    Check { name: "bugs", run: bugs::check },
    Check { name: "mutants", run: mutants::check },
];
