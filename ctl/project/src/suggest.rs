//! The known word that a mistyped one was probably meant to be.

/// The nearest one, when it is near enough to be worth naming; capitals are no difference.
pub(crate) fn did_you_mean<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let given = given.to_lowercase();
    known
        .into_iter()
        .map(|word| (strsim::osa_distance(&given, &word.to_lowercase()), word))
        .filter(|(distance, word)| *distance <= (word.len().max(given.len()) / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::did_you_mean;

    #[test]
    fn a_swap_a_missing_letter_and_a_wrong_case_are_near_and_another_word_is_not() {
        let known = ["folder", "port", "run"];
        for typo in ["fodler", "foldr", "Folder"] {
            assert_eq!(did_you_mean(typo, known), Some("folder"), "{typo}");
        }
        assert_eq!(did_you_mean("replicas", known), None);
    }
}
