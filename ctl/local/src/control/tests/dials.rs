use tokio::net::TcpListener;

use super::*;
use crate::names::NameError;

#[tokio::test]
async fn a_service_is_dialled_by_its_name_and_each_side_ends_for_itself() {
    let setting = Setting::new();
    let service = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = service.local_addr().unwrap();
    setting.names.service("service-a", address);
    for host in ["service-a", "service-a.demo.svc.cluster.local", "127.0.0.1"] {
        let dialling = setting.client.dial(host, address.port());
        let (client, accepted) = soon(async { tokio::join!(dialling, service.accept()) }).await;
        let (mut client, mut server) = (client.unwrap(), accepted.unwrap().0);
        // A server that speaks first: nothing of it may be taken for the answer to CONNECT.
        server.write_all(b"220 ready\r\n\r\n").await.unwrap();
        client.write_all(b"question").await.unwrap();
        client.shutdown().await.unwrap();
        let mut question = String::new();
        soon(server.read_to_string(&mut question)).await.unwrap();
        server.write_all(b"answer").await.unwrap();
        drop(server);
        let mut answer = String::new();
        soon(client.read_to_string(&mut answer)).await.unwrap();
        assert_eq!((&*question, &*answer), ("question", "220 ready\r\n\r\nanswer"), "{host}");
    }
}

#[tokio::test]
async fn why_a_dial_failed_arrives_as_it_was() {
    let setting = Setting::new();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    setting.names.service("service-a", free);
    let failed = async |host: &str, port| match soon(setting.client.dial(host, port)).await {
        Err(DialFailure::Target(error)) => error,
        other => panic!("{host}: {other:?}"),
    };

    let DialError::Name { reason: NameError::Unknown { similar, .. } } = failed("servis-a", 80).await else { panic!() };
    assert_eq!(similar.as_deref(), Some("service-a"));
    let wrong = failed("service-a.demo", 1).await;
    assert_eq!(wrong, NameError::WrongPort { name: "service-a".into(), port: 1, ports: vec![free.port()] }.into());
    let other = failed("service-a.shop", 1).await;
    assert!(matches!(other, DialError::Name { reason: NameError::OtherNamespace { .. } }), "{other:?}");
    assert!(matches!(failed("service-a", free.port()).await, DialError::Refused { .. }));
    assert!(matches!(failed("127.0.0.1", free.port()).await, DialError::Refused { .. }));
    for host in ["a b", "", "a\r\nx: y"] {
        assert!(matches!(failed(host, 1).await, DialError::NoHost { .. }), "{host:?}");
    }
}

#[tokio::test]
async fn tunnels_take_places_like_other_connections() {
    let setting = Setting::new();
    let service = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = service.local_addr().unwrap();
    setting.names.service("service-a", address);
    let mut open = Vec::new();
    for _ in 0..100 {
        let dialling = setting.client.dial("service-a", address.port());
        let (client, accepted) = soon(async { tokio::join!(dialling, service.accept()) }).await;
        open.push((client.unwrap(), accepted.unwrap()));
    }
    for (client, (server, _)) in &mut open {
        client.write_all(b"x").await.unwrap();
        assert_eq!(soon(server.read_u8()).await.unwrap(), b'x');
    }
}
