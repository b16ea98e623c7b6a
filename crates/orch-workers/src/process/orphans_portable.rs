//! Where orphans cannot be adopted: nothing is known of what attempts leave behind.

use std::io;

use tokio::process::{Child, Command};

use super::ReapError;

/// Always fails.
///
/// # Errors
/// Always: this system has nothing to adopt orphans with.
pub fn adopt() -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Never returns.
pub async fn tend() {
    std::future::pending().await
}

/// Does nothing.
pub fn end_all(_limit: std::time::Duration) {}

/// Starts the leader of an attempt.
pub(crate) fn spawn(command: &mut Command, _attempt: String) -> io::Result<(Child, Member)> {
    Ok((command.spawn()?, Member))
}

/// A leader that is being waited for.
pub(crate) struct Member;

impl Member {
    /// Always `None`: nothing is known.
    pub(crate) async fn end(self) -> Option<Result<(), ReapError>> {
        None
    }
}
