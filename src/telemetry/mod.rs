//! Metric handles and logging set-up. A leaf: it knows no other module of Tidegate.

mod labels;
mod log;
mod metrics;

pub use labels::{ConnectionState, Direction, ErrorKind, Handover, RetryCause, Side};
pub use log::{FilterError, InitError, LogConfig, LogFormat, LogHandle, check_filter, init};
pub use metrics::{Metrics, MetricsError};
