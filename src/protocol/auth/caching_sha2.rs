//! caching_sha2_password: SHA256(password) XOR SHA256(SHA256(SHA256(password)), nonce).
//!
//! This is its fast way, for a server that has the account in its cache. Otherwise the server asks
//! for the password itself ([`FULL_AUTH`](crate::protocol::FULL_AUTH)).
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_caching_sha2_authentication_exchanges.html>

use sha2::{Digest, Sha256};

use super::{equal, xor};
use crate::protocol::NONCE;

/// The plugin's name on the wire.
pub const NAME: &str = "caching_sha2_password";

/// A client's answer. For an empty password the answer is empty instead.
pub fn scramble(password: &[u8], nonce: &[u8; NONCE]) -> [u8; 32] {
    let once: [u8; 32] = Sha256::digest(password).into();
    let twice = Sha256::digest(once);
    let key = Sha256::new()
        .chain_update(twice)
        .chain_update(nonce)
        .finalize();
    xor(once, key.into())
}

/// Whether `answer` proves `password`; an empty password by an empty answer, and only by that.
pub fn verify(answer: &[u8], nonce: &[u8; NONCE], password: &[u8]) -> bool {
    if password.is_empty() {
        return answer.is_empty();
    }
    equal(answer, &scramble(password, nonce))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::testing::hex;

    #[test]
    fn the_answer_of_the_mysql_client_9_7_4_is_made_and_verified() {
        let nonce = hex("48 2d 25 51 18 76 1f 79 6c 02 5d 4f 6c 57 7d 78 6f 3f 4c 40");
        let nonce = nonce.try_into().unwrap();
        let answer = hex("14 43 c1 fb a6 91 54 eb c1 70 54 77 b8 43 f5 9a
            a7 1a 39 50 d3 61 87 0b b2 ce 3a 18 d4 fd fb 33");
        assert_eq!(scramble(b"secret", &nonce)[..], answer);
        assert!(verify(&answer, &nonce, b"secret"));
        assert!(!verify(&answer, &nonce, b"Secret"));
        assert!(!verify(&answer[..31], &nonce, b"secret"));
        assert!(!verify(&answer, &[1; NONCE], b"secret"));
    }

    #[test]
    fn an_empty_answer_proves_an_empty_password_only() {
        let nonce = [7; NONCE];
        assert!(verify(b"", &nonce, b""));
        assert!(!verify(b"", &nonce, b"x"));
        assert!(!verify(&scramble(b"", &nonce), &nonce, b""));
    }
}
