//! GET DIAGNOSTICS of a statement that ran on a reader: it runs there too, and the user variables
//! that it sets are carried to the writer's connection, where all others live.

use super::job::Job;
use super::session::Session;
use crate::backend::{question, user_variable};
use crate::routing::{BackendId, Role};
use crate::sql::{Class, Marks, Target, diagnostics_targets};

/// So many variables are carried at once.
const LIMIT: usize = 256;

impl Session {
    /// A statement on a reader may have set some.
    pub(super) fn note_variables(&mut self, reader: BackendId, job: &Job) {
        let reads_diagnostics = matches!(job.class(), Some(Class::LastStatement));
        if reads_diagnostics && job.leaves().intersects(Marks::USER_VARIABLE) {
            let targets = diagnostics_targets(job.text());
            let free = LIMIT.saturating_sub(self.carried.len());
            let carried = targets
                .into_iter()
                .take(free)
                .map(|target| (reader, target));
            self.carried.extend(carried);
        }
    }

    /// Carries them over before a statement that may use them. Not before one that reads
    /// diagnostics: asking for a variable clears those.
    pub(super) async fn carry_variables(&mut self, job: &Job) {
        if self.carried.is_empty() || matches!(job.class(), Some(Class::LastStatement)) {
            return;
        }
        let carried = std::mem::take(&mut self.carried);
        let Some((reader, _)) = carried.first() else {
            return;
        };
        let reader = *reader;
        // A name that was set twice has one value.
        let targets: Vec<Target> = carried
            .into_iter()
            .filter(|(at, _)| *at == reader)
            .map(|(_, target)| target)
            .collect();
        if Box::pin(self.carry(reader, &targets)).await.is_none() {
            tracing::warn!(
                client = self.entry.id,
                "user variables of GET DIAGNOSTICS did not reach the writer"
            );
        }
    }

    async fn carry(&mut self, reader: BackendId, targets: &[Target]) -> Option<()> {
        let mut held = self.connections.take(reader)?;
        let values = targets.iter().map(|it| format!("@{}", it.name));
        let values: Vec<String> = values.map(|name| user_variable(&name)).collect();
        let row = held
            .ask(&question(values.iter().map(String::as_str)))
            .await
            .ok()?;
        self.connections.put(held);
        let values = targets.iter().zip(row).map(|(target, value)| {
            let value = match value {
                None => "NULL".to_owned(),
                Some(value) if target.number => String::from_utf8_lossy(&value).into_owned(),
                Some(value) => {
                    let hex: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
                    format!("_utf8mb4 X'{hex}'")
                }
            };
            format!("@{} = {value}", target.name)
        });
        let set = format!("SET {}", values.collect::<Vec<_>>().join(", "));
        self.set_on_writer(&set, targets).await
    }

    async fn set_on_writer(&mut self, set: &str, targets: &[Target]) -> Option<()> {
        let snapshot = self.shared.watch.snapshot();
        let mut views = snapshot.backends.iter();
        let writer = views.find(|view| view.role == Role::Writer && view.writable)?;
        let mut held = self.writer_connection(writer.place()?).await.ok()?;
        held.ask(set).await.ok()?;
        let names = targets.iter().map(|target| target.name.as_bytes());
        held.own_variables_are(names);
        self.connections.put(held);
        self.marks |= Marks::USER_VARIABLE;
        Some(())
    }
}
