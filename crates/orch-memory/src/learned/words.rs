//! The words of a text, the same for every store.

use unicode_normalization::UnicodeNormalization;

/// The most words of a text that count.
const MOST: usize = 400;

/// Splits `text` at everything that is no letter or digit and between `aB`, and makes it lower case, however its letters are
/// composed (NFKC). In scripts without spaces between words each two letters side by side are taken for a word.
pub(crate) fn words(text: &str) -> Vec<String> {
    // Most texts are ASCII, and hundreds are looked at for each task.
    if text.is_ascii() { split(text.chars()) } else { split(text.nfkc()) }
}

fn split(text: impl Iterator<Item = char>) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut was_lower = false;
    for c in text {
        if !c.is_alphanumeric() || (c.is_uppercase() && was_lower) {
            take(&mut word, &mut words);
        }
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        }
        was_lower = c.is_lowercase();
        if words.len() >= MOST {
            break;
        }
    }
    take(&mut word, &mut words);
    words.truncate(MOST);
    words
}

fn take(word: &mut String, words: &mut Vec<String>) {
    let word = std::mem::take(word);
    if word.is_ascii() {
        words.extend(Some(word).filter(|word| !word.is_empty()));
        return;
    }
    let letters: Vec<char> = word.chars().collect();
    for run in letters.chunk_by(|a, b| is_unspaced(*a) == is_unspaced(*b)) {
        match run {
            [first, _, ..] if is_unspaced(*first) => {
                words.extend(run.windows(2).map(|pair| pair.iter().collect::<String>()));
            }
            run => words.push(run.iter().collect()),
        }
    }
}

/// Tells whether a letter is of a script that puts no spaces between words: Thai, Lao, Burmese, Khmer, Japanese, Chinese.
fn is_unspaced(c: char) -> bool {
    matches!(
        u32::from(c),
        0x0E00..=0x0EFF | 0x1000..=0x109F | 0x1780..=0x17FF | 0x3040..=0x30FF | 0x3400..=0x4DBF
            | 0x4E00..=0x9FFF | 0xF900..=0xFAFF | 0x2_0000..=0x3_FFFF
    )
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
            ("cafe\u{301} caf\u{e9}s ﬁle", "café cafés file"),
            ("检查支付服务", "检查 查支 支付 付服 服务"),
            ("测API试 茶", "测 api 试 茶"),
        ] {
            assert_eq!(words(text).join(" "), expected);
        }
        assert_eq!(words(&"a ".repeat(1_000)).len(), MOST);
        assert_eq!(words(&"检".repeat(1_000)).len(), MOST);
    }
}
