//! What the fuzzer plays (`cargo xtask fuzz`), on its seeds and on a few arbitrary bytes: that it can be built and holds.

use std::fs;
use std::path::Path;

#[path = "../../fuzz/src/arguments.rs"]
mod arguments;
#[path = "../../fuzz/src/messages.rs"]
mod messages;

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let files = fs::read_dir(folder).unwrap();
    files.map(|file| fs::read(file.unwrap().path()).unwrap()).collect()
}

/// Bytes that look random and are always the same.
fn arbitrary(number: u64) -> Vec<u8> {
    let mut state = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..200).map(|_| next()).collect()
}

#[test]
fn seeds_of_messages_get_their_answers() {
    let seeds = seeds("messages");
    assert!(seeds.len() >= 5);
    seeds.iter().for_each(|seed| messages::play(seed));
}

#[test]
fn arguments_of_any_kind_get_a_proper_answer() {
    let seeds = seeds("arguments");
    assert!(seeds.len() >= 3);
    seeds.iter().for_each(|seed| arguments::play(seed));
    (0..200).for_each(|number| arguments::play(&arbitrary(number)));
}
