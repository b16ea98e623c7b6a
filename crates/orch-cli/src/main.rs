//! The command line of orch.
fn main() {}
