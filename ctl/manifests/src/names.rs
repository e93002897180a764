//! Names of services and namespaces, checked before the API server sees them.

/// Longest name of a service. Its objects add a suffix to it (`-headless`), and some of theirs may have 63 characters only.
pub const MOST_SERVICE_NAME: usize = 52;
/// Longest label (RFC 1123).
const MOST_LABEL: usize = 63;

/// Why a name is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error(
        "`{name}` is no name of a service: at most {MOST_SERVICE_NAME} of a-z 0-9 -, starting with a letter, ending with a letter or digit"
    )]
    Service { name: String },
    #[error(
        "`{name}` is no name (RFC 1123 label): at most {MOST_LABEL} of a-z 0-9 -, with a letter or digit at both ends"
    )]
    Label { name: String },
}

/// Checks the name of a service (an RFC 1035 label, because it names a Service).
pub fn service(name: &str) -> Result<(), NameError> {
    let valid = is_label(name, MOST_SERVICE_NAME) && name.starts_with(|c: char| c.is_ascii_lowercase());
    if valid { Ok(()) } else { Err(NameError::Service { name: name.to_owned() }) }
}

/// Checks a name that has to be an RFC 1123 label, as a namespace's.
pub fn label(name: &str) -> Result<(), NameError> {
    if is_label(name, MOST_LABEL) { Ok(()) } else { Err(NameError::Label { name: name.to_owned() }) }
}

fn is_label(name: &str, most: usize) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    !name.is_empty()
        && name.len() <= most
        && name.bytes().all(|b| inner(b) || b == b'-')
        && name.bytes().next().is_some_and(inner)
        && name.bytes().last().is_some_and(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_services_name_leaves_room_for_suffixes() {
        assert!(service(&"a".repeat(52)).is_ok());
        assert!(service(&"a".repeat(53)).is_err());
        assert!(label(&"a".repeat(63)).is_ok());
        assert!(label(&"a".repeat(64)).is_err());
    }

    #[test]
    fn a_service_starts_with_a_letter_and_a_namespace_need_not() {
        assert!(service("2nd").is_err());
        assert!(label("2nd").is_ok());
    }

    #[test]
    fn capitals_dots_and_edges_are_refused_with_what_is_allowed() {
        for name in ["Orders", "a.b", "a_b", "-a", "a-", "", "ä"] {
            assert!(service(name).is_err(), "{name}");
            assert!(label(name).is_err(), "{name}");
        }
        let error = service("Orders").unwrap_err().to_string();
        assert_eq!(
            error,
            "`Orders` is no name of a service: at most 52 of a-z 0-9 -, starting with a letter, ending with a letter or digit"
        );
    }
}
