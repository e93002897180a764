use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

use super::*;

/// Seeds are the loop's counter: a failure names the one to try again.
#[test]
fn what_is_written_is_read_back_in_both_modes() {
    for seed in 0..3_000 {
        let event = random_event(&mut SmallRng::seed_from_u64(seed));
        let (headers, body) = event.write_binary().unwrap_or_else(|error| panic!("seed {seed}: {error}: {event:?}"));
        for value in headers.values() {
            assert!(value.as_bytes().iter().all(|byte| matches!(byte, b' '..=b'~')), "seed {seed}: {value:?}");
        }
        assert_eq!(Event::read(&headers, &body).as_ref(), Ok(&event), "seed {seed}");

        let (headers, body) = event.write_structured().unwrap();
        assert_eq!(Event::read(&headers, &body).as_ref(), Ok(&event), "seed {seed}");
    }
}

/// No bytes bring the reader down, and what it takes it can write again.
#[test]
fn noise_is_an_error_or_an_event() {
    const PIECES: [&str; 16] = [
        "{",
        "}",
        "\"",
        ":",
        ",",
        "id",
        "source",
        "type",
        "data",
        "data_base64",
        "1.0",
        "specversion",
        "null",
        "[",
        "\\u00",
        "/a",
    ];
    let mut taken = 0;
    for seed in 0..20_000 {
        let mut random = SmallRng::seed_from_u64(seed);
        let noise: String = (0..random.random_range(0..12)).map(|_| PIECES[random.random_range(0..16)]).collect();
        let whole = format!(r#"{{"specversion":"1.0","id":"1","source":"/a","type":"t"{noise}}}"#);
        for body in [&noise, &whole] {
            let Ok(event) = structured(body) else { continue };
            taken += 1;
            assert!(event.write_structured().is_ok(), "seed {seed}");
        }
        let _ = binary(&[("ce-mine", noise.as_str()), ("content-type", noise.as_str())]);
    }
    assert!(taken > 100, "{taken}");
}

fn random_event(random: &mut SmallRng) -> Event {
    let mut event = Event::new(text(random, 1), source(random), text(random, 1));
    event.time = random.random_bool(0.5).then(|| crate::time::rfc3339(random.random_range(0..4_000_000_000_000)));
    event.subject = random.random_bool(0.5).then(|| text(random, 1));
    event.dataschema = random.random_bool(0.3).then(|| "urn:schema:1?x".to_owned());
    for _ in 0..random.random_range(0..4) {
        let name: String =
            (0..random.random_range(1..20)).map(|_| char::from(random.random_range(b'a'..=b'z'))).collect();
        event = event.with_extension(&format!("x{name}9"), text(random, 0));
    }
    match random.random_range(0..4) {
        0 => event,
        1 => event.with_json(format!("{{\"{}\": [1.0,  {{}}]}}", "k".repeat(random.random_range(0..9)))),
        2 => {
            let bytes: Vec<u8> = (0..random.random_range(1..40)).map(|_| random.random()).collect();
            Event {
                datacontenttype: Some("application/octet-stream; a=\"b;c\"".into()),
                data: Some(bytes.into()),
                ..event
            }
        }
        _ => event.with_json("not JSON at all, whatever its type says"),
    }
}

fn source(random: &mut SmallRng) -> String {
    let all =
        ["/service-a", "urn:uuid:6e8bc430", "https://a.example/b?c=%20#d", "1-555-123-4567", "//[::1]:80/x", "?", "a"];
    all[random.random_range(0..all.len())].to_owned()
}

/// Any text that an attribute may hold, the awkward characters often.
fn text(random: &mut SmallRng, least: usize) -> String {
    const AWKWARD: [char; 12] = [' ', '"', '%', '\\', '/', 'é', '€', '😀', '\u{a0}', ';', '%', ','];
    (0..random.random_range(least..12))
        .map(|_| match random.random_range(0..4) {
            0 => AWKWARD[random.random_range(0..AWKWARD.len())],
            1 => char::from_u32(random.random_range(0xa0..0x2000)).unwrap_or('x'),
            _ => char::from(random.random_range(b'!'..=b'~')),
        })
        .collect()
}
