//! What operators look at: the HTTP endpoint with metrics and health.
