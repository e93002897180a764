//! Which cluster, which user: kubeconfig files as kubectl finds and merges them.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use kube::config::{KubeConfigOptions, Kubeconfig};

use super::{ConnectError, KubeOptions};

const SERVICE_ACCOUNT_TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// What was found: everything a client is built from.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) config: kube::Config,
    pub(super) context: String,
    pub(super) user: String,
    /// The cluster's own `proxy-url`; the environment's is looked at only without one.
    pub(super) proxy_url: Option<String>,
}

/// Where a kubeconfig may come from, in kubectl's order of precedence.
#[derive(Debug, Default)]
struct Sources {
    flag: Option<PathBuf>,
    variable: Option<OsString>,
    home: Option<PathBuf>,
}

impl Sources {
    fn from_process(options: &KubeOptions) -> Self {
        Self { flag: options.kubeconfig.clone(), variable: env::var_os("KUBECONFIG"), home: env::home_dir() }
    }

    fn candidates(&self) -> Vec<PathBuf> {
        if let Some(flag) = &self.flag {
            return vec![flag.clone()];
        }
        let listed: Vec<PathBuf> =
            self.variable.iter().flat_map(env::split_paths).filter(|path| !path.as_os_str().is_empty()).collect();
        if !listed.is_empty() {
            return listed;
        }
        self.home.iter().map(|home| home.join(".kube").join("config")).collect()
    }

    /// There is no file, or nothing in those that are there.
    fn nothing(&self) -> ConnectError {
        let looked = self.candidates();
        let files: Vec<PathBuf> = looked.iter().filter(|path| path.exists()).cloned().collect();
        if files.is_empty() { ConnectError::NoKubeconfig { looked } } else { ConnectError::NoContexts { files } }
    }
}

impl KubeOptions {
    /// The kubeconfig files that are read: those of the flag, of `KUBECONFIG` or of the home that exist.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut files = Sources::from_process(self).candidates();
        files.retain(|file| file.exists());
        files
    }
}

pub(super) async fn load(options: &KubeOptions) -> Result<Target, ConnectError> {
    let sources = Sources::from_process(options);
    match read(&sources)? {
        Some(merged) => choose(merged, options).await,
        None if options.context.is_none() && in_pod() => in_cluster(options),
        None => Err(sources.nothing()),
    }
}

/// Whether this process runs in a pod that has a service account's token.
pub(crate) fn in_pod() -> bool {
    env::var_os("KUBERNETES_SERVICE_HOST").is_some() && Path::new(SERVICE_ACCOUNT_TOKEN).exists()
}

/// The files merged, first one wins; none when no file exists. As with kubectl a missing file of a list is skipped, and a
/// file named by the flag must be there.
fn read(sources: &Sources) -> Result<Option<Kubeconfig>, ConnectError> {
    let mut merged: Option<Kubeconfig> = None;
    for path in sources.candidates() {
        if sources.flag.is_none() && !path.exists() {
            continue;
        }
        let next = Kubeconfig::read_from(&path)
            .map_err(|source| ConnectError::ReadKubeconfig { path: path.clone(), source: Box::new(source) })?;
        merged = Some(match merged {
            None => next,
            Some(first) => {
                first.merge(next).map_err(|source| ConnectError::ReadKubeconfig { path, source: Box::new(source) })?
            }
        });
    }
    // An empty file is no configuration; kubectl treats it so too.
    Ok(merged.filter(|merged| !merged.contexts.is_empty() || !merged.clusters.is_empty()))
}

async fn choose(merged: Kubeconfig, options: &KubeOptions) -> Result<Target, ConnectError> {
    let known: Vec<String> = merged.contexts.iter().map(|context| context.name.clone()).collect();
    let name = match (&options.context, &merged.current_context) {
        (Some(name), _) => name.clone(),
        (None, Some(current)) if !current.is_empty() => current.clone(),
        _ if known.is_empty() => return Err(ConnectError::NoContexts { files: options.files() }),
        _ => return Err(ConnectError::NoCurrentContext { known }),
    };
    let Some(context) = merged.contexts.iter().find(|c| c.name == name).and_then(|c| c.context.clone()) else {
        return Err(ConnectError::UnknownContext { name, known });
    };
    let Some(cluster) = merged.clusters.iter().find(|c| c.name == context.cluster).and_then(|c| c.cluster.clone())
    else {
        return Err(ConnectError::UnknownCluster { context: name, cluster: context.cluster });
    };
    let selection = KubeConfigOptions { context: Some(name.clone()), ..KubeConfigOptions::default() };
    let mut config = kube::Config::from_custom_kubeconfig(merged, &selection)
        .await
        .map_err(|source| ConnectError::Kubeconfig { context: name.clone(), source: Box::new(source) })?;
    let user = impersonate(&mut config, context.user.unwrap_or_default(), options)?;
    Ok(Target { config, context: name, user, proxy_url: cluster.proxy_url.filter(|url| !url.is_empty()) })
}

fn in_cluster(options: &KubeOptions) -> Result<Target, ConnectError> {
    let mut config = kube::Config::incluster().map_err(|source| ConnectError::InCluster { source })?;
    let user = impersonate(&mut config, "service-account".to_owned(), options)?;
    Ok(Target { config, context: "in-cluster".to_owned(), user, proxy_url: None })
}

fn impersonate(config: &mut kube::Config, user: String, options: &KubeOptions) -> Result<String, ConnectError> {
    if !options.as_groups.is_empty() {
        if options.as_user.is_none() && config.auth_info.impersonate.is_none() {
            return Err(ConnectError::GroupsWithoutUser);
        }
        config.auth_info.impersonate_groups = Some(options.as_groups.clone());
    }
    if let Some(as_user) = &options.as_user {
        config.auth_info.impersonate = Some(as_user.clone());
    }
    Ok(match &config.auth_info.impersonate {
        Some(other) => format!("{user} as {other}"),
        None => user,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO_CONTEXTS: &str = "
apiVersion: v1
kind: Config
current-context: staging
clusters:
- {name: one, cluster: {server: 'https://192.0.2.1:6443'}}
contexts:
- {name: staging, context: {cluster: one, user: ann, namespace: shop}}
- {name: broken, context: {cluster: nowhere, user: ann}}
users:
- {name: ann, user: {token: secret}}
";

    fn parsed() -> Kubeconfig {
        Kubeconfig::from_yaml(TWO_CONTEXTS).unwrap()
    }

    #[tokio::test]
    async fn the_current_context_gives_server_namespace_and_user() {
        let target = choose(parsed(), &KubeOptions::default()).await.unwrap();
        assert_eq!(target.config.cluster_url.to_string(), "https://192.0.2.1:6443/");
        assert_eq!(target.config.default_namespace, "shop");
        assert_eq!((target.context.as_str(), target.user.as_str()), ("staging", "ann"));
    }

    #[tokio::test]
    async fn an_unknown_context_lists_the_known_ones_and_suggests_the_closest() {
        let options = KubeOptions { context: Some("stagin".into()), ..KubeOptions::default() };
        let error = choose(parsed(), &options).await.unwrap_err();
        assert!(matches!(error, ConnectError::UnknownContext { .. }));
        assert!(error.to_string().contains("staging, broken"), "{error}");
        assert!(error.hint().unwrap().contains("--context staging"), "{:?}", error.hint());
    }

    #[tokio::test]
    async fn a_context_whose_cluster_is_missing_is_named() {
        let options = KubeOptions { context: Some("broken".into()), ..KubeOptions::default() };
        let error = choose(parsed(), &options).await.unwrap_err();
        assert!(error.to_string().contains("nowhere"), "{error}");
    }

    #[tokio::test]
    async fn a_file_without_a_current_context_asks_for_one() {
        let mut config = parsed();
        config.current_context = None;
        let error = choose(config, &KubeOptions::default()).await.unwrap_err();
        assert!(matches!(error, ConnectError::NoCurrentContext { .. }));
    }

    #[tokio::test]
    async fn groups_alone_cannot_be_impersonated() {
        let options = KubeOptions { as_groups: vec!["dev".into()], ..KubeOptions::default() };
        assert!(matches!(choose(parsed(), &options).await, Err(ConnectError::GroupsWithoutUser)));
        let options = KubeOptions { as_user: Some("bob".into()), ..options };
        let target = choose(parsed(), &options).await.unwrap();
        assert_eq!(target.user, "ann as bob");
        assert_eq!(target.config.auth_info.impersonate_groups, Some(vec!["dev".to_owned()]));
    }

    #[test]
    fn the_flag_comes_before_the_variable_and_the_variable_before_home() {
        let mut sources =
            Sources { flag: Some("/f".into()), variable: Some("/a::/b".into()), home: Some("/home/ann".into()) };
        assert_eq!(sources.candidates(), [PathBuf::from("/f")]);
        sources.flag = None;
        assert_eq!(sources.candidates(), [PathBuf::from("/a"), PathBuf::from("/b")]);
        sources.variable = Some(OsString::new());
        assert_eq!(sources.candidates(), [PathBuf::from("/home/ann/.kube/config")]);
    }

    #[test]
    fn missing_files_of_a_list_are_skipped_but_the_flags_must_exist() {
        let listed = Sources { variable: Some("/nowhere/a:/nowhere/b".into()), ..Sources::default() };
        assert!(read(&listed).unwrap().is_none());
        let flag = Sources { flag: Some("/nowhere/a".into()), ..Sources::default() };
        let error = read(&flag).unwrap_err();
        assert!(error.to_string().contains("/nowhere/a"), "{error}");
    }

    #[tokio::test]
    async fn a_file_without_contexts_is_told_from_one_that_is_missing() {
        let path = std::env::temp_dir().join(format!("reach-no-contexts-{}", std::process::id()));
        let options = KubeOptions { kubeconfig: Some(path.clone()), ..KubeOptions::default() };
        for content in
            ["", "apiVersion: v1\nkind: Config\n", "clusters: [{name: one, cluster: {server: 'https://192.0.2.1'}}]\n"]
        {
            std::fs::write(&path, content).unwrap();
            let error = load(&options).await.unwrap_err();
            assert_eq!(error.to_string(), format!("{} has no contexts", path.display()), "{content}");
            assert!(error.hint().unwrap().contains("--kubeconfig FILE"), "{content}");
        }
        std::fs::remove_file(path).unwrap();
        let missing = Sources { home: Some("/nowhere".into()), ..Sources::default() };
        assert!(matches!(missing.nothing(), ConnectError::NoKubeconfig { .. }));
    }

    #[test]
    fn several_files_are_merged_and_the_first_wins() {
        let dir = std::env::temp_dir().join(format!("reach-kubeconfig-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let (first, second) = (dir.join("first"), dir.join("second"));
        std::fs::write(&first, "current-context: broken\n").unwrap();
        std::fs::write(&second, TWO_CONTEXTS).unwrap();
        let variable = env::join_paths([&first, &second]).unwrap();
        let merged = read(&Sources { variable: Some(variable), ..Sources::default() }).unwrap().unwrap();
        assert_eq!(merged.current_context.as_deref(), Some("broken"));
        assert_eq!(merged.contexts.len(), 2);
        std::fs::remove_dir_all(dir).unwrap();
    }
}
