//! The chores on small workspaces: a tidy one passes `ci`, one with every defect fails in every check.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod chores;
mod workspace;
