//! Which system this is, as os-release(5) and apt's files tell it.

use std::path::{Path, PathBuf};
use std::{env, fs};

use super::sources::{self, Source};
use crate::lab::Error;

/// The system's release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Release {
    /// `bookworm`, `noble`.
    pub(super) codename: String,
    /// Ubuntu or a system made from it, rather than Debian or a system made from that.
    pub(super) is_ubuntu: bool,
}

impl Release {
    /// Reads the text of /etc/os-release; None if it is of another family.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let value = |key: &str| {
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
            Some(line.trim().trim_matches(['"', '\'']).to_owned())
        };
        let mut family = vec![value("ID")?];
        let like = value("ID_LIKE").unwrap_or_default();
        family.extend(like.split_whitespace().map(str::to_owned));
        let is = |name: &str| family.iter().any(|word| word == name);
        if is("ubuntu") {
            let codename = value("UBUNTU_CODENAME").or_else(|| value("VERSION_CODENAME"))?;
            return Some(Self {
                codename,
                is_ubuntu: true,
            });
        }
        // Debian's rolling suites have no codename here; their sources name the suite itself.
        let codename = value("DEBIAN_CODENAME").or_else(|| value("VERSION_CODENAME"));
        let codename = codename.unwrap_or_else(|| "sid".to_owned());
        is("debian").then_some(Self {
            codename,
            is_ubuntu: false,
        })
    }
}

/// How Debian's architecture of this machine names its folder of libraries and its loader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Architecture {
    /// The folder below `lib`.
    pub(super) triplet: &'static str,
    /// The file name of the dynamic loader.
    pub(super) loader: &'static str,
}

impl Architecture {
    /// This machine's, if Debian builds MySQL for it and the lab knows it.
    pub(super) fn here() -> Option<Self> {
        match env::consts::ARCH {
            "x86_64" => Some(Self {
                triplet: "x86_64-linux-gnu",
                loader: "ld-linux-x86-64.so.2",
            }),
            "aarch64" => Some(Self {
                triplet: "aarch64-linux-gnu",
                loader: "ld-linux-aarch64.so.1",
            }),
            _ => None,
        }
    }
}

/// The stanzas of a sources file that offers MySQL, made from the system's own sources.
pub(super) fn mysql_sources() -> Result<String, Error> {
    sources_of(Some("sid"))
}

/// The same for what the system's own release has, MariaDB among it.
pub(super) fn own_sources() -> Result<String, Error> {
    sources_of(None)
}

/// `suite`: which of Debian's, if not the system's own.
fn sources_of(suite: Option<&str>) -> Result<String, Error> {
    let because = |why: &str| Error::Fetch {
        why: why.to_owned(),
    };
    let text = fs::read_to_string("/etc/os-release")
        .or_else(|_| fs::read_to_string("/usr/lib/os-release"))
        .unwrap_or_default();
    let release = Release::parse(&text)
        .ok_or_else(|| because("this system is not of the Debian family, and only apt is known"))?;
    let known = system_sources(Path::new("/etc/apt"));
    let keyring = if release.is_ubuntu {
        None
    } else {
        debian_keyring()
    };
    let chosen = sources::choose(&release, suite, &known, keyring.as_deref());
    if chosen.is_empty() {
        return Err(because(&format!(
            "apt's sources under /etc/apt name no archive of {} with the component main",
            release.codename,
        )));
    }
    Ok(chosen.iter().map(Source::stanza).collect())
}

fn system_sources(apt: &Path) -> Vec<Source> {
    let read = |path: &Path| fs::read_to_string(path).unwrap_or_default();
    let mut known = sources::parse_lines(&read(&apt.join("sources.list")));
    let mut files: Vec<PathBuf> = fs::read_dir(apt.join("sources.list.d"))
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    files.sort();
    for file in files {
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("list") => known.extend(sources::parse_lines(&read(&file))),
            Some("sources") => known.extend(sources::parse_stanzas(&read(&file))),
            _ => {}
        }
    }
    known
}

/// The keyring of all of Debian's archives: sid is signed with the newest keys.
fn debian_keyring() -> Option<String> {
    let names = ["debian-archive-keyring.pgp", "debian-archive-keyring.gpg"];
    let paths = names.map(|name| format!("/usr/share/keyrings/{name}"));
    paths.into_iter().find(|path| Path::new(path).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_is_read_from_what_each_system_writes() {
        let debian = "PRETTY_NAME=\"Debian GNU/Linux 12\"\nVERSION_CODENAME=bookworm\nID=debian\n";
        let ubuntu = "ID=ubuntu\nID_LIKE=debian\nVERSION_CODENAME=noble\nUBUNTU_CODENAME=noble\n";
        let mint = "ID=linuxmint\nID_LIKE=\"ubuntu debian\"\nVERSION_CODENAME=wilma\n\
                    UBUNTU_CODENAME=noble\n";
        let lmde =
            "ID=linuxmint\nID_LIKE=debian\nVERSION_CODENAME=faye\nDEBIAN_CODENAME=bookworm\n";
        let sid = "ID=debian\n";
        let table = [
            (debian, Some(("bookworm", false))),
            (ubuntu, Some(("noble", true))),
            (mint, Some(("noble", true))),
            (lmde, Some(("bookworm", false))),
            (sid, Some(("sid", false))),
            ("ID=\"fedora\"\nVERSION_CODENAME=\"\"\n", None),
            ("", None),
        ];
        for (text, expected) in table {
            let expected = expected.map(|(codename, is_ubuntu): (&str, _)| Release {
                codename: codename.to_owned(),
                is_ubuntu,
            });
            assert_eq!(Release::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn both_formats_are_collected_and_switched_off_files_are_not() {
        let apt = tempfile::tempdir().unwrap();
        let parts = apt.path().join("sources.list.d");
        fs::create_dir(&parts).unwrap();
        fs::write(
            apt.path().join("sources.list"),
            "deb http://a.example/debian x main\n",
        )
        .unwrap();
        fs::write(parts.join("b.list"), "deb http://b.example x main\n").unwrap();
        fs::write(
            parts.join("c.sources"),
            "Types: deb\nURIs: http://c.example\nSuites: x\n",
        )
        .unwrap();
        fs::write(
            parts.join("d.list.disabled"),
            "deb http://d.example x main\n",
        )
        .unwrap();
        let known = system_sources(apt.path());
        let uris: Vec<_> = known.iter().map(|source| source.uri.as_str()).collect();
        assert_eq!(
            uris,
            [
                "http://a.example/debian",
                "http://b.example",
                "http://c.example"
            ]
        );
    }
}
