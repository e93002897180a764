//! From values to objects, one file a kind. The charts' templates in `charts/microservice` are laid out the same way.

mod autoscaler;
mod config_map;
mod container;
mod database;
mod deployment;
mod disruptions;
mod http_route;
mod ingress;
mod labels;
mod network_policy;
mod object;
mod pod;
mod service;
mod service_account;
mod volumes;

use crate::Release;
use crate::names::{self, NameError};
use crate::values::Values;

pub use http_route::HttpRoute;
pub use object::Object;

/// The objects of one service, in the order in which they are to be applied: what a pod needs comes before the pod.
///
/// `spec.replicas` of the Deployment is set when `values.replicas` is and no autoscaler sets it; [`Object::without_replicas`]
/// leaves it to whoever set it last.
pub fn objects(release: &Release<'_>, values: &Values) -> Result<Vec<Object>, NameError> {
    names::service(release.name)?;
    names::label(release.namespace)?;
    let config = config_map::data(release, values);
    let mut objects = vec![Object::from(service_account::build(release, values))];
    if values.network_policy.enabled {
        objects.push(network_policy::build(release, values).into());
    }
    objects.push(service::build(release, values).into());
    objects.push(service::headless(release, values).into());
    let checksum = config_map::checksum(&config);
    objects.push(config_map::build(release, values, config).into());
    objects.extend(database::claim(release, values).map(Object::from));
    objects.push(deployment::build(release, values, &checksum).into());
    if values.pod_disruption_budget.enabled {
        objects.push(disruptions::build(release, values).into());
    }
    if values.autoscaling.enabled {
        objects.push(autoscaler::build(release, values).into());
    }
    if values.ingress.enabled {
        objects.push(ingress::build(release, values).into());
    }
    if values.http_route.enabled {
        objects.push(http_route::build(release, values).into());
    }
    Ok(objects)
}

/// A list that is left out when it is empty.
fn list<T>(items: Vec<T>) -> Option<Vec<T>> {
    (!items.is_empty()).then_some(items)
}
