//! The words of a text, the same for every store.

/// The most words of a text that count.
const MOST: usize = 400;

/// Splits `text` at everything that is no letter or digit and between `aB`, and makes it lower case.
pub(crate) fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut was_lower = false;
    for c in text.chars() {
        if !c.is_alphanumeric() || (c.is_uppercase() && was_lower) {
            take(&mut word, &mut words);
        }
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        }
        was_lower = c.is_lowercase();
        if words.len() == MOST {
            return words;
        }
    }
    take(&mut word, &mut words);
    words
}

fn take(word: &mut String, words: &mut Vec<String>) {
    if !word.is_empty() {
        words.push(std::mem::take(word));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_and_lowered() {
        for (text, expected) in [
            ("Test the API, twice!", "test the api twice"),
            ("parseJson snake_case v2", "parse json snake case v2"),
            ("HTTPServer ÄRGER", "httpserver ärger"),
            (" -- ", ""),
        ] {
            assert_eq!(words(text).join(" "), expected);
        }
        assert_eq!(words(&"a ".repeat(1_000)).len(), MOST);
    }
}
