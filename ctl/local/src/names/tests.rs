use std::net::SocketAddr;

use super::*;

fn names() -> Names {
    let names = Names::new("demo");
    names.service("service-a", address(8000));
    names.service("service-b", address(8001));
    names.host("jaeger", 16686, address(40001));
    names.host("jaeger", 4318, Route::Host("collector.example".to_owned(), 4318));
    names
}

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

fn ours(port: u16) -> Answer {
    Answer::Ours(address(port).into())
}

fn told(error: Result<Answer, NameError>) -> String {
    match error {
        Err(error) => error.to_string(),
        Ok(Answer::Doubtful(error)) => format!("perhaps: {error}"),
        Ok(answer) => panic!("{answer:?} is no error"),
    }
}

#[test]
fn a_service_has_every_name_that_it_has_in_a_cluster() {
    for host in
        ["service-b", "service-b.demo", "service-b.demo.svc", "service-b.demo.svc.cluster.local", "SERVICE-B.demo.svc."]
    {
        assert_eq!(names().resolve(host, 8001), Ok(ours(8001)), "{host}");
    }
}

#[test]
fn a_host_beside_the_services_has_a_route_for_each_port() {
    let names = names();
    assert_eq!(names.resolve("jaeger", 16686), Ok(ours(40001)));
    let collector = Route::Host("collector.example".to_owned(), 4318);
    assert_eq!(names.resolve("jaeger.demo", 4318), Ok(Answer::Ours(collector)));
    assert_eq!(told(names.resolve("jaeger", 80)), "`jaeger` has no port 80, it listens on 4318 and 16686");
}

#[test]
fn a_misspelt_name_is_told_what_was_meant_and_a_strange_one_what_there_is() {
    assert_eq!(
        told(names().resolve("servise-b.demo.svc", 8001)),
        "no service `servise-b` runs in demo; did you mean `service-b`?"
    );
    assert_eq!(
        told(names().resolve("orders.demo.svc", 80)),
        "no service `orders` runs in demo; there is jaeger, service-a and service-b"
    );
    assert_eq!(told(Names::new("x").resolve("orders.x.svc", 80)), "no service `orders` runs in x; nothing runs there");
}

#[test]
fn the_wrong_port_and_the_wrong_namespace_are_said() {
    assert_eq!(told(names().resolve("service-b", 80)), "`service-b` has no port 80, it listens on 8001");
    assert_eq!(
        told(names().resolve("service-b.shop.svc.cluster.local", 8001)),
        "`service-b.shop` is of namespace shop; what runs here is demo"
    );
}

#[test]
fn what_looks_like_a_service_and_may_be_another_host_is_in_doubt() {
    for host in ["postgres", "postgres.demo", "service-b.shop"] {
        assert!(matches!(names().resolve(host, 5432), Ok(Answer::Doubtful(_))), "{host}");
    }
    for host in ["localhost", "127.0.0.1", "[::1]", "example.org", "www.example.org"] {
        assert_eq!(names().resolve(host, 80), Ok(Answer::Elsewhere), "{host}");
    }
}

#[test]
fn a_table_follows_its_services() {
    let names = names();
    names.service("service-b", address(9001));
    assert_eq!(names.clone().resolve("service-b", 9001), Ok(ours(9001)));
    names.remove("service-b");
    assert_eq!(
        told(names.resolve("service-b", 9001)),
        "perhaps: no service `service-b` runs in demo; did you mean `service-a`?"
    );
}

#[tokio::test]
async fn a_service_that_nobody_serves_refuses_and_says_where() {
    let names = Names::new("demo");
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    names.service("service-a", free);
    let error = names.dial("service-a", free.port(), Unnamed::Refuse).await.unwrap_err();
    assert_eq!(error.to_string(), format!("service-a:{} ({free}) refuses connections", free.port()));
}

#[tokio::test]
async fn a_service_without_a_ready_replica_is_not_dialled() {
    let replica = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let balancer = Balancer::bind(0).await.unwrap();
    let (names, port) = (Names::new("demo"), balancer.address().port());
    names.service("service-a", &balancer);
    let not_ready = DialError::NotReady { target: format!("service-a:{port}") };
    assert_eq!(names.dial("service-a", port, Unnamed::Refuse).await.unwrap_err(), not_ready);

    let backend = crate::balance::Backend { replica: "a".to_owned(), address: replica.local_addr().unwrap() };
    balancer.set(vec![backend]);
    names.dial("service-a", port, Unnamed::Refuse).await.unwrap();

    drop(balancer);
    assert_eq!(names.dial("service-a", port, Unnamed::Refuse).await.unwrap_err(), not_ready);
}

#[tokio::test]
async fn an_unknown_name_is_refused_at_once_or_asked_for() {
    let error = names().dial("service-x", 80, Unnamed::Refuse).await.unwrap_err();
    assert!(matches!(&error, DialError::Name { reason: NameError::Unknown { .. } }), "{error:?}");
    let error = names().dial("service-x", 80, Unnamed::Ask).await.unwrap_err();
    assert!(matches!(&error, DialError::Name { reason: NameError::Unknown { .. } }), "{error:?}");
}

#[tokio::test]
async fn an_address_is_dialled_as_it_is() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    for host in ["127.0.0.1", "localhost"] {
        let stream = names().dial(host, port, Unnamed::Refuse).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap().port(), port, "{host}");
    }
}

#[test]
fn errors_cross_the_control_socket_whole() {
    let reason = names().resolve("servise-b.demo.svc", 1).unwrap_err();
    let error = DialError::Name { reason };
    let json = serde_json::to_string(&error).unwrap();
    assert_eq!(serde_json::from_str::<DialError>(&json).unwrap(), error, "{json}");
}
