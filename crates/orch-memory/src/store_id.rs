//! The id of a store.

use std::fmt;
use std::str::FromStr;

/// The id of a store: at least 122 random bits, drawn by the database when the store is made. A copy of a store has the same id.
///
/// As text it has 32 lowercase hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoreId(u128);

/// A text that is no id of a store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the id of a store has 32 lowercase hex digits, unlike `{0}`")]
pub struct StoreIdError(String);

impl StoreId {
    /// The digits of an id as text.
    const DIGITS: usize = 32;
}

impl fmt::Display for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for StoreId {
    type Err = StoreIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_digit = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        // Checked here, since parsing also takes a sign and fewer digits.
        let digits = Some(text).filter(|text| text.len() == Self::DIGITS);
        let digits = digits.filter(|text| text.bytes().all(is_digit));
        let id = digits.and_then(|text| u128::from_str_radix(text, 16).ok());
        // A damaged store may have a text of any length.
        id.map(Self).ok_or_else(|| StoreIdError(text.chars().take(2 * Self::DIGITS).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_written() {
        for id in [StoreId(0), StoreId(0xab), StoreId(u128::MAX)] {
            let text = id.to_string();
            assert_eq!(text.len(), StoreId::DIGITS, "{text}");
            assert_eq!(text.parse(), Ok(id));
        }
    }

    #[test]
    fn other_texts_are_no_ids() {
        let fine = StoreId(0xab).to_string();
        let long = "0".repeat(100_000);
        for text in ["", "ab", &fine[1..], &format!("+{}", &fine[1..]), &fine.to_uppercase(), &long]
        {
            let error = text.parse::<StoreId>().unwrap_err().to_string();
            assert!(error.starts_with("the id of a store") && error.len() < 200, "{error}");
        }
    }
}
