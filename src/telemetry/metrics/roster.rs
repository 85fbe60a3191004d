//! Backends that come and go while the process runs.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use prometheus::proto::MetricFamily;

use super::{Metrics, MetricsError};

/// The label that names a backend.
const BACKEND: &str = "backend";

/// The names of backends that were taken out: they are not shown any more, and count on from where
/// they were if they come back.
#[derive(Debug, Default)]
pub(super) struct Hidden(Mutex<HashSet<String>>);

impl Hidden {
    /// Leaves out their samples.
    pub(super) fn leave_out(&self, families: &mut Vec<MetricFamily>) {
        let hidden = self.lock();
        if hidden.is_empty() {
            return;
        }
        for family in families.iter_mut() {
            family.mut_metric().retain(|metric| {
                let mut labels = metric.get_label().iter();
                !labels.any(|label| label.name() == BACKEND && hidden.contains(label.value()))
            });
        }
        families.retain(|family| !family.get_metric().is_empty());
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<String>> {
        // A set is whole between two statements that hold it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Metrics {
    /// One more backend, which has the next index. One that had this name before counts on.
    ///
    /// # Errors
    /// Only for a name that no backend may have.
    pub fn add_backend(&self, name: &str) -> Result<(), MetricsError> {
        let backend = self.families.children(name, &self.reasons)?;
        // Indices end where the table does.
        let _ = self.backends.push(Box::new(backend));
        self.show_backend(name);
        Ok(())
    }

    /// Shows the samples of the backends of this name.
    pub fn show_backend(&self, name: &str) {
        self.hidden.lock().remove(name);
    }

    /// Shows them no more.
    pub fn hide_backend(&self, name: &str) {
        self.hidden.lock().insert(name.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics() -> Metrics {
        let reasons = &[("write", "it writes")];
        Metrics::new(&["w1".to_owned(), "r1".to_owned()], reasons, &[]).expect("metrics")
    }

    #[test]
    fn a_backend_that_comes_has_its_samples_from_then_on() {
        let metrics = metrics();
        metrics.add_backend("r2").unwrap();
        metrics.statement(2, 0);
        let sample = "tidegate_statements_total{backend=\"r2\",reason=\"write\"} 1";
        assert!(metrics.render().contains(sample));
    }

    #[test]
    fn one_that_is_taken_out_is_not_shown_and_counts_on_when_it_comes_back() {
        let metrics = metrics();
        metrics.statement(1, 0);
        metrics.hide_backend("r1");
        let text = metrics.render();
        assert!(!text.contains("r1") && text.contains("tidegate_backend_up{backend=\"w1\"}"));
        metrics.add_backend("r1").unwrap();
        metrics.statement(2, 0);
        let sample = "tidegate_statements_total{backend=\"r1\",reason=\"write\"} 2";
        assert!(metrics.render().contains(sample));
    }
}
