//! The engine as a library user meets it.

mod basics;
