use super::*;
use futures::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio_tungstenite::tungstenite::protocol::Role;

const PORT: u16 = 8600;

async fn pair() -> (PodStream<DuplexStream>, WebSocketStream<DuplexStream>) {
    let (near, far) = tokio::io::duplex(4096);
    let near = WebSocketStream::from_raw_socket(near, Role::Client, None).await;
    let mut far = WebSocketStream::from_raw_socket(far, Role::Server, None).await;
    for channel in [DATA, ERROR] {
        let [low, high] = PORT.to_le_bytes();
        far.send(Message::binary(vec![channel, low, high])).await.unwrap();
    }
    (PodStream::new(near, PORT), far)
}

fn data(bytes: &[u8]) -> Message {
    Message::binary([&[DATA], bytes].concat())
}

#[tokio::test]
async fn bytes_go_both_ways() {
    let (mut near, mut far) = pair().await;
    near.write_all(b"to the ").await.unwrap();
    near.write_all(b"pod").await.unwrap();
    near.flush().await.unwrap();
    assert_eq!(far.next().await.unwrap().unwrap(), data(b"to the pod"));

    far.send(data(b"from the pod")).await.unwrap();
    let mut buffer = [0u8; 12];
    near.read_exact(&mut buffer).await.unwrap();
    assert_eq!(&buffer, b"from the pod");
}

#[tokio::test]
async fn after_a_half_close_the_rest_of_the_answer_is_read() {
    let (mut near, mut far) = pair().await;
    near.write_all(b"request").await.unwrap();
    near.shutdown().await.unwrap();
    assert_eq!(far.next().await.unwrap().unwrap(), data(b"request"));
    far.send(data(b"answer")).await.unwrap();
    far.close(None).await.unwrap();
    let mut answer = Vec::new();
    near.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer, b"answer");
}

#[tokio::test]
async fn a_connection_that_breaks_off_is_an_error_and_no_end_of_file() {
    let (mut near, mut far) = pair().await;
    far.send(data(b"half an ans")).await.unwrap();
    drop(far);
    let mut answer = Vec::new();
    let error = near.read_to_end(&mut answer).await.unwrap_err();
    assert_eq!(answer, b"half an ans");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_text_on_the_error_channel_is_the_error() {
    let (mut near, mut far) = pair().await;
    let text = b"error forwarding port 8600 to pod x, uid : dial tcp4 127.0.0.1:8600: connect: connection refused";
    far.send(Message::binary([&[ERROR], text.as_slice()].concat())).await.unwrap();
    far.close(None).await.unwrap();
    let error = near.read_u8().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    assert_eq!(error.to_string(), "nothing listens on port 8600 of the pod");
}

#[tokio::test]
async fn messages_outside_the_protocol_are_errors() {
    let (mut near, mut far) = pair().await;
    far.send(Message::binary(vec![9, 1])).await.unwrap();
    assert_eq!(near.read_u8().await.unwrap_err().kind(), ErrorKind::InvalidData);

    let (near, far) = tokio::io::duplex(4096);
    let near = WebSocketStream::from_raw_socket(near, Role::Client, None).await;
    let mut far = WebSocketStream::from_raw_socket(far, Role::Server, None).await;
    far.send(Message::binary(vec![DATA, 1, 0])).await.unwrap();
    let mut near = PodStream::new(near, PORT);
    assert_eq!(near.read_u8().await.unwrap_err().kind(), ErrorKind::InvalidData);
}

#[tokio::test(start_paused = true)]
async fn a_silent_connection_is_pinged_and_kept_when_it_answers() {
    let (mut near, mut far) = pair().await;
    let reader = tokio::spawn(async move { near.read_u8().await });
    // Reading the ping makes the library answer it.
    for _ in 0..4 {
        assert!(far.next().await.unwrap().unwrap().is_ping());
    }
    far.send(data(b"x")).await.unwrap();
    assert_eq!(reader.await.unwrap().unwrap(), b'x');
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_answers_no_ping_times_out() {
    let (mut near, far) = pair().await;
    let error = near.read_u8().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    drop(far);
}
