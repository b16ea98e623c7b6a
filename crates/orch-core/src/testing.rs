//! The contract suite that every [`Journal`] passes, and sample events. Behind the feature `testing`.
//!
//! [`journal_contract!`](crate::journal_contract) makes one test per rule; the rules are plain async functions in [`rules`],
//! without a runtime of their own. A run that never ends is reported after a minute, so that a lost wake-up fails its test.
//!
//! ```
//! use orch_core::{journal::MemoryJournal, journal_contract, testing::Writers};
//!
//! async fn memory() -> Writers {
//!     let journal = MemoryJournal::new();
//!     let second = journal.second_writer();
//!     Writers::new(journal, second)
//! }
//!
//! journal_contract!(memory, #[tokio::test]);
//! ```

pub mod rules;
mod samples;

use std::any::Any;
use std::fmt;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use futures_util::future::{Either, select};

use crate::{Journal, StopSignal};

pub use samples::{SampleRun, sample_events, sample_plan, time};

/// Two handles on one fresh and empty store, as two processes have them: each sees the other's appends as foreign.
pub struct Writers {
    /// One handle.
    pub first: Arc<dyn Journal>,
    /// The other.
    pub second: Arc<dyn Journal>,
    _guard: Box<dyn Any + Send + Sync>,
}

impl Writers {
    /// Makes a pair of handles.
    pub fn new(first: impl Journal, second: impl Journal) -> Self {
        Self { first: Arc::new(first), second: Arc::new(second), _guard: Box::new(()) }
    }

    /// Keeps `guard` as long as the handles, for example the folder of the store.
    #[must_use]
    pub fn with_guard(mut self, guard: impl Any + Send + Sync) -> Self {
        self._guard = Box::new(guard);
        self
    }

    /// Returns both handles.
    pub fn both(&self) -> [&dyn Journal; 2] {
        [&*self.first, &*self.second]
    }
}

impl fmt::Debug for Writers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Writers")
    }
}

/// Waits for `future`.
///
/// # Panics
/// When it takes longer than a minute of real time.
pub async fn within_a_minute<T>(what: &str, future: impl Future<Output = T>) -> T {
    const LIMIT: Duration = Duration::from_secs(60);
    let alarm = StopSignal::new();
    let (_done, ended) = mpsc::channel::<()>();
    let bell = alarm.clone();
    // No runtime's timer: this module has none, and a test's clock may stand still.
    std::thread::spawn(move || {
        if ended.recv_timeout(LIMIT) == Err(mpsc::RecvTimeoutError::Timeout) {
            bell.stop();
        }
    });
    match select(Box::pin(future), Box::pin(alarm.stopped())).await {
        Either::Left((value, _)) => value,
        Either::Right(_) => panic!("`{what}` has not ended within {LIMIT:?}"),
    }
}

/// Makes one test per rule of the [`Journal`] contract.
///
/// Takes the path of an async function that returns fresh [`Writers`](crate::testing::Writers), or `None` where there is no such
/// store, and the attributes that make an async function a test. The crate that calls it needs the feature `testing` of this one.
#[macro_export]
macro_rules! journal_contract {
    ($make:path, $(#[$attribute:meta])+) => {
        $crate::journal_contract! { @each $make, [$(#[$attribute])+],
            appends_are_loaded_in_order
            conflict_names_the_actual_seq_and_writes_nothing
            other_epochs_are_fenced
            summary_and_counts_are_kept
            request_keys_name_one_run_per_project
            one_held_lock_refuses_the_whole_append
            the_holder_of_a_lock_is_known
            locks_belong_to_their_project
            locks_are_freed_and_retaken_in_one_append
            only_own_locks_are_freed
            locks_are_exclusive_within_a_run_too
            the_end_of_a_run_frees_its_locks
            rows_are_filtered_and_newest_first
            rows_are_limited
            heads_leave_out_unknown_runs
            blobs_round_trip
            unknown_blobs_are_named
            blobs_of_refused_appends_do_no_harm
            every_event_round_trips_exactly
            large_plans_round_trip_exactly
            free_runs_are_acquired_with_growing_epochs
            a_new_run_may_be_owned_at_once
            only_registered_owners_acquire_existing_runs
            living_owners_are_named
            owners_expire_unless_they_register_again
            owners_known_to_be_dead_are_replaced
            release_ends_only_its_own_epoch
            ended_runs_have_no_owner
            processes_are_noted_until_the_run_ends
            foreign_appends_wake_who_waits
            foreign_appends_between_calls_are_not_lost
            foreign_appends_survive_a_dropped_call
            one_of_many_appends_at_one_seq_wins
            appends_to_many_runs_all_land
            one_of_many_takers_of_a_lock_wins
            one_of_many_submits_of_a_request_wins
            one_of_many_acquirers_wins
        }
    };
    (@each $make:path, $attributes:tt, $($rule:ident)+) => {
        $($crate::journal_contract! { @one $make, $attributes, $rule })+
    };
    (@one $make:path, [$(#[$attribute:meta])+], $rule:ident) => {
        $(#[$attribute])+
        async fn $rule() {
            let writers: Option<$crate::testing::Writers> = $make().await.into();
            let Some(writers) = writers else { return };
            let rule = $crate::testing::rules::$rule(&writers);
            $crate::testing::within_a_minute(stringify!($rule), rule).await;
        }
    };
}
