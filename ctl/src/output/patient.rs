//! Writing to a stream that may take no more for a while: a pipe whose reader does not read, a terminal that is held.
//!
//! A write that blocks holds the one thread of the runtime, and with it everything that listens for signals and looks at
//! clocks. So nothing is written before there is room for it, and whoever waits for room looks around meanwhile.

use std::fs::File;
use std::io::{self, IsTerminal as _, Write};
use std::os::fd::AsFd as _;
use std::os::unix::fs::FileTypeExt as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::error::{Error, ExitCode};
use crate::interrupt;

/// Between two looks at signals and the clock.
const LOOK: Duration = Duration::from_millis(50);
/// For a reader to take last words, once it is time to end.
pub(crate) const GRACE: Duration = Duration::from_millis(500);
/// A pipe that takes anything takes this much (`PIPE_BUF`, pipe(7)). A terminal may take less, and hold the rest.
const ROOM: usize = 4096;

/// Until when somebody may be waited for, if not for ever.
#[derive(Debug, Clone, Default)]
pub(crate) struct Deadline(Arc<Mutex<Option<Instant>>>);

impl Deadline {
    pub(crate) fn is(&self, moment: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(moment);
    }

    fn is_over(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|moment| Instant::now() >= moment)
    }
}

/// Why nothing more was written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Stuck {
    #[error("it got {0}")]
    Signal(&'static str),
    #[error("the time is over")]
    Late,
}

impl Stuck {
    /// The error for a write that was given up; none when it failed in another way.
    pub(crate) fn explain(stream: &str, cause: &io::Error) -> Option<Error> {
        let stuck = cause.get_ref()?.downcast_ref::<Self>()?;
        let error = match stuck {
            Self::Signal(signal) => interrupt::interrupted(&format!("writing to {stream}"), signal),
            Self::Late => Error::new(ExitCode::TimedOut, format!("cannot write to {stream} in time"))
                .why(format!("--timeout is over: {stuck}")),
        };
        Some(error.why("whoever reads it takes no more").place(stream).next("> FILE takes the result whole"))
    }
}

/// A file that is written to only when it takes something.
#[derive(Debug)]
pub(crate) struct Patient {
    file: File,
    /// A disk and a device such as /dev/null always take everything.
    may_block: bool,
    deadline: Deadline,
}

impl Patient {
    pub(crate) fn new(file: File, deadline: Deadline) -> Self {
        let kind = file.metadata().map(|metadata| metadata.file_type());
        let may_block = file.is_terminal() || kind.is_ok_and(|kind| kind.is_fifo() || kind.is_socket());
        Self { file, may_block, deadline }
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    fn until_it_takes_more(&self) -> io::Result<()> {
        let look = PollTimeout::try_from(LOOK).unwrap_or(PollTimeout::ZERO);
        let mut signalled = None;
        loop {
            match poll(&mut [PollFd::new(self.file.as_fd(), PollFlags::POLLOUT)], look) {
                // Also where nobody reads any more: the write says so.
                Ok(1..) => return Ok(()),
                Ok(_) | Err(nix::errno::Errno::EINTR) => {}
                Err(cause) => return Err(cause.into()),
            }
            if let Some(signal) = interrupt::last()
                && signalled.get_or_insert_with(Instant::now).elapsed() >= GRACE
            {
                return Err(io::Error::other(Stuck::Signal(signal)));
            }
            if self.deadline.is_over() {
                return Err(io::Error::other(Stuck::Late));
            }
        }
    }
}

impl Write for Patient {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.may_block {
            return self.file.write(bytes);
        }
        self.until_it_takes_more()?;
        self.file.write(&bytes[..bytes.len().min(ROOM)])
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;
    use std::os::fd::OwnedFd;

    #[test]
    fn a_reader_that_does_not_read_is_waited_for_until_the_deadline_and_what_it_takes_is_whole() {
        let (mut reader, writer) = io::pipe().unwrap();
        let deadline = Deadline::default();
        let mut patient = Patient::new(File::from(OwnedFd::from(writer)), deadline.clone());
        let body: Vec<u8> = (0..1_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        // It reads, slowly at first.
        let reading = std::thread::spawn(move || {
            std::thread::sleep(LOOK * 3);
            let mut read = vec![0; 1_000_000];
            reader.read_exact(&mut read).unwrap();
            (read, reader)
        });
        patient.write_all(&body).unwrap();
        let (read, reader) = reading.join().unwrap();
        assert!(read == body);
        let began = Instant::now();
        deadline.is(began + LOOK * 4);
        let error = patient.write_all(&body).unwrap_err();
        assert!(began.elapsed() >= LOOK * 4, "{:?}", began.elapsed());
        let text = Stuck::explain("stdout", &error).unwrap().to_string();
        assert!(text.contains("error: cannot write to stdout in time") && text.contains("where: stdout"), "{text}");
        // And one that goes away is no reader.
        drop(reader);
        assert_eq!(patient.write_all(b"x").unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}
