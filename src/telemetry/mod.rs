//! Metric handles and logging set-up. A leaf: it knows no other module of Tidegate.

mod log;

pub use log::{LogConfig, LogFormat};
