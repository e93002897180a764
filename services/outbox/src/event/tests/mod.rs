use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, StatusCode};

use super::*;

mod round_trip;

/// The least that is an event, in binary mode.
const LEAST: [(&str, &str); 4] = [("ce-specversion", "1.0"), ("ce-id", "1"), ("ce-source", "/a"), ("ce-type", "t")];

fn headers<'a>(all: impl IntoIterator<Item = (&'a str, &'a str)>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in all {
        headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    headers
}

/// Binary mode with `more`, which replaces a header of the same name.
fn binary(more: &[(&str, &str)]) -> Result<Event, Error> {
    let kept = LEAST.into_iter().filter(|(name, _)| more.iter().all(|(other, _)| name != other));
    Event::read(&headers(kept.chain(more.iter().copied())), &Bytes::from_static(b"{}"))
}

fn structured(body: &str) -> Result<Event, Error> {
    Event::read(&headers([("content-type", STRUCTURED)]), &Bytes::copy_from_slice(body.as_bytes()))
}

/// The members of the least that is an event, but for one.
fn members_without(name: &str) -> String {
    let all = LEAST.iter().map(|(header, value)| (&header[3..], value)).filter(|(other, _)| *other != name);
    all.map(|(other, value)| format!(r#""{other}":"{value}""#)).collect::<Vec<_>>().join(",")
}

/// Structured mode with `more` members.
fn with_members(more: &str) -> Result<Event, Error> {
    structured(&format!(r#"{{"specversion":"1.0","id":"1","source":"/a","type":"t"{more}}}"#))
}

/// The attribute that `result` complains of, and how.
#[track_caller]
fn refused(result: Result<Event, Error>) -> (String, Reason) {
    let error = result.unwrap_err();
    assert_eq!(error.status(), StatusCode::BAD_REQUEST, "{error}");
    match error {
        Error::Attribute { name, reason } => (name, reason),
        other => panic!("no attribute is named: {other}"),
    }
}

#[test]
fn the_content_type_chooses_the_mode() {
    for (told, expected) in [
        (None, Mode::Binary),
        (Some("application/json"), Mode::Binary),
        (Some("text/plain"), Mode::Binary),
        (Some("application/cloudevents+json"), Mode::Structured),
        (Some("Application/CloudEvents+JSON; charset=UTF-8"), Mode::Structured),
    ] {
        assert_eq!(mode(&headers(told.map(|told| ("content-type", told)))), Ok(expected), "{told:?}");
    }
}

#[test]
fn batches_and_other_formats_are_415() {
    for told in ["application/cloudevents-batch+json", "Application/Cloudevents-Batch+JSON; charset=utf-8"] {
        assert_eq!(mode(&headers([("content-type", told)])), Err(Error::Batched));
    }
    for told in ["application/cloudevents+avro", "application/cloudevents", "application/cloudevents; a=b"] {
        assert_eq!(mode(&headers([("content-type", told)])), Err(Error::Format(told.to_owned())));
    }
    assert_eq!(Error::Batched.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(Error::Format(String::new()).status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[test]
fn the_specifications_binary_example_is_read() {
    let message = headers([
        ("ce-specversion", "1.0"),
        ("ce-type", "com.example.someevent"),
        ("ce-time", "2018-04-05T03:56:24Z"),
        ("ce-id", "1234-1234-1234"),
        ("ce-source", "/mycontext/subcontext"),
        ("ce-comexampleothervalue", "5"),
        ("content-type", "application/json; charset=utf-8"),
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        ("ce-traceparent", "00-0af7651916cd43dd8448eb211c80319c-b9c7c989f97918e1-01"),
    ]);
    let body = Bytes::from_static(b" {\"a\": 1.0}\n");

    let event = Event::read(&message, &body).unwrap();

    let expected = Event::new("1234-1234-1234", "/mycontext/subcontext", "com.example.someevent")
        .with_json(body)
        .with_extension("comexampleothervalue", "5")
        .with_extension("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b9c7c989f97918e1-01");
    let expected = Event {
        time: Some("2018-04-05T03:56:24Z".into()),
        datacontenttype: Some("application/json; charset=utf-8".into()),
        ..expected
    };
    assert_eq!(event, expected);
}

#[test]
fn the_specifications_structured_examples_are_read() {
    let event = with_members(
        r#","time":"2018-04-05T17:31:00Z","comexampleextension1":"value","comexampleothervalue":5,"flag":true,
        "unsetextension":null,"subject":null,"datacontenttype":"application/xml","data":"<much wow=\"xml\"/>""#,
    )
    .unwrap();
    assert_eq!(event.data.as_deref(), Some(&b"<much wow=\"xml\"/>"[..]));
    assert_eq!(event.subject, None);
    let extensions: Vec<_> = event.extensions.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(extensions, [("comexampleextension1", "value"), ("comexampleothervalue", "5"), ("flag", "true")]);

    let event = with_members(r#","datacontenttype":"a/b","data_base64":"AP8=""#).unwrap();
    assert_eq!(event.data.as_deref(), Some(&[0, 255][..]));
}

#[test]
fn structured_data_without_a_type_is_json_and_says_so_from_then_on() {
    let event = with_members(r#","data":"I'm just a string""#).unwrap();
    assert_eq!(event.data.as_deref(), Some(&b"\"I'm just a string\""[..]));
    let (headers, body) = event.write_binary().unwrap();
    assert_eq!(headers[CONTENT_TYPE], "application/json");
    assert_eq!(body, "\"I'm just a string\"");
}

#[test]
fn data_that_is_null_is_not_data_that_is_absent() {
    assert_eq!(with_members(r#","data":null"#).unwrap().data.as_deref(), Some(&b"null"[..]));
    assert_eq!(with_members("").unwrap().data, None);
    assert_eq!(Event::read(&headers(LEAST), &Bytes::new()).unwrap().data, None);
}

#[test]
fn json_data_stays_as_it_was_written() {
    let data = r#"{ "b":1.00, "a":1e400, "b":"\u0000\ud83d\ude00", "c":[ [],{} ] }"#;
    let event = with_members(&format!(r#","data":{data}"#)).unwrap();
    assert_eq!(event.data.as_deref(), Some(data.as_bytes()));
    assert_eq!(event.json_object().unwrap().get(), data);
}

#[test]
fn what_is_required_is_missed_by_name_in_both_modes() {
    for name in ["specversion", "id", "source", "type"] {
        let header = format!("ce-{name}");
        let message = headers(LEAST.into_iter().filter(|(other, _)| *other != header));
        assert_eq!(refused(Event::read(&message, &Bytes::new())), (name.to_owned(), Reason::Missing));

        for member in [String::new(), format!(r#","{name}":null"#)] {
            let body = format!("{{{}{member}}}", members_without(name));
            assert_eq!(refused(structured(&body)), (name.to_owned(), Reason::Missing), "{body}");
        }
    }
}

#[test]
fn the_version_is_1_0_to_the_letter() {
    for other in ["0.3", "1.0.2", "1", "01.0", "2.0", ""] {
        let expected = ("specversion".to_owned(), Reason::Version(other.to_owned()));
        assert_eq!(refused(binary(&[("ce-specversion", other)])), expected);
        assert_eq!(refused(structured(&format!(r#"{{"specversion":"{other}"}}"#))), expected);
    }
}

#[test]
fn values_break_the_rule_of_their_attribute_in_both_modes() {
    for (name, value, reason) in [
        ("id", "", Reason::Empty),
        ("source", "", Reason::Empty),
        ("type", "", Reason::Empty),
        ("subject", "", Reason::Empty),
        ("dataschema", "", Reason::Empty),
        ("time", "", Reason::Time),
        ("time", "yesterday", Reason::Time),
        ("time", "2018-04-05 17:31:00Z", Reason::Time),
        ("source", "a b", Reason::UriReference("it has a character that is not allowed where it stands")),
        ("source", "1:b", Reason::UriReference("what stands before its first colon is no scheme")),
        ("dataschema", "/relative", Reason::AbsoluteUri("it has no scheme")),
        ("dataschema", "http://a#b", Reason::AbsoluteUri("it has a fragment")),
        ("id", "\u{7f}", Reason::Character('\u{7f}')),
        ("type", "a\u{85}", Reason::Character('\u{85}')),
        ("subject", "\u{fffe}", Reason::Character('\u{fffe}')),
        ("mine", "\u{fdd0}", Reason::Character('\u{fdd0}')),
        ("mine", "\u{10ffff}", Reason::Character('\u{10ffff}')),
    ] {
        let expected = (name.to_owned(), reason);
        let encoded = header::encode(value).unwrap();
        assert_eq!(refused(binary(&[(&format!("ce-{name}"), encoded.to_str().unwrap())])), expected, "{value:?}");
        let value = serde_json::to_string(value).unwrap();
        let body = format!(r#"{{{},"{name}":{value}}}"#, members_without(name));
        assert_eq!(refused(structured(&body)), expected, "{body}");
    }
}

#[test]
fn what_is_there_twice_is_refused_in_both_modes() {
    for name in ["specversion", "id", "source", "type", "mine"] {
        let header = format!("ce-{name}");
        let same = if name == "mine" { "x" } else { LEAST.iter().find(|(other, _)| *other == header).unwrap().1 };
        let twice = binary(&[(&header, same), (&header, same)]);
        assert_eq!(refused(twice), (name.to_owned(), Reason::Repeated));
    }
    let twice = binary(&[("content-type", "application/json"), ("content-type", "application/json")]);
    assert_eq!(refused(twice), ("datacontenttype".to_owned(), Reason::Repeated));
    for (members, name) in [
        (r#","id":"1""#, "id"),
        (r#","\u0069d":"1""#, "id"),
        (r#","mine":1,"mine":1"#, "mine"),
        (r#","data":1,"data":1"#, "data"),
        (r#","data_base64":"","data_base64":"""#, "data_base64"),
    ] {
        assert_eq!(refused(with_members(members)), (name.to_owned(), Reason::Repeated), "{members}");
    }
}

#[test]
fn names_are_lower_case_letters_and_digits_and_some_are_reserved() {
    for name in ["a_b", "a-b", "a.b", ""] {
        assert_eq!(refused(binary(&[(&format!("ce-{name}"), "x")])), (format!("{name:?}"), Reason::Name));
    }
    for name in ["Mine", "a_b", "ID", "é", ""] {
        assert_eq!(refused(with_members(&format!(r#","{name}":"x""#))), (format!("{name:?}"), Reason::Name));
    }
    assert_eq!(refused(binary(&[("ce-data", "x")])), ("data".to_owned(), Reason::Reserved));
    assert_eq!(
        refused(binary(&[("ce-datacontenttype", "application/json")])),
        ("datacontenttype".to_owned(), Reason::ContentType)
    );
    assert!(binary(&[("CE-MINE", "x")]).unwrap().extensions.contains_key("mine"));
}

#[test]
fn a_header_that_can_not_be_decoded_names_its_attribute() {
    for bad in ["%C0%A0", "100%", "\"a", "a\"b", "é"] {
        let (name, reason) = refused(binary(&[("ce-subject", bad)]));
        assert!(name == "subject" && matches!(reason, Reason::Header(_)), "{bad}: {reason}");
    }
    assert_eq!(binary(&[("ce-subject", "\"a%20b c\"")]).unwrap().subject.as_deref(), Some("a b c"));
}

#[test]
fn members_have_the_json_types_of_their_attributes() {
    for name in ["id", "source", "type", "time", "subject", "datacontenttype", "dataschema", "specversion"] {
        for value in ["1", "true", "{}", "[]"] {
            let (named, reason) = refused(structured(&format!(r#"{{"{name}":{value}}}"#)));
            assert_eq!((named.as_str(), reason), (name, Reason::Json("a JSON string")));
        }
    }
    for value in ["1.0", "1e3", "2147483648", "-2147483649", "{}", "[]"] {
        let (name, reason) = refused(with_members(&format!(r#","mine":{value}"#)));
        assert!(name == "mine" && matches!(reason, Reason::Json(_)), "{value}: {reason}");
    }
    for value in ["2147483647", "-2147483648", "0", "true", "false"] {
        assert_eq!(with_members(&format!(r#","mine":{value}"#)).unwrap().extensions["mine"], value);
    }
    let (name, reason) = refused(with_members(r#","mine":"\udead""#));
    assert!(name == "mine" && matches!(reason, Reason::Unreadable(_)), "{reason}");
}

#[test]
fn data_is_one_of_two_members_and_fits_its_type() {
    assert_eq!(refused(with_members(r#","data":1,"data_base64":"AA==""#)), ("data".to_owned(), Reason::Both));
    for bad in [r#""A""#, r#""AA""#, r#""AB==""#, r#""A A=""#, r#""-_==""#, "1", "null"] {
        let (name, reason) = refused(with_members(&format!(r#","data_base64":{bad}"#)));
        assert!(name == "data_base64" && matches!(reason, Reason::Unreadable(_)), "{bad}: {reason}");
    }
    let (name, _) = refused(with_members(r#","datacontenttype":"text/xml","data":{}"#));
    assert_eq!(name, "data");
}

#[test]
fn a_body_that_is_no_json_object_is_no_event() {
    for bad in ["", "[]", "1", "null", "{", r#"{"a":}"#, r#"{"id":"1",}"#, "{}{}", "\u{feff}{}"] {
        let error = structured(bad).unwrap_err();
        assert!(matches!(error, Error::Envelope(_)), "{bad}: {error}");
        assert_eq!(error.status(), StatusCode::BAD_REQUEST);
    }
    let not_utf_8 = Bytes::from_static(b"{\"id\":\"\xff\"}");
    assert!(matches!(Event::read(&headers([("content-type", STRUCTURED)]), &not_utf_8), Err(Error::Envelope(_))));
}

#[test]
fn headers_say_nothing_in_structured_mode() {
    let message = headers([("content-type", STRUCTURED), ("ce-id", "another"), ("ce-specversion", "0.3")]);
    let body = Bytes::from_static(br#"{"specversion":"1.0","id":"1","source":"/a","type":"t"}"#);
    assert_eq!(Event::read(&message, &body).unwrap().id, "1");
}

#[test]
fn only_an_object_is_an_object() {
    let event = |data: &'static str| Event::new("1", "/a", "t").with_json(data);
    assert_eq!(event(" {\"a\":1}\n").json_object().unwrap().get(), "{\"a\":1}");
    for bad in ["[]", "1", "null", "\"{}\"", "{", "{}{}", ""] {
        let error = event(bad).json_object().unwrap_err();
        assert!(error.to_string().starts_with("data "), "{bad}: {error}");
    }
    assert_eq!(refused_data(&Event::new("1", "/a", "t")), ("data".to_owned(), Reason::Missing));
    let xml = Event { datacontenttype: Some("text/xml".into()), ..event("{}") };
    assert_eq!(refused_data(&xml), ("datacontenttype".to_owned(), Reason::NotJson("text/xml".into())));
    let untyped = Event { datacontenttype: None, ..event("{}") };
    assert!(untyped.json_object().is_ok());
}

#[track_caller]
fn refused_data(event: &Event) -> (String, Reason) {
    refused(event.json_object().map(|_| event.clone()))
}

#[test]
fn nesting_of_any_depth_is_text_like_any_other() {
    let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(30_000), "]".repeat(30_000));
    assert_eq!(with_members(&format!(r#","data":{deep}"#)).unwrap().json_object().unwrap().get(), deep);
    let (name, _) = refused(with_members(&format!(r#","mine":{deep}"#)));
    assert_eq!(name, "mine");
}

#[test]
fn what_is_no_event_is_not_written() {
    let good = Event::new("1", "/a", "t");
    let bad = [
        Event::new("", "/a", "t"),
        Event::new("1", "a b", "t"),
        good.clone().with_extension("Upper", "x"),
        good.clone().with_extension("data", "x"),
        good.clone().with_extension("type", "x"),
        good.clone().with_extension("mine", "\n"),
        Event { time: Some("now".into()), ..good.clone() },
        Event { datacontenttype: Some("json".into()), ..good.clone() },
        Event { datacontenttype: Some("a/b\r\nx: y".into()), ..good.clone() },
    ];
    for event in bad {
        assert!(event.write_binary().is_err() && event.write_structured().is_err(), "{event:?}");
    }
    let nested = Event { datacontenttype: Some("application/cloudevents+json".into()), ..good };
    assert_eq!(refused(nested.write_binary().map(|_| nested.clone())).1, Reason::Nested);
    assert_eq!(nested.write_structured().map(|(headers, body)| Event::read(&headers, &body)), Ok(Ok(nested)));
}

#[test]
fn an_event_is_written_in_binary_mode_as_it_should_be() {
    let event = Event::new("€ 1", "/service-a", "dev.msctl.message.created.v1")
        .with_time(1_769_903_999_123)
        .with_json("{\"key\": \"value\"}")
        .with_extension("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b9c7c989f97918e1-01");
    let (written, body) = event.write_binary().unwrap();
    let expected = headers([
        ("ce-specversion", "1.0"),
        ("ce-id", "%E2%82%AC%201"),
        ("ce-source", "/service-a"),
        ("ce-type", "dev.msctl.message.created.v1"),
        ("ce-time", "2026-01-31T23:59:59.123Z"),
        ("ce-traceparent", "00-0af7651916cd43dd8448eb211c80319c-b9c7c989f97918e1-01"),
        ("content-type", "application/json"),
    ]);
    assert_eq!(written, expected);
    assert_eq!(body, "{\"key\": \"value\"}");
}
