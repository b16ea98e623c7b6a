//! The name of an attempt as clients see it: `FENCE-TOKEN`, for example `3-00c0ffee00c0ffee`.

use orch_core::{Fence, Token};

/// Writes the name of an attempt.
pub(crate) fn write(fence: Fence, token: Token) -> String {
    format!("{fence}-{token}")
}

/// Reads the name of an attempt.
pub(crate) fn read(text: &str) -> Option<(Fence, Token)> {
    let (fence, token) = text.trim().split_once('-')?;
    let digits = |text: &str, hex: bool| {
        !text.is_empty()
            && text.bytes().all(|b| if hex { b.is_ascii_hexdigit() } else { b.is_ascii_digit() })
    };
    if !digits(fence, false) || token.len() != 16 || !digits(token, true) {
        return None;
    }
    Some((Fence(fence.parse().ok()?), token.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let (fence, token) = (Fence(3), Token(0x00c0_ffee_00c0_ffee));
        assert_eq!(write(fence, token), "3-00c0ffee00c0ffee");
        assert_eq!(read("3-00c0ffee00c0ffee"), Some((fence, token)));
        for text in [
            "",
            "3",
            "3-",
            "-00c0ffee00c0ffee",
            "3-00c0ffee",
            "x-00c0ffee00c0ffee",
            "3-00c0ffee00c0ffeg",
            "+3-00c0ffee00c0ffee",
            "99999999999999999999-00c0ffee00c0ffee",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
