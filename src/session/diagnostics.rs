//! GET DIAGNOSTICS of a statement that ran on a reader: it runs there too, and the user variables
//! that it sets are carried to the writer's connection, where all others live.

use super::connections::Held;
use super::job::Job;
use super::session::Session;
use crate::routing::Role;
use crate::sql::{Class, Marks, diagnostics_targets};

impl Session {
    /// Carries over what a statement on a reader has set.
    pub(super) async fn carry_variables(&mut self, held: &mut Held, job: &Job) {
        let reads_diagnostics = matches!(job.class(), Some(Class::LastStatement));
        if !reads_diagnostics || !job.leaves().intersects(Marks::USER_VARIABLE) {
            return;
        }
        let targets = diagnostics_targets(job.text());
        if targets.is_empty() {
            return;
        }
        let names: Vec<String> = targets.iter().map(|it| format!("@{}", it.name)).collect();
        // Without a table it leaves the diagnostics as they are.
        let Ok(row) = held.ask(&format!("SELECT {}", names.join(", "))).await else {
            return;
        };
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
        if self.set_on_writer(&set).await.is_none() {
            tracing::warn!(
                client = self.entry.id,
                "user variables of GET DIAGNOSTICS did not reach the writer"
            );
        }
    }

    async fn set_on_writer(&mut self, set: &str) -> Option<()> {
        let snapshot = self.shared.watch.snapshot();
        let mut views = snapshot.backends.iter();
        let writer = views.find(|view| view.role == Role::Writer && view.writable)?;
        let mut held = self.writer_connection(writer.place()?).await.ok()?;
        held.ask(set).await.ok()?;
        self.connections.put(held);
        self.marks |= Marks::USER_VARIABLE;
        Some(())
    }
}
