//! What a configuration says, key by key: to be shown, and to be compared with another one.

use toml::de::DeValue;

use super::schema::{Key, Kind, Presence, SECTIONS};
use super::table::{Document, Table};

/// How a secret is shown.
const HIDDEN: &str = "***";

/// Every key with the value that holds, also where that is the default. Secrets are not in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written(Vec<Entry>);

/// One key.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    /// Its section; with the name of its table, where there are several.
    table: String,
    name: &'static str,
    value: String,
    reload: bool,
}

impl Entry {
    fn path(&self) -> String {
        format!("{}.{}", self.table, self.name)
    }
}

impl Written {
    pub(super) fn of(document: &Document<'_>) -> Self {
        let mut entries = Vec::new();
        for section in SECTIONS {
            if section.list {
                for table in document.tables(section) {
                    let named = section.keys.iter().find(|key| key.name == "name");
                    let name = named.and_then(|key| table.literal(key));
                    let name = name.and_then(|it| it.as_str()).unwrap_or("?");
                    add(
                        &mut entries,
                        &format!("{}[{name}]", section.name),
                        &table,
                        section.keys,
                    );
                }
            } else {
                let table = document.table(section);
                let needs_table = |key: &&Key| matches!(key.presence, Presence::Required(_));
                if table.is_present() || !section.keys.iter().copied().any(|key| needs_table(&key))
                {
                    add(&mut entries, section.name, &table, section.keys);
                }
            }
        }
        Self(entries)
    }

    /// Key and value of each, in the order of the documentation.
    pub fn pairs(&self) -> Vec<(String, String)> {
        let pair = |entry: &Entry| (entry.path(), entry.value.clone());
        self.0.iter().map(pair).collect()
    }

    /// The keys that another configuration gives another value and that hold from the start to the
    /// end of the process. Of tables of which there are several, those that are in both.
    pub fn stuck(&self, wanted: &Self) -> Vec<String> {
        let has_table = |written: &Self, table: &str| {
            let mut entries = written.0.iter();
            !table.ends_with(']') || entries.any(|entry| entry.table == table)
        };
        let value = |written: &Self, of: &Entry| {
            let mut entries = written.0.iter();
            let same = entries.find(|it| it.table == of.table && it.name == of.name);
            same.map(|it| it.value.clone())
        };
        let both =
            |entry: &&Entry| has_table(self, &entry.table) && has_table(wanted, &entry.table);
        let mut stuck: Vec<String> = Vec::new();
        for entry in self.0.iter().chain(&wanted.0).filter(both) {
            let differs = value(self, entry) != value(wanted, entry);
            if differs && !entry.reload && !stuck.contains(&entry.path()) {
                stuck.push(entry.path());
            }
        }
        stuck.sort_unstable();
        stuck
    }
}

fn add(entries: &mut Vec<Entry>, path: &str, table: &Table<'_>, keys: &[&'static Key]) {
    for key in keys {
        let written = table.literal(key).map(|value| rendered(value));
        let default = || match key.presence {
            Presence::Default(literal) => DeValue::parse(literal)
                .ok()
                .map(|value| rendered(value.get_ref())),
            Presence::Required(_) | Presence::Optional { .. } => None,
        };
        let Some(value) = written.or_else(default) else {
            continue;
        };
        let is_secret = matches!(key.kind, Kind::Secret);
        entries.push(Entry {
            table: path.to_owned(),
            name: key.name,
            value: if is_secret { HIDDEN.to_owned() } else { value },
            reload: key.reload,
        });
    }
}

fn rendered(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => text.clone().into_owned(),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Array(values) => {
            let values: Vec<_> = values
                .iter()
                .map(|value| rendered(value.get_ref()))
                .collect();
            values.join(", ")
        }
        other => format!("{other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, parse_with};

    fn config(listen: &str, rest: &str) -> Config {
        let text = format!(
            "[listen]\naddress = \"127.0.0.1:3307\"\n{listen}\n[monitor]\nuser = \"m\"\n\
             password = \"hunter2\"\n[[backend]]\nname = \"w1\"\naddress = \"127.0.0.1:1\"\n\
             role = \"writer\"\n{rest}\n"
        );
        let (config, _) = parse_with(&text, "t.toml", &|_| None).expect("no fault");
        config
    }

    #[test]
    fn p10_every_value_is_shown_but_for_secrets() {
        let pairs = config("", "").written.pairs();
        let value = |key: &str| {
            let pair = pairs.iter().find(|(found, _)| found == key);
            pair.map(|(_, value)| value.as_str())
        };
        assert_eq!(value("monitor.password"), Some("***"));
        assert_eq!(value("monitor.interval"), Some("100ms"));
        assert_eq!(value("backend[w1].role"), Some("writer"));
        assert_eq!(value("http.address"), None, "there is no such table");
        assert!(!format!("{pairs:?}").contains("hunter2"));
    }

    #[test]
    fn what_holds_until_the_end_of_the_process_is_named_where_it_differs() {
        let before = config("", "").written;
        assert_eq!(before.stuck(&before), [""; 0]);
        // A default that is written out is no change.
        assert_eq!(
            before.stuck(&config("", "[log]\nformat = \"text\"").written),
            [""; 0]
        );
        let after = config(
            "proxy_id = 7",
            "[log]\nformat = \"json\"\nfilter = \"warn\"",
        );
        assert_eq!(
            before.stuck(&after.written),
            ["listen.proxy_id", "log.format"]
        );
        assert_eq!(
            after.written.stuck(&before),
            ["listen.proxy_id", "log.format"]
        );
        // A backend that comes has no value before.
        let more = config(
            "",
            "[[backend]]\nname = \"r1\"\naddress = \"127.0.0.1:2\"\nrole = \"reader\"",
        );
        assert_eq!(before.stuck(&more.written), [""; 0]);
    }
}
