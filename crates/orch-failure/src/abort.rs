//! When a run should end early.

use std::num::NonZeroU32;

use orch_core::FailureEvent;

/// When so much has failed for good that the run should end. Only final failures count: subtasks that will not be tried
/// again. Off by default: a run goes on with what can still be done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AbortRule {
    /// Never.
    #[default]
    Never,
    /// As soon as more than this many subtasks have failed.
    MoreThan(u32),
    /// As soon as at least this many subtasks have failed, all of them by the same cause: an expired login, for example,
    /// fails whatever comes after it, too.
    SameCause(NonZeroU32),
}

impl AbortRule {
    /// Tells whether the run should end.
    pub fn applies(self, failures: &[FailureEvent]) -> bool {
        match self {
            Self::Never => false,
            Self::MoreThan(limit) => failures.len() > limit as usize,
            Self::SameCause(least) => {
                failures.len() >= least.get() as usize
                    && failures.windows(2).all(|pair| pair[0].cause == pair[1].cause)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use orch_core::{Cause, Failure};

    use super::*;

    #[track_caller]
    fn check(rule: AbortRule, causes: &[Cause], expected: bool) {
        let failures: Vec<_> = causes
            .iter()
            .map(|cause| {
                let failure = Failure::new(*cause, "it failed");
                FailureEvent::new("a".into(), "w".into(), &failure, jiff::Timestamp::UNIX_EPOCH)
            })
            .collect();
        assert_eq!(rule.applies(&failures), expected, "{rule:?} on {causes:?}");
    }

    #[test]
    fn each_rule_applies_when_it_says() {
        use Cause::{Auth, Crash};
        let same = AbortRule::SameCause(NonZeroU32::new(2).unwrap());

        check(AbortRule::default(), &[Auth; 100], false);
        check(AbortRule::MoreThan(0), &[], false);
        check(AbortRule::MoreThan(0), &[Crash], true);
        check(AbortRule::MoreThan(2), &[Crash, Auth], false);
        check(AbortRule::MoreThan(2), &[Crash, Auth, Crash], true);
        check(same, &[Auth], false);
        check(same, &[Auth, Auth], true);
        check(same, &[Auth, Crash], false);
        check(same, &[Auth, Auth, Crash], false);
    }
}
