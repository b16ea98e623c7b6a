//! What a worker has learned, in its own words.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The most lessons of a worker at a type of subtask that are kept.
const KEPT: usize = 20;

/// Lessons with the time when they were last learned: the newest 20.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Lessons(BTreeMap<String, Timestamp>);

impl Lessons {
    /// Adds a lesson; one that is known counts as learned again.
    pub fn record(&mut self, at: Timestamp, lesson: &str) {
        self.note(at, lesson);
        self.prune();
    }

    /// Adds everything that `other` has.
    pub fn merge(&mut self, other: &Self) {
        for (lesson, at) in &other.0 {
            self.note(*at, lesson);
        }
        self.prune();
    }

    /// Tells whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the lessons, the newest first.
    pub fn newest_first(&self) -> Vec<&str> {
        let mut lessons: Vec<(&String, &Timestamp)> = self.0.iter().collect();
        lessons.sort_by_key(|(lesson, at)| Reverse((*at, *lesson)));
        lessons.into_iter().map(|(lesson, _)| lesson.as_str()).collect()
    }

    fn note(&mut self, at: Timestamp, lesson: &str) {
        match self.0.get_mut(lesson) {
            Some(known) => *known = at.max(*known),
            None => drop(self.0.insert(lesson.to_owned(), at)),
        }
    }

    /// Lets go of all but the newest; of two at the same time the greater text stays, so that the order of merging cannot be seen.
    fn prune(&mut self) {
        let old: Vec<String> =
            self.newest_first().into_iter().skip(KEPT).map(str::to_owned).collect();
        for lesson in old {
            self.0.remove(&lesson);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lessons(said: &[(i64, u8)]) -> Lessons {
        let mut lessons = Lessons::default();
        for (at, text) in said {
            lessons.record(Timestamp::from_second(*at).unwrap(), &format!("lesson {text}"));
        }
        lessons
    }

    #[test]
    fn the_newest_are_kept_and_each_once() {
        let said: Vec<(i64, u8)> = (0..30).map(|number| (i64::from(number), number)).collect();
        let mut kept = lessons(&said);
        let newest = kept.newest_first();
        assert_eq!((newest.len(), newest[0], newest[19]), (20, "lesson 29", "lesson 10"));
        kept.merge(&lessons(&[(31, 15)]));
        assert_eq!((kept.newest_first().len(), kept.newest_first()[0]), (20, "lesson 15"));
    }

    proptest! {
        /// Any order of recording and merging keeps the same.
        #[test]
        fn merging_is_associative_and_commutative(
            said in prop::collection::vec((0..40_i64, 0..60_u8), 0..90), cut in 0..90_usize,
        ) {
            let (head, tail) = said.split_at(cut.min(said.len()));
            let (mut one, mut other) = (lessons(head), lessons(tail));
            one.merge(&lessons(tail));
            other.merge(&lessons(head));
            prop_assert_eq!(&one, &other);
            prop_assert_eq!(one, lessons(&said));
        }
    }
}
