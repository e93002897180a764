//! Committed goldens = typed output, and what is refused.

use manifests::values::{self, merge};

use crate::support::{Case, cases, comparable, difference, golden, refused};
use crate::typed::{is_hook, typed, user_values};

fn compare(case: &Case) -> Option<String> {
    let rendered = golden(case).into_iter().filter(|object| !is_hook(object)).collect();
    let typed = match typed(&case.service, user_values(&case.values)) {
        Ok(typed) => typed,
        Err(error) => return Some(error.to_string()),
    };
    difference(&comparable(typed), &comparable(rendered))
}

#[test]
fn typed_objects_are_the_committed_goldens() {
    let wrong: Vec<String> = cases()
        .iter()
        .filter_map(|case| compare(case).map(|difference| format!("{}/{}: {difference}", case.service, case.name)))
        .collect();
    assert!(wrong.is_empty(), "msctl here, the golden there:\n{}", wrong.join("\n"));
}

#[test]
fn every_golden_has_a_case() {
    let cases: Vec<_> = cases().into_iter().map(|case| case.golden).collect();
    for folder in std::fs::read_dir(crate::support::tests().join("goldens")).unwrap() {
        for golden in std::fs::read_dir(folder.unwrap().path()).unwrap() {
            let golden = golden.unwrap().path();
            assert!(cases.contains(&golden), "{}: no case leads to it", golden.display());
        }
    }
}

#[test]
fn wrong_values_are_refused_by_the_path_of_their_key() {
    for refused in refused() {
        let merged = merge(values::defaults(&refused.service).unwrap(), user_values(&refused.values));
        let problems = values::resolve(merged).err().map(|error| error.problems).unwrap_or_default();
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let wanted = refused.said("refused");
        assert!(!wanted.is_empty(), "{}: no `# refused:`", refused.name);
        assert_eq!(problems, wanted, "{}", refused.name);
    }
}
