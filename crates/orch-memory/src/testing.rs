//! A PostgreSQL server for tests. Behind the feature `testing`.
//!
//! [`TestDatabase::create`] gives a test a database of its own. All tests of a process share one server, which the first one
//! starts: in a new folder, on a free port, without a password, and not durable. It ends with the process, however that
//! ends: a shell holds the other end of a pipe, and when that breaks, stops the server and removes the folder.
//!
//! | variable | what it does |
//! |---|---|
//! | `ORCH_TEST_POSTGRES_URL` | a running server is used instead, by a user who may make databases |
//! | `ORCH_TEST_REQUIRED` | set to anything: a test that would be skipped fails |
//!
//! The server's programs are looked for on `PATH` and where Debian has them. They refuse to work for root: then the user
//! `postgres` must exist.

mod database;
mod server;

pub use database::TestDatabase;
