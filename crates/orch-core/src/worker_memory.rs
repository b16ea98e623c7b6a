//! The memory of one worker, as it has it in its hands during an attempt.

use async_trait::async_trait;
use thiserror::Error;

use crate::{BoxError, MemoryScope, MemorySlice, ScopeError};

/// The most lessons of one result that are kept.
pub const MAX_LESSONS: usize = 8;
/// The most characters of a lesson.
pub const MAX_LESSON_LENGTH: usize = 400;

/// What a worker may ask and tell memory during an attempt, bound to its scope and to the type of its subtask.
#[async_trait]
pub trait WorkerMemory: Send + Sync + 'static {
    /// Returns what the worker may read that resembles `query`, in at most `max_tokens` tokens.
    ///
    /// # Errors
    /// When the memory cannot be read.
    async fn retrieve(&self, query: &str, max_tokens: u32) -> Result<MemorySlice, BoxError>;

    /// Notes a lesson about subtasks of this type, in words. It is kept when the result of this attempt is accepted, and told in
    /// later slices to this worker and to those who inherit from it.
    ///
    /// # Errors
    /// When the worker's scope forbids it, or the lesson is empty, too long or one too many; nothing is noted then.
    fn learn(&self, lesson: &str) -> Result<(), LessonError>;
}

/// Why a lesson is not kept.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LessonError {
    /// The worker may not learn about such subtasks.
    #[error(transparent)]
    Scope(#[from] ScopeError),
    /// It says nothing.
    #[error("the lesson is empty")]
    Empty,
    /// It is too long: say it shorter.
    #[error("the lesson has {length} characters, and may have {MAX_LESSON_LENGTH}")]
    #[non_exhaustive]
    TooLong {
        /// Its length in characters.
        length: usize,
    },
    /// The result has enough of them.
    #[error("there are more than {MAX_LESSONS} lessons in one result")]
    TooMany,
}

/// Checks whether a worker with `scope` may keep `lesson` about subtasks of type `topic`, after `before` others in the same result.
///
/// # Errors
/// With the first reason why not.
pub fn check_lesson(
    lesson: &str,
    scope: &MemoryScope,
    topic: &str,
    before: usize,
) -> Result<(), LessonError> {
    scope.may_learn(topic)?;
    let length = lesson.chars().count();
    match length {
        _ if lesson.trim().is_empty() => Err(LessonError::Empty),
        _ if length > MAX_LESSON_LENGTH => Err(LessonError::TooLong { length }),
        _ if before >= MAX_LESSONS => Err(LessonError::TooMany),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lesson_says_something_short_about_what_may_be_learned() {
        let scope = MemoryScope::new("ann").with_cannot_learn(vec!["payroll".to_owned()]);
        let long = "x".repeat(MAX_LESSON_LENGTH + 1);
        for (lesson, topic, before, refusal) in [
            ("Look twice", "read", 0, None),
            (&long[1..], "read", MAX_LESSONS - 1, None),
            (
                "Look twice",
                "read",
                MAX_LESSONS,
                Some("there are more than 8 lessons in one result"),
            ),
            (" \n", "read", 0, Some("the lesson is empty")),
            (&long, "read", 0, Some("the lesson has 401 characters, and may have 400")),
            (
                "Look twice",
                "payroll",
                0,
                Some("`ann` may not learn about `payroll`: `cannot_learn` of its scope names it"),
            ),
        ] {
            let answer = check_lesson(lesson, &scope, topic, before);
            assert_eq!(answer.err().map(|error| error.to_string()).as_deref(), refusal);
        }
    }
}
