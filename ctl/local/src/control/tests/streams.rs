use std::sync::atomic::Ordering;

use futures::StreamExt as _;
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::*;
use crate::Event;
use crate::logs::Options;

fn starting(number: usize) -> Event {
    Event::Starting { replica: format!("service-a-{number}") }
}

#[tokio::test]
async fn an_operation_tells_its_events_while_it_goes_on_and_then_its_result() {
    let setting = Setting::new();
    let (tell, mut events) = mpsc::channel(16);
    let client = setting.client.clone();
    let asking = tokio::spawn(async move { client.apply(vec![service("service-a")], tell).await });

    assert_eq!(soon(events.recv()).await, Some(starting(0)), "before the operation ends");
    assert_eq!(soon(events.recv()).await, Some(starting(1)));
    assert!(!asking.is_finished());
    setting.supervisor.finish(Ok(()));
    let applied = soon(asking).await.unwrap().unwrap();
    assert_eq!((applied.len(), &*applied[0].name), (1, "service-a"));
    assert_eq!(events.recv().await, None);
}

#[tokio::test]
async fn every_operation_has_its_result() {
    let setting = Setting::new();
    for _ in 0..4 {
        setting.supervisor.finish(Ok(()));
    }
    let tell = || mpsc::channel(16).0;
    assert_eq!(soon(setting.client.started()).await.unwrap()[0].name, "service-a");
    assert_eq!(soon(setting.client.scale("service-a", 5, tell())).await.unwrap().ready, 5);
    assert_eq!(soon(setting.client.delete("service-a", tell())).await.unwrap().name, "service-a");
    soon(setting.client.stop(tell())).await.unwrap();
}

#[tokio::test]
async fn an_error_arrives_as_it_was() {
    let setting = Setting::new();
    let error = Error::new(Kind::RolloutFailed, "cannot deploy service-a")
        .why("service-a-1 crashed")
        .log("its last lines", vec!["a".to_owned(), "ä\n".to_owned()])
        .next("msctl logs service-a");
    setting.supervisor.finish(Err(error.clone()));
    let got = soon(setting.client.apply(vec![service("service-a")], mpsc::channel(16).0)).await;
    assert_eq!(got, Err(error));
}

#[tokio::test]
async fn an_operation_goes_on_when_its_client_leaves() {
    let setting = Setting::new();
    let client = setting.client.clone();
    let asking = tokio::spawn(async move { client.delete("service-a", mpsc::channel(16).0).await });
    soon(setting.supervisor.began()).await;
    asking.abort();
    assert!(asking.await.unwrap_err().is_cancelled());
    // The server has seen that its client is gone: it serves the next one after it.
    soon(setting.client.status()).await.unwrap();

    setting.supervisor.finish(Ok(()));
    soon(async {
        while setting.supervisor.ended.load(Ordering::SeqCst) == 0 {
            sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_client_that_does_not_read_delays_nothing_and_gets_the_result() {
    // Far more than the queues and the socket hold.
    let setting = Setting::with(|supervisor| supervisor.events = 100_000);
    let (tell, mut events) = mpsc::channel(1);
    let client = setting.client.clone();
    let asking = tokio::spawn(async move { client.scale("service-a", 3, tell).await });
    soon(setting.supervisor.began()).await;
    setting.supervisor.finish(Ok(()));
    soon(async {
        while setting.supervisor.ended.load(Ordering::SeqCst) == 0 {
            sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
    assert!(!asking.is_finished(), "it was behind");

    let mut got = 0;
    while soon(events.recv()).await.is_some() {
        got += 1;
    }
    assert_eq!(soon(asking).await.unwrap().unwrap().ready, 3);
    assert!(got < 100_000, "it was not behind");
}

#[tokio::test]
async fn a_stream_without_a_last_line_broke_off() {
    let setting = Setting::new();
    let socket = setting.folder.join("other.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let answering = async {
        let (mut server, _) = listener.accept().await.unwrap();
        let mut start = [0; 1024];
        let _ = server.read(&mut start).await.unwrap();
        let line = "{\"event\":{\"event\":\"starting\",\"replica\":\"a\"}}\n";
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{line}", line.len());
        server.write_all(head.as_bytes()).await.unwrap();
    };
    let client = Client::new(socket.clone());
    let (tell, mut events) = mpsc::channel(16);
    let (got, ()) = soon(async { tokio::join!(client.scale("a", 1, tell), answering) }).await;
    assert!(got.unwrap_err().to_string().contains("ended before it answered"));
    assert_eq!(events.recv().await, Some(Event::Starting { replica: "a".to_owned() }));
}

#[tokio::test]
async fn lines_of_logs_arrive_and_end() {
    let setting = Setting::new();
    let services = vec!["service-a".to_owned(), "service-b".to_owned()];
    let lines: Vec<_> = soon(setting.client.logs(services, &Options::default()).collect()).await;
    let lines: Vec<_> = lines.into_iter().map(Result::unwrap).collect();
    assert_eq!((lines.len(), &*lines[1].replica, &*lines[0].line), (2, "service-b-1", "ä \"line\"\u{1b}[0m"));

    let all: Vec<_> = soon(setting.client.logs(Vec::new(), &Options::default()).collect()).await;
    assert_eq!(all.into_iter().map(|line| line.unwrap().service).collect::<Vec<_>>(), ["service-a"]);
}

#[tokio::test]
async fn lines_that_are_followed_come_as_they_are_until_everything_stops() {
    let setting = Setting::new();
    let follow = Options { follow: true, ..Options::default() };
    let mut lines = setting.client.logs(vec!["service-a".to_owned()], &follow);
    assert_eq!(soon(lines.next()).await.unwrap().unwrap().service, "service-a");
    setting.stop.cancel();
    assert_eq!(soon(lines.next()).await, None);
    soon(setting.served).await.unwrap();
}
