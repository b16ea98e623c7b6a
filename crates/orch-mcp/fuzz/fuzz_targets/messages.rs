//! Bytes as lines of a client.
#![no_main]

#[path = "../src/session.rs"]
mod session;
#[path = "../src/messages.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| target::play(bytes));
