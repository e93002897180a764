//! From kubectl's flags to a client of the API server.

use std::time::Duration;

use reach::{Cluster, ConnectError, KubeOptions};

use crate::cli::Globals;
use crate::error::{Error, ExitCode};

/// "No limit" of `--request-timeout 0`; a year, which timers can still add to now.
const NO_LIMIT: Duration = Duration::from_hours(365 * 24);

/// Builds the client; makes no request.
pub(crate) async fn connect(globals: &Globals) -> Result<Cluster, Error> {
    let options = options(globals);
    reach::connect(&options).await.map_err(|cause| refused(&cause, &options))
}

/// The namespace that the client would have; asks nobody, a credential plugin included.
pub(crate) async fn namespace(globals: &Globals) -> String {
    reach::namespace(&options(globals)).await.unwrap_or_else(|_| "default".to_owned())
}

fn options(globals: &Globals) -> KubeOptions {
    KubeOptions {
        kubeconfig: globals.kubeconfig.clone(),
        context: globals.context.clone(),
        namespace: globals.namespace.clone(),
        as_user: globals.as_user.clone(),
        as_groups: globals.as_groups.clone(),
        request_timeout: globals.request_timeout.map(|limit| if limit.is_zero() { NO_LIMIT } else { limit }),
        ..KubeOptions::default()
    }
}

fn refused(cause: &ConnectError, options: &KubeOptions) -> Error {
    let code = match cause {
        // What is wrong is on the command line.
        ConnectError::UnknownContext { .. } | ConnectError::GroupsWithoutUser => ExitCode::Usage,
        _ => cause.trouble().into(),
    };
    let error = Error::new(code, "cannot connect to a cluster").why(cause.to_string());
    let files: Vec<String> = options.files().iter().map(|file| file.display().to_string()).collect();
    let error = match cause {
        // That is on the command line alone.
        ConnectError::GroupsWithoutUser => error.place("--as-group"),
        _ if files.is_empty() => error.place("KUBECONFIG and ~/.kube/config"),
        _ => error.place(format!("kubeconfig {}", files.join(", "))),
    };
    match cause.hint() {
        Some(hint) => error.next(hint),
        None => error,
    }
}

/// Where something happened, for the `where` line of an error.
pub(crate) fn place(cluster: &Cluster) -> String {
    format!("namespace {}, context {}, {}", cluster.namespace, cluster.context, cluster.server)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_missing_kubeconfig_says_where_it_was_looked_for() {
        let globals = Globals { kubeconfig: Some("/nowhere/config".into()), ..Globals::default() };
        let error = connect(&globals).await.unwrap_err();
        assert_eq!(error.code(), ExitCode::Unreachable);
        assert!(error.to_string().contains("/nowhere/config"), "{error}");
        assert!(error.to_string().contains("next:"), "{error}");
    }

    #[tokio::test]
    async fn an_unknown_context_says_which_file_has_which_contexts() {
        let file = std::env::temp_dir().join(format!("msctl-session-{}", std::process::id()));
        let text = "clusters: [{name: one, cluster: {server: 'https://192.0.2.1:6443'}}]\n\
                    contexts: [{name: production, context: {cluster: one, user: ann}}]\n";
        std::fs::write(&file, text).unwrap();
        let globals =
            Globals { kubeconfig: Some(file.clone()), context: Some("prodution".into()), ..Globals::default() };
        let error = connect(&globals).await.unwrap_err();
        std::fs::remove_file(&file).unwrap();
        assert_eq!(error.code(), ExitCode::Usage);
        let place = format!("where: kubeconfig {}", file.display());
        for part in ["knows production", place.as_str(), "next: did you mean --context production?"] {
            assert!(error.to_string().contains(part), "{part}: {error}");
        }
    }

    #[test]
    fn no_request_timeout_is_not_a_timeout_of_nothing() {
        let globals = Globals { request_timeout: Some(Duration::ZERO), ..Globals::default() };
        assert_eq!(options(&globals).request_timeout, Some(NO_LIMIT));
    }
}
