//! `NetworkPolicy`: who reaches the pods, and whom they reach.

use k8s_openapi::api::networking::v1::{
    IPBlock, NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicyPort,
    NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{labels, list};
use crate::Release;
use crate::values::Values;
use crate::values::types::{self, Peer, SelectorOperator};

/// OTLP over gRPC and HTTP.
const OTLP_PORTS: [u16; 2] = [4317, 4318];
const DNS_PORT: u16 = 53;
const POSTGRES_PORT: u16 = 5432;

pub(super) fn build(release: &Release<'_>, values: &Values) -> NetworkPolicy {
    let restricts_egress = values.network_policy.egress.enabled;
    let mut types = vec!["Ingress".to_owned()];
    if restricts_egress {
        types.push("Egress".to_owned());
    }
    NetworkPolicy {
        metadata: labels::metadata(release, values),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(labels::selector(labels::by_name(release))),
            policy_types: Some(types),
            ingress: Some(ingress(values)),
            egress: restricts_egress.then(|| egress(values)),
        }),
    }
}

fn ingress(values: &Values) -> Vec<NetworkPolicyIngressRule> {
    let policy = &values.network_policy;
    let routed = values.ingress.enabled || values.http_route.enabled;
    let gateway = policy.gateway_from.iter().filter(|_| routed);
    let mut from = vec![msctl()];
    from.extend(policy.from.iter().chain(gateway).map(peer));
    let ports = std::iter::once(&values.service.port).chain(values.service.extra_ports.values());
    let traffic = NetworkPolicyIngressRule {
        from: Some(from),
        ports: Some(ports.map(|port| self::port(*port, "TCP")).collect()),
    };
    // Probes come from the node, whose address is not known here.
    let admin = values
        .admin
        .port
        .map(|port| NetworkPolicyIngressRule { from: None, ports: Some(vec![self::port(port, "TCP")]) });
    std::iter::once(traffic).chain(admin).collect()
}

/// msctl's relay and the charts' test pods, in the same namespace.
fn msctl() -> NetworkPolicyPeer {
    let names = LabelSelectorRequirement {
        key: "app.kubernetes.io/name".to_owned(),
        operator: "In".to_owned(),
        values: Some(vec!["msctl-relay".to_owned(), "msctl-test".to_owned()]),
    };
    let pods = LabelSelector { match_labels: None, match_expressions: Some(vec![names]) };
    NetworkPolicyPeer { pod_selector: Some(pods), ..NetworkPolicyPeer::default() }
}

fn egress(values: &Values) -> Vec<NetworkPolicyEgressRule> {
    let to: Vec<_> = values.network_policy.egress.to.iter().map(peer).collect();
    let peers = (!to.is_empty()).then_some(NetworkPolicyEgressRule { to: Some(to), ports: None });
    // Wherever the cluster's DNS is: a pod, or the node's cache.
    let dns = NetworkPolicyEgressRule { to: None, ports: Some(vec![port(DNS_PORT, "UDP"), port(DNS_PORT, "TCP")]) };
    let exports = values.telemetry.exports_to().is_some();
    let anywhere =
        NetworkPolicyPeer { namespace_selector: Some(LabelSelector::default()), ..NetworkPolicyPeer::default() };
    let traces = exports.then(|| NetworkPolicyEgressRule {
        to: Some(vec![anywhere]),
        ports: Some(OTLP_PORTS.iter().map(|number| port(*number, "TCP")).collect()),
    });
    // Its host is in a Secret, and may be outside the cluster.
    let database = values
        .database
        .as_postgres()
        .map(|_| NetworkPolicyEgressRule { to: None, ports: Some(vec![port(POSTGRES_PORT, "TCP")]) });
    std::iter::once(dns).chain(traces).chain(database).chain(peers).collect()
}

fn port(number: u16, protocol: &str) -> NetworkPolicyPort {
    NetworkPolicyPort {
        port: Some(IntOrString::Int(i32::from(number))),
        protocol: Some(protocol.to_owned()),
        end_port: None,
    }
}

fn peer(peer: &Peer) -> NetworkPolicyPeer {
    NetworkPolicyPeer {
        pod_selector: peer.pod_selector.as_ref().map(selector),
        namespace_selector: peer.namespace_selector.as_ref().map(selector),
        ip_block: peer
            .ip_block
            .as_ref()
            .map(|block| IPBlock { cidr: block.cidr.clone(), except: list(block.except.clone()) }),
    }
}

fn selector(selector: &types::LabelSelector) -> LabelSelector {
    let match_labels = &selector.match_labels;
    let expressions = selector.match_expressions.iter().map(|requirement| LabelSelectorRequirement {
        key: requirement.key.clone(),
        operator: match requirement.operator {
            SelectorOperator::In => "In",
            SelectorOperator::NotIn => "NotIn",
            SelectorOperator::Exists => "Exists",
            SelectorOperator::DoesNotExist => "DoesNotExist",
        }
        .to_owned(),
        values: list(requirement.values.iter().map(|value| value.0.clone()).collect()),
    });
    LabelSelector {
        match_labels: (!match_labels.is_empty())
            .then(|| match_labels.iter().map(|(key, value)| (key.clone(), value.0.clone())).collect()),
        match_expressions: list(expressions.collect()),
    }
}
