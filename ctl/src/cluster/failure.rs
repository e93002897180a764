//! What the API server refused, or why it could not be asked, as a top-level error.

use kube::core::Status;
use reach::{Cluster, Trouble};

use super::session::place;
use crate::error::{Error, ExitCode};

/// `action` is what was tried: "list pods", "apply deployment.apps/service-a".
pub(crate) fn explain(cluster: &Cluster, action: &str, cause: kube::Error) -> Error {
    if let kube::Error::Api(status) = &cause
        && let Some(error) = from_status(cluster, action, status)
    {
        return error.place(place(cluster));
    }
    let cause = cluster.explain(action, cause);
    let trouble = cause.trouble;
    // No answer in time from the API server is an API server that cannot be reached; 70 is for our own deadline.
    let code = if trouble == Trouble::TimedOut { ExitCode::Unreachable } else { trouble.into() };
    let hint = cause.hint().or_else(|| {
        // What was there a moment ago has gone.
        (trouble == Trouble::NotFound).then(|| format!("msctl status -n {} shows what is there", cluster.namespace))
    });
    let error = Error::new(code, format!("cannot {action}")).why(cause.reason()).place(place(cluster));
    // Without one of its own: whoever asks again sees whether it was a moment's.
    error.next(hint.unwrap_or_else(|| "kubectl get --raw '/readyz?verbose' says how the API server is".to_owned()))
}

/// The answers that deserve words of their own.
fn from_status(cluster: &Cluster, action: &str, status: &Status) -> Option<Error> {
    let failed = |code| Error::new(code, format!("cannot {action}"));
    let message = status.message.clone();
    if let Some(name) = missing_namespace(status) {
        return Some(
            failed(ExitCode::Failed)
                .why(format!("namespace {name} does not exist"))
                .next(format!("kubectl create namespace {name}, or `msctl deploy --create-namespace`")),
        );
    }
    if message.contains("because it is being terminated") {
        let next = format!("wait until `kubectl get namespace {}` says NotFound, then run it again", cluster.namespace);
        return Some(failed(ExitCode::Failed).why(message).next(next));
    }
    if let Some(right) = MissingRight::parse(&message) {
        return Some(failed(ExitCode::Forbidden).why(right.sentence()).next(right.remedy()));
    }
    if status.code == 422 {
        return Some(invalid(failed(ExitCode::Failed), status, action.starts_with("apply ")));
    }
    None
}

/// The namespace that a 404 is about.
pub(crate) fn missing_namespace(status: &Status) -> Option<&str> {
    let details = status.details.as_ref()?;
    (status.is_not_found() && details.kind == "namespaces").then_some(details.name.as_str())
}

/// Each field that the server refuses, with its reason; `of_values` when values made them.
fn invalid(error: Error, status: &Status, of_values: bool) -> Error {
    let causes = status.details.as_ref().map(|details| details.causes.as_slice()).unwrap_or_default();
    let immutable = causes.iter().any(|cause| cause.message.contains("field is immutable"));
    let error = match causes {
        [] => error.why(status.message.clone()),
        _ => causes.iter().fold(error, |error, cause| error.why(format!("{}: {}", cause.field, cause.message))),
    };
    if immutable {
        error.next("a field that cannot change: `msctl delete` the service, then deploy it again")
    } else if of_values {
        error.next("change its value in --set, --values or msctl.yaml; msctl deploy SERVICE --dry-run=server asks the API server before anything changes")
    } else {
        error.next("msctl status shows what is there")
    }
}

/// What RBAC does not grant, from the API server's sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MissingRight {
    user: String,
    verb: String,
    resource: String,
    group: String,
    namespace: Option<String>,
}

impl MissingRight {
    /// `pods is forbidden: User "eve" cannot list resource "pods" in API group "" in the namespace "shop"`
    pub(crate) fn parse(message: &str) -> Option<Self> {
        let (_, rest) = message.split_once("User \"")?;
        let (user, rest) = rest.split_once("\" cannot ")?;
        let (verb, rest) = rest.split_once(" resource \"")?;
        let (resource, rest) = rest.split_once("\" in API group \"")?;
        let (group, rest) = rest.split_once('"')?;
        let namespace = rest.split_once("in the namespace \"").and_then(|(_, rest)| rest.split_once('"'));
        Some(Self {
            user: user.to_owned(),
            verb: verb.to_owned(),
            resource: resource.to_owned(),
            group: group.to_owned(),
            namespace: namespace.map(|(name, _)| name.to_owned()),
        })
    }

    /// `deployments.apps/scale`, as kubectl writes it.
    fn object(&self) -> String {
        let (resource, sub) = self.resource.split_once('/').unwrap_or((&self.resource, ""));
        let dot = if self.group.is_empty() { "" } else { "." };
        let slash = if sub.is_empty() { "" } else { "/" };
        format!("{resource}{dot}{}{slash}{sub}", self.group)
    }

    fn sentence(&self) -> String {
        let place = match &self.namespace {
            Some(namespace) => format!("in namespace {namespace}"),
            None => "in the whole cluster".to_owned(),
        };
        format!("user {} may not {} {} {place}", self.user, self.verb, self.object())
    }

    /// What gives it: one command for all that the verbs do, so that the next right is not missing next.
    fn remedy(&self) -> String {
        let reads = ["get", "list", "watch"].contains(&self.verb.as_str());
        let whole_cluster = self.namespace.is_none() || (self.resource == "namespaces" && !reads);
        let role = match &self.namespace {
            Some(namespace) if !whole_cluster && self.is_in_edit() => {
                let (name, subject) = (self.binding("edit"), self.subject());
                let bind = format!("kubectl create rolebinding {name} --clusterrole=edit {subject}");
                let view = if reads { "; `view` in place of `edit` is enough for status and logs" } else { "" };
                return format!("have an administrator run `{bind} -n {namespace}`{view}");
            }
            None if reads && self.is_in_edit() => {
                let (name, subject) = (self.binding("view"), self.subject());
                let bind = format!("kubectl create clusterrolebinding {name} --clusterrole=view {subject}");
                return format!("have an administrator run `{bind}`");
            }
            // Of an addition to Kubernetes, which its own roles do not know.
            Some(namespace) if !whole_cluster => Role { cluster: "", verbs: ALL, place: format!(" -n {namespace}") },
            // The one that is patched is made when it is missing.
            _ if self.resource == "namespaces" => {
                Role { cluster: "cluster", verbs: "get,create,patch", place: String::new() }
            }
            _ => Role { cluster: "cluster", verbs: &self.verb, place: String::new() },
        };
        let (name, Role { cluster, verbs, place }) = (self.resource.replace('/', "-"), role);
        let resource = self.object();
        // The role may be there, of another user's.
        format!(
            "have an administrator run `kubectl create {cluster}role msctl-{name} --verb={verbs} --resource={resource}{place} \
             --dry-run=client -o yaml | kubectl apply -f - && kubectl create {cluster}rolebinding {} \
             --{cluster}role=msctl-{name} {}{place}`",
            self.binding(&name),
            self.subject()
        )
    }

    /// Whether Kubernetes' own role `edit` knows the kind.
    fn is_in_edit(&self) -> bool {
        const GROUPS: [&str; 7] =
            ["", "apps", "autoscaling", "batch", "coordination.k8s.io", "networking.k8s.io", "policy"];
        GROUPS.contains(&self.group.as_str()) && self.verb != "impersonate"
    }

    /// The name of a binding of `role`, which others may have as well: of letters that every kind of name takes.
    fn binding(&self, role: &str) -> String {
        let user = self.user.strip_prefix("system:serviceaccount:").unwrap_or(&self.user).to_lowercase();
        let words = user.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        ["msctl", role].into_iter().chain(words).collect::<Vec<_>>().join("-")
    }

    /// Whom to bind, as a flag of kubectl.
    fn subject(&self) -> String {
        let (flag, name) = match self.user.strip_prefix("system:serviceaccount:") {
            Some(account) => ("serviceaccount", account),
            None => ("user", self.user.as_str()),
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._/:@+".contains(c);
        if name.chars().all(plain) {
            return format!("--{flag}={name}");
        }
        // As a shell reads it back: a user may have any name.
        format!("--{flag}='{}'", name.replace('\'', r"'\''"))
    }
}

/// What msctl does with objects.
const ALL: &str = "get,list,watch,create,patch,delete";

/// A role of our own, for what none of Kubernetes' gives.
struct Role<'a> {
    /// The start of its kind.
    cluster: &'static str,
    verbs: &'a str,
    place: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::double::Double;
    use kube::core::response::StatusDetails;

    fn api(status: Status) -> kube::Error {
        kube::Error::Api(status.boxed())
    }

    #[tokio::test]
    async fn forbidden_says_verb_resource_user_and_the_role_that_is_missing() {
        let message = "deployments.apps \"service-a\" is forbidden: User \"eve\" cannot patch resource \
                       \"deployments/scale\" in API group \"apps\" in the namespace \"shop\"";
        let status = Status::failure(message, "Forbidden").with_code(403);
        let error = explain(&Double::new().cluster(), "scale service-a", api(status));
        assert_eq!(error.code(), ExitCode::Forbidden);
        let text = error.to_string();
        assert!(text.contains("user eve may not patch deployments.apps/scale in namespace shop"), "{text}");
        assert!(text.contains("next: have an administrator run `kubectl create rolebinding"), "{text}");
    }

    #[test]
    fn a_missing_right_is_given_by_a_command_that_gives_what_is_missing_next_too() {
        let edit = "kubectl create rolebinding msctl-edit-eve --clusterrole=edit";
        for (user, verb, resource, group, place, command) in [
            ("eve", "patch", "services", "", "shop", format!("`{edit} --user=eve -n shop`")),
            ("eve", "create", "leases", "coordination.k8s.io", "shop", format!("`{edit} --user=eve -n shop`")),
            ("eve", "create", "pods/portforward", "", "shop", format!("`{edit} --user=eve -n shop`")),
            ("eve", "list", "pods", "", "shop", format!("`{edit} --user=eve -n shop`; `view` in place of `edit`")),
            (
                "system:serviceaccount:ci:deployer",
                "patch",
                "deployments",
                "apps",
                "shop",
                "`kubectl create rolebinding msctl-edit-ci-deployer --clusterrole=edit --serviceaccount=ci:deployer -n shop`"
                    .to_owned(),
            ),
            ("Eve O'Neill", "patch", "services", "", "shop", r"msctl-edit-eve-o-neill --clusterrole=edit --user='Eve O'\''Neill' -n shop`".to_owned()),
            (
                "eve",
                "patch",
                "httproutes",
                "gateway.networking.k8s.io",
                "shop",
                "`kubectl create role msctl-httproutes --verb=get,list,watch,create,patch,delete \
                 --resource=httproutes.gateway.networking.k8s.io -n shop --dry-run=client -o yaml | kubectl apply -f - && \
                 kubectl create rolebinding msctl-httproutes-eve --role=msctl-httproutes --user=eve -n shop`"
                    .to_owned(),
            ),
            (
                "eve",
                "list",
                "deployments",
                "apps",
                "",
                "`kubectl create clusterrolebinding msctl-view-eve --clusterrole=view --user=eve`".to_owned(),
            ),
            (
                "eve",
                "patch",
                "namespaces",
                "",
                "shop",
                "`kubectl create clusterrole msctl-namespaces --verb=get,create,patch --resource=namespaces --dry-run=client \
                 -o yaml | kubectl apply -f - && kubectl create clusterrolebinding msctl-namespaces-eve \
                 --clusterrole=msctl-namespaces --user=eve`"
                    .to_owned(),
            ),
            (
                "eve",
                "impersonate",
                "users",
                "",
                "",
                "`kubectl create clusterrole msctl-users --verb=impersonate --resource=users --dry-run=client -o yaml | \
                 kubectl apply -f - && kubectl create clusterrolebinding msctl-users-eve --clusterrole=msctl-users --user=eve`"
                    .to_owned(),
            ),
        ] {
            let scope = if place.is_empty() {
                "at the cluster scope".to_owned()
            } else {
                format!("in the namespace \"{place}\"")
            };
            let message = format!(
                "x is forbidden: User \"{user}\" cannot {verb} resource \"{resource}\" in API group \"{group}\" {scope}"
            );
            let remedy = MissingRight::parse(&message).unwrap().remedy();
            assert!(remedy.contains(&command), "{remedy}\n{command}");
        }
    }

    #[tokio::test]
    async fn a_missing_namespace_is_named_with_the_way_to_make_it() {
        let details: StatusDetails = serde_json::from_str(r#"{"kind": "namespaces", "name": "shop"}"#).unwrap();
        let status = Status::failure("namespaces \"shop\" not found", "NotFound").with_code(404).with_details(details);
        let text = explain(&Double::new().cluster(), "deploy service-a", api(status)).to_string();
        assert!(text.contains("namespace shop does not exist") && text.contains("--create-namespace"), "{text}");
    }

    #[tokio::test]
    async fn an_invalid_object_names_each_field() {
        let cause = r#"{"message": "Invalid value: field is immutable", "field": "spec.selector"}"#;
        let details: StatusDetails = serde_json::from_str(&format!("{{\"causes\": [{cause}]}}")).unwrap();
        let status = Status::failure("invalid", "Invalid").with_code(422).with_details(details);
        let text = explain(&Double::new().cluster(), "apply deployment.apps/service-a", api(status)).to_string();
        assert!(text.contains("spec.selector: Invalid value") && text.contains("msctl delete"), "{text}");
    }

    #[tokio::test]
    async fn what_has_no_words_of_its_own_says_where_and_what_to_run_next() {
        for (code, message, next) in [
            (404, "pods \"a-1\" not found", "msctl status -n shop"),
            (409, "the object has been modified", "somebody else changed it meanwhile: run it again"),
            (410, "too old resource version", "run it again"),
            (422, "spec.replicas: Invalid value: -1", "--set, --values or msctl.yaml"),
            (429, "too many requests", "try again in a few seconds"),
            (500, "etcdserver: no leader", "kubectl get --raw '/readyz?verbose'"),
            (503, "apiserver is shutting down", "kubectl get --raw '/readyz?verbose'"),
            (500, "failed calling webhook \"x\": no endpoints", "mutatingwebhookconfigurations"),
        ] {
            let status = Status::failure(message, "").with_code(code);
            let text = explain(&Double::new().cluster(), "apply deployment.apps/a", api(status)).to_string();
            let (head, hint) = text.split_once("next: ").unwrap_or_default();
            assert!(head.contains(message) && head.contains("where: namespace shop"), "{text}");
            assert!(hint.contains(next), "{text}");
        }
    }

    #[tokio::test]
    async fn an_unreachable_server_is_named_and_has_its_own_exit_code() {
        let cause = kube::Error::Service(Box::new(std::io::Error::from(std::io::ErrorKind::ConnectionRefused)));
        let error = explain(&Double::new().cluster(), "list pods", cause);
        assert_eq!(error.code(), ExitCode::Unreachable);
        assert!(error.to_string().contains("https://double"), "{error}");
    }
}
