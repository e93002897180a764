//! Asking a nameserver.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::message::{self, Code, Kind, Reply};

/// A nameserver in the cluster answers within milliseconds; a lost datagram costs this once.
const TRY: Duration = Duration::from_millis(1500);
const TRIES: usize = 2;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Addresses {
        addresses: Vec<IpAddr>,
        /// The name that holds them.
        owner: String,
        ttl: Duration,
    },
    /// No such name, or no address at it.
    Nothing,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum QueryError {
    TimedOut,
    Failed(String),
}

/// The addresses of a fully qualified name, IPv4 first: each nameserver in turn, then all again.
pub(super) async fn addresses(nameservers: &[SocketAddr], name: &str) -> Result<Answer, QueryError> {
    let mut failure = QueryError::Failed("resolv.conf names no nameserver".to_owned());
    for nameserver in std::iter::repeat_n(nameservers, TRIES).flatten() {
        let both = tokio::join!(ask(*nameserver, name, Kind::A), ask(*nameserver, name, Kind::Aaaa));
        match combine(both) {
            Ok(answer) => return Ok(answer),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

type Asked = Result<Reply, QueryError>;

/// One kind of address is enough when the other can't be had.
fn combine((v4, v6): (Asked, Asked)) -> Result<Answer, QueryError> {
    let (mut v4, v6) = match (v4, v6) {
        (Err(error), Ok(reply)) | (Ok(reply), Err(error)) if reply.addresses.is_empty() => return Err(error),
        (Err(_), Ok(only)) | (Ok(only), Err(_)) => (only, None),
        (Ok(v4), Ok(v6)) => (v4, Some(v6)),
        (Err(error), Err(_)) => return Err(error),
    };
    if let Some(v6) = v6 {
        if v4.addresses.is_empty() {
            v4 = v6;
        } else {
            v4.addresses.extend(v6.addresses);
        }
    }
    if v4.addresses.is_empty() {
        return Ok(Answer::Nothing);
    }
    Ok(Answer::Addresses { addresses: v4.addresses, owner: v4.owner, ttl: v4.ttl })
}

async fn ask(nameserver: SocketAddr, name: &str, kind: Kind) -> Asked {
    let asked = timeout(TRY, async {
        let reply = over_udp(nameserver, name, kind).await?;
        if reply.truncated { over_tcp(nameserver, name, kind).await } else { Ok(reply) }
    });
    let reply = match asked.await {
        Err(_) => return Err(QueryError::TimedOut),
        Ok(Err(error)) => return Err(QueryError::Failed(format!("{nameserver}: {error}"))),
        Ok(Ok(reply)) => reply,
    };
    match reply.code {
        Code::NoError | Code::NameError => Ok(reply),
        Code::Other(code) => Err(QueryError::Failed(format!("{nameserver} answered {}", code_name(code)))),
    }
}

async fn over_udp(nameserver: SocketAddr, name: &str, kind: Kind) -> io::Result<Reply> {
    let any: IpAddr = if nameserver.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    // A port of its own for each question, chosen by the kernel at random, and an answer from nobody else.
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(nameserver).await?;
    let id = random_id();
    socket.send(&message::question(id, name, kind)).await?;
    let mut buffer = [0u8; 1232];
    loop {
        let length = socket.recv(&mut buffer).await?;
        if let Some(reply) = message::reply(&buffer[..length], id, name, kind) {
            return Ok(reply);
        }
    }
}

async fn over_tcp(nameserver: SocketAddr, name: &str, kind: Kind) -> io::Result<Reply> {
    let mut socket = TcpStream::connect(nameserver).await?;
    let id = random_id();
    let question = message::question(id, name, kind);
    let length = u16::try_from(question.len()).map_err(io::Error::other)?;
    socket.write_all(&[&length.to_be_bytes(), question.as_slice()].concat()).await?;
    let length = socket.read_u16().await?;
    let mut reply = vec![0u8; usize::from(length)];
    socket.read_exact(&mut reply).await?;
    message::reply(&reply, id, name, kind).ok_or_else(|| io::Error::other("a reply to another question"))
}

/// Unpredictable enough beside the random port: the standard library keys each hasher at random.
fn random_id() -> u16 {
    (RandomState::new().hash_one(0u8) & 0xffff) as u16
}

fn code_name(code: u8) -> String {
    match code {
        1 => "FORMERR".into(),
        2 => "SERVFAIL".into(),
        4 => "NOTIMP".into(),
        5 => "REFUSED".into(),
        other => format!("code {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::tests::{ASKED, answer};
    use super::*;

    /// A nameserver that answers each question as `reply` says, or not at all.
    async fn nameserver(reply: impl Fn(&[u8]) -> Option<Vec<u8>> + Send + 'static) -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let mut buffer = [0u8; 512];
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                if let Some(reply) = reply(&buffer[..length]) {
                    socket.send_to(&reply, from).await.unwrap();
                }
            }
        });
        address
    }

    fn asks_for(question: &[u8], kind: Kind) -> bool {
        question[question.len() - 3] == kind as u8
    }

    fn v4_only(question: &[u8]) -> Vec<u8> {
        let records: &[(&[u8], u16, u32, &[u8])] = &[(ASKED, 1, 5, &[10, 96, 0, 7])];
        answer(question, 0, if asks_for(question, Kind::A) { records } else { &[] })
    }

    #[tokio::test]
    async fn a_name_has_the_addresses_that_the_nameserver_gives() {
        let server = nameserver(|question| Some(v4_only(question))).await;
        let Ok(Answer::Addresses { addresses, owner, .. }) = addresses(&[server], "b.demo").await else { panic!() };
        assert_eq!((addresses, owner.as_str()), (vec![IpAddr::from([10, 96, 0, 7])], "b.demo"));
    }

    #[tokio::test]
    async fn a_name_that_does_not_exist_is_no_failure() {
        let server = nameserver(|question| Some(answer(question, 3, &[]))).await;
        assert_eq!(addresses(&[server], "b.demo").await, Ok(Answer::Nothing));
    }

    #[tokio::test]
    async fn a_failing_nameserver_is_told_and_the_next_one_asked() {
        let failing = nameserver(|question| Some(answer(question, 2, &[]))).await;
        let error = addresses(&[failing], "b.demo").await.unwrap_err();
        assert!(matches!(&error, QueryError::Failed(cause) if cause.ends_with("SERVFAIL")), "{error:?}");
        let good = nameserver(|question| Some(v4_only(question))).await;
        assert!(matches!(addresses(&[failing, good], "b.demo").await, Ok(Answer::Addresses { .. })));
    }

    #[tokio::test]
    async fn a_lost_answer_about_one_kind_of_address_does_not_hide_the_other() {
        let server = nameserver(|question| asks_for(question, Kind::A).then(|| v4_only(question))).await;
        assert!(matches!(addresses(&[server], "b.demo").await, Ok(Answer::Addresses { .. })));
    }

    #[tokio::test]
    async fn a_silent_nameserver_times_out() {
        let silent = nameserver(|_| None).await;
        assert_eq!(addresses(&[silent], "b.demo").await, Err(QueryError::TimedOut));
    }

    #[tokio::test]
    async fn a_forged_answer_is_ignored() {
        let server = nameserver(|question| {
            let mut forged = v4_only(question);
            forged[0] ^= 0xff;
            Some(forged)
        })
        .await;
        assert_eq!(addresses(&[server], "b.demo").await, Err(QueryError::TimedOut));
    }
}
