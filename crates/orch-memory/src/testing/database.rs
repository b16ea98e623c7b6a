//! A database of its own for each test.

use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Executor};

use super::server;

/// An empty database, dropped with the handle.
#[derive(Debug)]
pub struct TestDatabase {
    /// The server's address.
    server: &'static str,
    name: String,
}

impl TestDatabase {
    /// Makes a database on the server of this process's tests; without one says so on stderr, and returns `None`.
    ///
    /// # Panics
    /// When the server refuses, or when there is none and `ORCH_TEST_REQUIRED` is set.
    pub fn create() -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let server = match server::url() {
            Ok(server) => server,
            Err(reason) => {
                server::skip(reason);
                return None;
            }
        };
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let database = Self { server, name: format!("orch_test_{}_{number}", std::process::id()) };
        // A language that sorts otherwise than bytes do: nothing may depend on it.
        let created = database.execute(format!(
            "CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'en-US'",
            database.name
        ));
        created.expect("the server makes databases");
        Some(database)
    }

    /// Returns the address of the database.
    pub fn url(&self) -> String {
        format!("{}/{}", self.server, self.name)
    }

    /// Has the server execute a statement, from outside of the database.
    fn execute(&self, sql: String) -> sqlx::Result<()> {
        let server = format!("{}/postgres", self.server);
        // A thread and a runtime of its own: the caller may have none, or be in the middle of one.
        let task = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let mut conn = PgConnection::connect(&server).await?;
                conn.execute(AssertSqlSafe(sql)).await?;
                conn.close().await
            })
        };
        std::thread::spawn(task).join().expect("it does not panic")
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        self.execute(format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name)).ok();
    }
}
