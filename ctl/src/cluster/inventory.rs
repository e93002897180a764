//! What a deploy made, remembered on the service's Lease: so that the next one deletes what is no longer wanted.

use std::collections::{BTreeMap, BTreeSet};

use super::kinds::Reference;

/// Annotation with a JSON list of references.
pub(crate) const ANNOTATION: &str = "msctl.dev/inventory";

/// Objects that belong to one service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Inventory(BTreeSet<Reference>);

impl Inventory {
    /// From an object's annotations. One that cannot be read counts as lost: labels then tell what is there.
    pub(crate) fn read(annotations: &BTreeMap<String, String>) -> Self {
        annotations.get(ANNOTATION).and_then(|text| serde_json::from_str(text).ok()).map(Self).unwrap_or_default()
    }

    /// The annotation's value.
    pub(crate) fn write(&self) -> String {
        serde_json::to_string(&self.0).unwrap_or_default()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Reference> {
        self.0.iter()
    }

    pub(crate) fn union(&self, other: &Self) -> Self {
        Self(self.0.union(&other.0).cloned().collect())
    }

    /// What is in here and not in `wanted`.
    pub(crate) fn without(&self, wanted: &Self) -> Self {
        Self(self.0.difference(&wanted.0).cloned().collect())
    }
}

impl FromIterator<Reference> for Inventory {
    fn from_iter<I: IntoIterator<Item = Reference>>(references: I) -> Self {
        Self(references.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inventory_survives_the_annotation() {
        let inventory: Inventory =
            [Reference::new("v1", "Service", "a"), Reference::new("apps/v1", "Deployment", "a")].into_iter().collect();
        let annotations = BTreeMap::from([(ANNOTATION.to_owned(), inventory.write())]);
        assert_eq!(Inventory::read(&annotations), inventory);
    }

    #[test]
    fn one_that_cannot_be_read_counts_as_lost() {
        let annotations = BTreeMap::from([(ANNOTATION.to_owned(), "{".to_owned())]);
        assert!(Inventory::read(&annotations).is_empty());
    }
}
