//! Throwaway clusters on loopback, for demo, tests and benches.
