//! From nothing to a supervisor, and to its end.

use std::sync::Arc;

use futures::future::join_all;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Ended, Inner, Net, Supervisor, Up, operations, ports};
use crate::balance::Balancer;
use crate::error::Error;
use crate::logs::Logs;
use crate::process::{Guard, Link};
use crate::scarce;
use crate::service::Context;
use crate::{Applied, Events, ServiceSpec, StateFolder};

pub(super) async fn start(up: Up, net: Net, events: Events) -> Result<(Supervisor, Ended), Error> {
    let Up { namespace, state, specs, guard, telemetry } = up;
    operations::check(&specs)?;
    // Side by side: a guard without orders does nothing.
    let lock = state.guard_lock();
    let (started, bound) = tokio::join!(Guard::start(&guard, &lock), ports::bind(&specs, &[]));
    scarce::raise_descriptors();
    let (guard, link, balancers) = match (started, bound) {
        (Ok((guard, link)), Ok(balancers)) => (guard, link, balancers),
        (Ok((guard, link)), Err(error)) => {
            drop(guard);
            // Gone when this returns; how it went changes nothing.
            let _ = link.run(&CancellationToken::new()).await;
            return Err(error);
        }
        (Err(error), _) => return Err(error),
    };
    let context = Context {
        namespace,
        net,
        telemetry,
        data: state.data(),
        guard,
        logs: Logs::new(state.logs()),
        events,
        closing: CancellationToken::new(),
    };
    let inner = Inner {
        context: Arc::new(context),
        services: std::sync::Mutex::default(),
        operations: std::sync::Mutex::default(),
        started: watch::Sender::new(None),
    };
    let supervisor = Supervisor { inner: Arc::new(inner) };
    let ended = tokio::spawn(run(supervisor.clone(), link, state));
    tokio::spawn(deploy(supervisor.clone(), specs, balancers));
    let ended = async { ended.await.unwrap_or_else(|error| Err(Error::failed("the supervisor broke off").why(error))) };
    Ok((supervisor, Box::pin(ended)))
}

/// Until nothing runs any more.
async fn run(supervisor: Supervisor, link: Link, state: StateFolder) -> Result<(), Error> {
    let outcome = link.run(&supervisor.inner.context.closing).await;
    // After the loss of the guard: their processes are dead, they only have to notice.
    supervisor.end(None).await;
    drop(state);
    outcome
}

/// The first deployment: its ports are bound already.
async fn deploy(supervisor: Supervisor, specs: Vec<ServiceSpec>, balancers: Vec<Balancer>) {
    let created = specs.into_iter().zip(balancers).map(|(spec, balancer)| {
        let supervisor = supervisor.clone();
        async move {
            let turn = supervisor.turn(&spec.name);
            let _turn = turn.lock().await;
            let (name, wanted) = (spec.name.clone(), spec.replicas);
            let service = operations::create(&supervisor, spec, balancer, None).await?;
            Ok(Applied { name, action: crate::Action::Created, ready: service.ready(), wanted })
        }
    });
    let outcome = operations::all(join_all(created).await);
    supervisor.inner.started.send_replace(Some(outcome));
}
