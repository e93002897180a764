//! Ports for projects that run side by side on this machine.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the ports of replicas (20000 on) and those that the kernel gives to outgoing connections: nobody takes one
/// between the question and its use, also not when a project starts a hundred times.
const FIRST: u16 = 10_000;
const COUNT: u16 = 10_000;

/// One that nobody listens on, and that this process has not been given before.
#[must_use]
pub fn free() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Another process of tests starts at another one.
    let start = std::process::id().wrapping_mul(97) % u32::from(COUNT);
    for _ in 0..COUNT {
        let offset = (start + u32::from(NEXT.fetch_add(1, Ordering::Relaxed))) % u32::from(COUNT);
        let port = FIRST + u16::try_from(offset).expect("below COUNT");
        if is_free(port) {
            return port;
        }
    }
    panic!("no free port from {FIRST} on");
}

/// Whether it can be listened on.
#[must_use]
pub fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}
