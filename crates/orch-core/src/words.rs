//! Closed sets of words: every enum that stands in JSON as one lower-case word, refused by name when unknown.

use thiserror::Error;

/// A word that is not in a closed set; says which words are and which is nearest.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("unknown {what} `{word}`{}; known: {}", .nearest.map(|n| format!(", did you mean `{n}`?")).unwrap_or_default(), .known.join(", "))]
#[non_exhaustive]
pub struct UnknownWord {
    /// What the word should have named, for example `strategy`.
    pub what: &'static str,
    /// The word as it was given.
    pub word: String,
    /// The known word that it resembles most, if any does.
    pub nearest: Option<&'static str>,
    /// All known words.
    pub known: &'static [&'static str],
}

impl UnknownWord {
    pub(crate) fn new(what: &'static str, word: &str, known: &'static [&'static str]) -> Self {
        Self { what, word: word.to_owned(), nearest: nearest(word, known.iter().copied()), known }
    }
}

/// The most characters that a word may have to resemble another: the comparison is quadratic.
const MAX_COMPARED: usize = 128;

/// Returns the candidate that resembles `word` most, or `None` when none is near (edit distance above a third of the
/// longer word, at least 1). Case does not count; the first of equals wins. Words of more than 128 characters resemble none.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = lower_chars(word)?;
    candidates
        .into_iter()
        .filter_map(|candidate| Some((near_distance(&word, &lower_chars(candidate)?)?, candidate)))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn lower_chars(word: &str) -> Option<Vec<char>> {
    let chars: Vec<char> =
        word.chars().flat_map(char::to_lowercase).take(MAX_COMPARED + 1).collect();
    (chars.len() <= MAX_COMPARED).then_some(chars)
}

/// Returns the distance of two words that are near each other.
fn near_distance(a: &[char], b: &[char]) -> Option<usize> {
    let most = (a.len().max(b.len()) / 3).max(1);
    // The distance is at least the difference in length, which is much cheaper to know.
    let distance = (a.len().abs_diff(b.len()) <= most).then(|| edit_distance(a, b))?;
    (distance <= most).then_some(distance)
}

/// The optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours cost 1 each.
fn edit_distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let swap = usize::from(a[i - 1] != b[j - 1]);
            row[j] = (last[j] + 1).min(row[j - 1] + 1).min(last[j - 1] + swap);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

/// Declares a fieldless enum whose variants stand in JSON, on the command line and in the journal as one word each.
macro_rules! words {
    ($(#[$meta:meta])* pub enum $name:ident as $what:literal { $($(#[$vmeta:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vmeta])* $variant),+ }

        impl $name {
            /// All words, in the order of the variants.
            pub const WORDS: &'static [&'static str] = &[$($word),+];
            /// All variants.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Returns the word of this variant.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = crate::UnknownWord;

            fn from_str(word: &str) -> Result<Self, Self::Err> {
                match word {
                    $($word => Ok(Self::$variant),)+
                    other => Err(crate::UnknownWord::new($what, other, Self::WORDS)),
                }
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(deserializer)?;
                word.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use words;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_word_is_found_or_not() {
        for (word, expected) in [
            ("paralel", Some("parallel")),
            ("Sequential", Some("sequential")),
            ("adaptvie", Some("adaptive")),
            ("banana", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, ["sequential", "parallel", "adaptive"]), expected, "{word}");
        }
    }
}
