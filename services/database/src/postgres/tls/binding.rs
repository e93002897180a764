//! Channel binding `tls-server-end-point` (RFC 5929): a password's proof holds for one server's certificate alone, so
//! that nobody in the middle can pass it on.

use sha2::{Digest as _, Sha256, Sha384, Sha512};

const SEQUENCE: u8 = 0x30;
const OBJECT_IDENTIFIER: u8 = 0x06;

/// `1.2.840.113549.1.1` and `1.2.840.10045.4`, without their last parts.
const RSA: [u8; 8] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
const ECDSA: [u8; 6] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04];

/// The certificate's hash, by the hash function of its signature. `None` where that has none, or not one alone.
pub(crate) fn digest(certificate: &[u8]) -> Option<Vec<u8>> {
    let algorithm = signature_algorithm(certificate)?;
    let hash = match (algorithm.strip_prefix(&RSA), algorithm.strip_prefix(&ECDSA)) {
        // MD5 and SHA-1 count as SHA-256.
        (Some([4 | 5 | 11]), _) | (_, Some([1] | [3, 2])) => Sha256::digest(certificate).to_vec(),
        (Some([12]), _) | (_, Some([3, 3])) => Sha384::digest(certificate).to_vec(),
        (Some([13]), _) | (_, Some([3, 4])) => Sha512::digest(certificate).to_vec(),
        _ => return None,
    };
    Some(hash)
}

/// `Certificate ::= SEQUENCE { what is signed, SEQUENCE { OBJECT IDENTIFIER, … }, … }`.
fn signature_algorithm(certificate: &[u8]) -> Option<&[u8]> {
    let (_, fields, _) = element(certificate).filter(|(tag, ..)| *tag == SEQUENCE)?;
    let (_, _, after_signed) = element(fields)?;
    let (_, algorithm, _) = element(after_signed).filter(|(tag, ..)| *tag == SEQUENCE)?;
    element(algorithm).filter(|(tag, ..)| *tag == OBJECT_IDENTIFIER).map(|(_, identifier, _)| identifier)
}

/// The first DER element: its tag, its content, and what follows.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, first], rest) = der.split_first_chunk::<2>()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, after) = rest.split_at_checked(length)?;
    Some((tag, content, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A certificate in outline, long enough for a length of two bytes, whose signature is of `algorithm`.
    fn certificate(algorithm: &[u8]) -> Vec<u8> {
        let wrapped = |tag: u8, content: &[u8]| {
            let length = u16::try_from(content.len()).unwrap().to_be_bytes();
            [&[tag, 0x82], &length[..], content].concat()
        };
        let signed = wrapped(SEQUENCE, &[7; 300]);
        let algorithm = wrapped(SEQUENCE, &wrapped(OBJECT_IDENTIFIER, algorithm));
        wrapped(SEQUENCE, &[signed, algorithm, wrapped(3, &[0; 64])].concat())
    }

    #[test]
    fn the_hash_is_that_of_the_signature() {
        let length = |algorithm: &[&[u8]]| digest(&certificate(&algorithm.concat())).map(|hash| hash.len());
        assert_eq!(length(&[&RSA, &[5]]), Some(32), "SHA-1 is raised");
        assert_eq!(length(&[&RSA, &[11]]), Some(32));
        assert_eq!(length(&[&RSA, &[12]]), Some(48));
        assert_eq!(length(&[&ECDSA, &[3, 4]]), Some(64));
        assert_eq!(length(&[&RSA, &[10]]), None, "PSS says it elsewhere");
        assert_eq!(length(&[&[0x2b, 0x65, 0x70]]), None, "Ed25519");
    }

    #[test]
    fn what_is_no_certificate_has_none() {
        let whole = certificate(&[&RSA[..], &[11]].concat());
        for end in 0..whole.len() {
            assert_eq!(digest(&whole[..end]), None, "{end}");
        }
        assert_eq!(digest(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]), None);
    }
}
