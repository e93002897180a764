//! `HTTPRoute` of the Gateway API (<https://gateway-api.sigs.k8s.io/reference/spec/>), which is no part of Kubernetes' own API: the
//! fields that are used here, typed.
//!
//! Group, kind and weight are the defaults. A server that fills them in changes the whole of an atomic list, which whoever
//! applies the route by other means then owns.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::{Metadata, NamespaceResourceScope, Resource};
use serde::{Serialize, Serializer};

use super::{labels, list};
use crate::Release;
use crate::values::Values;
use crate::values::types::HttpPathType;

/// An `HTTPRoute` of `gateway.networking.k8s.io/v1`.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpRoute {
    pub metadata: ObjectMeta,
    pub spec: HttpRouteSpec,
}

/// What goes where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpRouteSpec {
    /// Gateways to attach to.
    pub parent_refs: Vec<ParentReference>,
    /// Host names; every host when unset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostnames: Option<Vec<String>>,
    /// Rules, the first match wins.
    pub rules: Vec<Rule>,
}

/// A Gateway, and which of its listeners.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ParentReference {
    pub group: &'static str,
    pub kind: &'static str,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub section_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
}

/// Requests that match go to the backends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    pub matches: Vec<RouteMatch>,
    pub backend_refs: Vec<BackendRef>,
}

/// A match by path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RouteMatch {
    pub path: PathMatch,
}

/// A path, and how it is compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PathMatch {
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub value: String,
}

/// A Service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BackendRef {
    pub group: &'static str,
    pub kind: &'static str,
    pub name: String,
    pub port: u16,
    pub weight: u16,
}

impl Resource for HttpRoute {
    const API_VERSION: &'static str = "gateway.networking.k8s.io/v1";
    const GROUP: &'static str = "gateway.networking.k8s.io";
    const KIND: &'static str = "HTTPRoute";
    const VERSION: &'static str = "v1";
    const URL_PATH_SEGMENT: &'static str = "httproutes";
    type Scope = NamespaceResourceScope;
}

impl Metadata for HttpRoute {
    type Ty = ObjectMeta;

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn metadata_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

impl Serialize for HttpRoute {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Whole<'a> {
            api_version: &'static str,
            kind: &'static str,
            metadata: &'a ObjectMeta,
            spec: &'a HttpRouteSpec,
        }
        let whole =
            Whole { api_version: Self::API_VERSION, kind: Self::KIND, metadata: &self.metadata, spec: &self.spec };
        whole.serialize(serializer)
    }
}

pub(super) fn build(release: &Release<'_>, values: &Values) -> HttpRoute {
    let route = &values.http_route;
    let parents = route.parent_refs.iter().map(|parent| ParentReference {
        group: HttpRoute::GROUP,
        kind: "Gateway",
        name: parent.name.clone(),
        namespace: parent.namespace.clone(),
        section_name: parent.section_name.clone(),
        port: parent.port,
    });
    let matches = route.paths.iter().map(|path| {
        let kind = match path.kind {
            HttpPathType::PathPrefix => "PathPrefix",
            HttpPathType::Exact => "Exact",
        };
        RouteMatch { path: PathMatch { kind, value: path.value.0.clone() } }
    });
    let backend =
        BackendRef { group: "", kind: "Service", name: release.name.to_owned(), port: values.service.port, weight: 1 };
    HttpRoute {
        metadata: labels::annotated(release, values, &route.annotations),
        spec: HttpRouteSpec {
            parent_refs: parents.collect(),
            hostnames: list(route.hostnames.clone()),
            rules: vec![Rule { matches: matches.collect(), backend_refs: vec![backend] }],
        },
    }
}
