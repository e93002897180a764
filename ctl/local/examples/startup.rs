//! How long services take from nothing to ready, under the supervisor: `startup ROUNDS REPLICAS PROGRAM…`.
//!
//! Each program is started as `msctl up` starts A and B: with a database of its own, an admin port, `/livez` and `/readyz`.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement for people")]

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use std::{env, fs, process};

use local::names::Names;
use local::{Net, Probe, ServiceSpec, StateFolder, Supervisor, Telemetry, Up};
use tokio::sync::mpsc;

const GUARD: &str = "guard";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().collect();
    if arguments.get(1).is_some_and(|argument| argument == GUARD) {
        return local::guard::run().map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS);
    }
    let (rounds, replicas) = (arguments[1].parse().unwrap(), arguments[2].parse().unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(measure(rounds, replicas, &arguments[3..]));
    ExitCode::SUCCESS
}

async fn measure(rounds: usize, replicas: u32, programs: &[String]) {
    let folder = env::temp_dir().join(format!("msctl-startup-{}", process::id()));
    fs::create_dir_all(&folder).unwrap();
    let (mut guards, mut ups, mut stops) = (Vec::new(), Vec::new(), Vec::new());
    let mut each: BTreeMap<String, Vec<Duration>> = BTreeMap::new();
    for _ in 0..rounds {
        let specs = programs.iter().map(|program| spec(Path::new(program), replicas, &folder)).collect();
        let began = Instant::now();
        let state = StateFolder::open(&folder.join(local::state::FOLDER), "startup").await.unwrap();
        let guard = vec![env::current_exe().unwrap().into(), GUARD.into()];
        let net = Net { names: Names::new("startup"), proxy: SocketAddr::from((Ipv4Addr::LOCALHOST, 9)) };
        let telemetry = Telemetry { endpoint: "http://127.0.0.1:9".to_owned() };
        let (sender, mut events) = mpsc::channel(4096);
        let up = Up { namespace: "startup".to_owned(), state, specs, guard, telemetry };
        let (supervisor, ended) = Supervisor::start(up, net, sender.clone()).await.unwrap();
        guards.push(began.elapsed());
        if let Err(error) = supervisor.started().await {
            println!("{error}: {:?}", error.log);
        }
        ups.push(began.elapsed());
        while let Ok(event) = events.try_recv() {
            if let local::Event::Ready { replica, after_ms } = event {
                let service = replica.rsplitn(3, '-').nth(2).unwrap().to_owned();
                each.entry(service).or_default().push(Duration::from_millis(after_ms));
            }
        }
        let began = Instant::now();
        supervisor.stop(sender).await;
        ended.await.unwrap();
        stops.push(began.elapsed());
        // Migrations are part of a first start.
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
    }
    fs::remove_dir_all(&folder).unwrap();
    show("guard and ports", guards);
    for (service, times) in each {
        show(&format!("{service}: spawn to ready"), times);
    }
    show("up to all ready", ups);
    show("stop", stops);
}

fn spec(program: &Path, replicas: u32, folder: &Path) -> ServiceSpec {
    let name = program.file_name().unwrap().to_str().unwrap().to_owned();
    let probe = |path: &str, period_ms, failures| Probe {
        path: Some(path.to_owned()),
        admin: true,
        period_ms,
        timeout_ms: 1000,
        failures,
    };
    let database = format!("sqlite://.msctl/data/{name}.sqlite3");
    ServiceSpec {
        argv: vec![program.display().to_string()],
        folder: PathBuf::from(folder),
        port: TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port(),
        admin: true,
        replicas,
        env: BTreeMap::from([("DATABASE_URL".to_owned(), database), ("DRAIN_DELAY".to_owned(), "0s".to_owned())]),
        startup: probe("/livez", 1000, 60),
        readiness: probe("/readyz", 1000, 3),
        liveness: probe("/livez", 10_000, 3),
        drain_delay_ms: 0,
        stop_timeout_ms: 25_000,
        version: "0.1.0".to_owned(),
        name,
    }
}

fn show(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let (Some(first), Some(last)) = (times.first(), times.last()) else { return };
    println!(
        "{what:32} min {first:>9.1?}  median {:>9.1?}  max {last:>9.1?}  ({})",
        times[times.len() / 2],
        times.len()
    );
}
