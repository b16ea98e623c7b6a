//! `cargo xtask ci` on small workspaces: a tidy one passes, one with every defect fails in every check.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod ci;
mod workspace;
