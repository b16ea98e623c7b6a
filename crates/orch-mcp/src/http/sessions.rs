//! Sessions of the handshake era: so many, and idle ones end.

use std::sync::Arc;

use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use tokio::sync::{Mutex, MutexGuard};

use super::config::HttpLimits;

/// The sessions, and the door to them.
#[derive(Clone)]
pub(super) struct Sessions {
    manager: Arc<LocalSessionManager>,
    most: usize,
    door: Arc<Mutex<()>>,
}

impl Sessions {
    pub(super) fn new(limits: &HttpLimits) -> Self {
        let mut manager = LocalSessionManager::default();
        manager.session_config.keep_alive = Some(limits.session_idle);
        Self { manager: Arc::new(manager), most: limits.sessions, door: Arc::default() }
    }

    pub(super) fn manager(&self) -> Arc<LocalSessionManager> {
        self.manager.clone()
    }

    /// Returns a permit for one handshake if there is room for its session. Handshakes pass one at a time, so that as many as
    /// come at once cannot all find the last place free; each takes as long as this server takes to answer.
    pub(super) async fn room(&self) -> Option<MutexGuard<'_, ()>> {
        let permit = self.door.lock().await;
        (self.manager.sessions.read().await.len() < self.most).then_some(permit)
    }
}
