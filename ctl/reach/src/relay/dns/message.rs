//! Questions and answers on the wire (RFC 1035), as far as addresses need.

use std::net::IpAddr;
use std::time::Duration;

/// What to ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    A = 1,
    Aaaa = 28,
}

const CNAME: u16 = 5;
const INTERNET: u16 = 1;

/// The code of an answer (RFC 1035 section 4.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    NoError,
    NameError,
    Other(u8),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) code: Code,
    /// Did not fit: ask again over TCP.
    pub(super) truncated: bool,
    pub(super) addresses: Vec<IpAddr>,
    /// The name that holds the addresses: another than the one asked for when an alias led there.
    pub(super) owner: String,
    pub(super) ttl: Duration,
}

/// One question. `name` is a valid host name without a trailing dot.
pub(super) fn question(id: u16, name: &str, kind: Kind) -> Vec<u8> {
    let mut message = Vec::with_capacity(name.len() + 18);
    message.extend_from_slice(&id.to_be_bytes());
    // Recursion desired; one question.
    message.extend_from_slice(&[1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.split('.') {
        // A label has at most 63 bytes.
        message.push(u8::try_from(label.len()).unwrap_or(63));
        message.extend_from_slice(label.as_bytes());
    }
    message.push(0);
    message.extend_from_slice(&(kind as u16).to_be_bytes());
    message.extend_from_slice(&INTERNET.to_be_bytes());
    message
}

/// The reply to that very question; none for anything else, which is to be ignored.
pub(super) fn reply(message: &[u8], id: u16, name: &str, kind: Kind) -> Option<Reply> {
    let mut reader = Reader { message, at: 0 };
    if reader.u16()? != id {
        return None;
    }
    let flags = reader.u16()?;
    let (questions, answers) = (reader.u16()?, reader.u16()?);
    reader.skip(4)?;
    if flags & 0x8000 == 0 || questions != 1 || !reader.name()?.eq_ignore_ascii_case(name) {
        return None;
    }
    if reader.u16()? != kind as u16 || reader.u16()? != INTERNET {
        return None;
    }
    let code = match (flags & 0xf) as u8 {
        0 => Code::NoError,
        3 => Code::NameError,
        other => Code::Other(other),
    };
    let mut reply = Reply {
        code,
        truncated: flags & 0x0200 != 0,
        addresses: Vec::new(),
        owner: name.to_ascii_lowercase(),
        ttl: Duration::MAX,
    };
    for _ in 0..answers {
        if record(&mut reader, kind, &mut reply).is_none() {
            // What was cut off by truncation is asked for again; anything else is no answer.
            return reply.truncated.then_some(reply);
        }
    }
    Some(reply)
}

/// Aliases come before what they lead to, as every server sends them (RFC 1034 section 4.3.2).
fn record(reader: &mut Reader<'_>, kind: Kind, reply: &mut Reply) -> Option<()> {
    let owner = reader.name()?;
    let (record_kind, class) = (reader.u16()?, reader.u16()?);
    let ttl = Duration::from_secs(u64::from(reader.u16()?) << 16 | u64::from(reader.u16()?));
    let length = usize::from(reader.u16()?);
    let end = reader.at.checked_add(length).filter(|end| *end <= reader.message.len())?;
    if class == INTERNET && owner.eq_ignore_ascii_case(&reply.owner) {
        if record_kind == CNAME {
            reply.owner = reader.name()?.to_ascii_lowercase();
            reply.ttl = reply.ttl.min(ttl);
        } else if record_kind == kind as u16 {
            reply.addresses.push(address(&reader.message[reader.at..end])?);
            reply.ttl = reply.ttl.min(ttl);
        }
    }
    reader.at = end;
    Some(())
}

fn address(data: &[u8]) -> Option<IpAddr> {
    match data.len() {
        4 => <[u8; 4]>::try_from(data).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(data).ok().map(IpAddr::from),
        _ => None,
    }
}

struct Reader<'a> {
    message: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn u8(&mut self) -> Option<u8> {
        let byte = *self.message.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes([self.u8()?, self.u8()?]))
    }

    fn skip(&mut self, count: usize) -> Option<()> {
        self.at = self.at.checked_add(count).filter(|at| *at <= self.message.len())?;
        Some(())
    }

    /// A name, with its compression pointers followed: only backwards, so it ends.
    fn name(&mut self) -> Option<String> {
        let mut name = String::new();
        let mut resume = None;
        let mut limit = self.at;
        loop {
            let length = self.u8()?;
            match length {
                0 => break,
                1..=63 => {
                    let label = self.message.get(self.at..self.at + usize::from(length))?;
                    self.at += usize::from(length);
                    if !name.is_empty() {
                        name.push('.');
                    }
                    name.push_str(std::str::from_utf8(label).ok()?);
                    if name.len() > 255 {
                        return None;
                    }
                }
                0xc0.. => {
                    let target = usize::from(length & 0x3f) << 8 | usize::from(self.u8()?);
                    if target >= limit {
                        return None;
                    }
                    limit = target;
                    resume.get_or_insert(self.at);
                    self.at = target;
                }
                _ => return None,
            }
        }
        if let Some(at) = resume {
            self.at = at;
        }
        Some(name)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A reply to `question` with `records` of (owner as pointer or name, kind, ttl, data).
    pub(in crate::relay::dns) fn answer(question: &[u8], code: u8, records: &[(&[u8], u16, u32, &[u8])]) -> Vec<u8> {
        let mut message = question.to_vec();
        message[2] = 0x81;
        message[3] = 0x80 | code;
        message[7] = u8::try_from(records.len()).unwrap();
        for (owner, kind, ttl, data) in records {
            message.extend_from_slice(owner);
            message.extend_from_slice(&kind.to_be_bytes());
            message.extend_from_slice(&INTERNET.to_be_bytes());
            message.extend_from_slice(&ttl.to_be_bytes());
            message.extend_from_slice(&u16::try_from(data.len()).unwrap().to_be_bytes());
            message.extend_from_slice(data);
        }
        message
    }

    pub(in crate::relay::dns) const ASKED: &[u8] = &[0xc0, 12];

    #[test]
    fn an_address_is_read_with_its_time() {
        let question = question(7, "service-b.demo", Kind::A);
        let message = answer(&question, 0, &[(ASKED, 1, 30, &[10, 96, 1, 2]), (ASKED, 1, 5, &[10, 96, 1, 3])]);
        let reply = reply(&message, 7, "Service-B.demo", Kind::A).unwrap();
        assert_eq!(reply.addresses, [IpAddr::from([10, 96, 1, 2]), IpAddr::from([10, 96, 1, 3])]);
        assert_eq!((reply.owner.as_str(), reply.ttl), ("service-b.demo", Duration::from_secs(5)));
    }

    #[test]
    fn an_alias_is_followed_and_named() {
        let question = question(7, "ext.demo", Kind::Aaaa);
        let alias = b"\x03api\x07example\x00";
        let v6: [u8; 16] = "2001:db8::1".parse::<std::net::Ipv6Addr>().unwrap().octets();
        let message = answer(&question, 0, &[(ASKED, CNAME, 30, alias), (alias, 28, 60, &v6)]);
        let reply = reply(&message, 7, "ext.demo", Kind::Aaaa).unwrap();
        assert_eq!((reply.owner.as_str(), reply.addresses.len()), ("api.example", 1));
    }

    #[test]
    fn a_record_of_another_name_is_not_an_answer() {
        let question = question(7, "service-b.demo", Kind::A);
        let message = answer(&question, 0, &[(b"\x04evil\x00", 1, 30, &[10, 0, 0, 1])]);
        assert!(reply(&message, 7, "service-b.demo", Kind::A).unwrap().addresses.is_empty());
    }

    #[test]
    fn a_reply_to_another_question_is_ignored() {
        let question = question(7, "service-b.demo", Kind::A);
        let message = answer(&question, 0, &[(ASKED, 1, 30, &[10, 96, 1, 2])]);
        assert_eq!(reply(&message, 8, "service-b.demo", Kind::A), None);
        assert_eq!(reply(&message, 7, "service-c.demo", Kind::A), None);
        assert_eq!(reply(&message, 7, "service-b.demo", Kind::Aaaa), None);
        assert_eq!(reply(&question, 7, "service-b.demo", Kind::A), None);
    }

    #[test]
    fn codes_are_told_apart() {
        let question = question(7, "x", Kind::A);
        for (number, code) in [(0, Code::NoError), (3, Code::NameError), (2, Code::Other(2))] {
            assert_eq!(reply(&answer(&question, number, &[]), 7, "x", Kind::A).unwrap().code, code);
        }
    }

    #[test]
    fn broken_messages_never_panic_and_pointers_never_loop() {
        let question = question(7, "service-b.demo", Kind::A);
        let message =
            answer(&question, 0, &[(ASKED, 1, 30, &[10, 96, 1, 2]), (b"\x01a\xc0\x0c", CNAME, 1, b"\xc0\x0c")]);
        for end in 0..message.len() {
            let _ = reply(&message[..end], 7, "service-b.demo", Kind::A);
            for flip in [0x00, 0x3f, 0xc0, 0xff] {
                let mut broken = message.clone();
                broken[end] = flip;
                let _ = reply(&broken, 7, "service-b.demo", Kind::A);
            }
        }
        let own = u8::try_from(question.len()).unwrap();
        let looping = answer(&question, 0, &[(&[0xc0, own], 1, 30, &[10, 96, 1, 2])]);
        assert_eq!(reply(&looping, 7, "service-b.demo", Kind::A), None);
    }
}
