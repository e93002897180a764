use super::*;

#[tokio::test]
async fn a_request_arrives_as_its_service_takes_it() {
    let setting = Setting::new().await;
    let request = "GET http://service-b.demo.svc.cluster.local:PORT/a?b=c HTTP/1.1\r\nHost: liar\r\n\
                   Connection: close, x-hop\r\nX-Hop: 1\r\nProxy-Authorization: Basic eA==\r\nX-End: 2\r\n\r\n";
    let answer = "HTTP/1.1 200 OK\r\nConnection: x-gone\r\nX-Gone: 1\r\nKeep-Alive: timeout=5\r\nX-Kept: 1\r\n\
                  Content-Length: 2\r\n\r\nhi";
    let (seen, got) = setting.exchange(request, answer).await;
    assert!(seen.starts_with("get /a?b=c HTTP/1.1\r\n"), "{seen}");
    assert_eq!(host(&seen), format!("service-b.demo.svc.cluster.local:{}", setting.port()));
    assert!(seen.contains("x-end: 2") && !seen.contains("x-hop") && !seen.contains("proxy-auth"), "{seen}");
    assert!(got.starts_with("HTTP/1.1 200 OK\r\n") && got.ends_with("\r\n\r\nhi"), "{got}");
    assert!(got.contains("x-kept: 1") && !got.contains("x-gone") && !got.contains("keep-alive"), "{got}");
}

#[tokio::test]
async fn a_kept_connection_takes_one_request_after_the_other_each_to_a_connection_of_its_own() {
    let setting = Setting::new().await;
    let mut client = setting.client().await;
    for number in 0..3 {
        let request = format!("GET http://service-b:{}/{number} HTTP/1.1\r\nHost: b\r\n\r\n", setting.port());
        client.write_all(request.as_bytes()).await.unwrap();
        let mut server = soon(setting.service.accept()).await.unwrap().0;
        assert!(head(&mut server).await.starts_with(&format!("get /{number} ")));
        server.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n.").await.unwrap();
        assert!(head(&mut client).await.starts_with("HTTP/1.1 200"));
        assert_eq!(soon(client.read_u8()).await.unwrap(), b'.');
    }
}

#[tokio::test]
async fn a_client_that_leaves_takes_its_request_along() {
    let setting = Setting::new().await;
    let mut client = setting.client().await;
    let request = format!("GET http://service-b:{}/ HTTP/1.1\r\nHost: b\r\n\r\n", setting.port());
    client.write_all(request.as_bytes()).await.unwrap();
    let mut server = soon(setting.service.accept()).await.unwrap().0;
    head(&mut server).await;
    drop(client);
    assert_eq!(soon(server.read(&mut [0])).await.unwrap_or(0), 0, "the service works for nobody");
}

#[tokio::test]
async fn what_can_not_be_reached_is_a_problem_that_says_why() {
    let setting = Setting::new().await;
    let free = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    for (request, status, token, detail) in [
        ("GET http://servise-b:PORT/ HTTP/1.1", "502", "destination_not_found", "did you mean `service-b`?"),
        ("GET http://service-b/ HTTP/1.1", "502", "destination_not_found", "`service-b` has no port 80"),
        ("GET http://service-b.shop.svc:PORT/ HTTP/1.1", "502", "destination_not_found", "is of namespace shop"),
        ("CONNECT servise-b:PORT HTTP/1.1", "502", "destination_not_found", "did you mean `service-b`?"),
        ("GET http://127.0.0.1:FREE/ HTTP/1.1", "502", "connection_refused", "refuses connections"),
        ("GET / HTTP/1.1", "400", "http_request_error", "set HTTP_PROXY to it"),
        ("GET https://service-b:PORT/ HTTP/1.1", "400", "http_request_error", "CONNECT"),
        ("GET http://me@service-b:PORT/ HTTP/1.1", "400", "http_request_error", "before `@`"),
        ("CONNECT service-b HTTP/1.1", "400", "http_request_error", "HOST:PORT"),
        ("TRACE http://service-b:PORT/ HTTP/1.1\r\nMax-Forwards: 0", "501", "http_request_denied", "Max-Forwards"),
    ] {
        let request = request.replace("FREE", &free.to_string());
        let got = setting.refusal(&format!("{request}\r\nHost: x\r\nConnection: close\r\n\r\n")).await;
        assert!(got.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {got}");
        assert!(got.contains("content-type: application/problem+json\r\n"), "{request}: {got}");
        assert!(got.contains(&format!("proxy-status: msctl; error={token};")), "{request}: {got}");
        assert!(got.split("\r\n\r\n").nth(1).unwrap().contains(detail), "{request}: {got}");
    }
}

#[tokio::test]
async fn a_service_that_ends_without_an_answer_is_a_problem() {
    let setting = Setting::new().await;
    let request = "GET http://service-b:PORT/ HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n";
    let (_, got) = setting.exchange(request, "").await;
    assert!(got.starts_with("HTTP/1.1 502 ") && got.contains("did not answer"), "{got}");
    let (_, got) = setting.exchange(request, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n").await;
    assert!(got.starts_with("HTTP/1.1 502 "), "{got}");
}

#[test]
fn only_this_machine_is_served() {
    for (peer, near) in [
        ("127.0.0.1:1", true),
        ("127.3.2.1:1", true),
        ("[::1]:1", true),
        ("[::ffff:127.0.0.1]:1", true),
        ("192.168.1.10:1", false),
        ("[::ffff:192.168.1.10]:1", false),
        ("[fe80::1]:1", false),
    ] {
        assert_eq!(crate::proxy::is_of_this_machine(peer.parse().unwrap()), near, "{peer}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_that_does_not_end_is_not_waited_for() {
    let setting = Setting::new().await;
    let mut client = TcpStream::connect(setting.proxy).await.unwrap();
    client.write_all(b"GET http://service-b/ HTTP/1.1\r\nHost:").await.unwrap();
    let mut nothing = Vec::new();
    // Nothing but its deadline ends it.
    client.read_to_end(&mut nothing).await.unwrap();
}
