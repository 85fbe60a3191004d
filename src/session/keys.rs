//! The RSA key with which clients without TLS protect their password.

use std::sync::Arc;

use rsa::pkcs8::{EncodePublicKey, LineEnding};
use rsa::rand_core::OsRng;
use rsa::{Oaep, RsaPrivateKey, RsaPublicKey};
use tokio::sync::OnceCell;
use zeroize::Zeroizing;

use crate::protocol::NONCE;
use crate::protocol::auth::reveal;

/// The key's size in bits, as MySQL's own.
const KEY_BITS: usize = 2048;

/// Makes the key when the first client asks for it.
#[derive(Debug, Default)]
pub struct LoginKeys(OnceCell<Arc<KeyPair>>);

/// A private key and its public half as clients read it.
pub struct KeyPair {
    private: RsaPrivateKey,
    pem: String,
}

impl std::fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyPair(***)")
    }
}

impl LoginKeys {
    /// The key pair; the first call takes a moment of another thread.
    ///
    /// Cancel safe. `None` only if the system has no randomness.
    pub async fn pair(&self) -> Option<Arc<KeyPair>> {
        let make = || async {
            match tokio::task::spawn_blocking(KeyPair::make).await {
                Ok(Ok(pair)) => Ok(Arc::new(pair)),
                Ok(Err(_)) | Err(_) => Err(()),
            }
        };
        self.0.get_or_try_init(make).await.ok().map(Arc::clone)
    }
}

impl KeyPair {
    fn make() -> Result<Self, rsa::Error> {
        let private = RsaPrivateKey::new(&mut OsRng, KEY_BITS)?;
        let pem = RsaPublicKey::from(&private)
            .to_public_key_pem(LineEnding::LF)
            .map_err(|_| rsa::Error::Internal)?;
        Ok(Self { private, pem })
    }

    /// The public key in PEM.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// The password in what a client sent; `None` if it does not decrypt to one.
    pub fn open(&self, sealed: &[u8], nonce: &[u8; NONCE]) -> Option<Zeroizing<Vec<u8>>> {
        // Blinded, so that the time it takes tells nothing of the key.
        let clear = self
            .private
            .decrypt_blinded(&mut OsRng, Oaep::new::<sha1::Sha1>(), sealed)
            .map(Zeroizing::new)
            .ok()?;
        reveal(&clear, nonce).map(Zeroizing::new)
    }
}
