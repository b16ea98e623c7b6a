//! What an output lacks because results disagreed.

use orch_core::RunId;

use crate::text;

/// Writes a line per value that was dropped, whole.
pub(crate) fn lines(conflicts: &[String]) -> String {
    conflicts.iter().map(|conflict| format!("  conflict {}\n", text::shown(conflict))).collect()
}

/// Says how many values were dropped and what shows them, also to those who want to hear nothing else; empty when there are none.
pub(crate) fn notice(run: RunId, conflicts: &[String]) -> String {
    let dropped = match conflicts.len() {
        0 => return String::new(),
        1 => "1 value was dropped".to_owned(),
        count => format!("{count} values were dropped"),
    };
    format!("{dropped} where results disagreed; see: orch show {run}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropped_values_are_counted() {
        let run: RunId = "01a22ea9-201f-7941-99c2-6416fffcfb2f".parse().unwrap();
        let conflicts = ["at /x".to_owned(), "at /y".to_owned()];
        assert_eq!(notice(run, &[]), "");
        for (count, expected) in [(1, "1 value was dropped "), (2, "2 values were dropped ")] {
            let notice = notice(run, &conflicts[..count]);
            assert!(notice.starts_with(expected) && notice.ends_with(&run.to_string()), "{notice}");
        }
        assert_eq!(lines(&conflicts), "  conflict at /x\n  conflict at /y\n");
    }
}
