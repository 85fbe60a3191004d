//! The algebra of GTID sets against a model without intervals: a plain set of identifiers.

#![expect(
    clippy::unwrap_used,
    reason = "a panic is how a test fails, in its helpers too"
)]

use std::collections::BTreeSet;

use proptest::prelude::*;
use tidegate::gtid::{Set, Uuid};

type Model = BTreeSet<(u8, &'static str, u64)>;

const TAGS: [&str; 3] = ["", "a", "tag_b"];

/// Few sources and small numbers, so that sets overlap, touch and split.
fn model() -> impl Strategy<Value = Model> {
    let gtid = (0u8..3, prop::sample::select(&TAGS[..]), 1u64..40);
    prop::collection::btree_set(gtid, 0..60)
}

fn uuid(source: u8) -> Uuid {
    Uuid::from_bytes([source * 0x55; 16])
}

/// Every identifier written out alone, in the given order.
fn spell<'a>(gtids: impl IntoIterator<Item = &'a (u8, &'static str, u64)>) -> String {
    let parts = gtids.into_iter().map(|(source, tag, number)| {
        let colon = if tag.is_empty() { "" } else { ":" };
        format!("{}{colon}{tag}:{number}", uuid(*source))
    });
    parts.collect::<Vec<_>>().join(", ")
}

fn set(model: &Model) -> Set {
    Set::parse(&spell(model)).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None,
        ..ProptestConfig::default() })]

    #[test]
    fn a_set_holds_what_was_put_in(a in model(), b in model()) {
        prop_assert_eq!(set(&a).contains(&set(&b)), a.is_superset(&b));
        prop_assert_eq!(set(&a) == set(&b), a == b);
        prop_assert_eq!(set(&a).gtid_count(), a.len() as u64);
        prop_assert_eq!(set(&a).is_empty(), a.is_empty());
        let uuids: BTreeSet<Uuid> = a.iter().map(|gtid| uuid(gtid.0)).collect();
        prop_assert_eq!(set(&a).uuids().copied().collect::<Vec<_>>(),
            uuids.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn the_text_comes_back_as_the_same_set_from_any_order(
        gtids in model().prop_map(Vec::from_iter).prop_shuffle(),
    ) {
        let read = Set::parse(&spell(&gtids)).unwrap();
        prop_assert_eq!(&read, &set(&gtids.into_iter().collect()));
        prop_assert_eq!(&Set::parse(&read.to_string()).unwrap(), &read);
    }

    #[test]
    fn a_set_reaches_another_if_it_ends_no_sooner_in_each_source(a in model(), b in model()) {
        let last = |model: &Model, source: u8, tag: &str| {
            let of = model.iter().filter(|it| (it.0, it.1) == (source, tag));
            of.map(|it| it.2).max()
        };
        let all = b.iter().all(|it| last(&a, it.0, it.1) >= last(&b, it.0, it.1));
        prop_assert_eq!(set(&a).reaches(&set(&b)), all);
    }

    #[test]
    fn union_and_difference_are_those_of_the_model(a in model(), b in model()) {
        let mut both = set(&a);
        both.union(&set(&b));
        prop_assert_eq!(&both, &set(&a.union(&b).copied().collect()));
        prop_assert!(both.contains(&set(&a)) && both.contains(&set(&b)));

        let mut rest = set(&a);
        rest.subtract(&set(&b));
        prop_assert_eq!(rest, set(&a.difference(&b).copied().collect()));
    }

    #[test]
    fn neighbours_merge_into_one_interval(a in model()) {
        let apart = a.iter().filter(|(source, tag, number)| {
            !a.contains(&(*source, *tag, number - 1))
        });
        prop_assert_eq!(set(&a).interval_count(), apart.count());
    }

    #[test]
    fn only_the_uuids_that_are_kept_remain(a in model(), keep in 0u8..3) {
        let mut kept = set(&a);
        kept.retain_uuids(|it| *it == uuid(keep));
        prop_assert_eq!(kept, set(&a.into_iter().filter(|gtid| gtid.0 == keep).collect()));
    }

    #[test]
    fn p9_no_text_makes_the_parsers_panic(text in "[0-9a-fA-F:,# \n-]{0,120}|\\PC{0,80}") {
        let _ = Set::parse(&text);
        let _ = Set::parse_owned(&text);
    }

    #[test]
    fn owned_text_run_together_is_read_as_its_identifiers(
        owned in prop::collection::vec((0u8..4, 1u64..1000, 1u32..), 0..12),
    ) {
        let digits = |source: u8| Uuid::from_bytes([source * 0x11; 16]);
        let run: String = owned.iter()
            .map(|(source, number, thread)| format!("{}:{number}#{thread}", digits(*source)))
            .collect();
        let apart: Vec<_> = owned.iter()
            .map(|(source, number, _)| format!("{}:{number}", digits(*source)))
            .collect();
        prop_assert_eq!(Set::parse_owned(&run).unwrap(), Set::parse(&apart.join(",")).unwrap());
    }
}

#[test]
fn a_set_larger_than_any_counter_is_counted_as_the_largest() {
    let all = |source| format!("{}:1-9223372036854775806", uuid(source));
    let text = [all(0), all(1), all(2)].join(",");
    assert_eq!(Set::parse(&text).unwrap().gtid_count(), u64::MAX);
}
