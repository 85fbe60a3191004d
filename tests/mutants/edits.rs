//! The ways to break it.
//!
//! All stand in one build, each behind a switch: building takes longer than playing. In `bad`,
//! `BROKEN` stands for "this mutant is the one that is played"; where it is false, the code does
//! what it did.

/// One way to break Tidegate.
pub(crate) struct Mutant {
    pub(crate) name: &'static str,
    /// The scope at which the checker plays it.
    pub(crate) scope: &'static str,
    pub(crate) edits: &'static [Edit],
}

/// One change of the source.
pub(crate) struct Edit {
    /// The file, from the root of the repository.
    pub(crate) file: &'static str,
    /// What stands there, exactly once.
    pub(crate) good: &'static str,
    /// What stands there instead, with `BROKEN` for the switch.
    pub(crate) bad: &'static str,
}

pub(crate) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "a reset drops the token",
        scope: "connection",
        edits: &[Edit {
            file: "src/session/account.rs",
            good: "        self.standing.reset();\n",
            bad: "        if BROKEN {\n        \
                  let fresh = super::scopes::ScopeHandle::fresh();\n        \
                  self.standing = super::standing::Standing::new(fresh);\n        \
                  } else { self.standing.reset(); }\n",
        }],
    },
    Mutant {
        name: "what the writer has sent is believed to be executed",
        scope: "connection",
        edits: &[Edit {
            file: "src/session/deciding.rs",
            good: "        let mut decision = decide(&need, &facts, &mut scope, &snapshot, Instant::now());",
            bad: "        let mut believed = (**snapshot).clone();\n        \
              let sent = believed.backends.first().and_then(|it| it.watermark.clone());\n        \
              if let Some(sent) = sent.filter(|_| BROKEN) {\n            \
              for view in &mut believed.backends {\n                \
              if let Some(mark) = &mut view.watermark { mark.executed = Arc::clone(&sent.executed); }\
              \n            }\n        }\n        \
              let mut decision = decide(&need, &facts, &mut scope, &believed, Instant::now());",
        }],
    },
    Mutant {
        name: "a read on the writer leaves no mark",
        scope: "connection",
        edits: &[Edit {
            file: "src/session/writer.rs",
            good: "                scope.end_read(mark, now);",
            bad: "                if BROKEN { scope.cancel_read(mark); } else { scope.end_read(mark, now); }",
        }],
    },
    Mutant {
        name: "a temporary table is no pin",
        scope: "connection",
        edits: &[Edit {
            file: "src/session/pins.rs",
            good: "        mentions_any(job.text(), names)",
            bad: "        !BROKEN && mentions_any(job.text(), names)",
        }],
    },
    Mutant {
        name: "an error leaves nothing behind",
        scope: "connection",
        // A statement that shows rows leaves a mark as well, which would cover for the error.
        edits: &[
            Edit {
                file: "src/session/settle.rs",
                good: "        self.lose_unless_pure(job, UnknownCause::Error, None);\n",
                bad: "        if !BROKEN { self.lose_unless_pure(job, UnknownCause::Error, None); }\n",
            },
            // So would the doubt about what a routine has done to the tracking.
            Edit {
                file: "src/session/settle.rs",
                good: "        if self.tracks_as_wished && !job.is_pure()",
                bad: "        if !(BROKEN && failed) && self.tracks_as_wished && !job.is_pure()",
            },
            Edit {
                file: "src/session/writer.rs",
                good: "            if ended.is_ok() && notes.gtids && matches!(job.class(), Some(Class::Write)) {",
                bad: "            if BROKEN && progress.error().is_some() \
                      || ended.is_ok() && notes.gtids && matches!(job.class(), Some(Class::Write)) {",
            },
        ],
    },
    Mutant {
        name: "a statement that was lost is sent again",
        scope: "connection",
        edits: &[
            Edit {
                file: "src/session/losing.rs",
                good: "        if self.runs_again(job) && !progress.flushed() {",
                bad: "        if !progress.flushed() && (BROKEN || self.runs_again(job)) {",
            },
            // As one that has not run: the second time the server would refuse to write.
            Edit {
                file: "src/session/losing.rs",
                good: "            return Ok(Attempt::Anew { ran: Some(ran) });",
                bad: "            return Ok(Attempt::Anew { ran: (!BROKEN).then_some(ran) });",
            },
        ],
    },
    Mutant {
        name: "a strong read takes what the writer said before it arrived",
        scope: "connection",
        edits: &[Edit {
            file: "src/routing/decide/fresh.rs",
            good: "        match self.world.writer_probe(self.facts.arrived) {",
            bad: "        let any = self.world.writer.ok().and_then(|it| it.current_probe());\n        \
                  let fresh = self.world.writer_probe(self.facts.arrived);\n        \
                  match if BROKEN { any } else { fresh } {",
        }],
    },
    Mutant {
        name: "a read may be much staler than its bound",
        scope: "connection",
        edits: &[Edit {
            file: "src/routing/decide/fresh.rs",
            good: "        let Some(bound) = self.policy.bound() else {",
            bad: "        let more = Duration::from_secs(if BROKEN { 5 } else { 0 });\n        \
                  let Some(bound) = self.policy.bound().map(|it| it + more) else {",
        }],
    },
    Mutant {
        name: "each connection has a key of its own",
        scope: "key",
        edits: &[Edit {
            file: "src/session/standing.rs",
            good: "                self.shared.scopes.keyed(user, &key, &snapshot)",
            bad: "                if BROKEN { ScopeHandle::fresh() } \
                  else { self.shared.scopes.keyed(user, &key, &snapshot) }",
        }],
    },
    Mutant {
        name: "a token that was carried here is left aside",
        scope: "connection",
        edits: &[Edit {
            file: "src/session/own.rs",
            good: "        self.standing.token = Some(Arc::new(carried));",
            bad: "        if !BROKEN { self.standing.token = Some(Arc::new(carried)); }",
        }],
    },
];
