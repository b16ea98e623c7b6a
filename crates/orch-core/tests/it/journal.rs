//! The journal in memory keeps the contract of all journals.

use orch_core::journal::MemoryJournal;
use orch_core::journal_contract;
use orch_core::testing::Writers;

async fn memory() -> Writers {
    let journal = MemoryJournal::new();
    let second = journal.second_writer();
    Writers::new(journal, second)
}

journal_contract!(memory, #[tokio::test]);
