//! The known word that a mistyped one was probably meant to be.

use strsim::osa_distance;

/// The nearest candidate, when it is near enough to be worth naming; capitals are no difference.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (osa_distance(&word.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_swap_a_missing_letter_and_a_wrong_case_are_near() {
        for typo in ["replcias", "replica", "Replicas"] {
            assert_eq!(nearest(typo, ["image", "replicas", "service"]), Some("replicas"));
        }
    }

    #[test]
    fn another_word_is_not_near() {
        assert_eq!(nearest("database", ["image", "replicas", "service"]), None);
    }
}
