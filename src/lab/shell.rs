//! Words for a POSIX shell.

use std::ffi::OsStr;

/// The word as a shell has to be given it to read it unchanged. Words that aren't UTF-8 lose what
/// isn't: no path of a lab is made by us with such bytes.
pub(super) fn quote(word: impl AsRef<OsStr>) -> String {
    let word = word.as_ref().to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "%+,-./:=@_".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.into_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_quoted_words_back_unchanged() {
        for word in [
            "plain",
            "",
            "two words",
            "it's",
            "$HOME",
            "a\nb",
            "\\",
            "~",
            "#x",
            "*",
        ] {
            let script = format!("printf %s {}", quote(word));
            let output = std::process::Command::new("sh")
                .args(["-c", &script])
                .output()
                .unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), word);
        }
    }
}
