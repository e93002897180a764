//! The messages' bodies: each names its number, is made again from the seed, and is of a kind that goes wrong easily.

use crate::random::Random;

/// A's limit.
pub(crate) const LARGEST: usize = 64 * 1024;

/// Members that a parser, a database or a re-serialisation may change: escapes of NUL and of half a surrogate pair,
/// numbers beyond every type, members that occur twice, white space, text that needs quoting in SQL and in HTTP.
const MEMBERS: &[&str] = &[
    r#""text":"Grüße, 世界, नमस्ते, שלום, e\u0301 and é, 👩‍👩‍👧""#,
    r#""nul":"before\u0000after""#,
    r#""surrogates":"\ud83d\ude00 and a half one \ud800""#,
    r#""escapes":"\" \\ \/ \b \f \n \r \t""#,
    r#""numbers":[0,-0,1e400,-1.5E-7,12345678901234567890123456789,0.10]"#,
    r#""twice":1,"twice":2"#,
    r#""space" : { "a" :	[ ] , "b" : { } }"#,
    r#""sql":"'); DROP TABLE messages; -- $1 ?1 %s""#,
    r#""http":"GET / HTTP/1.1\r\nhost: x\r\n\r\n""#,
    r#""values":[true,false,null,"",{}]"#,
    "\"lines\":\n\n[1,\r\n2]",
    "\"\u{7f}\u{feff}\u{2028}\":\"\u{10ffff}\"",
];

/// The body of attempt `number` of the run with `seed`: a JSON object without white space around it, at most
/// [`LARGEST`] bytes.
pub(crate) fn body(seed: u64, number: u64) -> Vec<u8> {
    let mut random = Random::new(seed, "body", number);
    let mut text = format!("{{\"n\":{number}");
    for _ in 0..random.between(0, 4) {
        text.push(',');
        text.push_str(random.pick::<&str>(MEMBERS));
    }
    let size = match random.between(1, 100) {
        1..=70 => 0,
        71..=90 => random.between(500, 4_000),
        91..=97 => random.between(4_000, 16_000),
        98 => return nested(text, random.between(100, 5_000)),
        99 => random.between(16_000, LARGEST as u64),
        _ => LARGEST as u64,
    };
    fill(text, usize::try_from(size).expect("a size"), &mut random)
}

/// The number that `body` begins with.
pub(crate) fn number_of(body: &[u8]) -> Option<u64> {
    let digits = body.strip_prefix(b"{\"n\":")?;
    let end = digits.iter().position(|byte| !byte.is_ascii_digit())?;
    std::str::from_utf8(&digits[..end]).ok()?.parse().ok()
}

fn nested(mut text: String, depth: u64) -> Vec<u8> {
    let depth = usize::try_from(depth).expect("a depth");
    text.push_str(",\"nested\":");
    text.push_str(&"[".repeat(depth));
    text.push_str(&"]".repeat(depth));
    text.push('}');
    text.into_bytes()
}

/// Ends `text` with a member that makes it `size` bytes long, if it is shorter.
fn fill(mut text: String, size: usize, random: &mut Random) -> Vec<u8> {
    const MEMBER: &str = ",\"fill\":\"\"}";
    if let Some(missing) = size.checked_sub(text.len() + MEMBER.len()) {
        text.push_str(",\"fill\":\"");
        // Not the same everywhere: pages and packets must not be exchangeable.
        text.extend((0..missing).map(|_| char::from(b'a' + u8::try_from(random.between(0, 25)).expect("a letter"))));
        text.push('"');
    }
    text.push('}');
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_body_is_an_object_within_the_limit_that_names_its_number_and_is_made_again() {
        let mut largest = 0;
        for number in 0..3_000 {
            let text = body(42, number);
            assert!(serde_json::from_slice::<Box<serde_json::value::RawValue>>(&text).is_ok(), "{number}");
            assert_eq!((text.first(), text.last()), (Some(&b'{'), Some(&b'}')));
            assert_eq!(number_of(&text), Some(number));
            assert_eq!(text, body(42, number));
            largest = largest.max(text.len());
        }
        assert_eq!(largest, LARGEST);
        assert_ne!(body(1, 5), body(2, 5));
    }

    #[test]
    fn a_body_of_somebody_else_has_no_number() {
        for text in [&b""[..], b"{}", b"{\"n\":}", b"{\"n\":1", b"{\"m\":1}"] {
            assert_eq!(number_of(text), None);
        }
    }
}
