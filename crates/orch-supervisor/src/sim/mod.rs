//! Deterministic simulation of the engine: virtual time, injected faults, laws checked after every step.
//!
//! ```text
//! Case (seed, size, faults) --> Scenario --> World: processes (drivers), attempts, pull workers, a failing journal
//!                                              |  every commit and every output
//!                                              v
//!                                            laws --> Violation
//! ```
//!
//! [`simulate`] plays one [`Case`]; everything in it follows from the three numbers, so that a violation is reproduced by
//! `cargo xtask sim --seed S --size N --faults F --trace`. [`Law`] lists what must hold.

mod attempts;
mod book;
mod clients;
mod commits;
mod counters;
mod dice;
mod journal;
mod laws;
mod outputs;
mod parts;
mod processes;
mod replies;
mod scenario;
mod storage;
#[cfg(test)]
mod tests;
mod violation;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use orch_core::Digest;

pub use counters::Counters;
pub use journal::{Fate, SharedSimJournal, SimJournal};
#[cfg(test)]
pub(crate) use parts::{policies_of_defaults, worker_of};
pub use violation::{Law, Violation};

use world::World;

/// The most faults that a case may ask for.
pub const MAX_FAULTS: u32 = 10;
/// The most subtasks that a case may ask for, replicas apart.
pub const MAX_SIZE: u32 = 12;

/// One simulated history: the same numbers give the same history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Case {
    /// Where all draws come from.
    pub seed: u64,
    /// The most subtasks of a plan, 1 to [`MAX_SIZE`].
    pub size: u32,
    /// How much goes wrong, 0 (nothing) to [`MAX_FAULTS`].
    pub faults: u32,
}

impl Case {
    /// Makes the case that a run over many cases plays as number `seed`.
    pub fn numbered(seed: u64) -> Self {
        let size = 1 + u32::try_from(seed % u64::from(MAX_SIZE)).unwrap_or(0);
        let faults = u32::try_from(seed / 7 % u64::from(MAX_FAULTS + 1)).unwrap_or(0);
        Self { seed, size, faults }
    }
}

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "--seed {} --size {} --faults {}", self.seed, self.size, self.faults)
    }
}

/// What became of a case.
#[derive(Debug)]
pub struct Played {
    /// The first law that did not hold.
    pub violation: Option<Violation>,
    /// How often what happened.
    pub counters: Counters,
    /// The digest of everything in the journal: equal for equal histories.
    pub digest: Digest,
    /// What happened, a line each; empty unless asked for.
    pub trace: Vec<String>,
}

/// Plays one case to its end or to the first violation. A panic of the engine is a violation too.
pub fn simulate(case: Case, trace: bool) -> Played {
    let mut world = World::new(case, trace);
    let played = catch_unwind(AssertUnwindSafe(|| world.play()));
    let violation = match played {
        Ok(Ok(())) => None,
        Ok(Err(violation)) => Some(violation),
        Err(panic) => Some(Violation::of_panic(&*panic)),
    };
    let digest = world.digest();
    let (counters, trace) = world.into_records();
    Played { violation, counters, digest, trace }
}
