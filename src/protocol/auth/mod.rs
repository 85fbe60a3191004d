//! What clients prove their passwords with.
//!
//! An empty password is proven by an empty answer in both plugins; the functions here say so
//! where it matters. Comparisons take the same time wherever the bytes differ.

pub mod caching_sha2;
pub mod native;

use std::hint::black_box;

use crate::protocol::NONCE;

/// The password and a zero byte, XOR the nonce over and over: what goes under the RSA key in
/// caching_sha2_password's full authentication without TLS.
///
/// <https://dev.mysql.com/doc/dev/mysql-server/latest/page_caching_sha2_authentication_exchanges.html>
pub fn obfuscate(password: &[u8], nonce: &[u8; NONCE]) -> Vec<u8> {
    let clear = password.iter().chain(&[0]);
    clear
        .zip(nonce.iter().cycle())
        .map(|(byte, key)| byte ^ key)
        .collect()
}

/// The password in what [`obfuscate`] made, without its zero byte; `None` if that is missing.
pub fn reveal(obfuscated: &[u8], nonce: &[u8; NONCE]) -> Option<Vec<u8>> {
    let clear = obfuscated.iter().zip(nonce.iter().cycle());
    let mut password: Vec<u8> = clear.map(|(byte, key)| byte ^ key).collect();
    (password.pop() == Some(0)).then_some(password)
}

fn xor<const N: usize>(left: [u8; N], right: [u8; N]) -> [u8; N] {
    let mut out = left;
    out.iter_mut()
        .zip(right)
        .for_each(|(byte, other)| *byte ^= other);
    out
}

fn equal(left: &[u8], right: &[u8]) -> bool {
    let differing = left
        .iter()
        .zip(right)
        .fold(0, |seen, (a, b)| black_box(seen | (a ^ b)));
    left.len() == right.len() && black_box(differing) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_longer_than_the_nonce_comes_back() {
        let nonce = *b"abcdefghijklmnopqrst";
        for length in [0, 1, 19, 20, 21, 64] {
            let password = vec![b'p'; length];
            let hidden = obfuscate(&password, &nonce);
            assert_eq!(hidden.len(), length + 1);
            assert_eq!(
                hidden.first(),
                Some(&(password.first().unwrap_or(&0) ^ b'a'))
            );
            assert_eq!(reveal(&hidden, &nonce), Some(password));
        }
        assert_eq!(reveal(b"", &nonce), None);
        assert_eq!(reveal(b"x", &nonce), None);
    }

    #[test]
    fn equality_asks_for_length_and_every_byte() {
        assert!(equal(b"abc", b"abc"));
        assert!(equal(b"", b""));
        for other in [&b"abd"[..], b"bbc", b"ab", b"abcd", b""] {
            assert!(!equal(b"abc", other), "{other:?}");
        }
    }
}
