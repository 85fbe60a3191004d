//! Reasons as metrics need them.

use std::collections::HashSet;

use tidegate::routing::{Reason, RefuseKind, UnknownCause};

#[test]
fn p8_every_reason_has_a_label_of_its_own_a_help_sentence_and_an_index() {
    let labels: HashSet<_> = Reason::ALL.iter().map(|reason| reason.label()).collect();
    assert_eq!(labels.len(), Reason::ALL.len());
    for (index, reason) in Reason::ALL.iter().enumerate() {
        assert_eq!(reason.index(), index);
        let label = reason.label();
        assert!(
            label.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'),
            "{label}"
        );
        // The label is the variant's name, so that code, metrics and docs can be searched alike.
        assert_eq!(label.replace('_', ""), format!("{reason:?}").to_lowercase());
        let help = reason.help();
        assert!(help.ends_with('.') && !help.starts_with(' '), "{help}");
    }
}

#[test]
fn p8_a_refusal_is_counted_as_one() {
    for kind in [
        RefuseKind::NoWriter,
        RefuseKind::AmbiguousWriter,
        RefuseKind::Timeout,
        RefuseKind::AllGone,
        RefuseKind::WriterBehind,
        RefuseKind::TokenUnknown,
        RefuseKind::ReadOnlyTransaction,
        RefuseKind::StateLost,
    ] {
        assert!(kind.reason().label().starts_with("refused_"));
    }
}

#[test]
fn every_cause_of_an_unknown_token_has_a_label_and_an_index() {
    let labels: HashSet<_> = UnknownCause::ALL
        .iter()
        .map(|cause| cause.label())
        .collect();
    assert_eq!(labels.len(), UnknownCause::ALL.len());
    for (index, cause) in UnknownCause::ALL.iter().enumerate() {
        assert_eq!(cause.index(), index);
        assert_eq!(
            cause.label().replace('_', ""),
            format!("{cause:?}").to_lowercase()
        );
    }
}
