//! Paths, methods, the admin port, the cap on connections.

use crate::support::{Wire, ask, config, start};
use axum::Router;
use axum::routing::get;
use runtime::{Limits, ServeConfig, Server};

fn app() -> Router {
    Router::new().route("/", get(async || "hello"))
}

#[tokio::test]
async fn unknown_paths_are_404_and_wrong_methods_405_with_allow() {
    let server = start(app(), config(Limits::default()));
    ask(server.traffic, &crate::support::get("/nowhere?x=1")).await.is_problem(404, "/nowhere");

    let answer = ask(server.traffic, "DELETE / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    answer.is_problem(405, "DELETE");
    assert_eq!(answer.header("allow"), Some("GET,HEAD"));
}

#[tokio::test]
async fn connections_beyond_the_cap_are_503_while_the_admin_port_answers() {
    let server = start(app(), config(Limits { max_connections: 2, ..Limits::default() }));
    let mut kept = Vec::new();
    for _ in 0..2 {
        let mut wire = Wire::open(server.traffic).await;
        wire.send(crate::support::get("/")).await;
        assert_eq!(wire.answer().await.status(), 200);
        kept.push(wire);
    }

    let refused = ask(server.traffic, &crate::support::get("/")).await;
    assert_eq!(refused.status(), 503);
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(refused.header("content-type"), Some("application/problem+json"));
    assert!(refused.body.contains("connections"), "{}", refused.body);
    assert_eq!(ask(server.admin, &crate::support::get("/readyz")).await.status(), 200);
    let metrics = ask(server.admin, &crate::support::get("/metrics")).await.body;
    assert!(metrics.contains("\nhttp_server_refused_connections_total 1\n"), "{metrics}");

    kept.pop();
    let freed = async {
        while ask(server.traffic, &crate::support::get("/")).await.status() != 200 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(crate::support::PATIENCE, freed).await.expect("the place to be free again");
}

#[tokio::test]
async fn probes_follow_the_conditions_and_metrics_are_rendered() {
    let server = start(app(), config(Limits::default()));
    let migrations = server.health.condition("migrations");

    let waiting = ask(server.admin, &crate::support::get("/readyz")).await;
    assert_eq!(waiting.status(), 503);
    assert!(waiting.body.contains("waiting for migrations"), "{}", waiting.body);
    assert_eq!(ask(server.admin, &crate::support::get("/livez")).await.status(), 200);
    migrations.met();
    assert_eq!(ask(server.admin, &crate::support::get("/readyz")).await.status(), 200);

    ask(server.traffic, &crate::support::get("/")).await;
    let metrics = ask(server.admin, &crate::support::get("/metrics")).await;
    assert!(metrics.header("content-type").unwrap().starts_with("application/openmetrics-text"));
    assert!(metrics.body.contains("http_server_request_duration"), "{}", metrics.body);
    assert_eq!(ask(server.admin, &crate::support::get("/")).await.status(), 404);
}

#[tokio::test]
async fn an_address_in_use_names_the_variable_to_change() {
    let taken = Server::bind(ServeConfig::local(0, 0)).unwrap();

    let told = Server::bind(ServeConfig::local(taken.traffic_addr().port(), 0)).unwrap_err().to_string();
    assert!(told.contains("LISTEN_ADDR") && told.contains("in use"), "{told}");

    let told = Server::bind(ServeConfig::local(0, taken.admin_addr().port())).unwrap_err().to_string();
    assert!(told.contains("ADMIN_ADDR"), "{told}");
}
