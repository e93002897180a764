use super::*;

#[tokio::test]
async fn two_lengths_of_one_body_become_one() {
    let setting = Setting::new().await;
    let request = "POST http://service-b:PORT/ HTTP/1.1\r\nHost: b\r\nContent-Length: 3\r\n\
                   Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    let (seen, _) = setting.exchange(request, "HTTP/1.1 204 No Content\r\n\r\n").await;
    assert!(seen.contains("transfer-encoding: chunked") && !seen.contains("content-length"), "{seen}");
}

#[tokio::test]
async fn an_answer_that_ends_with_its_connection_is_framed_anew_and_a_broken_one_is_not_whole() {
    let setting = Setting::new().await;
    let request = "GET http://service-b:PORT/ HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n";
    let (_, got) = setting.exchange(request, "HTTP/1.0 200 OK\r\n\r\nuntil the end").await;
    assert!(got.contains("transfer-encoding: chunked\r\n") && got.ends_with("\r\n0\r\n\r\n"), "{got}");

    let (_, got) = setting.exchange(request, "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await;
    assert!(got.ends_with("\r\n\r\nhalf"), "{got}");

    let broken = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n";
    let (_, got) = setting.exchange(request, broken).await;
    assert!(got.contains("half") && !got.ends_with("0\r\n\r\n"), "{got}");
}

#[tokio::test]
async fn an_answer_to_head_keeps_the_length_of_what_it_leaves_out() {
    let setting = Setting::new().await;
    let request = "HEAD http://service-b:PORT/ HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n";
    let (_, got) = setting.exchange(request, "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n").await;
    assert!(got.contains("content-length: 5000\r\n") && got.ends_with("\r\n\r\n"), "{got}");
}

#[tokio::test]
async fn a_client_that_waits_to_be_asked_for_its_body_is_asked_once_the_service_is_there() {
    let setting = Setting::new().await;
    let mut client = setting.client().await;
    let request = format!(
        "POST http://service-b:{}/ HTTP/1.1\r\nHost: b\r\nConnection: close\r\nExpect: 100-continue\r\n\
         Content-Length: 5\r\n\r\n",
        setting.port()
    );
    client.write_all(request.as_bytes()).await.unwrap();
    let mut server = soon(setting.service.accept()).await.unwrap().0;
    head(&mut server).await;
    assert_eq!(head(&mut client).await, "HTTP/1.1 100 continue\r\n\r\n");
    client.write_all(b"hello").await.unwrap();
    let mut body = [0; 5];
    soon(server.read_exact(&mut body)).await.unwrap();
    assert_eq!(&body, b"hello");
    server.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
    assert!(rest(&mut client).await.starts_with("HTTP/1.1 204 "));
}

#[tokio::test]
async fn trailers_are_passed_on_both_ways() {
    let setting = Setting::new().await;
    let mut client = setting.client().await;
    let request = format!(
        "POST http://service-b:{}/ HTTP/1.1\r\nHost: b\r\nConnection: close, TE\r\nTE: trailers\r\n\
         Transfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n2\r\nhi\r\n0\r\nx-sum: 7\r\n\r\n",
        setting.port()
    );
    client.write_all(request.as_bytes()).await.unwrap();
    let mut server = soon(setting.service.accept()).await.unwrap().0;
    assert!(head(&mut server).await.contains("\r\nte: trailers\r\n"));
    assert_eq!(head(&mut server).await, "2\r\nhi\r\n0\r\nx-sum: 7\r\n\r\n");
    let answer = "HTTP/1.1 200 OK\r\nTrailer: x-end\r\nTransfer-Encoding: chunked\r\n\r\n\
                  2\r\nho\r\n0\r\nx-end: 8\r\n\r\n";
    server.write_all(answer.as_bytes()).await.unwrap();
    assert!(rest(&mut client).await.ends_with("\r\n\r\n2\r\nho\r\n0\r\nx-end: 8\r\n\r\n"));
}

#[tokio::test]
async fn an_answer_arrives_from_a_service_that_did_not_read_the_whole_request() {
    let setting = Setting::new().await;
    // Which end is heard of first is chance.
    for _ in 0..10 {
        let mut client = setting.client().await;
        let request = format!(
            "POST http://service-b:{}/ HTTP/1.1\r\nHost: b\r\nConnection: close\r\nContent-Length: 9000000\r\n\r\n",
            setting.port()
        );
        client.write_all(request.as_bytes()).await.unwrap();
        let (mut reads, mut writes) = client.into_split();
        let sending = tokio::spawn(async move { while writes.write_all(&[b' '; 8192]).await.is_ok() {} });
        let mut server = soon(setting.service.accept()).await.unwrap().0;
        head(&mut server).await;
        server.write_all(b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 2\r\n\r\nno").await.unwrap();
        drop(server);
        let mut answer = [0; 12];
        soon(reads.read_exact(&mut answer)).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 413");
        drop(reads);
        soon(sending).await.unwrap();
    }
}
