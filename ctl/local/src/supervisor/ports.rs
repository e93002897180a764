//! The services' own ports: all of them are checked, and all that is wrong is said at once.

use std::process;

use futures::future::join_all;
use nix::unistd::{Pid, getpgid};

use crate::ServiceSpec;
use crate::balance::{Balancer, PortTaken};
use crate::error::{Error, Kind};

/// A balancer for each service. `replicas`: this project's, by the number of their process.
pub(super) async fn bind(specs: &[ServiceSpec], replicas: &[(u32, String)]) -> Result<Vec<Balancer>, Error> {
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
    Err(refuse(&taken, replicas))
}

fn refuse(taken: &[(&str, PortTaken)], replicas: &[(u32, String)]) -> Error {
    let what = match taken {
        [(name, error)] => format!("cannot listen on port {} for {name}", error.port),
        _ => format!("cannot listen on {} of the services' ports", taken.len()),
    };
    let error = taken
        .iter()
        .fold(Error::new(Kind::Conflict, what), |error, (name, taken)| error.why(format!("{name}: {taken}")));
    let mut held = Vec::new();
    let mut error = error;
    for pid in taken.iter().filter_map(|(_, taken)| Some(taken.holder.as_ref()?.pid)) {
        match owner(pid, replicas) {
            Some(owner) => error = error.why(format!("process {pid} is {owner}")),
            None => held.push(pid.to_string()),
        }
    }
    held.sort();
    held.dedup();
    let another = "give the service another port in msctl.yaml: `port:`";
    if held.is_empty() {
        return error.next(another);
    }
    error.next(format!("kill {}", held.join(" "))).next(format!("or {another}"))
}

/// Whose it is, when it is of this project: not to be killed for a port.
fn owner(pid: u32, replicas: &[(u32, String)]) -> Option<String> {
    if pid == process::id() {
        return Some("this `msctl up` itself: its proxy, or its receiver of traces".to_owned());
    }
    // A replica leads a group: a worker of it may be the one that listens.
    let group = getpgid(Some(Pid::from_raw(pid.cast_signed()))).map_or(pid, |group| group.as_raw().cast_unsigned());
    let (_, replica) = replicas.iter().find(|(replica, _)| *replica == pid || *replica == group)?;
    Some(format!("the replica {replica} of this project"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balance::Holder;

    #[test]
    fn only_what_is_not_of_this_project_is_to_be_killed() {
        let taken = |pid| {
            let holder = Some(Holder { pid, command: "x".to_owned() });
            [("a", PortTaken { port: 8000, holder, cause: std::io::ErrorKind::AddrInUse })]
        };
        assert_eq!(refuse(&taken(u32::MAX >> 1), &[]).next[0], format!("kill {}", u32::MAX >> 1));
        let of_replica = refuse(&taken(7), &[(7, "b-1-x".to_owned())]);
        assert!(of_replica.why[1].contains("the replica b-1-x") && of_replica.next.len() == 1, "{of_replica}");
        let own = refuse(&taken(process::id()), &[]);
        assert!(own.why[1].contains("this `msctl up` itself") && own.next.len() == 1, "{own}");
    }
}
