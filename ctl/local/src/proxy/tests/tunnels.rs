use super::*;

#[tokio::test]
async fn a_tunnel_carries_what_came_with_its_request_and_each_side_ends_for_itself() {
    let setting = Setting::new().await;
    let mut client = setting.client().await;
    let request = format!("CONNECT service-b.demo:{} HTTP/1.1\r\nHost: b\r\n\r\nearly ", setting.port());
    client.write_all(request.as_bytes()).await.unwrap();
    let mut server = soon(setting.service.accept()).await.unwrap().0;
    let answer = head(&mut client).await;
    assert!(answer.starts_with("HTTP/1.1 200 ok\r\n"), "{answer}");
    assert!(!answer.contains("content-length") && !answer.contains("transfer-encoding"), "{answer}");

    client.write_all(b"and late").await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(rest(&mut server).await, "early and late");
    server.write_all(b"answer").await.unwrap();
    drop(server);
    assert_eq!(rest(&mut client).await, "answer");
}

#[tokio::test]
async fn a_tunnel_that_breaks_is_reset() {
    let setting = Setting::new().await;
    let mut client = setting.client().await;
    let request = format!("CONNECT service-b:{} HTTP/1.1\r\nHost: b\r\n\r\n", setting.port());
    client.write_all(request.as_bytes()).await.unwrap();
    let server = soon(setting.service.accept()).await.unwrap().0;
    head(&mut client).await;
    server.set_zero_linger().unwrap();
    drop(server);
    let error = soon(client.read(&mut [0])).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_tunnel_keeps_its_place_below_the_cap_until_it_has_ended() {
    let setting = Setting::with_cap(1).await;
    let mut tunnel = setting.client().await;
    let request = format!("CONNECT service-b:{} HTTP/1.1\r\nHost: b\r\n\r\n", setting.port());
    tunnel.write_all(request.as_bytes()).await.unwrap();
    let mut server = soon(setting.service.accept()).await.unwrap().0;
    head(&mut tunnel).await;
    let refused = async || setting.client().await.read_u8().await.unwrap_err().kind();
    assert_eq!(soon(refused()).await, std::io::ErrorKind::ConnectionReset);

    drop(tunnel);
    assert_eq!(rest(&mut server).await, "");
    drop(server);
    let answered = async || {
        let mut client = setting.client().await;
        client.write_all(b"GET / HTTP/1.1\r\nHost: b\r\n\r\n").await?;
        client.read_u8().await
    };
    soon(async { while answered().await.is_err() {} }).await;
}
