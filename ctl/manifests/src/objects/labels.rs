//! Labels, selectors and metadata.
//!
//! Selectors can't be changed later, so they hold the name, and for the Deployment the track, only. What changes with every version
//! (chart, version, who manages it) never enters the pods' labels: it would restart them.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};

use crate::Release;
use crate::values::Values;

const NAME: &str = "app.kubernetes.io/name";
const INSTANCE: &str = "app.kubernetes.io/instance";
const VERSION: &str = "app.kubernetes.io/version";
const COMPONENT: &str = "app.kubernetes.io/component";
const PART_OF: &str = "app.kubernetes.io/part-of";
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
const TRACK: &str = "msctl.dev/track";
const STABLE: &str = "stable";

pub(super) type Labels = BTreeMap<String, String>;

fn pairs<const N: usize>(pairs: [(&str, &str); N]) -> Labels {
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// Metadata of an object that has the service's name.
pub(super) fn metadata(release: &Release<'_>, values: &Values) -> ObjectMeta {
    ObjectMeta {
        name: Some(release.name.to_owned()),
        namespace: Some(release.namespace.to_owned()),
        labels: Some(of_object(release, values)),
        ..ObjectMeta::default()
    }
}

/// Metadata of an object that has annotations of its own.
pub(super) fn annotated(release: &Release<'_>, values: &Values, annotations: &Labels) -> ObjectMeta {
    let annotations = (!annotations.is_empty()).then(|| annotations.clone());
    ObjectMeta { annotations, ..metadata(release, values) }
}

/// Metadata of the Deployment, which is of a track.
pub(super) fn tracked(release: &Release<'_>, values: &Values) -> ObjectMeta {
    let mut metadata = metadata(release, values);
    metadata.labels.get_or_insert_default().insert(TRACK.to_owned(), STABLE.to_owned());
    metadata
}

/// The recommended labels
/// (<https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/>).
fn of_object(release: &Release<'_>, values: &Values) -> Labels {
    let version = label_value(&values.image.version());
    pairs([
        (NAME, release.name),
        (INSTANCE, release.instance),
        (VERSION, &version),
        (COMPONENT, &values.component.0),
        (PART_OF, part_of(release, values)),
        (MANAGED_BY, release.managed_by),
    ])
}

/// Labels of the pods.
pub(super) fn of_pods(release: &Release<'_>, values: &Values) -> Labels {
    let mut labels = pairs([
        (NAME, release.name),
        (COMPONENT, &values.component.0),
        (PART_OF, part_of(release, values)),
        (TRACK, STABLE),
    ]);
    labels.extend(values.pod_labels.iter().map(|(key, value)| (key.clone(), value.0.clone())));
    labels
}

fn part_of<'a>(release: &Release<'a>, values: &'a Values) -> &'a str {
    values.part_of.as_ref().map_or(release.name, |part_of| part_of.0.as_str())
}

/// Every pod of the service.
pub(super) fn by_name(release: &Release<'_>) -> Labels {
    pairs([(NAME, release.name)])
}

/// The pods of the service's Deployment.
pub(super) fn by_track(release: &Release<'_>) -> Labels {
    pairs([(NAME, release.name), (TRACK, STABLE)])
}

pub(super) fn selector(labels: Labels) -> LabelSelector {
    LabelSelector { match_labels: Some(labels), match_expressions: None }
}

/// A tag as the value of a label, which may be shorter and has stricter ends.
fn label_value(tag: &str) -> String {
    let short: String = tag.chars().take(63).collect();
    short.trim_matches(|c: char| !c.is_ascii_alphanumeric()).to_owned()
}

#[cfg(test)]
mod tests {
    use super::label_value;

    #[test]
    fn a_tag_becomes_a_valid_label() {
        assert_eq!(label_value("1.4.2"), "1.4.2");
        assert_eq!(label_value("_x-"), "x");
        assert_eq!(label_value(&format!("{}-{}", "a".repeat(62), "b".repeat(60))), "a".repeat(62));
    }
}
