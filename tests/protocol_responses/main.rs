//! The responses that a real MySQL gave: where they end, and what each client reads of them.
#![cfg(test)]

mod boundary;
mod captures;
mod edges;
mod translate;
mod walker;
