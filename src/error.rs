//! Errors that reach a client: whose fault, may it be retried, what may the client read.
