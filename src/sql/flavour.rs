//! Whose server it is.

/// Whose server it is, as its version tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flavour {
    /// MySQL, and what is made from it.
    #[default]
    MySql,
    /// MariaDB.
    MariaDb,
}

impl Flavour {
    /// From the version in a server's handshake, or from what its `VERSION()` says: MariaDB's has
    /// its name in it (MariaDB documentation, "Connection").
    pub fn of(version: &str) -> Self {
        match version.contains("MariaDB") {
            true => Self::MariaDb,
            false => Self::MySql,
        }
    }
}

/// A value for each flavour, for what is said before it is known who listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForEach<T> {
    mysql: T,
    mariadb: T,
}

impl<T> ForEach<T> {
    /// What `make` makes for each.
    pub fn new(make: impl Fn(Flavour) -> T) -> Self {
        Self {
            mysql: make(Flavour::MySql),
            mariadb: make(Flavour::MariaDb),
        }
    }

    /// That of one flavour.
    pub fn of(&self, flavour: Flavour) -> &T {
        match flavour {
            Flavour::MySql => &self.mysql,
            Flavour::MariaDb => &self.mariadb,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_tells_whose_it_is() {
        for (version, flavour) in [
            ("9.7.4-2", Flavour::MySql),
            ("8.0.36-0ubuntu0.22.04.1", Flavour::MySql),
            ("5.5.5-10.11.19-MariaDB-0+deb12u1", Flavour::MariaDb),
            ("11.8.2-MariaDB", Flavour::MariaDb),
        ] {
            assert_eq!(Flavour::of(version), flavour, "{version}");
        }
    }
}
