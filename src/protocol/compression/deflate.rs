//! Compressing, with one compressor for each thread: its tables are large and hold nothing between
//! two calls.

use std::cell::RefCell;

use flate2::{Compress, Compression, FlushCompress, Status};
use zstd::bulk::Compressor;

use super::Algorithm;

thread_local! {
    static ZLIB: RefCell<Compress> = RefCell::new(Compress::new(Compression::default(), true));
    static ZSTD: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
}

/// The compressed form, if it is shorter than `plain`.
pub(super) fn pack(algorithm: Algorithm, plain: &[u8]) -> Option<Vec<u8>> {
    // Room for the worst case: a compressor that was stopped halfway is not to be used again.
    let mut out = Vec::with_capacity(plain.len() + plain.len() / 8 + 256);
    let done = match algorithm {
        Algorithm::Zlib => ZLIB.with_borrow_mut(|zlib| {
            zlib.reset();
            let done = zlib.compress_vec(plain, &mut out, FlushCompress::Finish);
            matches!(done, Ok(Status::StreamEnd))
        }),
        Algorithm::Zstd { level } => ZSTD.with_borrow_mut(|zstd| {
            if zstd.is_none() {
                *zstd = Compressor::new(i32::from(level)).ok();
            }
            let Some(zstd) = zstd.as_mut() else {
                return false;
            };
            let set = zstd.set_compression_level(i32::from(level));
            set.is_ok() && zstd.compress_to_buffer(plain, &mut out).is_ok()
        }),
    };
    (done && out.len() < plain.len()).then_some(out)
}
