//! What operators can do.

use std::pin::Pin;

/// Something that is being done.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What operators can do to the process, besides what all sessions share.
pub trait Operator: Send + Sync {
    /// Reads the configuration again and takes it up whole, or changes nothing. Returns its
    /// warnings, or all its faults.
    fn reload(&self) -> Pending<'_, Result<Vec<String>, Vec<String>>>;

    /// Lets a backend get no new reads, or again some.
    ///
    /// # Errors
    /// Why that can't be.
    fn drain(&self, backend: &str, drained: bool) -> Result<(), String>;

    /// Every key of the configuration with its value; secrets are hidden.
    fn configuration(&self) -> Pending<'_, Vec<(String, String)>>;
}
