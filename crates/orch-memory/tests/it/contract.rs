//! The suite that every journal passes, on a file with two writers.

use orch_core::journal_contract;
use orch_core::testing::Writers;

use crate::support::{TempFile, open};

async fn sqlite() -> Writers {
    let file = TempFile::new();
    let writers = Writers::new(open(&file).await, open(&file).await);
    writers.with_guard(file)
}

journal_contract!(sqlite, #[tokio::test]);
