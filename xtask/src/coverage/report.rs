//! The share of lines per crate, and the floors.

use std::{collections::BTreeMap, fmt};

use super::lcov::Lined;

/// More than `percent` of the lines below a path must be run by tests. A file counts for the first floor it fits.
const FLOORS: [Floor; 7] = [
    Floor { path: "crates/orch-core/src/", percent: 90 },
    Floor { path: "crates/orch-supervisor/src/machine", percent: 90 },
    Floor { path: "crates/orch-supervisor/src/pool", percent: 90 },
    Floor { path: "crates/orch-supervisor/src/driver", percent: 90 },
    Floor { path: "crates/orch-supervisor/src/", percent: 85 },
    Floor { path: "crates/orch-mcp/src/", percent: 85 },
    Floor { path: "crates/orch-memory/src/", percent: 85 },
];

#[derive(Clone, Copy)]
struct Floor {
    path: &'static str,
    percent: usize,
}

/// What was measured.
pub(super) struct Report {
    crates: BTreeMap<String, Lined>,
    floors: Vec<(Floor, Lined)>,
}

impl Report {
    /// Sums up the lines of each file, by path from the root.
    pub(super) fn new(files: &BTreeMap<String, Lined>) -> Self {
        let mut crates: BTreeMap<String, Lined> = BTreeMap::new();
        let mut floors = FLOORS.map(|floor| (floor, Lined::default()));
        for (path, lined) in files {
            crates.entry(crate_of(path).to_owned()).or_default().add(*lined);
            if let Some((_, sum)) =
                floors.iter_mut().find(|(floor, _)| path.starts_with(floor.path))
            {
                sum.add(*lined);
            }
        }
        Self { crates, floors: floors.into() }
    }

    /// Whether every floor is exceeded. One without a line is not: its path has gone.
    pub(super) fn holds(&self) -> bool {
        self.floors.iter().all(|(floor, lined)| lined.exceeds(floor.percent))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, lined) in &self.crates {
            writeln!(f, "{name:<40} {lined}")?;
        }
        writeln!(f, "\nfloors, in percent:")?;
        for (Floor { path, percent }, lined) in &self.floors {
            let verdict = if lined.exceeds(*percent) { "ok" } else { "BELOW" };
            writeln!(f, "{path:<40} {lined}  > {percent} {verdict}")?;
        }
        Ok(())
    }
}

impl Lined {
    fn add(&mut self, other: Self) {
        self.run += other.run;
        self.all += other.all;
    }

    fn exceeds(self, percent: usize) -> bool {
        self.run * 100 > percent * self.all
    }
}

impl fmt::Display for Lined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Tenths of a percent, rounded down: 90.0 must not stand for a share that is below it.
        let tenths = (self.run * 1000).checked_div(self.all).unwrap_or(0);
        write!(f, "{:>6} of {:>6} lines {:>3}.{} %", self.run, self.all, tenths / 10, tenths % 10)
    }
}

/// `crates/orch-core` of `crates/orch-core/src/plan.rs`.
fn crate_of(path: &str) -> &str {
    path.split_once("/src/").map_or(path, |(folder, _)| folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The report of a tree in which every floor has 1,000 lines, with these many of each run.
    fn report(run: [usize; 7]) -> Report {
        let paths = ["core/src/a.rs", "supervisor/src/machine/a.rs", "supervisor/src/pool.rs"];
        let more = ["supervisor/src/driver/a.rs", "supervisor/src/shell/a.rs"];
        let others = ["mcp/src/a.rs", "memory/src/a.rs"];
        let paths =
            paths.into_iter().chain(more).chain(others).map(|path| format!("crates/orch-{path}"));
        Report::new(&paths.zip(run.map(|run| Lined { run, all: 1000 })).collect())
    }

    #[test]
    fn floors_must_be_exceeded() {
        assert!(report([901, 901, 901, 901, 851, 851, 851]).holds());
        for index in 0..7 {
            let mut run = [901, 901, 901, 901, 851, 851, 851];
            run[index] -= 1;
            let report = report(run);
            assert!(!report.holds(), "floor {index} was not seen");
            assert_eq!(report.to_string().matches("BELOW").count(), 1);
        }
    }

    #[test]
    fn a_floor_without_lines_does_not_hold() {
        assert!(!Report::new(&BTreeMap::new()).holds());
    }

    #[test]
    fn crates_are_summed_up() {
        let text = report([999, 900, 900, 900, 850, 850, 850]).to_string();
        let line = |name: &str| text.lines().find(|line| line.starts_with(name)).unwrap();
        assert!(line("crates/orch-core ").ends_with("  999 of   1000 lines  99.9 %"), "{text}");
        assert!(
            line("crates/orch-supervisor ").ends_with(" 3550 of   4000 lines  88.7 %"),
            "{text}"
        );
    }
}
