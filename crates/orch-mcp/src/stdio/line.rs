//! Lines of bounded length.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt as _};

/// The most bytes of a line. A larger one is dropped as it comes in.
pub(super) const MAX_LINE_BYTES: usize = 16 << 20;
/// What the buffer of a large line may keep for the next one.
const KEPT_BYTES: usize = 64 << 10;

/// What was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// A line, without its end.
    Whole(&'a [u8]),
    /// A line of more than [`MAX_LINE_BYTES`], which is gone.
    TooLong,
    /// Nothing comes any more. What came after the last line's end is no line.
    End,
}

/// Reads lines.
pub(super) struct LineReader<R> {
    reader: R,
    line: Vec<u8>,
}

impl<R: AsyncBufRead + Unpin> LineReader<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, line: Vec::new() }
    }

    /// Reads the next line. When this is dropped before it is done, the line is lost.
    pub(super) async fn next(&mut self) -> io::Result<Line<'_>> {
        self.line.clear();
        self.line.shrink_to(KEPT_BYTES);
        let mut is_too_long = false;
        loop {
            let available = self.reader.fill_buf().await?;
            if available.is_empty() {
                return Ok(Line::End);
            }
            let end = available.iter().position(|byte| *byte == b'\n');
            let part = &available[..end.unwrap_or(available.len())];
            is_too_long |= self.line.len() + part.len() > MAX_LINE_BYTES;
            if is_too_long {
                self.line = Vec::new();
            } else {
                self.line.extend_from_slice(part);
            }
            let used = part.len() + usize::from(end.is_some());
            self.reader.consume(used);
            if end.is_some() {
                return Ok(if is_too_long { Line::TooLong } else { Line::Whole(&self.line) });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::BufReader;

    use super::*;

    /// Whatever the pieces in which bytes come in, the lines are these; `None` is one that is too long.
    async fn check(bytes: &[u8], expected: &[Option<&[u8]>]) {
        for piece in [1, 3, 1 << 20] {
            if bytes.len() > 1 << 16 && piece < 1 << 16 {
                continue;
            }
            let mut lines = LineReader::new(BufReader::with_capacity(piece, bytes));
            let mut found = Vec::new();
            loop {
                match lines.next().await.unwrap() {
                    Line::Whole(line) => found.push(Some(line.to_vec())),
                    Line::TooLong => found.push(None),
                    Line::End => break,
                }
            }
            let found: Vec<_> = found.iter().map(Option::as_deref).collect();
            assert!(found == expected, "{} lines in pieces of {piece}", found.len());
        }
    }

    #[tokio::test]
    async fn lines_come_one_by_one() {
        check(b"", &[]).await;
        check(b"no end", &[]).await;
        check(b"a\n\nbc\r\nrest", &[Some(b"a"), Some(b""), Some(b"bc\r")]).await;
    }

    #[tokio::test]
    async fn a_line_that_is_too_long_is_dropped_and_the_next_is_whole() {
        let most = vec![b'x'; MAX_LINE_BYTES];
        check(&[&most[..], b"\na\n"].concat(), &[Some(&most), Some(b"a")]).await;
        check(&[&most[..], b"y\na\n"].concat(), &[None, Some(b"a")]).await;
        check(&[&most[..], &most, &most, b"\na\n"].concat(), &[None, Some(b"a")]).await;
        check(&[&most[..], b"y"].concat(), &[]).await;
    }
}
