//! mysql_native_password: SHA1(password) XOR SHA1(nonce, SHA1(SHA1(password))).
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_authentication_methods_native_password_authentication.html>

use sha1::{Digest, Sha1};

use super::{equal, xor};
use crate::protocol::NONCE;

/// The plugin's name on the wire.
pub const NAME: &str = "mysql_native_password";

/// A client's answer. For an empty password the answer is empty instead.
pub fn scramble(password: &[u8], nonce: &[u8; NONCE]) -> [u8; 20] {
    let once: [u8; 20] = Sha1::digest(password).into();
    let twice = Sha1::digest(once);
    let key = Sha1::new()
        .chain_update(nonce)
        .chain_update(twice)
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
    fn an_answer_that_mariadb_10_11_19_took_is_made_and_verified() {
        let nonce = hex("7a625e30726e512b21614a2d42436a6b5a635f37")
            .try_into()
            .unwrap();
        let answer = hex("e1 6a 51 ef b3 53 ca 51 2b 9a 49 7c 35 f4 7c ce 96 87 93 b1");
        assert_eq!(scramble(b"secret", &nonce)[..], answer);
        assert!(verify(&answer, &nonce, b"secret"));
        assert!(!verify(&answer, &nonce, b"Secret"));
        assert!(!verify(&answer[..19], &nonce, b"secret"));
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
