//! What a fuzzer begins with: the bytes that the tests of the decoders begin with.

use std::fs;
use std::path::Path;

use crate::targets::TARGETS;

/// Puts the seeds of a target where the fuzzer looks for its corpus.
pub(crate) fn plant(name: &str) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR"));
    let corpus = corpus.join("corpus").join(name);
    fs::create_dir_all(&corpus).expect("a directory");
    let (_, _, seeds) = TARGETS.iter().find(|it| it.0 == name).expect("a target");
    for (number, seed) in seeds.iter().enumerate() {
        fs::write(corpus.join(format!("seed-{number}")), seed).expect("a file");
    }
}
