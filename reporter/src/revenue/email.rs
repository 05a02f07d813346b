//! Customers by e-mail: the last rung of the ladder, and only where the user asks for it.
//!
//! An address is personal data: it never reaches the lake from here. With a key, apps can name a customer by the HMAC of
//! the address (RFC 2104 with SHA-256), which nobody can turn back without it.

use sha2::{Digest, Sha256};

const BLOCK: usize = 64;

/// How an address becomes the customer's name in telemetry.
#[derive(Clone, PartialEq, Eq)]
pub enum EmailKey {
    /// The address itself, lower case.
    Plain,
    /// Lower-case hex of the HMAC of the lower-case address under this key.
    Hmac(Vec<u8>),
}

impl std::fmt::Debug for EmailKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EmailKey")
    }
}

impl EmailKey {
    /// The name of the customer with that address.
    pub fn of(&self, email: &str) -> String {
        let email = email.trim().to_lowercase();
        match self {
            EmailKey::Plain => email,
            EmailKey::Hmac(key) => hex::encode(hmac_sha256(key, email.as_bytes())),
        }
    }
}

fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut block = [0_u8; BLOCK];
    match key.len() > BLOCK {
        true => block[..32].copy_from_slice(&Sha256::digest(key)),
        false => block[..key.len()].copy_from_slice(key),
    }
    let padded = |pad: u8| block.map(|byte| byte ^ pad);
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hmac_is_that_of_rfc_4231() {
        let hash = hmac_sha256(b"Jefe", b"what do ya want for nothing?");
        assert_eq!(
            hex::encode(hash),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        let long = hmac_sha256(&[0xaa; 131], b"Test Using Larger Than Block-Size Key - Hash Key First");
        assert_eq!(
            hex::encode(long),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }
}
