//! Owners, and the processes of attempts: each write is a transaction of its own.

use orch_core::Epoch;
use orch_core::RunId;
use orch_core::journal::{AcquireError, AttemptProcess, Owner};
use sqlx::{PgPool, Postgres};

use crate::journal::owners::{self, Acquire};
use crate::sql::{Conn, Dialect as _, sql};

pub(super) async fn register(pool: &PgPool, owner: &Owner) -> sqlx::Result<()> {
    owners::register(&mut Conn::from(&mut pool.acquire().await?), owner).await
}

pub(super) async fn acquire(
    pool: &PgPool,
    ask: &Acquire,
) -> sqlx::Result<Result<Epoch, AcquireError>> {
    let mut transaction = pool.begin_with(Postgres::BEGIN_WRITE).await?;
    let conn = &mut Conn::from(&mut transaction);
    // Locked by a statement of its own: the next one then sees an owner that has come, and registered, while this one waited.
    let lock = sql("SELECT id FROM orch_runs WHERE run = $1 FOR UPDATE");
    lock.bind(ask.run.to_string()).execute(conn).await?;
    let answer = owners::acquire(conn, ask).await?;
    transaction.commit().await?;
    Ok(answer)
}

pub(super) async fn release(pool: &PgPool, run: RunId, epoch: Epoch) -> sqlx::Result<()> {
    owners::release(&mut Conn::from(&mut pool.acquire().await?), run, epoch).await
}

pub(super) async fn note_process(pool: &PgPool, note: &AttemptProcess) -> sqlx::Result<()> {
    owners::note_process(&mut Conn::from(&mut pool.acquire().await?), note).await
}
