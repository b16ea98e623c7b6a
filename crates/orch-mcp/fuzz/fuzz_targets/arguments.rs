//! Bytes as calls of the tools.
#![no_main]

#[path = "../src/session.rs"]
mod session;
#[path = "../src/arguments.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| target::play(bytes));
