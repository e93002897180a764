//! Our reading of files and flags, and our merge, beside Helm's own, over a chart that prints its values.

use manifests::values::set::Kind;
use manifests::values::{UserValues, merge, parse_yaml};
use serde_json::Value;

use crate::Outcome;
use crate::binary::{Folder, Helm};
use libtest_mimic::Trial;

const CHART: &str = "apiVersion: v2\nname: probe\nversion: 0.1.0\n";
const TEMPLATE: &str = "values: {{ .Values | toJson | quote }}\n";
const DEFAULTS: &str = "map: {a: 1, b: {c: 2, d: [1, 2]}}\nlist: [1, 2, 3]\ntext: x\nnumber: 7\ntruth: true\n";

/// What is said to both.
#[derive(Default)]
struct Said {
    files: &'static [&'static str],
    json: &'static [&'static str],
    set: &'static [&'static str],
    text: &'static [&'static str],
}

pub(crate) fn trials(helm: Option<&Helm>) -> Vec<Trial> {
    SAID.iter()
        .map(|(name, said)| {
            crate::trial(format!("values_are_read_as_helm_reads_them::{name}"), helm, move |helm| same(helm, said))
        })
        .collect()
}

fn same(helm: &Helm, said: &Said) -> Outcome {
    let folder = Folder::new();
    folder.write("probe/Chart.yaml", CHART);
    folder.write("probe/values.yaml", DEFAULTS);
    folder.write("probe/templates/values.yaml", TEMPLATE);
    let mut arguments =
        vec!["template".to_owned(), "probe".to_owned(), folder.path().join("probe").display().to_string()];
    let mut user = UserValues::default();
    for (number, text) in said.files.iter().enumerate() {
        let file = folder.write(&format!("{number}.yaml"), text);
        arguments.extend(["-f".to_owned(), file.display().to_string()]);
        user.file(text, "test").map_err(|error| error.to_string())?;
    }
    let flags = [
        ("--set-json", Kind::Json, said.json),
        ("--set", Kind::Typed, said.set),
        ("--set-string", Kind::Text, said.text),
    ];
    for (flag, kind, texts) in flags {
        for text in texts {
            arguments.extend([flag.to_owned(), (*text).to_owned()]);
            user.set(kind, text).map_err(|error| error.to_string())?;
        }
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let printed = parse_yaml(&helm.run(&arguments)?, "helm template").map_err(|error| error.to_string())?;
    let helms: Value = serde_json::from_str(printed["values"].as_str().unwrap())?;
    let ours = merge(parse_yaml(DEFAULTS, "defaults").map_err(|error| error.to_string())?, user.into_value());
    if helms == ours { Ok(()) } else { Err(format!("Helm: {helms}\nmsctl: {ours}").into()) }
}

static SAID: &[(&str, Said)] = &[
    ("nothing", Said { files: &[], json: &[], set: &[], text: &[] }),
    (
        "yaml_1_1_scalars",
        Said {
            files: &[
                "a: yes\nb: Off\nc: y\nd: 0400\ne: 0o17\nf: 0x1F\ng: 0b101\nh: 1_000\ni: +12\nj: 089\nk: 1.50\nl: 1e3\nm: .5\nn: 6.\n",
                "o: 1.2.3\np: 12:30:45\nq: ~\nr:\ns: 'yes'\nt: \"0400\"\nu: nO\nw: .\nx: !!str 5\nz: |\n  no\n",
                "on: 1\n8080: a\n0400: b\n1.5: c\n",
                "base: &base {a: 1, b: [x]}\nmore: {<<: *base, c: 3}\nagain: *base\n",
            ],
            json: &[],
            set: &[],
            text: &[],
        },
    ),
    ("documents", Said { files: &["a: {x: 1}\nb: 1\n---\na: {y: 2}\n---\nb: 2\n"], json: &[], set: &[], text: &[] }),
    ("empty_file", Said { files: &["", "# nothing\n", "a: 1"], json: &[], set: &[], text: &[] }),
    (
        "merge",
        Said {
            files: &["map: {b: {c: false, d: [3]}, e: ''}\nlist: []\ntext: 0\n", "map: {b: {x: 0}}\nnew: {y: null}\n"],
            json: &[],
            set: &[],
            text: &[],
        },
    ),
    (
        "null_deletes",
        Said {
            files: &["map: {a: null, b: {c: null, z: null}}\ntext: null\nother: null\n"],
            json: &[],
            set: &["list=null"],
            text: &[],
        },
    ),
    ("null_and_back", Said { files: &["map: null\n", "map: {b: {c: 3}}\n"], json: &[], set: &[], text: &[] }),
    ("scalar_over_map", Said { files: &["map: 1\ntext: {a: 1}\n"], json: &[], set: &[], text: &[] }),
    (
        "set",
        Said {
            files: &["map: {b: {c: 5}}\n"],
            json: &[],
            set: &[
                "map.b.c=6,map.a=TRUE,text=null,number=007,zero=0,big=12345678901",
                "list={a,2,true},list2[1]=x,deep[0].a[1].b=1,one\\.key=a\\,b\\=c,empty=,e={}",
                "map.f={x,y},trailing=1,",
            ],
            text: &[],
        },
    ),
    (
        "set_string_after_set",
        Said { files: &[], json: &[], set: &["a.b=1,c=2"], text: &["a.b=3,d=true,e=null,f={1,2}"] },
    ),
    (
        "set_json_before_set",
        Said {
            files: &[],
            json: &[r#"a={"b":[1,{"c":null}],"d":"x, y"},e=null,f="#, r#"{"map":{"a":2},"g":1.5}"#, "list[1]=9"],
            set: &["a.b[0]=2,map.b.d[0]=z"],
            text: &[],
        },
    ),
];
