#![no_main]

#[path = "../seeds.rs"]
mod seeds;
#[path = "../../tests/decoders/targets.rs"]
#[allow(dead_code, reason = "each fuzzer plays one of them")]
mod targets;

libfuzzer_sys::fuzz_target!(init: seeds::plant("sql"), |data: &[u8]| targets::sql(data));
