//! The ways to break it.

/// One way to break Tidegate.
pub(crate) struct Mutant {
    pub(crate) name: &'static str,
    pub(crate) edits: &'static [Edit],
}

/// One change of the source.
pub(crate) struct Edit {
    /// The file, from the root of the repository.
    pub(crate) file: &'static str,
    /// What stands there, exactly once.
    pub(crate) good: &'static str,
    /// What stands there instead.
    pub(crate) bad: &'static str,
}

pub(crate) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "a reset drops the token",
        edits: &[Edit {
            file: "src/session/account.rs",
            good: "        self.forget();\n        self.state.reset();\n        self.send_ok().await",
            bad: "        self.forget();\n        self.state.reset();\n        \
              self.scope = super::scopes::ScopeHandle::fresh();\n        self.send_ok().await",
        }],
    },
    Mutant {
        name: "what the writer has sent is believed to be executed",
        edits: &[Edit {
            file: "src/session/statement.rs",
            good: "        let decision = decide(&need, &facts, &mut scope, &snapshot, Instant::now());",
            bad: "        let mut believed = (*snapshot).clone();\n        \
              let sent = believed.backends.first().and_then(|it| it.watermark.clone());\n        \
              if let Some(sent) = sent {\n            \
              for view in &mut believed.backends {\n                \
              if let Some(mark) = &mut view.watermark { mark.executed = Arc::clone(&sent.executed); }\
              \n            }\n        }\n        \
              let decision = decide(&need, &facts, &mut scope, &believed, Instant::now());",
        }],
    },
    Mutant {
        name: "a read on the writer leaves no mark",
        edits: &[Edit {
            file: "src/session/writer.rs",
            good: "                scope.end_read(mark, now);",
            bad: "                let _ = now; scope.cancel_read(mark);",
        }],
    },
    Mutant {
        name: "a temporary table is no pin",
        edits: &[Edit {
            file: "src/session/pins.rs",
            good: "        mentions_any(job.text(), names)",
            bad: "        let _ = names;\n        false",
        }],
    },
    Mutant {
        name: "an error leaves nothing behind",
        // A statement that shows rows leaves a mark as well, which would cover for the error.
        edits: &[
            Edit {
                file: "src/session/settle.rs",
                good: "        self.lose_unless_pure(job, UnknownCause::Error, None);\n",
                bad: "",
            },
            Edit {
                file: "src/session/writer.rs",
                good: "            if ended.is_ok() && notes.gtids && matches!(job.class(), Some(Class::Write)) {",
                bad: "            if progress.error().is_some() \
                      || ended.is_ok() && notes.gtids && matches!(job.class(), Some(Class::Write)) {",
            },
        ],
    },
    Mutant {
        name: "a statement that was lost is sent again",
        edits: &[Edit {
            file: "src/session/writer.rs",
            good: "        if job.is_read() && !progress.flushed() && !in_transaction && !stateful {",
            bad: "        if !progress.flushed() {",
        }],
    },
];
