//! The suite that every journal passes, on both databases, each with two writers.

use orch_core::journal_contract;
use orch_core::testing::Writers;

use crate::support::{TempFile, TestDatabase, open, open_postgres};

async fn sqlite() -> Writers {
    let file = TempFile::new();
    let writers = Writers::new(open(&file).await, open(&file).await);
    writers.with_guard(file)
}

async fn postgres() -> Option<Writers> {
    let database = TestDatabase::create()?;
    let writers = Writers::new(open_postgres(&database).await, open_postgres(&database).await);
    Some(writers.with_guard(database))
}

mod on_sqlite {
    super::journal_contract!(super::sqlite, #[tokio::test]);
}

mod on_postgres {
    super::journal_contract!(super::postgres, #[tokio::test]);
}
