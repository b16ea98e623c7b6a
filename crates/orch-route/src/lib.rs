//! To be written: see the crate's description.
