//! Reads apt's lists of sources, in both of its formats (sources.list(5)), and chooses from them
//! where servers come from.

use super::release::Release;

/// One place that apt gets binary packages from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Source {
    /// The archive's address.
    pub(super) uri: String,
    /// Releases and pockets: `bookworm`, `noble-updates`.
    pub(super) suites: Vec<String>,
    /// Sections of the archive: `main`.
    pub(super) components: Vec<String>,
    /// The keyring that vouches for it: a path, or the key's own lines.
    pub(super) signed_by: Option<String>,
}

impl Source {
    /// The source as a stanza of a `.sources` file.
    pub(super) fn stanza(&self) -> String {
        let signed_by = self
            .signed_by
            .as_ref()
            .map(|key| format!("Signed-By: {key}\n"));
        format!(
            "Types: deb\nURIs: {}\nSuites: {}\nComponents: {}\n{}\n",
            self.uri,
            self.suites.join(" "),
            self.components.join(" "),
            signed_by.unwrap_or_default(),
        )
    }

    fn has(&self, component: &str, suite: impl Fn(&str) -> bool) -> bool {
        self.components.iter().any(|c| c == component) && self.suites.iter().any(|s| suite(s))
    }
}

/// The sources that offer servers to a machine of this release: on Debian a suite of the archive
/// that the machine already uses (MySQL needs `sid`: stable releases have no server of it), by
/// default its own; on Ubuntu and its kin the release's own.
pub(super) fn choose(
    release: &Release,
    suite: Option<&str>,
    known: &[Source],
    keyring: Option<&str>,
) -> Vec<Source> {
    let codename = release.codename.as_str();
    if release.is_ubuntu {
        let own = |suite: &str| suite.starts_with(codename);
        let archive = |s: &&Source| s.uri.contains("ubuntu") && s.has("main", own);
        let mut chosen: Vec<_> = known.iter().filter(archive).cloned().collect();
        for source in &mut chosen {
            source.components = vec!["main".to_owned(), "universe".to_owned()];
        }
        return chosen;
    }
    let rolling = ["stable", "testing", "unstable", "sid"];
    let own = |suite: &str| suite == codename || rolling.contains(&suite);
    let archive = |s: &&Source| !s.uri.contains("security") && s.has("main", own);
    let named = |s: &&Source| s.uri.trim_end_matches('/').ends_with("/debian");
    let mut archives = known.iter().filter(archive);
    let found = archives.clone().find(named).or_else(|| archives.next());
    let suite = suite.unwrap_or(codename);
    let chosen = found.map(|source| Source {
        suites: vec![suite.to_owned()],
        components: vec!["main".to_owned()],
        // The system's own entry may name a keyring of one release only.
        signed_by: keyring
            .map(str::to_owned)
            .or_else(|| source.signed_by.clone()),
        ..source.clone()
    });
    chosen.into_iter().collect()
}

/// Reads a `.sources` file: stanzas of `Field: value`, where a value goes on in indented lines.
pub(super) fn parse_stanzas(text: &str) -> Vec<Source> {
    let mut sources = Vec::new();
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in text.lines().chain([""]) {
        if line.starts_with('#') {
            continue;
        }
        if line.trim().is_empty() {
            sources.extend(stanza_sources(&fields));
            fields.clear();
        } else if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = fields.last_mut() {
                value.push('\n');
                value.push_str(line);
            }
        } else if let Some((name, value)) = line.split_once(':') {
            fields.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    sources
}

fn stanza_sources(fields: &[(String, String)]) -> Vec<Source> {
    let field = |name: &str| {
        fields
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    };
    let words = |name: &str| -> Vec<String> {
        field(name)
            .unwrap_or_default()
            .split_whitespace()
            .map(str::to_owned)
            .collect()
    };
    let off = field("enabled").is_some_and(|v| v.eq_ignore_ascii_case("no"));
    if off || !words("types").iter().any(|kind| kind == "deb") {
        return Vec::new();
    }
    let source = |uri: String| Source {
        uri,
        suites: words("suites"),
        components: words("components"),
        signed_by: field("signed-by").map(str::to_owned),
    };
    words("uris").into_iter().map(source).collect()
}

/// Reads a `.list` file: `deb [option=value …] URI suite component …`, one source a line.
pub(super) fn parse_lines(text: &str) -> Vec<Source> {
    text.lines().filter_map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<Source> {
    let line = line.split('#').next()?.trim();
    let rest = line.strip_prefix("deb")?;
    let rest = rest.strip_prefix([' ', '\t'])?.trim_start();
    let (options, rest) = match rest.strip_prefix('[') {
        Some(inner) => inner.split_once(']')?,
        None => ("", rest),
    };
    let signed_by = options
        .split_whitespace()
        .find_map(|o| o.strip_prefix("signed-by="));
    let mut words = rest.split_whitespace().map(str::to_owned);
    let uri = words.next()?;
    let suite = words.next()?;
    Some(Source {
        uri,
        suites: vec![suite],
        components: words.collect(),
        signed_by: signed_by.map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(uri: &str, suites: &str, components: &str, signed_by: Option<&str>) -> Source {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect();
        Source {
            uri: uri.to_owned(),
            suites: words(suites),
            components: words(components),
            signed_by: signed_by.map(str::to_owned),
        }
    }

    fn release(codename: &str, is_ubuntu: bool) -> Release {
        Release {
            codename: codename.to_owned(),
            is_ubuntu,
        }
    }

    #[test]
    fn stanzas_are_read_with_comments_several_addresses_and_inline_keys() {
        let text = "Types: deb deb-src\n# a comment\nURIs: http://a.example/debian http://b.example/d\n\
                    Suites: bookworm bookworm-updates\nComponents: main\nSigned-By: /k/a.gpg\n\n\n\
                    Types: deb-src\nURIs: http://c.example\nSuites: x\nComponents: main\n\n\
                    Enabled: no\nTypes: deb\nURIs: http://d.example\nSuites: x\nComponents: main\n\n\
                    types: deb\nuris: http://e.example\nsuites: x\ncomponents: main\nsigned-by:\n -----BEGIN\n .\n abc";
        let expected = [
            source(
                "http://a.example/debian",
                "bookworm bookworm-updates",
                "main",
                Some("/k/a.gpg"),
            ),
            source(
                "http://b.example/d",
                "bookworm bookworm-updates",
                "main",
                Some("/k/a.gpg"),
            ),
            source(
                "http://e.example",
                "x",
                "main",
                Some("\n -----BEGIN\n .\n abc"),
            ),
        ];
        assert_eq!(parse_stanzas(text), expected);
    }

    #[test]
    fn a_stanza_that_is_written_out_reads_back_as_it_was() {
        for key in [None, Some("/k/a.gpg"), Some("\n -----BEGIN\n .\n abc")] {
            let source = source("http://a.example/debian", "sid", "main contrib", key);
            assert_eq!(parse_stanzas(&source.stanza()), [source]);
        }
    }

    #[test]
    fn one_line_sources_are_read_with_and_without_options() {
        let text = "# deb http://off.example x main\n\
                    deb http://a.example/debian bookworm main contrib # note\n\
                    deb\t[ arch=amd64 signed-by=/k/a.gpg ] http://b.example/ubuntu noble main\n\
                    deb-src http://c.example x main\ndeb\ndeb http://incomplete.example\n";
        let expected = [
            source("http://a.example/debian", "bookworm", "main contrib", None),
            source("http://b.example/ubuntu", "noble", "main", Some("/k/a.gpg")),
        ];
        assert_eq!(parse_lines(text), expected);
    }

    #[test]
    fn debian_takes_sid_from_the_archive_that_the_machine_already_uses() {
        let known = [
            source(
                "http://a.example/debian-security",
                "bookworm-security",
                "main",
                None,
            ),
            source(
                "http://docker.example/linux/debian",
                "bookworm",
                "stable",
                None,
            ),
            source("http://a.example/mirror", "bookworm", "main", None),
            source(
                "http://a.example/debian/",
                "bookworm bookworm-updates",
                "main",
                Some("/one.gpg"),
            ),
        ];
        let chosen = choose(
            &release("bookworm", false),
            Some("sid"),
            &known,
            Some("/all.gpg"),
        );
        assert_eq!(
            chosen,
            [source(
                "http://a.example/debian/",
                "sid",
                "main",
                Some("/all.gpg")
            )]
        );
        let chosen = choose(&release("bookworm", false), Some("sid"), &known, None);
        assert_eq!(
            chosen,
            [source(
                "http://a.example/debian/",
                "sid",
                "main",
                Some("/one.gpg")
            )]
        );
        let chosen = choose(
            &release("bookworm", false),
            Some("sid"),
            known.split_at(3).0,
            None,
        );
        assert_eq!(
            chosen,
            [source("http://a.example/mirror", "sid", "main", None)]
        );
        assert_eq!(
            choose(&release("trixie", false), Some("sid"), &known, None),
            []
        );
        // MariaDB comes from the system's own release.
        let chosen = choose(&release("bookworm", false), None, &known, None);
        assert_eq!(chosen.len(), 1);
        assert_eq!(chosen[0].suites, ["bookworm"]);
    }

    #[test]
    fn ubuntu_takes_its_own_release_and_no_third_party() {
        let known = [
            source(
                "http://a.example/ubuntu",
                "noble noble-updates",
                "main restricted",
                None,
            ),
            source(
                "http://a.example/ubuntu",
                "noble-security",
                "main",
                Some("/k.gpg"),
            ),
            source("http://ppa.example/ppa", "noble", "main", None),
            source(
                "http://docker.example/linux/ubuntu",
                "noble",
                "stable",
                None,
            ),
        ];
        let expected = [
            source(
                "http://a.example/ubuntu",
                "noble noble-updates",
                "main universe",
                None,
            ),
            source(
                "http://a.example/ubuntu",
                "noble-security",
                "main universe",
                Some("/k.gpg"),
            ),
        ];
        assert_eq!(
            choose(
                &release("noble", true),
                Some("sid"),
                &known,
                Some("/all.gpg")
            ),
            expected
        );
    }
}
