//! One line out of a chain of errors.

use std::error::Error;

/// The deepest cause that says something, without the wrappers' repetition.
///
/// hyper-util's "client error (Connect)" says nothing; the operating system's "Connection refused (os error 111)" does.
pub(crate) fn root_cause(error: &(dyn Error + 'static)) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    // An io::Error may wrap another error that it does not name as its source's source.
    let text = deepest.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

/// The first error of type `E` in the chain, `error` itself included.
pub(crate) fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(current) = next {
        if let Some(found) = current.downcast_ref::<E>() {
            return Some(found);
        }
        // io::Error::source() skips the error it wraps, so look inside too.
        if let Some(inner) = current.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref)
            && let Some(found) = find::<E>(inner)
        {
            return Some(found);
        }
        next = current.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] io::Error);

    #[test]
    fn the_cause_is_the_deepest_error_without_its_number() {
        let refused = Outer(io::Error::from_raw_os_error(111));
        assert_eq!(root_cause(&refused), "Connection refused");
    }

    #[test]
    fn an_error_wrapped_in_an_io_error_is_found() {
        let wrapped = io::Error::other(Outer(io::Error::other("x")));
        assert!(find::<Outer>(&wrapped).is_some());
    }
}
