//! What is deployed, where, by whom.

/// One service of a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Release<'a> {
    /// The service's name, which its objects have too.
    pub name: &'a str,
    /// The release that the service belongs to: label `app.kubernetes.io/instance`.
    pub instance: &'a str,
    /// Namespace of the objects.
    pub namespace: &'a str,
    /// Who manages the objects: label `app.kubernetes.io/managed-by`.
    pub managed_by: &'a str,
}
