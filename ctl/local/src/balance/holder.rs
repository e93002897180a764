//! Which process holds a port: from /proc, as `ss -ltnp` finds it.

use std::collections::HashSet;
use std::fmt;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// A process that listens on a port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    pub pid: u32,
    /// Its command line, at most 80 characters of it; its name where that is all there is to see.
    pub command: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} ({})", self.pid, self.command)
    }
}

/// Longer command lines end in an ellipsis.
const COMMAND: usize = 80;

/// Who listens on `port` of any address that 127.0.0.1 belongs to. `None` when nobody does, or when whoever does is
/// another user's process, whose descriptors only root may see.
///
/// A look at each descriptor of each process: some milliseconds, not for an event loop.
pub fn holder(port: u16) -> Option<Holder> {
    let sockets = sockets(port);
    if sockets.is_empty() {
        return None;
    }
    let processes = fs::read_dir("/proc").ok()?;
    let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    // A child may have inherited the socket; the lowest number is its parent's, nearly always.
    let pid = pids.filter(|pid| has_one_of(*pid, &sockets)).min()?;
    Some(Holder { pid, command: command(pid)? })
}

/// The sockets that keep others from listening: those that listen, else (a port may also be taken by one end of a
/// connection) all that are bound.
fn sockets(port: u16) -> HashSet<String> {
    let tables: Vec<String> =
        ["/proc/net/tcp", "/proc/net/tcp6"].iter().filter_map(|path| fs::read_to_string(path).ok()).collect();
    let bound = || tables.iter().flat_map(|table| table.lines().skip(1)).filter_map(|line| entry(line, port));
    let listening: HashSet<String> = bound().filter(|entry| entry.listens).map(|entry| entry.link()).collect();
    if listening.is_empty() { bound().map(|entry| entry.link()).collect() } else { listening }
}

struct Entry<'a> {
    inode: &'a str,
    listens: bool,
}

impl Entry<'_> {
    /// What a descriptor of it is a link to.
    fn link(&self) -> String {
        format!("socket:[{}]", self.inode)
    }
}

/// A line of /proc/net/tcp, when it is of a socket on `port`:
/// `sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode …`.
fn entry(line: &str, port: u16) -> Option<Entry<'_>> {
    /// `TCP_LISTEN` of the kernel's `tcp_states.h`.
    const LISTEN: &str = "0A";
    let mut fields = line.split_ascii_whitespace().skip(1);
    let (address, local_port) = fields.next()?.rsplit_once(':')?;
    let state = fields.nth(1)?;
    let inode = fields.nth(5)?;
    // A connection in TIME_WAIT belongs to nobody any more.
    let ours = u16::from_str_radix(local_port, 16).ok()? == port && takes_loopback(address) && inode != "0";
    ours.then_some(Entry { inode, listens: state == LISTEN })
}

/// Whether an address (hexadecimal, each 32-bit group in the machine's byte order) is 127.0.0.1, in either family, or
/// all addresses.
fn takes_loopback(address: &str) -> bool {
    let last = address.get(address.len().saturating_sub(8)..).unwrap_or_default();
    let loopback = format!("{:08X}", u32::from_ne_bytes([127, 0, 0, 1]));
    let mapped = format!("0000000000000000{:08X}", u32::from_ne_bytes([0, 0, 0xff, 0xff]));
    let any = address.bytes().all(|digit| digit == b'0');
    any || (last == loopback && (address.len() == 8 || address.starts_with(&mapped)))
}

fn has_one_of(pid: u32, sockets: &HashSet<String>) -> bool {
    let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    descriptors
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .any(|link| link.to_str().is_some_and(|link| sockets.contains(link)))
}

fn command(pid: u32) -> Option<String> {
    let folder = Path::new("/proc").join(pid.to_string());
    let words = fs::read(folder.join("cmdline")).ok()?;
    let line: Vec<_> = words
        .split(|byte| *byte == 0)
        .filter(|word| !word.is_empty())
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect();
    let line = if line.is_empty() { fs::read_to_string(folder.join("comm")).ok()? } else { line.join(" ") };
    // Another user's process chose it: nothing in it may move a terminal's cursor.
    let line: String = line.trim().chars().map(|letter| if letter.is_control() { '?' } else { letter }).collect();
    if line.chars().count() <= COMMAND {
        return Some(line);
    }
    Some(line.chars().take(COMMAND - 1).chain(['…']).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a kernel on a little-endian machine writes them.
    const LISTENS: &str =
        "   3: 0100007F:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 76543 1 0 100 0";
    const WAITS: &str =
        "  10: 0100007F:1F40 0100007F:A1B2 06 00000000:00000000 03:000012F6 00000000     0        0 0 3 0";

    #[test]
    fn a_line_of_the_table_is_read() {
        assert_eq!(entry(LISTENS, 8000).map(|found| (found.inode, found.listens)), Some(("76543", true)));
        assert!(entry(LISTENS, 8001).is_none());
        assert!(entry(WAITS, 8000).is_none(), "TIME_WAIT belongs to nobody");
    }

    #[test]
    fn addresses_that_take_connections_to_127_0_0_1_are_known() {
        for address in ["0100007F", "00000000", "00000000000000000000000000000000", "0000000000000000FFFF00000100007F"]
        {
            assert!(takes_loopback(address), "{address}");
        }
        for address in ["0200007F", "0101A8C0", "00000000000000000000000001000000"] {
            assert!(!takes_loopback(address), "{address}");
        }
    }

    #[test]
    fn the_holder_of_a_port_is_this_process_while_it_listens() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let found = holder(port).unwrap();
        assert_eq!(found.pid, std::process::id());
        assert!(found.command.contains("local"), "{}", found.command);
        drop(listener);
        assert_eq!(holder(port), None);
    }

    #[test]
    fn a_listener_on_every_address_of_either_family_holds_the_port_too() {
        for every in ["0.0.0.0:0", "[::]:0"] {
            // A machine without IPv6 has no such address.
            let Ok(listener) = std::net::TcpListener::bind(every) else { continue };
            let port = listener.local_addr().unwrap().port();
            assert_eq!(holder(port).map(|holder| holder.pid), Some(std::process::id()), "{every}");
        }
    }
}
