//! The body that `-d` stands for: the text itself, a file's bytes, or all of stdin, none of them without end.

use std::fs::File;
use std::io::{self, Read};

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::error::Error;
use crate::way::Stage;

/// A body is held in memory, and sent again when nobody took it.
pub(super) const LARGEST: usize = 64 << 20;

/// Reads it. A pipe may have nothing to say for as long as it likes: whoever gives up waiting drops this.
pub(super) async fn read(data: &str, stage: &Stage) -> Result<Bytes, Error> {
    let Some(name) = data.strip_prefix('@') else { return Ok(Bytes::copy_from_slice(data.as_bytes())) };
    let shown = if name == "-" { "stdin" } else { name };
    stage.is_until(
        format!("reading the body from {shown}"),
        "a longer --timeout, or --data @FILE with a file that is there in full",
    );
    stage.place("--data");
    let refused = |cause: &io::Error| {
        Error::usage(format!("cannot read the body from {shown}"))
            .why(cause.to_string())
            .place("--data")
            .next("--data @FILE, or @- for stdin; without the @ it is the body itself")
    };
    let (found, reading) = oneshot::channel();
    let source = name.to_owned();
    // A thread of our own, and not the runtime's: it may hang in `open` or `read` for ever, and ends with the process.
    std::thread::Builder::new()
        .name("body".to_owned())
        // Nobody waits for it any more when the time is over.
        .spawn(move || drop(found.send(whole(&source, LARGEST))))
        .map_err(|cause| refused(&cause))?;
    let body = reading.await.unwrap_or_else(|_| Err(io::Error::other("its reader is gone")));
    match body.map_err(|cause| refused(&cause))? {
        Some(body) => Ok(body.into()),
        None => Err(Error::usage(format!("the body from {shown} is larger than {} MiB", LARGEST >> 20))
            .why("a body is held in memory until the service has taken it")
            .place("--data")
            .next("--data @FILE with a smaller file; split a larger one, or let the service fetch it")),
    }
}

/// `None` where there are more than `largest` bytes.
fn whole(name: &str, largest: usize) -> io::Result<Option<Vec<u8>>> {
    match name {
        "-" => up_to(largest, io::stdin().lock()),
        path => up_to(largest, File::open(path)?),
    }
}

fn up_to(largest: usize, from: impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    from.take(largest as u64 + 1).read_to_end(&mut bytes)?;
    Ok(Some(bytes).filter(|bytes| bytes.len() <= largest))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::error::ExitCode;
    use crate::interrupt::Interrupt;
    use crate::way::{Patience, bounded};

    #[test]
    fn what_is_as_large_as_it_may_be_is_taken_and_a_byte_more_is_not() {
        for (length, taken) in [(0, true), (7, true), (8, true), (9, false), (900, false)] {
            let read = up_to(8, &vec![b'x'; length][..]).unwrap();
            assert_eq!(read.map(|bytes| bytes.len()), taken.then_some(length), "{length}");
        }
    }

    #[tokio::test]
    async fn what_has_no_end_is_refused_with_the_bound() {
        let error = read("@/dev/zero", &Stage::default()).await.unwrap_err();
        assert_eq!(error.code(), ExitCode::Usage);
        let text = error.to_string();
        assert!(text.contains("/dev/zero is larger than 64 MiB") && text.contains("next: --data @FILE"), "{text}");
    }

    #[tokio::test]
    async fn a_pipe_that_nobody_writes_to_ends_with_the_timeout() {
        let path = std::env::temp_dir().join(format!("msctl-fifo-{}", std::process::id()));
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let patience = Patience::new("calling a", Duration::from_millis(200));
        let mut interrupt = Interrupt::listen().unwrap();
        let data = format!("@{}", path.display());
        let error = bounded(&patience, &mut interrupt, read(&data, &patience.stage)).await.unwrap_err();
        // Lets the reader go.
        drop(std::fs::OpenOptions::new().write(true).open(&path).unwrap());
        std::fs::remove_file(&path).unwrap();
        assert_eq!(error.code(), ExitCode::TimedOut);
        let text = error.to_string();
        assert!(text.contains(&format!("why: it was reading the body from {}", path.display())), "{text}");
        assert!(text.contains("next: a longer --timeout, or --data @FILE"), "{text}");
    }
}
