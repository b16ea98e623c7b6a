//! The table, in Markdown.

use super::row::Measured;

/// The head, below a line on the machine.
pub(super) fn head(machine: &str) -> String {
    format!(
        "{machine} at the start. Per subtask; `ratio` is engine / floor (smallest to largest of the rounds).\n\n\
         | store | shape | N | us | floor us | ratio | allocations | allocated KiB | written KiB | floor written KiB | peak KiB |\n\
         |---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n"
    )
}

/// One row.
pub(super) fn line(measured: &Measured) -> String {
    let (store, shape, n) = measured.row.name();
    let (least, most) = measured.ratios;
    let kib = |bytes: f64| bytes / 1024.0;
    format!(
        "| {store} | {shape} | {n} | {:.1} | {:.1} | {} ({} to {}) | {:.0} | {:.1} | {:.2} | {:.2} | {:.2} |\n",
        measured.us,
        measured.floor_us,
        short(measured.ratio),
        short(least),
        short(most),
        measured.allocations,
        kib(measured.allocated_bytes),
        kib(measured.written_bytes),
        kib(measured.floor_written_bytes),
        measured.peak_kib,
    )
}

/// Two digits or so: ratios go from a hundredth to a hundred.
fn short(ratio: f64) -> String {
    if ratio < 1.0 { format!("{ratio:.2}") } else { format!("{ratio:.1}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_keep_their_first_digits() {
        assert_eq!([0.034, 0.96, 1.04, 69.42].map(short), ["0.03", "0.96", "1.0", "69.4"]);
    }
}
