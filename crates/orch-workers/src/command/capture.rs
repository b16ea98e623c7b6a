//! What is kept of the program's output: stdout whole up to a cap, stderr by its two ends. Of a program that failed, the two
//! ends of stdout are evidence.

use std::collections::VecDeque;

/// Stdout was about to hold more than its cap.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct OverCap;

/// All of stdout, up to a cap.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) bytes: Vec<u8>,
    cap: usize,
}

impl Whole {
    pub(super) fn new(cap: usize) -> Self {
        Self { bytes: Vec::new(), cap }
    }

    /// Takes as much of `bytes` as fits.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), OverCap> {
        let room = self.cap - self.bytes.len();
        self.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
        if bytes.len() > room { Err(OverCap) } else { Ok(()) }
    }
}

/// The beginning and the end of a stream of any length.
#[derive(Debug)]
pub(super) struct Ends {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    head_cap: usize,
    tail_cap: usize,
    total: u64,
}

impl Ends {
    /// Keeps `cap` bytes at most, half of them from the beginning.
    pub(super) fn new(cap: usize) -> Self {
        let head_cap = cap / 2;
        Self {
            head: Vec::new(),
            tail: VecDeque::new(),
            head_cap,
            tail_cap: cap - head_cap,
            total: 0,
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.total += bytes.len() as u64;
        let (head, rest) = bytes.split_at(bytes.len().min(self.head_cap - self.head.len()));
        self.head.extend_from_slice(head);
        self.tail.extend(&rest[rest.len().saturating_sub(self.tail_cap)..]);
        self.tail.drain(..self.tail.len().saturating_sub(self.tail_cap));
    }

    /// Returns how many bytes went by.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// Returns the text, with a line in place of what was left out; bytes that are no UTF-8 are replaced.
    pub(super) fn text(&self) -> String {
        let kept = (self.head.len() + self.tail.len()) as u64;
        let mut bytes = self.head.clone();
        if self.total > kept {
            let gap = format!("\n[{} bytes left out]\n", self.total - kept);
            bytes.extend_from_slice(gap.as_bytes());
        }
        bytes.extend(&self.tail);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_stops_at_its_cap() {
        let mut whole = Whole::new(4);
        assert_eq!(whole.push(b"abc"), Ok(()));
        assert_eq!(whole.push(b"d"), Ok(()));
        assert_eq!(whole.push(b""), Ok(()));
        assert_eq!(whole.push(b"e"), Err(OverCap));
        assert_eq!(whole.bytes, b"abcd");
    }

    #[test]
    fn ends_are_the_same_however_the_stream_is_cut() {
        let stream = b"0123456789";
        for (cap, expected) in [
            (0, "\n[10 bytes left out]\n"),
            (1, "\n[9 bytes left out]\n9"),
            (5, "01\n[5 bytes left out]\n789"),
            (9, "0123\n[1 bytes left out]\n56789"),
            (10, "0123456789"),
            (99, "0123456789"),
        ] {
            for piece in 1..=stream.len() {
                let mut ends = Ends::new(cap);
                stream.chunks(piece).for_each(|bytes| ends.push(bytes));
                assert_eq!(ends.text(), expected, "cap {cap}, pieces of {piece}");
                assert_eq!(ends.total(), 10);
            }
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced() {
        let mut ends = Ends::new(10);
        ends.push(b"a\xffb");
        assert_eq!(ends.text(), "a\u{fffd}b");
    }
}
