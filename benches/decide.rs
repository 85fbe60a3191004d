//! What a routing decision costs.

fn main() {}
