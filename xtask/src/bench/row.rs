//! One row of the table: the engine and its floor at the same work.

use serde::Serialize;

use super::build::Programs;
use super::figure::Figure;

/// What a floor that waits for the disk at every subtask is measured with at most; its cost per subtask does not depend
/// on how many there are.
const SLOW_FLOOR: u32 = 1_000;

/// What is measured in a row.
#[derive(Clone, Copy, Serialize)]
pub(super) struct Row {
    subject: &'static str,
    store: &'static str,
    shape: &'static str,
    n: u32,
    rounds: u32,
}

/// Medians over the rounds, per subtask.
#[derive(Serialize)]
pub(super) struct Measured {
    #[serde(flatten)]
    pub(super) row: Row,
    pub(super) us: f64,
    pub(super) floor_us: f64,
    /// The median of the rounds' ratios.
    pub(super) ratio: f64,
    /// The smallest and the largest ratio of a round.
    pub(super) ratios: (f64, f64),
    pub(super) allocations: f64,
    pub(super) allocated_bytes: f64,
    pub(super) written_bytes: f64,
    pub(super) floor_written_bytes: f64,
    pub(super) peak_kib: f64,
}

impl Row {
    /// Returns all rows, in the order in which they are measured and printed.
    pub(super) fn all(quick: bool) -> Vec<Self> {
        let row = |store, shape, n, rounds| Self { subject: "engine", store, shape, n, rounds };
        let mut rows = Vec::new();
        for store in ["memory", "sqlite-normal", "sqlite-full"] {
            for shape in ["fan", "chain"] {
                rows.extend([row(store, shape, 100, 11), row(store, shape, 1_000, 7)]);
                // Thousands of waits for the disk in a row say nothing new.
                if (store, shape) != ("sqlite-full", "chain") {
                    rows.push(row(store, shape, 10_000, 5));
                }
            }
        }
        rows.push(Self { subject: "wired", ..row("memory", "fan", 10_000, 5) });
        rows.push(Self { subject: "wired", ..row("sqlite-full", "fan", 10_000, 5) });
        rows.extend(["memory", "sqlite-normal"].map(|store| row(store, "fan", 100_000, 3)));
        if quick {
            rows.retain(|row| row.n <= 1_000);
            rows.iter_mut().for_each(|row| row.rounds = 3);
        }
        rows
    }

    /// Measures a row.
    pub(super) fn measure(self, programs: &Programs) -> anyhow::Result<Measured> {
        let Self { subject, store, shape, n, rounds } = self;
        let floor_n = if store == "sqlite-full" { n.min(SLOW_FLOOR) } else { n };
        let (mut floors, mut engines) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            floors.push(Figure::measure(&programs.plain, "floor", store, shape, floor_n)?);
            engines.push(Figure::measure(&programs.plain, subject, store, shape, n)?);
        }
        let counted = Figure::measure(&programs.counted, subject, store, shape, n)?;
        Ok(self.medians(floor_n, &floors, &engines, &counted))
    }

    fn medians(
        self,
        floor_n: u32,
        floors: &[Figure],
        engines: &[Figure],
        counted: &Figure,
    ) -> Measured {
        let (n, floor_n) = (f64::from(self.n), f64::from(floor_n));
        let floor = |value: fn(&Figure) -> f64| median(floors.iter().map(value)) / floor_n;
        let engine = |value: fn(&Figure) -> f64| median(engines.iter().map(value)) / n;
        let pairs = floors.iter().zip(engines);
        let ratios: Vec<f64> =
            pairs.map(|(floor, engine)| (engine.seconds / n) / (floor.seconds / floor_n)).collect();
        Measured {
            row: self,
            us: engine(|figure| figure.seconds * 1e6),
            floor_us: floor(|figure| figure.seconds * 1e6),
            ratio: median(ratios.iter().copied()),
            ratios: (
                ratios.iter().copied().fold(f64::INFINITY, f64::min),
                ratios.iter().copied().fold(0.0, f64::max),
            ),
            allocations: counted.allocations.unwrap_or(0.0) / n,
            allocated_bytes: counted.allocated_bytes.unwrap_or(0.0) / n,
            written_bytes: engine(|figure| figure.written_bytes),
            floor_written_bytes: floor(|figure| figure.written_bytes),
            peak_kib: engine(|figure| figure.peak_kib),
        }
    }

    /// Names the row: store, shape and, where they are not the builder's own, the parts.
    pub(super) fn name(&self) -> (String, String, u32) {
        let parts = if self.subject == "wired" { " (parts of `orch`)" } else { "" };
        (self.store.replace('-', " "), format!("{}{parts}", self.shape), self.n)
    }
}

/// The middle value; of an even number the upper of the two in the middle.
fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(seconds: f64) -> Figure {
        Figure {
            seconds,
            peak_kib: 128.0,
            written_bytes: 1_280.0,
            allocations: Some(640.0),
            allocated_bytes: Some(6_400.0),
        }
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), 3.0);
        assert!(median([]).is_nan());
    }

    #[test]
    fn ratios_are_taken_within_a_round_and_per_subtask() {
        let row = Row { subject: "engine", store: "sqlite-full", shape: "fan", n: 64, rounds: 3 };
        let floors = [1.0, 2.0, 4.0].map(figure);
        let engines = [24.0, 32.0, 48.0].map(figure);
        // The floor has had an eighth of the subtasks.
        let measured = row.medians(8, &floors, &engines, &figure(0.0));
        assert_eq!((measured.us, measured.floor_us), (500_000.0, 250_000.0));
        assert_eq!((measured.ratio, measured.ratios), (2.0, (1.5, 3.0)));
        assert_eq!((measured.allocations, measured.allocated_bytes), (10.0, 100.0));
        assert_eq!((measured.written_bytes, measured.peak_kib), (20.0, 2.0));
    }

    #[test]
    fn quick_is_small() {
        assert!(Row::all(true).iter().all(|row| row.n <= 1_000 && row.rounds == 3));
        assert_eq!(Row::all(false).iter().filter(|row| row.n == 100_000).count(), 2);
    }
}
