//! How long a line may be where it is read.

use std::os::fd::AsFd;

use terminal_size::{Width, terminal_size_of};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// How many columns of a terminal a line may take. Wide characters take two, combining ones none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Columns(usize);

impl Columns {
    /// Asks the terminal that is behind `out`; `otherwise` when there is none, or when it does not know.
    pub(crate) fn new(out: impl AsFd, otherwise: usize) -> Self {
        match terminal_size_of(out) {
            Some((Width(columns), _)) if columns > 0 => Self(columns.into()),
            Some(_) | None => Self(otherwise),
        }
    }

    /// Cuts what is too long off a line, and puts an ellipsis in its place.
    pub(crate) fn cut(self, line: &str) -> String {
        if line.width() <= self.0 {
            return line.to_owned();
        }
        let mut room = self.0.saturating_sub(1);
        let head = line.chars().take_while(|c| {
            let width = c.width().unwrap_or(0);
            let fits = width <= room;
            room = room.saturating_sub(width);
            fits
        });
        head.chain(['…']).collect()
    }
}

/// Fills a text up with blanks, to `width` columns.
pub(crate) fn padded(text: &str, width: usize) -> String {
    let blanks = width.saturating_sub(text.width());
    format!("{text}{}", " ".repeat(blanks))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_where_the_terminal_ends() {
        for (line, columns, cut) in [
            ("short", 5, "short"),
            ("too long", 5, "too …"),
            ("日本語", 6, "日本語"),
            ("日本語", 5, "日本…"),
            ("日本語", 4, "日…"),
            ("e\u{301}e\u{301}e\u{301}", 2, "e\u{301}…"),
            ("ab", 1, "…"),
            ("", 0, ""),
        ] {
            assert_eq!(Columns(columns).cut(line), cut, "{line:?} in {columns}");
        }
    }

    #[test]
    fn a_table_stands_straight_whatever_the_script() {
        assert_eq!(padded("日本", 6), "日本  ");
        assert_eq!(padded("abc", 2), "abc");
    }

    #[test]
    fn a_file_has_no_width_of_its_own() {
        let file = tempfile::tempfile().unwrap();
        assert_eq!(Columns::new(&file, 7), Columns(7));
    }
}
