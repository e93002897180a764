//! Helm's own cases (`pkg/strvals/parser_test.go` of v4.3.1), and what a person should hear of a mistake.

use serde_json::{Map, Value, json};

use super::{Kind, apply};

fn read_file(path: &str) -> Result<String, String> {
    if path == "there.txt" { Ok("text, of a = file\n".to_owned()) } else { Err("no such file".to_owned()) }
}

fn parsed(kind: Kind, texts: &[&str]) -> Result<Value, String> {
    let mut into = Map::new();
    for text in texts {
        apply(text, kind, &mut into, &read_file).map_err(|error| error.to_string())?;
    }
    Ok(Value::Object(into))
}

fn set(text: &str) -> Value {
    parsed(Kind::Typed, &[text]).unwrap()
}

#[test]
fn whole_numbers_booleans_and_null_are_typed() {
    assert_eq!(set("name1=null,f=false,t=TRUE"), json!({"name1": null, "f": false, "t": true}));
    assert_eq!(
        set("zero_int=0,long_int=1234567890,minus=-3"),
        json!({"zero_int": 0, "long_int": 1_234_567_890, "minus": -3})
    );
    assert_eq!(set("leading_zeros=00009,decimal=1.5"), json!({"leading_zeros": "00009", "decimal": "1.5"}));
}

#[test]
fn set_string_keeps_everything_a_string() {
    let texts = ["long=1234567890,boolean=true,is_null=null,zero=0"];
    let expected = json!({"long": "1234567890", "boolean": "true", "is_null": "null", "zero": "0"});
    assert_eq!(parsed(Kind::Text, &texts), Ok(expected));
}

#[test]
fn pairs_are_apart_by_commas_and_a_backslash_takes_a_meaning() {
    assert_eq!(set("name1=value1,name2=value2,"), json!({"name1": "value1", "name2": "value2"}));
    assert_eq!(set("name1=,name2=value2"), json!({"name1": "", "name2": "value2"}));
    assert_eq!(set("name1=one\\,two,name2=three\\=four"), json!({"name1": "one,two", "name2": "three=four"}));
    assert_eq!(set("name1=one two three"), json!({"name1": "one two three"}));
    assert_eq!(set("a\\.b/c=d"), json!({"a.b/c": "d"}));
}

#[test]
fn dots_nest() {
    assert_eq!(
        set("outer.inner1=value,outer.middle.inner=value"),
        json!({"outer": {"inner1": "value", "middle": {"inner": "value"}}})
    );
    assert_eq!(set("name1.name2="), json!({"name1": {"name2": ""}}));
}

#[test]
fn braces_make_lists() {
    assert_eq!(set("name1={1021,b},name2.name3={c}"), json!({"name1": [1021, "b"], "name2": {"name3": ["c"]}}));
    assert_eq!(set("name1={}"), json!({"name1": [""]}));
}

#[test]
fn indices_make_and_extend_lists() {
    assert_eq!(set("list[0]=foo,list[3]=bar"), json!({"list": ["foo", null, null, "bar"]}));
    assert_eq!(set("list[0].foo=bar,list[0].hello=world"), json!({"list": [{"foo": "bar", "hello": "world"}]}));
    assert_eq!(set("nested[0][0]=1,nested[1][0]=2"), json!({"nested": [[1], [2]]}));
    assert_eq!(set("list[1]=a,list[0]=b"), json!({"list": ["b", "a"]}));
}

#[test]
fn a_later_flag_changes_what_an_earlier_one_set() {
    let texts = ["outer.inner1=a,outer.inner2=b", "outer.inner1=c", "outer.list[0]=d"];
    let expected = json!({"outer": {"inner1": "c", "inner2": "b", "list": ["d"]}});
    assert_eq!(parsed(Kind::Typed, &texts), Ok(expected));
}

#[test]
fn set_json_takes_any_json_and_empty_is_null() {
    let texts = [
        r#"outer.a="1",outer.b=3,outer.c={"x":[1,2,{"y":null}]},outer.d=["v, w"]"#,
        "outer.c.x[1]=null,outer.e=",
        r#"{"outer": {"b": 4}}"#,
    ];
    let expected = json!({"outer": {"a": "1", "b": 4, "c": {"x": [1, null, {"y": null}]}, "d": ["v, w"], "e": null}});
    assert_eq!(parsed(Kind::Json, &texts), Ok(expected));
}

#[test]
fn set_file_takes_the_files_text() {
    assert_eq!(parsed(Kind::File, &["a.b=there.txt"]), Ok(json!({"a": {"b": "text, of a = file\n"}})));
    assert_eq!(parsed(Kind::File, &["a=gone.txt"]), Err("read the file of `a`: no such file".to_owned()));
}

#[test]
fn a_mistake_is_named() {
    let cases = [
        (Kind::Typed, "name1,name2=value2", "key `name1` is followed by a comma: write `name1=VALUE`"),
        (Kind::Typed, "a=1,,b=2", "key `` is followed by a comma: write `=VALUE`"),
        (Kind::Typed, "name1", "key `name1` has no value: write `name1=VALUE`"),
        (Kind::Typed, "name1.=x", "key `name1` has no value: write `name1=VALUE`"),
        (Kind::Typed, "a={1,2", "a list has to end with `}`"),
        (Kind::Typed, "list[-30].x=1", "the index `-30` is no number from 0 to 65536"),
        (Kind::Typed, "list[65537]=1", "the index `65537` is no number from 0 to 65536"),
        (Kind::Typed, "list[0", "the index `0` is no number from 0 to 65536"),
        (Kind::Typed, "list[0]x=1", "`x` after an index: allowed are `.`, `[` and `=`"),
        (Kind::Typed, "list[0]", "key `list[0]` has no value: write `list[0]=VALUE`"),
        (Kind::Typed, "a=1,a.b=2", "`a` is a single value already, and can't be used as a map"),
        (Kind::Typed, "a.b=1,a[0]=2", "`a` is a map already, and can't be used as a list"),
        (Kind::Json, "a={", "the value of `a` is no JSON: EOF while parsing an object at line 1 column 1"),
    ];
    for (kind, text, error) in cases {
        assert_eq!(parsed(kind, &[text]), Err(error.to_owned()), "{text}");
    }
    let deep = format!("{}=1", vec!["a"; 40].join("."));
    assert_eq!(parsed(Kind::Typed, &[&deep]), Err("more than 30 levels in a key".to_owned()));
}
