//! From kubectl's flags to a client of the API server.

use std::time::Duration;

use reach::{Cluster, ConnectError, KubeOptions};

use crate::cli::Globals;
use crate::error::{Error, ExitCode};

/// "No limit" of `--request-timeout 0`; a year, which timers can still add to now.
const NO_LIMIT: Duration = Duration::from_hours(365 * 24);

/// Builds the client; makes no request.
pub(crate) async fn connect(globals: &Globals) -> Result<Cluster, Error> {
    reach::connect(&options(globals)).await.map_err(|cause| refused(&cause))
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

fn refused(cause: &ConnectError) -> Error {
    let code = match cause {
        // What is wrong is on the command line.
        ConnectError::UnknownContext { .. } | ConnectError::GroupsWithoutUser => ExitCode::Usage,
        _ => cause.trouble().into(),
    };
    let error = Error::new(code, "cannot connect to a cluster").why(cause.to_string());
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

    #[test]
    fn no_request_timeout_is_not_a_timeout_of_nothing() {
        let globals = Globals { request_timeout: Some(Duration::ZERO), ..Globals::default() };
        assert_eq!(options(&globals).request_timeout, Some(NO_LIMIT));
    }
}
