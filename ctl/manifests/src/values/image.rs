//! Image references: a full registry name, and a tag or digest.

use super::types::Image;

/// The parts of an image reference, as `--image` takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageReference {
    /// Registry and name.
    pub repository: String,
    /// Tag, without the colon.
    pub tag: Option<String>,
    /// Digest, with its algorithm.
    pub digest: Option<String>,
}

/// Why a text is no image reference that can be deployed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ImageError {
    #[error("image `{reference}`: {problem}")]
    Repository { reference: String, problem: &'static str },
    #[error(
        "image `{0}` has neither tag nor digest, and an implied `latest` would be pulled anew on every node: \
         add one, such as `{0}:1.0.0`"
    )]
    NoVersion(String),
    #[error("image `{reference}`: `{tag}` is no tag: at most 128 of A-Z a-z 0-9 . _ -, not starting with . or -")]
    Tag { reference: String, tag: String },
    #[error("image `{reference}`: `{digest}` is no digest: sha256: and 64 hexadecimal digits")]
    Digest { reference: String, digest: String },
}

impl std::str::FromStr for ImageReference {
    type Err = ImageError;

    fn from_str(reference: &str) -> Result<Self, ImageError> {
        let (name, digest) = match reference.split_once('@') {
            Some((name, digest)) => (name, Some(digest)),
            None => (reference, None),
        };
        // A colon before the last slash is the registry's port.
        let colon = name.rfind(':').filter(|colon| name.rfind('/').is_none_or(|slash| slash < *colon));
        let (repository, tag) = match colon {
            Some(colon) => (&name[..colon], Some(&name[colon + 1..])),
            None => (name, None),
        };
        if let Some(problem) = repository_problem(repository) {
            return Err(ImageError::Repository { reference: reference.to_owned(), problem });
        }
        let format = |name: &str, text: &str| super::formats::named(name).is_some_and(|f| (f.check)(text));
        match (tag, digest) {
            (None, None) => Err(ImageError::NoVersion(reference.to_owned())),
            (Some(tag), _) if !format("image-tag", tag) => {
                Err(ImageError::Tag { reference: reference.to_owned(), tag: tag.to_owned() })
            }
            (_, Some(digest)) if !format("image-digest", digest) => {
                Err(ImageError::Digest { reference: reference.to_owned(), digest: digest.to_owned() })
            }
            _ => Ok(Self {
                repository: repository.to_owned(),
                tag: tag.map(str::to_owned),
                digest: digest.map(str::to_owned),
            }),
        }
    }
}

impl std::fmt::Display for ImageReference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

/// What is wrong with a registry name, if anything.
///
/// The first part has to be a registry's host: without one, a container runtime guesses Docker Hub.
pub(crate) fn repository_problem(repository: &str) -> Option<&'static str> {
    if repository.is_empty() {
        return Some("it is empty: give registry, name and tag, such as ghcr.io/acme/orders:1.0.0");
    }
    let Some((registry, path)) = repository.split_once('/') else {
        return Some(
            "it names no registry: write it in full, such as docker.io/library/NAME:TAG or ghcr.io/OWNER/NAME:TAG",
        );
    };
    if !(registry.contains(['.', ':']) || registry == "localhost") {
        return Some(
            "it names no registry: write it in full, such as docker.io/OWNER/NAME:TAG or ghcr.io/OWNER/NAME:TAG",
        );
    }
    let host = |c: char| c.is_ascii_alphanumeric() || ".:-".contains(c);
    if registry.is_empty() || !registry.chars().all(host) {
        return Some("the registry has a character that is not allowed: a-z 0-9 . - and a port after a colon");
    }
    let component = |part: &str| {
        let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        part.starts_with(edge) && part.ends_with(edge) && part.chars().all(|c| edge(c) || "._-".contains(c))
    };
    if !path.split('/').all(component) {
        return Some("the name has a part that is not allowed: a-z 0-9, with . _ - between them, parts apart by /");
    }
    None
}

impl Image {
    /// The reference that goes into the pod: digest before tag.
    #[must_use]
    pub fn reference(&self) -> String {
        let repository = self.repository.as_deref().unwrap_or_default();
        match (&self.digest, &self.tag) {
            (Some(digest), _) => format!("{repository}@{digest}"),
            (None, Some(tag)) => format!("{repository}:{tag}"),
            (None, None) => repository.to_owned(),
        }
    }

    /// The version for people: the tag, else the start of the digest.
    #[must_use]
    pub fn version(&self) -> String {
        match (&self.tag, &self.digest) {
            (Some(tag), _) => tag.clone(),
            (None, Some(digest)) => digest.trim_start_matches("sha256:").chars().take(12).collect(),
            (None, None) => String::new(),
        }
    }
}
