//! The services' own ports: all of them are checked, and all that is wrong is said at once.

use futures::future::join_all;

use crate::ServiceSpec;
use crate::balance::{Balancer, PortTaken};
use crate::error::{Error, Kind};

/// A balancer for each service.
pub(super) async fn bind(specs: &[ServiceSpec]) -> Result<Vec<Balancer>, Error> {
    let bound = join_all(specs.iter().map(|spec| Balancer::bind(spec.port))).await;
    let mut balancers = Vec::new();
    let mut taken = Vec::new();
    for (spec, bound) in specs.iter().zip(bound) {
        match bound {
            Ok(balancer) => balancers.push(balancer),
            Err(error) => taken.push((spec.name.as_str(), error)),
        }
    }
    if taken.is_empty() {
        return Ok(balancers);
    }
    // Free again when this returns.
    join_all(balancers.into_iter().map(Balancer::close)).await;
    Err(refuse(&taken))
}

fn refuse(taken: &[(&str, PortTaken)]) -> Error {
    let what = match taken {
        [(name, error)] => format!("cannot listen on port {} for {name}", error.port),
        _ => format!("cannot listen on {} of the services' ports", taken.len()),
    };
    let error = taken
        .iter()
        .fold(Error::new(Kind::Conflict, what), |error, (name, taken)| error.why(format!("{name}: {taken}")));
    let held = taken.iter().filter_map(|(_, taken)| taken.holder.as_ref()).map(|holder| holder.pid.to_string());
    let mut held: Vec<String> = held.collect();
    held.sort();
    held.dedup();
    let error = if held.is_empty() { error } else { error.next(format!("kill {}", held.join(" "))) };
    error.next("or give the service another port in msctl.yaml: `port:`")
}
