//! A server's life, and that nothing of it is left.
#![expect(clippy::unwrap_used, reason = "tests; clippy.toml allows it in test functions, not in what they share")]

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use test_postgres::{Fsync, Kill, Options, Server, private, shared};
use tokio_postgres::{Client, NoTls};

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// The client dies with the runtime that it was made in.
async fn connect(url: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

fn count(url: &str) -> i64 {
    run(async { connect(url).await.unwrap().query_one("SELECT count(*) FROM t", &[]).await.unwrap().get(0) })
}

#[test]
fn databases_are_fresh_apart_and_dropped_with_open_connections() {
    let Some(server) = shared() else { return };
    let (first, second) = (server.database(), server.database());

    run(async {
        let client = connect(&first.url()).await.unwrap();
        client.batch_execute("CREATE TABLE t (n int)").await.unwrap();
        let other = connect(&second.url()).await.unwrap();
        assert!(other.query("SELECT * FROM t", &[]).await.is_err());
        let url = first.url();

        drop(first);

        assert!(connect(&url).await.is_err());
    });
}

#[test]
fn what_was_committed_outlives_a_kill_of_the_first_process_and_of_all() {
    let Some(server) = private(Options { fsync: Fsync::On, ..Options::default() }) else { return };
    let url = server.url().to_owned();
    run(async { connect(&url).await.unwrap().batch_execute("CREATE TABLE t (n int)").await.unwrap() });

    for (kill, rows) in [(Kill::Postmaster, 1), (Kill::Everything, 2), (Kill::Everything, 3)] {
        run(async {
            let client = connect(&url).await.unwrap();
            client.batch_execute("INSERT INTO t VALUES (1)").await.unwrap();
            server.kill(kill).unwrap();
            assert!(connect(&url).await.is_err());
        });
        server.restart().unwrap();
        assert_eq!(count(&url), rows);
    }
}

#[test]
fn a_stopped_server_starts_again_at_the_same_address() {
    let Some(server) = private(Options::default()) else { return };
    let url = server.url().to_owned();
    run(async { connect(&url).await.unwrap().batch_execute("CREATE TABLE t (n int)").await.unwrap() });

    server.stop().unwrap();
    assert_eq!(server.pid(), None);
    assert!(run(connect(&url)).is_err());
    server.restart().unwrap();

    assert_eq!((server.url(), count(&url)), (url.as_str(), 0));
}

#[test]
fn settings_arrive_and_fsync_is_as_chosen() {
    for (fsync, shown) in [(Fsync::Off, "off"), (Fsync::On, "on")] {
        let settings = vec![("max_connections", "17".to_owned())];
        let Some(server) = private(Options { fsync, settings }) else { return };
        run(async {
            let client = connect(server.url()).await.unwrap();
            for (name, value) in [("fsync", shown), ("max_connections", "17"), ("synchronous_commit", "on")] {
                let row = client.query_one("SELECT current_setting($1)", &[&name]).await.unwrap();
                assert_eq!(row.get::<_, String>(0), value, "{name}");
            }
        });
    }
}

#[test]
fn a_dropped_server_leaves_no_process_and_no_file_also_when_it_was_killed() {
    for kill in [None, Some(Kill::Postmaster), Some(Kill::Everything)] {
        let Some(server) = private(Options::default()) else { return };
        let (pid, data) = (server.pid().unwrap(), server.data().unwrap());
        if let Some(kill) = kill {
            server.kill(kill).unwrap();
        }

        drop(server);

        assert_gone(pid, &data);
    }
}

/// Stands for a test that is killed: not a test by itself.
#[test]
#[ignore = "started by a_server_does_not_outlive_a_killed_test_process"]
fn holds_a_server_until_it_is_killed() {
    let server = Server::start(Options::default()).unwrap();
    println!("HOLDS {} {}", server.pid().unwrap(), server.data().unwrap().display());
    std::thread::sleep(Duration::from_mins(1));
}

#[test]
fn a_server_does_not_outlive_a_killed_test_process() {
    use std::io::{BufRead as _, BufReader};

    if shared().is_none() {
        return;
    }
    let mut holder = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "holds_a_server_until_it_is_killed"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(holder.stdout.take().unwrap()).lines().map_while(Result::ok);
    let line = lines.find_map(|line| line.split_once("HOLDS ").map(|(_, held)| held.to_owned()));
    let line = line.expect("the holder's server");
    let (pid, data) = line.split_once(' ').unwrap();

    holder.kill().unwrap();
    holder.wait().unwrap();

    assert_gone(pid.parse().unwrap(), Path::new(data));
}

/// The guard works beside us: it has a moment.
fn assert_gone(pid: u32, data: &Path) {
    let process = Path::new("/proc").join(pid.to_string());
    let deadline = Instant::now() + Duration::from_secs(15);
    while process.exists() || data.parent().unwrap().exists() {
        assert!(Instant::now() < deadline, "left: {}, {}", process.display(), data.display());
        std::thread::sleep(Duration::from_millis(10));
    }
}
