//! The composition root: builds every part from a configuration and runs it until it is drained.
