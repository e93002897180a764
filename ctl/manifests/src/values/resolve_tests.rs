//! What a person hears of wrong values. The rules across keys are in `tests/contract/refused`, where Helm is held to them too.

use serde_json::{Value, json};

use super::super::{defaults, merge};
use super::resolve;

fn problems_of(over: Value) -> Vec<String> {
    let merged = merge(defaults("service-a").unwrap(), over);
    let problems = resolve(merged).err().map(|error| error.problems).unwrap_or_default();
    problems.iter().map(ToString::to_string).collect()
}

fn problem_of(over: Value) -> String {
    let problems = problems_of(over);
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems[0].clone()
}

#[test]
fn the_defaults_of_every_bundled_service_are_valid() {
    for service in super::super::bundled() {
        resolve(defaults(service).unwrap()).unwrap();
    }
}

#[test]
fn what_helm_adds_to_a_charts_values_is_ignored() {
    let helms = json!({"global": {"a": 1}, "microservice": {"exports": {}}, "enabled": true});
    assert_eq!(problems_of(helms), Vec::<String>::new());
}

#[test]
fn an_unknown_key_is_named_with_what_was_probably_meant() {
    assert_eq!(problem_of(json!({"replcias": 3})), "replcias: unknown key; did you mean `replicas`?");
    assert_eq!(problem_of(json!({"service": {"Port": 3}})), "service.Port: unknown key; did you mean `port`?");
    assert_eq!(problem_of(json!({"tmp": {"colour": "red"}})), "tmp.colour: unknown key; allowed here: sizeLimit");
    assert_eq!(
        problem_of(json!({"tolerations": [{}, {"efect": "NoSchedule"}]})),
        "tolerations[1].efect: unknown key; did you mean `effect`?"
    );
}

#[test]
fn a_wrong_type_is_named_with_what_is_allowed() {
    assert_eq!(
        problem_of(json!({"service": {"port": "http"}})),
        "service.port: `http` is a string; allowed: a whole number from 1 to 65535"
    );
    assert_eq!(
        problem_of(json!({"replicas": 1.5})),
        "replicas: 1.5 is a number; allowed: a whole number from 0 to 2147483647"
    );
    assert_eq!(
        problem_of(json!({"replicas": true})),
        "replicas: true is a boolean; allowed: a whole number from 0 to 2147483647"
    );
    assert_eq!(problem_of(json!({"resources": []})), "resources: it is a list; allowed: a map");
}

#[test]
fn a_number_where_text_is_wanted_gets_a_hint() {
    assert_eq!(
        problem_of(json!({"env": {"WORKERS": 4}})),
        "env.WORKERS: 4 is a number; allowed: a string; put it in quotes, or use --set-string"
    );
}

#[test]
fn a_whole_number_may_be_written_as_a_float() {
    assert_eq!(problems_of(json!({"replicas": 3.0})), Vec::<String>::new());
}

#[test]
fn a_port_out_of_range_is_refused() {
    for port in [json!(0), json!(65536), json!(-1)] {
        assert_eq!(
            problem_of(json!({"service": {"port": port}})),
            format!("service.port: {port} is out of range; allowed: a whole number from 1 to 65535")
        );
    }
}

#[test]
fn a_choice_is_named_with_its_alternatives() {
    assert_eq!(
        problem_of(json!({"image": {"pullPolicy": "Allways"}})),
        "image.pullPolicy: `Allways` is not allowed; allowed: Always, IfNotPresent, Never; did you mean `Always`?"
    );
}

#[test]
fn a_format_is_named_by_an_example() {
    assert_eq!(
        problem_of(json!({"resources": {"limits": {"memory": "64mb"}}})),
        "resources.limits.memory: `64mb` is not allowed; allowed: a quantity, such as 100m, 0.5, 64Mi or 1Gi"
    );
    assert_eq!(
        problem_of(json!({"env": {"2ND": "x"}})),
        "env.2ND: the key `2ND` is not allowed; allowed: a variable's name: A-Z a-z 0-9 . _ -, not starting with a digit, . or -"
    );
}

#[test]
fn all_problems_are_told_at_once() {
    let problems = problems_of(json!({"replcias": 3, "service": {"port": 0}, "drain": {"by": "me"}}));
    assert_eq!(problems.len(), 3, "{problems:?}");
}

#[test]
fn a_required_value_that_null_deleted_is_missing() {
    assert_eq!(
        problem_of(json!({"service": {"port": null}})),
        "service.port: it is missing, and there is no default; a null deletes one"
    );
}
