//! A parsed TOML document as the schema sees it: sections and their keys, nothing else.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::{Faults, Located, Place};
use super::schema::{Key, Presence, SECTIONS, Section};
use super::value::{self, Mistake, Reader};

/// The whole document. Opening it reports what is in it and in no schema.
#[derive(Debug)]
pub(super) struct Document<'d> {
    root: &'d DeTable<'d>,
}

/// One section of the document, or one element of a list of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table<'d> {
    section: &'static Section,
    /// `None`: the document does not have it.
    entries: Option<&'d DeTable<'d>>,
    /// Where its header is.
    offset: usize,
}

impl<'d> Document<'d> {
    pub(super) fn open(root: &'d DeTable<'d>, faults: &mut Faults<'_>) -> Self {
        for (name, value) in root {
            match SECTIONS
                .iter()
                .find(|section| section.name == name.get_ref().as_ref())
            {
                Some(section) => check_shape(section, value, name.span().start, faults),
                None => unknown_section(name.get_ref(), name.span().start, value.get_ref(), faults),
            }
        }
        Self { root }
    }

    /// The table `[section]`; an empty one if the document has none.
    pub(super) fn table(&self, section: &'static Section) -> Table<'d> {
        let value = self.root.get(section.name);
        Table {
            section,
            entries: value.and_then(|value| value.get_ref().as_table()),
            offset: value.map_or(0, |value| value.span().start),
        }
    }

    /// The tables `[[section]]`, in the document's order.
    pub(super) fn tables(&self, section: &'static Section) -> Vec<Table<'d>> {
        let array = self
            .root
            .get(section.name)
            .and_then(|value| value.get_ref().as_array());
        let tables = array
            .into_iter()
            .flat_map(|array| array.iter())
            .map(|element| Table {
                section,
                entries: element.get_ref().as_table(),
                offset: element.span().start,
            });
        tables.filter(Table::is_present).collect()
    }
}

impl<'d> Table<'d> {
    pub(super) fn is_present(&self) -> bool {
        self.entries.is_some()
    }

    /// Whether the document has the key, well or badly written.
    pub(super) fn has(&self, key: &Key) -> bool {
        self.entry(key).is_some()
    }

    /// Where the key is, or where it would have to be.
    pub(super) fn place(&self, key: &Key) -> Place {
        let offset = self
            .entry(key)
            .map_or(self.offset, |value| value.span().start);
        Place {
            key: key.path(),
            offset,
        }
    }

    /// Where the table is.
    pub(super) fn header(&self) -> Place {
        Place {
            key: self.section.name.to_owned(),
            offset: self.offset,
        }
    }

    /// The key's value or its default. `None` for an optional key that is not there, and after a
    /// fault.
    pub(super) fn read<T>(
        &self,
        key: &'static Key,
        reader: Reader<T>,
        faults: &mut Faults<'_>,
    ) -> Option<Located<T>> {
        let place = self.place(key);
        let read = match (self.entry(key), &key.presence) {
            (Some(value), _) => reader(value.get_ref(), key.kind),
            (None, Presence::Default(literal)) => read_literal(literal, key, reader),
            (None, Presence::Required(example)) => Err(missing(key, example)),
            (None, Presence::Optional { .. }) => return None,
        };
        match read {
            Ok(value) => Some(Located { value, place }),
            Err(Mistake { wrong, right }) => {
                faults.fault(&place, wrong, right);
                None
            }
        }
    }

    /// The key's values, where it takes one or an array of them; each bad one is a fault.
    pub(super) fn read_list<T>(
        &self,
        key: &'static Key,
        reader: Reader<T>,
        faults: &mut Faults<'_>,
    ) -> Option<Vec<Located<T>>> {
        let Some(array) = self.entry(key).and_then(|value| value.get_ref().as_array()) else {
            return self.read(key, reader, faults).map(|one| vec![one]);
        };
        if array.is_empty() {
            let example = key.presence.literal();
            faults.fault(
                &self.place(key),
                "is an empty list",
                format!("write at least {example}"),
            );
            return None;
        }
        let mut values = Some(Vec::new());
        for element in array.iter() {
            let place = Place {
                key: key.path(),
                offset: element.span().start,
            };
            match (reader(element.get_ref(), key.kind), &mut values) {
                (Ok(value), Some(values)) => values.push(Located { value, place }),
                (Ok(_), None) => {}
                (Err(Mistake { wrong, right }), _) => {
                    faults.fault(&place, wrong, right);
                    values = None;
                }
            }
        }
        values
    }

    /// The key's value as it stands there.
    pub(super) fn literal(&self, key: &Key) -> Option<&'d DeValue<'d>> {
        self.entry(key).map(Spanned::get_ref)
    }

    fn entry(&self, key: &Key) -> Option<&'d Spanned<DeValue<'d>>> {
        self.entries?.get(key.name)
    }
}

fn read_literal<T>(literal: &str, key: &Key, reader: Reader<T>) -> Result<T, Mistake> {
    let value = DeValue::parse(literal)
        .map_err(|error| Mistake::new(format!("has no usable default: {error}"), "give a value"))?;
    reader(value.get_ref(), key.kind)
}

fn missing(key: &Key, example: &str) -> Mistake {
    Mistake::new(
        "is missing",
        format!("write {} = {example}, for example", key.name),
    )
}

/// A section that the schema knows has to be a table (or a list of them) of keys that it knows.
fn check_shape(
    section: &'static Section,
    value: &Spanned<DeValue<'_>>,
    offset: usize,
    faults: &mut Faults<'_>,
) {
    let place = Place {
        key: section.name.to_owned(),
        offset,
    };
    let write = format!("write the table {}", section.header());
    match (value.get_ref(), section.list) {
        (DeValue::Table(table), false) => check_keys(section, table, faults),
        (DeValue::Array(array), true) => {
            for element in array.iter() {
                match element.get_ref().as_table() {
                    Some(table) => check_keys(section, table, faults),
                    None => {
                        let is = format!("holds {}", value::type_name(element.get_ref()));
                        faults.fault(&place, is, &write);
                    }
                }
            }
        }
        (DeValue::Table(_), true) => {
            faults.fault(&place, "is one table", format!("{write}, once for each"));
        }
        (DeValue::Array(_), false) => {
            faults.fault(&place, "is there as a list", format!("{write}, once"));
        }
        (other, _) => faults.fault(&place, format!("is {}", value::type_name(other)), write),
    }
}

fn check_keys(section: &'static Section, table: &DeTable<'_>, faults: &mut Faults<'_>) {
    for name in table.keys() {
        let text: &str = name.get_ref();
        let names = section.keys.iter().map(|key| key.name);
        if names.clone().any(|known| known == text) {
            continue;
        }
        let right = match (value::nearest(text, names.clone()), home(text)) {
            (Some(near), _) => format!("did you mean {near}?"),
            (None, Some(home)) => format!("it belongs to {}", home.header()),
            (None, None) => {
                format!(
                    "{} takes {}",
                    section.header(),
                    names.collect::<Vec<_>>().join(", ")
                )
            }
        };
        let place = Place {
            key: format!("{}.{}", section.name, shown(text)),
            offset: name.span().start,
        };
        faults.fault(&place, "is not a known key", right);
    }
}

fn unknown_section(name: &str, offset: usize, value: &DeValue<'_>, faults: &mut Faults<'_>) {
    let is_table = value.is_table() || value.is_array();
    let near = value::nearest(name, SECTIONS.iter().map(|section| section.name))
        .and_then(|near| SECTIONS.iter().find(|section| section.name == near));
    let right = match (near, home(name)) {
        (_, Some(home)) if !is_table => format!("it belongs to {}", home.header()),
        (Some(near), _) => format!("did you mean {}?", near.header()),
        (None, _) => {
            let headers: Vec<_> = SECTIONS.iter().map(|section| section.header()).collect();
            format!("the tables are {}", headers.join(", "))
        }
    };
    let wrong = if is_table {
        "is not a known table"
    } else {
        "is not a known key"
    };
    faults.fault(
        &Place {
            key: shown(name),
            offset,
        },
        wrong,
        right,
    );
}

/// The first section that has a key of this name.
fn home(name: &str) -> Option<&'static Section> {
    SECTIONS
        .iter()
        .copied()
        .find(|section| section.keys.iter().any(|key| key.name == name))
}

/// A key as TOML would show it: bare where it can be.
fn shown(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    match !name.is_empty() && name.len() <= 64 && name.chars().all(bare) {
        true => name.to_owned(),
        false => value::quote(name),
    }
}
