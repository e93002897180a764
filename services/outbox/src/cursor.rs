//! Cursors of keyset pages: opaque to the client, checked when they come back.
//!
//! A cursor holds the key of the last row that was shown. The check finds what was cut, mistyped, made up, or taken
//! from another list; it is no signature, and needs none: a key only says where to go on in a list that the client may
//! read anyway.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

/// Bytes of the check: enough that none is right by chance.
const CHECK: usize = 8;

/// A cursor that is none, or none of this list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the cursor is none of this list's; take next_cursor as it was given, with the same filters")]
pub struct Invalid;

/// A cursor behind the row with `key`. `scope` says which list, with its filters: no other list takes the cursor.
///
/// Letters, digits, `-` and `_` only: it fits a query as it is.
pub fn encode(scope: &str, key: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(key.len() + CHECK);
    bytes.extend_from_slice(key);
    bytes.extend_from_slice(&check(scope, key));
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The key in a cursor of [`encode`] with the same `scope`.
pub fn decode<const N: usize>(scope: &str, text: &str) -> Result<[u8; N], Invalid> {
    // Nothing longer is decoded to begin with.
    if text.len() > (N + CHECK).div_ceil(3) * 4 {
        return Err(Invalid);
    }
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| Invalid)?;
    let (key, told) = bytes.split_last_chunk::<CHECK>().ok_or(Invalid)?;
    let key: [u8; N] = key.try_into().map_err(|_| Invalid)?;
    if *told == check(scope, &key) { Ok(key) } else { Err(Invalid) }
}

fn check(scope: &str, key: &[u8]) -> [u8; CHECK] {
    let mut hash = Sha256::new();
    hash.update((scope.len() as u64).to_be_bytes());
    hash.update(scope);
    hash.update(key);
    let digest = hash.finalize();
    std::array::from_fn(|at| digest[at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_gives_its_key_back() {
        for key in [[0_u8; 8], [255; 8], 7_i64.to_be_bytes()] {
            let cursor = encode("b/messages", &key);
            assert_eq!(decode::<8>("b/messages", &cursor), Ok(key));
            assert!(cursor.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{cursor}");
        }
    }

    #[test]
    fn every_change_of_a_single_character_is_found() {
        const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/ %";
        let cursor = encode("b/messages", &42_i64.to_be_bytes());
        for at in 0..cursor.len() {
            for other in ALPHABET.iter().filter(|other| **other != cursor.as_bytes()[at]) {
                let mut changed = cursor.clone().into_bytes();
                changed[at] = *other;
                let changed = String::from_utf8(changed).unwrap();
                assert_eq!(decode::<8>("b/messages", &changed), Err(Invalid), "{changed}");
            }
        }
    }

    #[test]
    fn a_cursor_that_was_cut_lengthened_or_made_up_is_refused() {
        let cursor = encode("b/messages", &42_i64.to_be_bytes());
        for length in 0..cursor.len() {
            assert_eq!(decode::<8>("b/messages", &cursor[..length]), Err(Invalid));
        }
        for made_up in ["", "42", "null", "AAAA", &format!("{cursor}A"), &"A".repeat(100_000), "é", "../../etc/passwd"]
        {
            assert_eq!(decode::<8>("b/messages", made_up), Err(Invalid));
        }
    }

    #[test]
    fn a_cursor_of_another_list_or_filter_is_refused() {
        let cursor = encode("a/messages", &[1; 16]);
        assert_eq!(decode::<16>("a/messages?state=dead", &cursor), Err(Invalid));
        assert_eq!(decode::<8>("a/messages", &cursor), Err(Invalid));
    }
}
