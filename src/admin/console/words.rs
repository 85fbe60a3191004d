//! The words of a console command.

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// Letters, digits, `_`, `.`, `@` and `-` without quotes.
    Bare(String),
    /// In quotes of any kind.
    Quoted(String),
    /// A sign that stands for itself.
    Sign(char),
}

impl Word {
    /// Is it this keyword?
    pub(super) fn is(&self, keyword: &str) -> bool {
        matches!(self, Self::Bare(word) if word.eq_ignore_ascii_case(keyword))
    }

    /// Its text, quoted or not.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Bare(text) | Self::Quoted(text) => Some(text),
            Self::Sign(_) => None,
        }
    }
}

/// A command without its comments before and the semicolon behind.
pub(super) fn bare(text: &str) -> &str {
    let mut text = text.trim();
    while let Some(rest) = text.strip_prefix("/*") {
        match rest.split_once("*/") {
            Some((_, rest)) => text = rest.trim_start(),
            None => break,
        }
    }
    text.trim_end_matches(|c: char| c == ';' || c.is_whitespace())
}

/// Its words; `None` if a quote does not end.
pub(super) fn words(text: &str) -> Option<Vec<Word>> {
    let mut words = Vec::new();
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter.is_whitespace() {
            continue;
        }
        if matches!(letter, '\'' | '"' | '`') {
            let mut quoted = String::new();
            loop {
                match letters.next()? {
                    '\\' if letter != '`' => quoted.push(letters.next()?),
                    end if end == letter => match letters.next_if_eq(&letter) {
                        Some(doubled) => quoted.push(doubled),
                        None => break,
                    },
                    other => quoted.push(other),
                }
            }
            words.push(Word::Quoted(quoted));
            continue;
        }
        if !is_bare(letter) {
            words.push(Word::Sign(letter));
            continue;
        }
        let mut word = letter.to_string();
        while let Some(next) = letters.next_if(|next| is_bare(*next)) {
            word.push(next);
        }
        words.push(Word::Bare(word));
    }
    Some(words)
}

fn is_bare(letter: char) -> bool {
    letter.is_alphanumeric() || matches!(letter, '_' | '.' | '@' | '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_mysql_would() {
        let bare = |text: &str| Word::Bare(text.to_owned());
        let quoted = |text: &str| Word::Quoted(text.to_owned());
        assert_eq!(
            words("set  Reads= 'wri''t\\'er'").unwrap(),
            [
                bare("set"),
                bare("Reads"),
                Word::Sign('='),
                quoted("wri't'er")
            ]
        );
        assert_eq!(
            words("DRAIN `r-1` \"a`b\" @@x.y").unwrap(),
            [bare("DRAIN"), quoted("r-1"), quoted("a`b"), bare("@@x.y")]
        );
        assert_eq!(words("kill 'x"), None);
        assert_eq!(words(" ").unwrap(), []);
    }

    #[test]
    fn comments_before_and_semicolons_behind_do_not_count() {
        assert_eq!(bare(" /* a */ /* b */ help ; "), "help");
        assert_eq!(bare("/* open"), "/* open");
    }
}
