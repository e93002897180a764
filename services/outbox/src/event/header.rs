//! Attribute values in headers (HTTP binding, section 3.1.3.2).

use http::HeaderValue;

use super::error::Reason;

/// Percent-encodes what a header can't hold as it is: space, `"`, `%` and whatever is not printable ASCII.
pub(super) fn encode(value: &str) -> Result<HeaderValue, Reason> {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    if value.bytes().all(stays) {
        return HeaderValue::from_str(value).map_err(|_| Reason::Header("it does not fit a header"));
    }
    let mut text = Vec::with_capacity(value.len() + 16);
    for byte in value.bytes() {
        if stays(byte) {
            text.push(byte);
        } else {
            text.extend([b'%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 0xf)]]);
        }
    }
    HeaderValue::try_from(text).map_err(|_| Reason::Header("it does not fit a header"))
}

/// Every byte of a character outside ASCII has its highest bit set, so bytes can be asked.
fn stays(byte: u8) -> bool {
    matches!(byte, 0x21..=0x7e) && byte != b'"' && byte != b'%'
}

/// Takes off double quotes (RFC 7230, section 3.2.6), then one round of percent-encoding.
///
/// An escape that is none is an error: read as it stands, `100%` and `100%25` would be two spellings of one identity.
pub(super) fn decode(value: &HeaderValue) -> Result<String, Reason> {
    let unquoted = unquote(value.as_bytes())?;
    let mut bytes = Vec::with_capacity(unquoted.len());
    let mut rest = unquoted.iter();
    while let Some(byte) = rest.next() {
        if *byte != b'%' {
            bytes.push(*byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|digit| char::from(*digit).to_digit(16));
        let (Some(high), Some(low)) = (digit(), digit()) else {
            return Err(Reason::Header("a % is not followed by two hex digits; a % itself is %25"));
        };
        bytes.push(u8::try_from(high << 4 | low).unwrap_or_default());
    }
    String::from_utf8(bytes).map_err(|_| Reason::Header("its percent-encoding is not UTF-8"))
}

fn unquote(value: &[u8]) -> Result<Vec<u8>, Reason> {
    let value = value.trim_ascii();
    if value.iter().any(|byte| !matches!(byte, 0x20..=0x7e)) {
        return Err(Reason::Header("it has bytes other than printable ASCII; they are percent-encoded"));
    }
    let Some(quoted) = value.strip_prefix(b"\"") else {
        if value.contains(&b'"') {
            return Err(Reason::Header("it has a double quote; that is %22"));
        }
        return Ok(value.to_vec());
    };
    let mut plain = Vec::with_capacity(quoted.len());
    let mut rest = quoted.iter();
    loop {
        match rest.next() {
            None => return Err(Reason::Header("its double quote is not closed")),
            Some(b'"') if rest.len() == 0 => return Ok(plain),
            Some(b'"') => return Err(Reason::Header("something follows its closing double quote")),
            Some(b'\\') => plain.push(*rest.next().ok_or(Reason::Header("its double quote is not closed"))?),
            Some(byte) => plain.push(*byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &[u8]) -> Result<String, Reason> {
        decode(&HeaderValue::from_bytes(text).unwrap())
    }

    #[test]
    fn the_specifications_example_is_written_and_read() {
        let text = "Euro € 😀";
        let written = encode(text).unwrap();
        assert_eq!(written, "Euro%20%E2%82%AC%20%F0%9F%98%80");
        assert_eq!(decode(&written).unwrap(), text);
    }

    #[test]
    fn exactly_space_quote_percent_and_what_is_not_printable_are_encoded() {
        for code in 0_u32..0x300 {
            let c = char::from_u32(code).unwrap();
            let stays = ('!'..='~').contains(&c) && c != '"' && c != '%';
            let written = encode(&c.to_string()).unwrap();
            assert_eq!(written == c.to_string().as_str(), stays, "{c:?} was written as {written:?}");
        }
    }

    #[test]
    fn one_round_is_decoded_in_either_case_and_where_it_was_not_needed() {
        for (wire, text) in [
            (&b"%25%32%30"[..], "%20"),
            (b"%2520", "%20"),
            (b"%e2%82%ac", "€"),
            (b"%61b%63", "abc"),
            (b"", ""),
            (b"a b", "a b"),
            (b"a+b", "a+b"),
        ] {
            assert_eq!(decoded(wire).as_deref(), Ok(text), "{wire:?}");
        }
    }

    #[test]
    fn quotes_are_taken_off_before_percent_encoding() {
        for (wire, text) in [
            (&br#""a b""#[..], "a b"),
            (br#""say \"hi\" \\ \n""#, r#"say "hi" \ n"#),
            (br#""%22""#, "\""),
            (br#""""#, ""),
            (b"%22a%22", "\"a\""),
        ] {
            assert_eq!(decoded(wire).as_deref(), Ok(text), "{wire:?}");
        }
        for bad in [&br#"""#[..], br#""a"#, br#""a" b"#, br#""a\"#, br#"a"b""#, br#"a""#] {
            assert!(matches!(decoded(bad), Err(Reason::Header(_))), "{bad:?}");
        }
    }

    #[test]
    fn what_is_not_utf_8_or_no_escape_is_refused() {
        for bad in [
            &b"%C0%A0"[..], // an overlong space
            b"%ED%A0%80",   // a surrogate
            b"%FF",
            b"%E2%82",
            b"%",
            b"%2",
            b"100%",
            b"%zz",
            b"% 20",
            b"%+1",
            "€".as_bytes(),
            b"a\tb",
        ] {
            assert!(matches!(decoded(bad), Err(Reason::Header(_))), "{bad:?}");
        }
    }
}
