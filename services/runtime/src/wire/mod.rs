//! What hyper leaves open on a connection, closed before its bytes reach hyper.
//!
//! hyper takes a request with both Content-Length and Transfer-Encoding, one without a Host, and lines that end in a
//! bare LF; it forgets the evidence, so a handler can't refuse them. It has one clock for a head and for an idle
//! connection, and it answers a head it can't read without a body. Here a [`Guard`] stands between the socket and
//! hyper:
//!
//! - [`head`] judges one request head, with the parser that hyper uses;
//! - [`chunked`] finds the end of a chunked body, and so the next head;
//! - [`Screen`] holds a head back until it is whole, and replaces a refused one by a stand-in, so that the refusal is
//!   answered in its turn by the same stack as everything else (problem+json, trace, metrics);
//! - [`clock`] has the deadlines: a head, an idle connection, an answer that nobody reads.

mod chunked;
mod clock;
mod guard;
mod head;
mod screen;

pub(crate) use guard::{Guard, Line};
pub(crate) use head::Refusal;
