//! Label selectors, as far as msctl writes them.

use serde_json::Value;

/// `a in (x,y),b=z,c`
pub(super) fn matches(selector: &str, object: &Value) -> bool {
    terms(selector).iter().all(|term| matches_term(term, object))
}

fn matches_term(term: &str, object: &Value) -> bool {
    let label = |key: &str| object["metadata"]["labels"][key].as_str().map(str::to_owned);
    if let Some((key, set)) = term.split_once(" in ") {
        let set = set.trim_matches(['(', ')']);
        return label(key.trim()).is_some_and(|value| set.split(',').any(|one| one == value));
    }
    match term.split_once('=') {
        Some((key, value)) => label(key.trim_end_matches('=')).is_some_and(|found| found == value),
        None => label(term).is_some(),
    }
}

/// Splits at commas outside parentheses.
fn terms(selector: &str) -> Vec<String> {
    let mut terms = vec![String::new()];
    let mut depth = 0;
    for c in selector.chars() {
        depth += i32::from(c == '(') - i32::from(c == ')');
        if c == ',' && depth == 0 {
            terms.push(String::new());
        } else {
            terms.last_mut().unwrap().push(c);
        }
    }
    terms.retain(|term| !term.is_empty());
    terms
}

/// The value of a parameter of a query.
pub(super) fn parameter(query: &str, name: &str) -> Option<String> {
    let found = query.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name)?;
    Some(decode(found.1))
}

/// Percent-decoding, and `+` for a space.
pub(super) fn decode(text: &str) -> String {
    let bytes = text.replace('+', " ").into_bytes();
    let mut decoded = Vec::new();
    let mut i = 0;
    while i < bytes.len() {
        let hex = (bytes[i] == b'%').then(|| std::str::from_utf8(bytes.get(i + 1..i + 3)?).ok()).flatten();
        let byte = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        decoded.push(byte.unwrap_or(bytes[i]));
        i += if byte.is_some() { 3 } else { 1 };
    }
    String::from_utf8(decoded).unwrap()
}
