//! The tables of the journal, the same in every database: a module per table. What a database does in its own way (opening, writing
//! batches, locking, hearing of changes) stands in its folder.

mod blobs;
pub(crate) mod chain;
mod events;
pub(crate) mod owners;
pub(crate) mod pieces;
mod reader;
pub(crate) mod resources;
pub(crate) mod runs;
mod store_id;
mod stored;

pub(crate) use blobs::{blob_exists, write_piece};
pub(crate) use reader::Reader;
pub(crate) use store_id::read_store_id;
